"""Advice: places and records that the models were not made for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland import datasets, set_options
from xstefaland.inputs.advice import advice
from xstefaland.inputs.examine import examine
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.testing import example_points, tiny_head, tiny_weights

HIGH = VariableSpec("elevation", "m", minimum=0.0, maximum=3000.0, group="topography")
STEEP = VariableSpec("slope", "m km-1", minimum=0.0, maximum=100.0)
RAIN = VariableSpec("precipitation", "mm d-1")


def told(ds: xr.Dataset, *attributes: VariableSpec, spinup_days: int = 0) -> list[str]:
    """Advice on a Dataset for a model with these attributes."""
    found = examine(ds, Requirements((RAIN,), attributes))
    assert found.report.ok
    return advice(found, spinup_days)


def test_places_unlike_the_training() -> None:
    """Sites are counted, in the model's units; NaN and the very ends are no reason."""
    ds = example_points(4, 10)
    ds["elevation"] = ("site", [4.5, 3.0, np.nan, 0.0], {"units": "km"})
    (text,) = told(ds, HIGH, STEEP)
    assert text.startswith(
        "unlike all places of the training: elevation of 1 of 4 sites (such as 4500 m, "
        "seen 0 to 3000)."
    )
    ds["slope"] = ("site", [0.0, 0.0, -0.0, 300.0], {"units": "m km-1"})
    assert "; slope of 1 of 4 sites (such as 300 m km-1" in told(ds, HIGH, STEEP)[0]
    assert told(ds.isel(site=[1, 2]), HIGH, STEEP) == []


def test_lazy_attributes_are_not_looked_at(no_compute: Any) -> None:
    """A check computes nothing."""
    ds = example_points(2, 10)
    ds["elevation"] = ds.elevation + 9000 - ds.elevation
    ds["elevation"].attrs["units"] = "m"
    with no_compute():
        assert told(ds.chunk(), HIGH) == []
    assert len(told(ds, HIGH)) == 1


def test_short_records() -> None:
    """Shorter than the spin-up, but there."""
    ds = example_points(1, 100)
    (text,) = told(ds, spinup_days=365)
    assert text.startswith("the record has 100 days, the states of the model take 365")
    assert told(ds, spinup_days=100) == []


def test_short_records_in_the_report_of_all_targets() -> None:
    """Nobody named a head, so each target says it of its own."""
    late = xstefaland.check(example_points(1, 200)).targets["streamflow"]
    assert late == "ready, from less than the 365 days of a spin-up"
    assert xstefaland.check(example_points(1, 365)).targets["streamflow"] == "ready"


def test_check_gives_advice_and_predict_is_silent() -> None:
    """It is in the report of a check (of a target), and not a warning of each call."""
    weights = tiny_weights(window=40, stride=15)
    head = tiny_head(weights)
    ds = example_points(1, 60)
    options: dict[str, Any] = {"weights": weights, "head": head}
    report = xstefaland.check(ds, "streamflow", **options)
    assert report.ok
    assert "the record has 60 days" in report.warnings[0]
    xstefaland.predict(ds, "streamflow", **options)
    with set_options(validation="ignore"):
        assert xstefaland.check(ds, "streamflow", **options).warnings == []


def test_status_of_every_target() -> None:
    """Those whose head is at hand, by what the Dataset lacks for them."""
    ds = example_points(1, 400)
    ready = xstefaland.check(ds).targets
    assert ready["streamflow"] == ready["evapotranspiration"] == "ready"
    dry = xstefaland.check(ds.drop_vars("temperature")).targets
    assert dry["streamflow"].startswith("needs temperature or temperature_max")
    twice = ds.assign(pr=ds.precipitation, tp=ds.precipitation)
    twice = twice.drop_vars("precipitation")
    report = xstefaland.check(twice)
    assert report.targets["streamflow"] == "ready"
    assert "  streamflow" in str(report)
    assert "once the problems are solved" in str(report)
    assert "precipitation: several could be it, see the problems" in str(report)
    assert "precipitation" not in report.helpful


def test_without_time_little_is_said() -> None:
    """One problem; what follows from it is not told again variable by variable."""
    ds = example_points(2, 10).rename(time="day")
    report = xstefaland.check(ds)
    assert len(report.problems) == 1
    assert report.warnings == []
    assert set(report.facts) == {"Training"}
    reasons = {why for name, why in report.ignored.items() if "site" not in name}
    assert reasons == {"weather, but the Dataset has no dimension 'time'"}


@pytest.mark.parametrize(
    ("name", "units"),
    [("surface_pressure_mean", "kPa"), ("t2m", "K"), ("ssrd", "J m-2"), ("rh", "")],
)
def test_hints_have_the_units_of_the_product(name: str, units: str) -> None:
    """Caravan's pressure is in kPa, ERA5's radiation in J m-2."""
    ds = example_points(1, 400)
    ds[name] = ds.precipitation.drop_attrs()
    ds = ds.drop_vars(["temperature", "shortwave_radiation"])
    (text,) = [t for t in xstefaland.check(ds).problems if "no units" in t]
    assert f'"{name}": "{units or "percent"}"' in text


def test_real_basins(real_data: Path) -> None:
    """Of 671 American basins some are larger than any the encoder saw."""
    ds = datasets.camels_us(real_data).isel(time=slice(0, 400))
    (text,) = [t for t in ds.stefaland.check().warnings if t.startswith("unlike")]
    assert "area of " in text
