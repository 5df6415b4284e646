"""Units are converted as stated, and never guessed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstefaland.errors import InputError
from xstefaland.inputs.units import IDENTITY, conversion, stated


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        ("K", "degC", 300.0, 26.85),
        ("degF", "degC", 50.0, 10.0),
        ("degrees Celsius", "degC", 3.0, 3.0),
        ("°C", "degC", 3.0, 3.0),
        ("C", "degC", 3.0, 3.0),
        ("0.1 degC", "degC", 87.0, 8.7),
        ("mm/day", "mm d-1", 2.0, 2.0),
        ("kg m-2 s-1", "mm d-1", 1e-4, 8.64),
        ("kg m**-2 s**-1", "mm d-1", 1e-4, 8.64),
        ("m/d", "mm d-1", 0.002, 2.0),
        ("m s-1", "mm d-1", 1e-8, 0.864),
        ("mm/h", "mm d-1", 0.5, 12.0),
        ("in/d", "mm d-1", 1.0, 25.4),
        ("W m**-2", "W m-2", 200.0, 200.0),
        ("MJ m-2 d-1", "W m-2", 8.64, 100.0),
        ("hPa", "Pa", 1013.25, 101325.0),
        ("kPa", "Pa", 101.325, 101325.0),
        ("mb", "Pa", 1013.25, 101325.0),
        ("percent", "1", 45.0, 0.45),
        ("%", "1", 45.0, 0.45),
        ("1", "percent", 0.45, 45.0),
        ("(0 - 1)", "percent", 0.45, 45.0),
        ("g/kg", "kg kg-1", 5.0, 0.005),
        ("kg m-2", "mm", 12.0, 12.0),
        ("m of water equivalent", "mm", 0.012, 12.0),
        ("acres", "km2", 1000.0, 4.04687),
        ("kg dm-3", "kg m-3", 1.3, 1300.0),
        ("1", "d yr-1", 0.5, 182.625),
        ("45 degree", "m km-1", 1.0, 1000.0),
        ("0.1 degree", "m km-1", 100.0, 176.327),
        ("cfs", "m3 s-1", 100.0, 2.83168466),
        ("ft³/s", "m3 s-1", 100.0, 2.83168466),
        ("cumecs", "m3 s-1", 3.0, 3.0),
        ("m³ s⁻¹", "m3 s-1", 3.0, 3.0),
        ("mm·d⁻¹", "mm d-1", 3.0, 3.0),
        ("kg m\u22122 s\u22121", "mm d-1", 1e-4, 8.64),
        ("mm/3h", "mm d-1", 0.5, 4.0),
        ("mm / 6 hours", "mm d-1", 0.5, 2.0),
        ("mm per 12 hrs", "mm d-1", 0.5, 1.0),
        ("kg/m2/3h", "mm d-1", 0.5, 4.0),
        ("0.1 mm/24h", "mm d-1", 5.0, 0.5),
        ("mm/5 days", "mm d-1", 5.0, 1.0),
        ("mm/10min", "mm d-1", 0.1, 14.4),
        ("J m-2/3h", "W m-2", 1.08e6, 100.0),
        ("m³ m⁻³", "m3 m-3", 0.3, 0.3),
        ("cm³ cm⁻³", "m3 m-3", 0.3, 0.3),
        ("vol%", "m3 m-3", 30.0, 0.3),
        ("Vol.-%", "m3 m-3", 30.0, 0.3),
        ("% vol", "m3 m-3", 30.0, 0.3),
        ("% by volume", "m3 m-3", 30.0, 0.3),
    ],
)
def test_conversions(source: str, target: str, value: float, expected: float) -> None:
    """Known pairs of values."""
    result = conversion(source, target)(np.array([value]))
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        ("mm", "mm d-1", 3.0, 3.0),
        ("m", "mm d-1", 0.003, 3.0),
        ("kg m-2", "mm d-1", 3.0, 3.0),
        ("J m**-2", "W m-2", 8.64e6, 100.0),
        ("MJ m-2", "W m-2", 8.64, 100.0),
    ],
)
def test_daily_amounts(source: str, target: str, value: float, expected: float) -> None:
    """An amount of a daily series is an amount per day; elsewhere it is refused."""
    change = conversion(source, target, daily=True)
    assert change.daily
    assert "per day" in change.note
    np.testing.assert_allclose(change(np.array([value])), expected, rtol=1e-6)
    with pytest.raises(InputError, match="cannot be converted"):
        conversion(source, target)


def test_rates_are_not_daily_amounts() -> None:
    """A rate is a rate, also in a daily series."""
    assert not conversion("kg m-2 s-1", "mm d-1", daily=True).daily


def test_differences_have_no_offset() -> None:
    """A range of 20 K is a range of 20 degC."""
    change = conversion("K", "degC", difference=True)
    assert change(np.array([20.0])) == [20.0]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("degC", "mm d-1"),
        ("1", "degC"),
        ("degrees", "1"),
        ("kg", "mm d-1"),
        ("J m-2", "mm d-1"),
        ("km2", "m"),
    ],
)
def test_other_quantities_are_refused(source: str, target: str) -> None:
    """Units of another quantity are an error that quotes both."""
    with pytest.raises(InputError, match=rf"'{source}' cannot be converted to"):
        conversion(source, target, daily=True)


@pytest.mark.parametrize(
    "text",
    [
        "elev_units",
        "log10(m2)",
        "mm d-1 (",
        "**",
        "1.2.3 mm",
        "9**9**9 mm",
        "0 mm",
        "mm/0h",
        "10³ m3",  # not 103
        "cms",  # cubic metres a second, or a length of time
        "mm;d-1",
    ],
)
def test_unreadable_units_are_refused(text: str) -> None:
    """Text that is not a unit is an error that quotes it."""
    with pytest.raises(InputError, match="are not understood"):
        conversion(text, "m")


@pytest.mark.parametrize("text", [None, "", " ", "none", "Unknown"])
def test_unstated_units(text: str | None) -> None:
    """Placeholders count as no units."""
    assert stated(text) is None


def test_same_units_change_nothing() -> None:
    """Equal units need no registry and no arithmetic."""
    values = np.array([1.0])
    assert conversion("USD", "USD") is IDENTITY
    assert IDENTITY(values) is values


@given(st.floats(-1e4, 1e4), st.sampled_from(["K", "degF", "degC"]))
def test_round_trip(value: float, unit: str) -> None:
    """There and back gives the value."""
    there, back = conversion("degC", unit), conversion(unit, "degC")
    np.testing.assert_allclose(back(there(np.array(value))), value, atol=1e-7)


def test_precision_is_kept() -> None:
    """float32 stays float32."""
    values = np.array([300.0], dtype=np.float32)
    assert conversion("K", "degC")(values).dtype == np.float32


def test_the_registry_of_the_user_is_left_alone() -> None:
    """Converting units does not change pint's own default registry."""
    code = (
        "import pint; before = pint.application_registry.get(); "
        "from xstefaland.inputs.units import conversion; conversion('K', 'degC'); "
        "raise SystemExit(pint.application_registry.get() is not before)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
