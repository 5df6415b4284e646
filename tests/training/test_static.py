"""Targets without time: finetuned, scored and predicted, with weather and without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xstefaland
from xstefaland import datasets, metrics
from xstefaland.errors import InputError
from xstefaland.testing import example_points
from xstefaland.training import Finetuning, finetune
from xstefaland.training.choices import TEXTURE
from xstefaland.training.static_scores import overall
from xstefaland.weights import TARGETS, TargetSpec

SETTINGS = Finetuning(
    updates=60, batch_size=24, days=30, warmup=0, precision="float32",
    learning_rate=2e-2, full_share=1.0,
)  # fmt: skip
SMALL: dict[str, Any] = {"width": 16, "dropout": 0.0}


@pytest.fixture(scope="module")
def places() -> xr.Dataset:
    """Sites without weather: clay falls with elevation, slides happen on slopes."""
    ds = example_points(60, 3, seed=3).drop_dims("time")
    rough = xr.DataArray(np.random.default_rng(0).random(60), dims="site")
    return ds.assign(
        clay=(40 - ds.elevation / 60).assign_attrs(units="percent"),
        curvature=rough,
        slide=((ds.slope > 20) & (rough > 0.3)).astype(float).assign_attrs(units="1"),
    ).assign_coords(longitude=("site", np.linspace(0, 50, 60)))


def test_an_amount_without_weather(encoder, places, tmp_path: Path):
    """Learnt from attributes alone, scored over sites left out, predicted by name."""
    clay = finetune(
        places, "clay", encoder=encoder, head=SMALL, folds=3, settings=SETTINGS,
        folder=tmp_path, progress=False,
    )  # fmt: skip
    assert clay.card.static
    assert set(clay.card.masked_inputs) <= TEXTURE
    assert "clay" in clay.card.masked_inputs
    assert clay.card.metrics["cross_validation"]["resconn-plain"]["r2"] > 0.5
    assert clay.card.metrics["folds"] == 3
    answer = xstefaland.predict(
        places.drop_vars("clay"), "clay", head=clay, weights=encoder
    )
    assert answer.dims == ("site",)
    assert answer.attrs["units"] == "percent"
    assert metrics.r2(places.clay, answer) > 0.8
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert overall(scores)["r2"].round(4).to_dict() == {
        name: row["r2"]
        for name, row in clay.card.metrics["cross_validation"].items()
    }  # fmt: skip


def test_given_texture_is_never_looked_at(encoder, places):
    """The same answer whatever clay, sand or porosity a user's Dataset holds."""
    short = Finetuning(updates=3, batch_size=8, precision="float32")
    clay = finetune(
        places, "clay", encoder=encoder, head=SMALL, settings=short, progress=False
    )
    kinds = [places, places.assign(clay=places.clay * 0 + 3), places.drop_vars("clay")]
    first, *others = (
        xstefaland.predict(ds, "clay", head=clay, weights=encoder) for ds in kinds
    )
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_a_probability_from_columns_of_ones_own(
    encoder, places, tmp_path: Path, capsys
):
    """Slides on steep rough slopes: `extra` brings the roughness, and is needed."""
    slides = finetune(
        places, "landslide_probability", "slide", encoder=encoder, head=SMALL,
        extra=["curvature"], folds=3, settings=SETTINGS, folder=tmp_path,
    )  # fmt: skip
    assert "Scores over sites left out" in capsys.readouterr().out
    names = [spec.name for spec in slides.card.attributes]
    assert names[-1] == "curvature"
    assert slides.card.metrics["cross_validation"]["resconn-plain"]["auc"] > 0.7
    chance = xstefaland.predict(
        places, "landslide_probability", head=slides, weights=encoder
    )
    assert chance.dims == ("site",)
    assert 0 < chance.min() < chance.max() < 1
    assert metrics.auc(places.slide, chance) > 0.85
    smooth = places.assign(curvature=places.curvature * 0)
    other = xstefaland.predict(
        smooth, "landslide_probability", head=slides, weights=encoder
    )
    assert not np.allclose(chance, other)


def test_lazy_equals_eager(encoder, places):
    """Chunks of sites change nothing."""
    short = Finetuning(updates=3, batch_size=8, precision="float32")
    clay = finetune(
        places, "clay", encoder=encoder, head=SMALL, settings=short, progress=False
    )
    eager = xstefaland.predict(places, "clay", head=clay, weights=encoder)
    lazy = xstefaland.predict(places.chunk(site=7), "clay", head=clay, weights=encoder)
    xr.testing.assert_allclose(eager, lazy.compute(), rtol=1e-5)


def test_with_weather(encoder):
    """One number a site learnt from its weather: how wet it is."""
    ds = example_points(40, 200, seed=4)
    scale = xr.DataArray(np.linspace(0.2, 3, 40), dims="site")
    ds["precipitation"] = (ds.precipitation * scale).assign_attrs(units="mm d-1")
    wetness = TargetSpec(name="wetness", units="mm d-1")
    ds["mean_rain"] = ds.precipitation.mean("time").assign_attrs(units="mm d-1")
    head = finetune(
        ds, wetness, "mean_rain", encoder=encoder, head=SMALL, settings=SETTINGS,
        progress=False,
    )  # fmt: skip
    answer = xstefaland.predict(ds, "wetness", head=head, weights=encoder)
    assert answer.dims == ("site",)
    assert metrics.r2(ds.mean_rain, answer) > 0.7


def test_all_without_an_observation(encoder, places):
    """Said as for series."""
    none = places.assign(clay=places.clay * np.nan).assign_attrs()
    none["clay"].attrs["units"] = "percent"
    with pytest.raises(InputError, match="no site has enough observations of 'clay'"):
        finetune(none, "clay", encoder=encoder, progress=False)


def test_real_landslides(real_data: Path, encoder):
    """Points of Ecuador go in as the reader gives them."""
    ds = datasets.landslides_ecuador(real_data)
    head = finetune(
        ds, "landslide_probability", "landslide", encoder=encoder, head=SMALL,
        extra=["vertical_curvature", "contributing_slope"], settings=SETTINGS,
        progress=False,
    )  # fmt: skip
    assert head.card.targets == (TARGETS["landslide_probability"],)
    chance = xstefaland.predict(ds, "landslide_probability", head=head, weights=encoder)
    assert chance.notnull().all()
    assert metrics.auc(ds.landslide, chance, "point") > 0.5
