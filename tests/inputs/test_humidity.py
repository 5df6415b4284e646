"""Humidity formulas against FAO-56 and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstefaland.inputs.formulas import humidity

TEMPERATURES = st.floats(-40, 45)


@pytest.mark.parametrize(
    ("temperature", "expected"), [(1, 0.657), (15, 1.705), (24.5, 3.075)]
)
def test_saturation_of_fao56(temperature: float, expected: float) -> None:
    """Annex 2, table 2.3 of FAO-56 [kPa]."""
    pressure = humidity.saturation_vapour_pressure(np.array(temperature))
    np.testing.assert_allclose(pressure / 1000, expected, atol=6e-4)


def test_air_pressure_of_fao56() -> None:
    """FAO-56, example 2: 81.8 kPa at 1800 m."""
    pressure = humidity.air_pressure(np.array([0.0, 1800.0]))
    np.testing.assert_allclose(pressure, [101300, 81800], rtol=1e-3)


@given(TEMPERATURES, st.floats(1, 100))
def test_relative_humidity_round_trip(temperature: float, relative: float) -> None:
    """Relative humidity to vapour pressure and back."""
    warm = np.array(temperature)
    vapour = humidity.vapour_pressure_from_relative_humidity(np.array(relative), warm)
    back = humidity.relative_humidity_from_vapour_pressure(vapour, warm)
    np.testing.assert_allclose(back, relative, rtol=1e-9)


@given(TEMPERATURES)
def test_saturated_at_the_dewpoint(temperature: float) -> None:
    """Air at its dewpoint has 100 percent."""
    warm = np.array(temperature)
    vapour = humidity.vapour_pressure_from_dewpoint(warm)
    assert humidity.relative_humidity_from_vapour_pressure(vapour, warm) == 100


def test_relative_humidity_is_bounded() -> None:
    """More vapour than saturation is 100 percent, NaN stays NaN."""
    result = humidity.relative_humidity_from_vapour_pressure(
        np.array([9999.0, np.nan, -1.0]), np.array([10.0, 10.0, 10.0])
    )
    np.testing.assert_array_equal(result, [100, np.nan, 0])


def test_specific_humidity() -> None:
    """q = 0.622 e / (p - 0.378 e), inverted."""
    vapour, pressure = np.array(1500.0), np.array(95000.0)
    specific = 0.622 * vapour / (pressure - 0.378 * vapour)
    back = humidity.vapour_pressure_from_specific_humidity(specific, pressure)
    np.testing.assert_allclose(back, vapour)
