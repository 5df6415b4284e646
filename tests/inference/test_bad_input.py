"""Bad input: each message says what was passed, what is needed, and the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland.errors import (
    InputError,
    MissingVariableError,
    UnknownTargetError,
    WeightsError,
    WeightsNotFoundError,
)
from xstefaland.testing import example_points, tiny_head, tiny_weights

FORCING = ["precipitation", "temperature", "shortwave_radiation"]


@pytest.fixture
def ds() -> xr.Dataset:
    """Three sites, fifty days, nothing wrong."""
    return example_points(3, 50)


@pytest.fixture
def predict(weights: Any, head: Any) -> Any:
    """Predict streamflow with the tiny head."""
    return lambda ds, **more: xstefaland.predict(
        ds, "streamflow", **{"head": head, "weights": weights, **more}
    )


def test_no_forcing(ds: xr.Dataset, predict: Any) -> None:
    """Names what the model knows and what the Dataset has, with rename=."""
    other = ds.drop_vars(FORCING).assign(foo=ds.precipitation)
    with pytest.raises(InputError, match=r"(?s)no forcing found: .*'foo'.*rename="):
        predict(other)


def test_no_time(ds: xr.Dataset, predict: Any) -> None:
    """Names the dimension that holds dates."""
    with pytest.raises(
        InputError, match=r"no dimension 'time'.*ds.rename\(\{\"day\": \"time\"\}\)"
    ):
        predict(ds.rename(time="day"))


def test_time_in_several_chunks(ds: xr.Dataset, predict: Any) -> None:
    """Nothing is rechunked silently; the call is given."""
    with pytest.raises(InputError, match=r"ds\.chunk\(\{\"time\": -1\}\)"):
        predict(ds.chunk(time=10))


def test_unknown_target_lists_targets(ds: xr.Dataset, weights: Any) -> None:
    """All targets that exist are named."""
    with pytest.raises(UnknownTargetError, match=r"'snow'.*soil_moisture.*streamflow"):
        xstefaland.predict(ds, "snow", weights=weights)


def test_target_that_the_head_lacks(ds: xr.Dataset, predict: Any, head: Any) -> None:
    """With a list, those that the head lacks are named."""
    with pytest.raises(UnknownTargetError, match=r"(?s)does not predict 'recharge'"):
        xstefaland.predict(ds, ["streamflow", "recharge"], head=head)


@pytest.mark.parametrize("target", [None, [], 3, ["streamflow", 3], {"streamflow"}])
def test_target_of_a_wrong_type(ds: xr.Dataset, target: Any) -> None:
    """A name or a list of names."""
    with pytest.raises(InputError, match=r"target=.* is not possible.*'streamflow'"):
        xstefaland.predict(ds, target)


def test_required_input_missing(ds: xr.Dataset, predict: Any) -> None:
    """It is a KeyError too, and names all that is missing."""
    with pytest.raises(MissingVariableError, match="required input missing: precip"):
        predict(ds.drop_vars("precipitation"))
    with pytest.raises(KeyError):
        predict(ds.drop_vars("precipitation"))


def test_non_finite_everywhere(ds: xr.Dataset, predict: Any) -> None:
    """A required forcing without a single number is refused."""
    with pytest.raises(InputError, match="'precipitation' holds not a single finite"):
        predict(ds.assign(precipitation=ds.precipitation * np.inf))


@pytest.mark.parametrize("kind", ["U", "O", "bool", "m8[ns]"])
def test_strings_where_numbers_belong(ds: xr.Dataset, predict: Any, kind: str) -> None:
    """Text, objects, booleans and durations are refused, with the conversion."""
    values = ds.precipitation.astype(int).astype(kind)
    wrong = ds.assign(precipitation=values.assign_attrs(units="mm d-1"))
    with pytest.raises(InputError, match=r"where numbers belong.*convert it"):
        predict(wrong)


def test_empty_site_dim(ds: xr.Dataset, predict: Any) -> None:
    """No site at all."""
    with pytest.raises(InputError, match="'site' has length 0: there is no site"):
        predict(ds.isel(site=[]))


def test_duplicate_times(ds: xr.Dataset, predict: Any) -> None:
    """The doubled day is named, and the call that drops it."""
    twice = ds.isel(time=np.r_[0:5, 4:50])
    with pytest.raises(InputError, match=r"twice.*drop_duplicates\(\"time\"\)"):
        predict(twice)


def test_wrong_weights_path(ds: xr.Dataset, tmp_path: Path) -> None:
    """A path that is not there, a name that does not exist, a file of another kind."""
    path = tmp_path / "nothing.safetensors"
    with pytest.raises(WeightsNotFoundError, match=r"nothing\.safetensors"):
        xstefaland.embed(ds, weights=path)
    with pytest.raises(WeightsNotFoundError, match=r"stefaland-bse.*stefaland-base-v1"):
        xstefaland.embed(ds, weights="stefaland-bse")
    path.write_text("no weights")
    with pytest.raises(WeightsError, match=r"nothing\.safetensors"):
        xstefaland.embed(ds, weights=path)


def test_head_in_place_of_an_encoder(ds: xr.Dataset, head: Any) -> None:
    """Says which keyword takes it."""
    with pytest.raises(
        WeightsError, match="is a head, but `weights=` takes an encoder"
    ):
        xstefaland.embed(ds, weights=head)


def test_encoder_in_place_of_a_head(ds: xr.Dataset, weights: Any) -> None:
    """Says which keyword takes it."""
    with pytest.raises(WeightsError, match="is an encoder, but `head=` takes a head"):
        xstefaland.predict(ds, "streamflow", head=weights)


def test_head_for_another_encoder(ds: xr.Dataset, predict: Any) -> None:
    """Both hashes are shown."""
    other = tiny_weights(seed=99)
    with pytest.raises(
        WeightsError, match=rf"trained on encoder 'tiny'.*{other.sha256}"
    ):
        predict(ds, weights=other)


def test_head_whose_encoder_is_not_listed(ds: xr.Dataset, head: Any) -> None:
    """Without weights= its encoder must be a listed one."""
    with pytest.raises(WeightsError, match=r"encoder 'tiny'.*weights='path/to/"):
        xstefaland.predict(ds, "streamflow", head=head)


def test_head_with_other_units(ds: xr.Dataset, weights: Any) -> None:
    """An encoder and a head must agree on the units of what both take."""
    from dataclasses import replace

    head = tiny_head(weights)
    rain, *rest = head.card.forcing
    card = replace(head.card, forcing=(replace(rain, units="m d-1"), *rest))
    with pytest.raises(WeightsError, match="'precipitation' in m d-1, 'tiny' in mm"):
        xstefaland.predict(
            ds, "streamflow", head=replace(head, card=card), weights=weights
        )


def test_quantiles_of_a_head_without(ds: xr.Dataset, predict: Any) -> None:
    """Says that there are none."""
    with pytest.raises(
        InputError, match=r"for no quantiles of streamflow; quantiles=\[0.1\]"
    ):
        predict(ds, quantiles=[0.1])


def test_quantiles_that_were_not_trained(
    ds: xr.Dataset, predict: Any, head: Any
) -> None:
    """Names the levels that there are."""
    from dataclasses import replace

    config = {**head.card.config, "quantiles": (0.1, 0.9)}
    card = replace(head.card, config=config, quantiles=(0.1, 0.9))
    levels = replace(head, card=card)
    for wanted in ([0.1, 0.3], None):
        with pytest.raises(InputError, match=r"quantiles \[0.1, 0.9\]"):
            predict(ds, head=levels, quantiles=wanted)


def test_unknown_pool(ds: xr.Dataset, weights: Any) -> None:
    """Names those that there are."""
    with pytest.raises(InputError, match=r"pool='max' is not possible.*'year'"):
        xstefaland.embed(ds, weights=weights, pool="max")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, "big"])
def test_impossible_batch_size_fails_early(
    ds: xr.Dataset, weights: Any, size: Any
) -> None:
    """Even for lazy data the error comes when the call is made."""
    with pytest.raises(InputError, match=f"batch_size={size!r} is not possible"):
        xstefaland.embed(ds.chunk(site=1), weights=weights, batch_size=size)


def test_impossible_device_fails_early(ds: xr.Dataset, weights: Any) -> None:
    """The keywords are checked like the options."""
    with pytest.raises(InputError, match="device='gpu' is not possible"):
        xstefaland.embed(ds.chunk(site=1), weights=weights, device="gpu")
    with pytest.raises(InputError, match="precision='float16' is not possible"):
        xstefaland.embed(ds.chunk(site=1), weights=weights, precision="float16")


def test_everything_at_once(ds: xr.Dataset, predict: Any) -> None:
    """Several problems are one error."""
    wrong = ds.drop_vars("precipitation").chunk(time=10)
    del wrong.temperature.attrs["units"]
    with pytest.raises(InputError) as caught:
        predict(wrong)
    for text in ("units={", "required input missing", '{"time": -1}'):
        assert text in str(caught.value)
