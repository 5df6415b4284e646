"""Embeddings of others: heads that read them, in training and in predictions."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland.errors import InputError, MissingVariableError
from xstefaland.testing import example_points, tiny_weights
from xstefaland.training import Finetuning, finetune
from xstefaland.weights import Weights

SHORT = Finetuning(
    updates=3, batch_size=2, days=60, warmup=20, precision="float32"
)  # fmt: skip


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """A tiny encoder in a file that stays where it is."""
    return tiny_weights(tmp_path_factory.mktemp("encoder") / "tiny.safetensors")


def gauges() -> xr.Dataset:
    """Five gauges."""
    ds = example_points(sites=5, days=500)
    return ds.assign(flow=(0.4 * ds.precipitation).assign_attrs(units="mm d-1"))


def embeddings(ds: xr.Dataset, daily: bool) -> xr.DataArray:
    """Seven numbers a site, others from a day on where they are daily."""
    drawn = np.random.default_rng(0).normal(size=(5, 7))
    one = xr.DataArray(drawn, {"site": ds.site.values}, ("site", "e"), "vectors")
    if not daily:
        return one
    days = xr.DataArray(ds.time.values[[0, 200]], dims="time")
    return xr.concat([one, one.roll(e=1)], days).rename("vectors")


def trained(ds: xr.Dataset, encoder: Weights, given: xr.DataArray, **more) -> Weights:
    """Finetune for three updates."""
    return finetune(
        ds, "streamflow", "flow", encoder=encoder, embeddings=given, settings=SHORT,
        progress=False, **more,
    )  # fmt: skip


@pytest.mark.parametrize("daily", [False, True])
def test_training_and_predictions_see_the_same(encoder, tmp_path, daily):
    """The answer at a site left out is the one that was scored; order is no matter."""
    ds = gauges()
    given = embeddings(ds, daily)
    head = trained(ds, encoder, given, folder=tmp_path, folds=2)
    card = head.card
    assert card.encoder is None
    assert (card.external.name, card.external.width) == ("vectors", 7)
    assert card.external.daily == daily
    assert "external embedding, width 7" in repr(head)
    options = {"head": head, "weights": encoder}
    flow = xstefaland.predict(ds, "streamflow", embeddings=given, **options)
    shuffled = given.isel(site=[4, 2, 0, 1, 3])
    lazy = ds.chunk(site=2).stefaland.predict(
        "streamflow", embeddings=shuffled, **options
    )
    np.testing.assert_allclose(lazy, flow, rtol=1e-4, atol=1e-5)
    other = xstefaland.predict(ds, "streamflow", embeddings=given.roll(e=2), **options)
    assert float(abs(other - flow).max()) > 1e-6
    if daily:  # the days before the vectors change have the first of them alone
        alone = given.isel(time=[0])
        first = xstefaland.predict(ds, "streamflow", embeddings=alone, **options)
        last = slice(ds.time.values[210], None)
        assert float(abs(first - flow).sel(time=last).max()) > 1e-7


def test_a_site_without_a_vector_has_no_answer(encoder):
    """NaN there, the others as before; in training it is an error that names it."""
    ds = gauges()
    given = embeddings(ds, False)
    head = trained(ds, encoder, given)
    options = {"head": head, "weights": encoder}
    whole = xstefaland.predict(ds, "streamflow", embeddings=given, **options)
    part = xstefaland.predict(ds, "streamflow", embeddings=given[:4], **options)
    assert bool(part[4].isnull().all())
    xr.testing.assert_allclose(part[:4], whole[:4])
    with pytest.raises(InputError, match=r"lack 1 sites .* \['site004'\]"):
        trained(ds, encoder, given[:4])


def test_what_does_not_fit_is_said(encoder):
    """No vectors, others, or a head that reads none."""
    ds = gauges()
    given = embeddings(ds, False)
    head = trained(ds, encoder, given)
    options = {"head": head, "weights": encoder}
    with pytest.raises(InputError, match="trained on vectors, width 7, without"):
        xstefaland.predict(ds, "streamflow", **options)
    with pytest.raises(InputError, match="width 3 do not fit"):
        xstefaland.predict(ds, "streamflow", embeddings=given[:, :3], **options)
    with pytest.raises(InputError, match="which the Dataset lacks"):
        xstefaland.predict(
            ds, "streamflow", embeddings=given.expand_dims("x"), **options
        )
    wrong = given.assign_coords(site=list("abcde"))
    with pytest.raises(InputError, match="for none of the Dataset's sites"):
        xstefaland.predict(ds, "streamflow", embeddings=wrong, **options)
    lstm = finetune(
        ds, "streamflow", "flow", encoder=encoder, head="lstm-plain", settings=SHORT,
        progress=False,
    )  # fmt: skip
    with pytest.raises(InputError, match="leave it out"):
        xstefaland.predict(
            ds, "streamflow", head=lstm, weights=encoder, embeddings=given
        )
    with pytest.raises(MissingVariableError, match="external_0000"):
        xstefaland.run(ds, "streamflow", "memory://nowhere", **options)


def test_another_folder_for_other_vectors(encoder, tmp_path):
    """A run is what its vectors are, too."""
    ds = gauges()
    trained(ds, encoder, embeddings(ds, False), folder=tmp_path, name="a")
    with pytest.raises(InputError, match="holds another run: embeddings differ"):
        trained(ds, encoder, embeddings(ds, False) + 1, folder=tmp_path, name="b")
