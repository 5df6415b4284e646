"""Sites that have a required input on few days are warned of."""

from __future__ import annotations

import numpy as np
import pytest

from xstefaland.inputs.examine import examine
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.testing import example_points

RAIN = VariableSpec("precipitation", "mm d-1")
WARMTH = VariableSpec("temperature", "degC")
HIGH = VariableSpec("temperature_max", "degC")
ASKED = Requirements(
    (RAIN, WARMTH, HIGH),
    required=(("precipitation",), ("temperature", "temperature_max")),
)


@pytest.mark.parametrize("missing", [np.nan, -9999.0])
def test_few_days_with_rain(missing):
    """One site of four has ten days, one none, one half of them."""
    ds = example_points(4, 200)
    ds["precipitation"].attrs["_FillValue"] = -9999.0
    ds["precipitation"].values[0, 10:] = missing
    ds["precipitation"].values[1] = missing
    ds["precipitation"].values[2, 100:] = missing
    (text,) = examine(ds, ASKED).report.warnings
    assert text.startswith("precipitation: 1 of 4 sites have it on fewer than half of")
    assert "the 200 days, the fewest on 10. `predict` gives NaN farther" in text


def test_either_temperature_will_do():
    """The highest of the day is there where the mean is not; what is made counts."""
    ds = example_points(2, 200)
    gap = ds.time < ds.time[150]
    high = (ds.temperature + 5).where(gap).assign_attrs(ds.temperature.attrs)
    ds = ds.assign(
        temperature=ds.temperature.where(~gap).assign_attrs(ds.temperature.attrs),
        tasmax=high,
    )
    assert not examine(ds, ASKED).report.warnings
    (text,) = examine(ds.drop_vars("tasmax"), ASKED).report.warnings
    assert "2 of 2 sites" in text
    made = ds.drop_vars("temperature").assign(
        tasmin=(high - 9).where(ds.time < ds.time[20]).assign_attrs(high.attrs)
    )
    mean_only = Requirements((WARMTH,), required=(("temperature",),))
    (text,) = examine(made, mean_only).report.warnings
    assert "the fewest on 20." in text


def test_lazy_values_are_not_looked_at():
    """A report computes nothing."""
    ds = example_points(2, 200)
    ds["precipitation"].values[:, 10:] = np.nan
    assert not examine(ds.chunk(site=1), ASKED).report.warnings
