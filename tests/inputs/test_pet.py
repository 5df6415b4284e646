"""Potential evapotranspiration against published examples and first principles."""

from __future__ import annotations

import numpy as np
import pytest

from xstefaland.inputs.formulas.pet import extraterrestrial_radiation, hargreaves, oudin


@pytest.mark.parametrize("latitude", [-75.0, -40.0, 0.0, 20.0, 47.5, 66.0, 88.0])
@pytest.mark.parametrize("day", [1, 80, 172, 266, 355])
def test_radiation_is_the_integral_over_the_day(latitude: float, day: int) -> None:
    """The closed form equals the sun's elevation summed over all hours."""
    hours = np.linspace(-np.pi, np.pi, 20001)
    phi, declination = (
        np.radians(latitude),
        0.409 * np.sin(2 * np.pi * day / 365 - 1.39),
    )
    height = np.sin(phi) * np.sin(declination)
    height = height + np.cos(phi) * np.cos(declination) * np.cos(hours)
    distance = 1 + 0.033 * np.cos(2 * np.pi * day / 365)
    expected = 0.0820 * 1440 * distance * np.maximum(height, 0).mean()
    radiation = extraterrestrial_radiation(latitude, [day])
    np.testing.assert_allclose(radiation, expected, rtol=1e-3, atol=1e-3)


def test_radiation_of_fao56() -> None:
    """FAO-56, example 8: 32.2 MJ m-2 on 3 September at 20 degrees south."""
    radiation = extraterrestrial_radiation(-20.0, [246])
    np.testing.assert_allclose(radiation, 32.2, atol=0.05)


def test_polar_night_and_day() -> None:
    """No radiation in the polar night, and a sun that does not set."""
    night, day = extraterrestrial_radiation(80.0, [355, 172])
    assert night == 0
    assert day > 40


def test_hargreaves_of_fao56() -> None:
    """FAO-56, example 20: Lyon in July, 5.0 mm d-1."""
    value = hargreaves([14.8], [26.6], 45.72, [196])
    np.testing.assert_allclose(value, 5.0, atol=0.05)


def test_hargreaves_without_range() -> None:
    """Minimum above maximum counts as no range, deep frost as no evaporation."""
    assert hargreaves([10.0], [8.0], 45.0, [172]) == 0
    assert hargreaves([-40.0], [-30.0], 45.0, [172]) == 0
    assert hargreaves([4.0], [16.0], 45.0, [172], temperature=[12.0]) > hargreaves(
        [4.0], [16.0], 45.0, [172]
    )


def test_oudin_is_linear_in_temperature() -> None:
    """Radiation over latent heat times (T + 5) / 100, and 0 below -5 degC."""
    days = np.arange(1, 366)
    base = extraterrestrial_radiation(50.0, days) / 2.45
    np.testing.assert_allclose(oudin(np.full(365, 15.0), 50.0, days), base * 0.2)
    assert (oudin(np.full(365, -6.0), 50.0, days) == 0).all()


def test_shapes_precision_and_gaps() -> None:
    """Sites first, time last; float32 stays; NaN where an input is missing."""
    warm = np.full((2, 3, 10), 12, dtype=np.float32)
    warm[0, 0, 4] = np.nan
    latitude = np.array([[10.0, 20.0, 30.0], [40.0, np.nan, 60.0]])
    result = oudin(warm, latitude, np.arange(1, 11))
    assert result.shape == warm.shape
    assert result.dtype == np.float32
    assert np.isnan(result).sum() == 11
    assert np.isnan(result[1, 1]).all()


def test_integers_are_accepted() -> None:
    """Whole degrees do not become whole millimetres."""
    assert oudin([20], 45.0, [172]) == pytest.approx(oudin([20.0], 45.0, [172]))
