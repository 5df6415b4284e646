"""Values that stand for nothing, or cannot be true, never reach a model."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xstefaland.inputs.matching import Origin
from xstefaland.inputs.readings import Reader, Reading, findings
from xstefaland.inputs.requirements import Requirements, VariableSpec

RAIN = VariableSpec("precipitation", "mm d-1", minimum=0, maximum=300)
PRESSURE = VariableSpec("surface_pressure", "Pa")


def read(values: object, spec: VariableSpec = RAIN, **attrs: object) -> Reading:
    """The reading of one variable."""
    array = xr.DataArray(values, dims="time", attrs={"units": spec.units, **attrs})
    reader = Reader(xr.Dataset({"x": array}), Requirements((spec,)))
    return reader.read(Origin(spec.name, "rename", "x"))


@pytest.mark.parametrize("fill", [1e20, 9.969209968386869e36, -9999, 65535, -32768])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_fills_are_missing(fill: float, dtype: str) -> None:
    """Common fill values are missing, whatever the Dataset says of them."""
    values = np.array([1.0, fill, 3.0], dtype)
    assert np.isnan(read(values).values(values)).tolist() == [False, True, False]


def test_a_fill_within_the_valid_range() -> None:
    """65535 may be a pressure, unless it is the largest number of the type."""
    packed = np.array([60000, 65535], "u2")
    assert np.isnan(read(packed, PRESSURE).values(packed)).tolist() == [False, True]
    floats = packed.astype("f8")
    assert not np.isnan(read(floats, PRESSURE).values(floats)).any()
    named = read(floats, PRESSURE, _FillValue=65535)
    assert np.isnan(named.values(floats)).tolist() == [False, True]


def test_packed_values_are_a_problem() -> None:
    """Raw integers with a scale factor were never decoded."""
    array = xr.DataArray([1, 2], dims="time", attrs={"units": "K", "scale_factor": 0.1})
    reader = Reader(xr.Dataset({"x": array}), Requirements((RAIN,)))
    reader.read(Origin("precipitation", "rename", "x"))
    assert "xr.decode_cf(ds)" in reader.problems[0]


def test_limits() -> None:
    """Beyond the valid range is missing; a rounding beyond it is the limit."""
    values = np.array([-1e-6, -0.1, -5.0, 1899.0, 1901.0])
    got = read(values).values(values)
    np.testing.assert_allclose(got, [0, 0, np.nan, 1899, np.nan])


def test_limits_hold_in_converted_units() -> None:
    """Kelvin are judged as degrees Celsius."""
    warm = VariableSpec("temperature", "degC")
    values = np.array([280.0, -40.0])
    reader = Reader(
        xr.Dataset({"x": ("time", values, {"units": "K"})}), Requirements((warm,))
    )
    reading = reader.read(Origin("temperature", "rename", "x"))
    np.testing.assert_allclose(reading.values(values), [6.85, np.nan], rtol=1e-5)


def test_variables_taken_as_they_are_keep_all_but_fills() -> None:
    """No range is known of them."""
    own = VariableSpec("mine", None)
    values = np.array([-9999.0, 1e20])
    assert np.isnan(read(values, own).values(values)).tolist() == [False, True]


def test_what_lies_beyond_is_told() -> None:
    """How many, an example, and what becomes of them."""
    values = np.r_[np.full(99, 3.0), -9999.0]
    (text,) = findings(read(values), values, 100)
    assert text == (
        "precipitation: 1.00% of 'x' (such as -9999, a fill value) lies beyond 0 to "
        "1900 mm d-1 and is taken as missing"
    )
    values[-1] = -5.0
    (text,) = findings(read(values), values, 100)
    assert "(such as -5) lies beyond" in text
    assert findings(read(values[:99]), values[:99], 99) == []


def test_raw_values_are_not_changed() -> None:
    """Not even where they are missing."""
    values = np.array([1.0, -9999.0, np.inf])
    before = values.copy()
    read(values).values(values)
    np.testing.assert_array_equal(values, before)
