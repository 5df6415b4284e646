"""Climate indices against CAMELS and against cases with a known answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xstefaland
from xstefaland.errors import InputError
from xstefaland.inputs.formulas.climate import (
    CLIMATE_INDICES,
    climate_indices,
    complete_years,
)
from xstefaland.testing import example_points

DATES = pd.date_range("2000-01-01", "2003-12-31")
NOTHING = np.full(len(DATES), np.nan)


def wave(phase: float) -> np.ndarray:
    """One annual sine wave over DATES, shifted by some days."""
    return np.sin(2 * np.pi * (np.asarray(DATES.day_of_year) - phase) / 365.25)


@pytest.fixture(scope="module")
def camels(real_data: Path) -> tuple[xr.Dataset, dict[str, np.ndarray]]:
    """The 111 Daymet basins over CAMELS' own period, and our indices of them."""
    with xr.open_dataset(real_data / "camels_us.nc") as file:
        basins = np.flatnonzero(file["has_daymet"].values)
        period = slice("1989-10-01", "2009-09-30")
        ds = file.isel(basin=basins).sel(time=period).load()
    warm = (ds["tmax_daymet"] + ds["tmin_daymet"]) / 2
    nothing = np.full(ds.sizes["time"], np.nan)
    dates = pd.DatetimeIndex(ds["time"].values)
    return ds, climate_indices(ds["prcp_daymet"].values, warm.values, nothing, dates)


@pytest.mark.parametrize(
    ("name", "relative", "absolute"),
    [
        ("p_mean", 1e-6, 0),
        ("high_prec_freq", 1e-6, 0),
        ("low_prec_freq", 1e-6, 0),
        ("high_prec_dur", 1e-6, 0),
        ("low_prec_dur", 1e-6, 0),
        ("p_seasonality", 0, 5e-5),  # CAMELS fits the sine curves iteratively
        ("frac_snow", 0, 0.05),  # CAMELS' temperature is not Daymet's mean here
    ],
)
def test_equal_to_camels(
    camels: tuple[xr.Dataset, dict[str, np.ndarray]],
    name: str,
    relative: float,
    absolute: float,
) -> None:
    """CAMELS' own columns for its own forcing and period, asked for to 1e-3."""
    ds, indices = camels
    assert ds.sizes["basin"] == 111
    np.testing.assert_allclose(
        indices[name], ds[name].values, rtol=relative, atol=absolute
    )


def test_frequencies_and_durations() -> None:
    """Two wet days in a row every tenth and eleventh day of a month."""
    rain = np.where((DATES.day == 10) | (DATES.day == 11), 10.0, 0.0)
    indices = climate_indices(rain, NOTHING, NOTHING, DATES)
    assert indices["high_prec_freq"] == pytest.approx(24)
    assert indices["high_prec_dur"] == 2
    assert indices["low_prec_freq"] == pytest.approx(365.25 - 24)
    assert indices["low_prec_dur"] == pytest.approx((1461 - 96) / 49)
    assert np.isnan(indices["frac_snow"])


def test_no_heavy_rain_has_no_duration() -> None:
    """The same drizzle every day: no high, no low precipitation."""
    indices = climate_indices(np.full(len(DATES), 2.0), NOTHING, NOTHING, DATES)
    for name in ("high_prec_freq", "high_prec_dur", "low_prec_freq", "low_prec_dur"):
        assert indices[name] == 0


@pytest.mark.parametrize(("phase", "expected"), [(0, 0.8), (182.625, -0.8), (91.3, 0)])
def test_seasonality(phase: float, expected: float) -> None:
    """In phase with temperature it is the amplitude, out of phase its negative."""
    rain, warm = 3 * (1 + 0.8 * wave(100 + phase)), 10 + 8 * wave(100)
    indices = climate_indices(rain, warm, NOTHING, DATES)
    assert indices["p_seasonality"] == pytest.approx(expected, abs=2e-3)


def test_snow_and_temperature() -> None:
    """Half of the year frozen with half the rain: half snow."""
    warm = np.where(DATES.month <= 6, -5.0, 15.0)
    indices = climate_indices(np.full(len(DATES), 1.0), warm, NOTHING, DATES)
    share = (DATES.month <= 6).mean()
    assert indices["frac_snow"] == pytest.approx(share)
    assert indices["temperature_range"] == 20
    assert indices["temperature_mean"] == pytest.approx(15 - 20 * share)


def test_aridity() -> None:
    """PET over precipitation; without PET it is missing, the rest is there."""
    rain = np.full(len(DATES), 2.0)
    assert climate_indices(rain, NOTHING, rain * 3, DATES)["aridity"] == 3
    without = climate_indices(rain, NOTHING, NOTHING, DATES)
    assert np.isnan(without["aridity"])
    assert without["p_mean"] == 2


def test_only_complete_years_count() -> None:
    """A wet half year at the end does not change the mean."""
    dates = pd.date_range("2000-10-01", "2004-03-31")
    rain = np.where(dates >= pd.Timestamp("2003-10-01"), 100.0, 1.0)
    missing = np.full(len(dates), np.nan)
    assert climate_indices(rain, missing, missing, dates)["p_mean"] == 1


def test_fewer_years_do_where_they_are_asked_for() -> None:
    """A year and a half counts as its first year; a site may lack a day in twenty."""
    dates = pd.date_range("2001-01-01", "2002-06-30")
    rain = np.where(dates < pd.Timestamp("2002-01-01"), 2.0, 9.0)
    gaps = np.stack([rain, rain, rain])
    gaps[1, :20] = np.nan  # 345 days are left, one too few
    gaps[2, :19] = np.nan
    missing = np.full(len(dates), np.nan)
    found = climate_indices(gaps, missing, missing, dates, minimum_years=1)["p_mean"]
    np.testing.assert_array_equal(found, [2, np.nan, 2])
    assert np.isnan(climate_indices(rain, missing, missing, dates)["p_mean"])


@pytest.mark.parametrize(
    ("first", "last", "years"),
    [
        ("2001-01-01", "2003-12-31", 3),
        ("2001-01-01", "2003-12-30", 2),
        ("2000-10-01", "2003-09-30", 3),
        ("2000-02-29", "2003-02-27", 3),
        ("2001-03-01", "2002-02-27", 0),
    ],
)
def test_complete_years(first: str, last: str, years: int) -> None:
    """Years are counted by date, whatever their length."""
    days = complete_years(pd.date_range(first, last))
    assert round(days / 365.25) == years
    assert complete_years(pd.DatetimeIndex([])) == 0


def test_short_records_have_no_climate() -> None:
    """Less than three complete years: NaN for every index and site."""
    dates = DATES[:1000]
    values = np.ones((2, 3, 1000))
    indices = climate_indices(values, values, values, dates)
    assert tuple(indices) == CLIMATE_INDICES
    assert all(np.isnan(index).all() for index in indices.values())
    assert indices["p_mean"].shape == (2, 3)


def test_missing_days_are_left_out() -> None:
    """A few gaps do not change the mean; too many make the site missing."""
    rain = np.tile(np.where(DATES.day % 2, 4.0, 0.0), (3, 1))
    rain[1, 5:200] = np.nan
    rain[2, 5:700] = np.nan
    p_mean = climate_indices(rain, NOTHING, NOTHING, DATES)["p_mean"]
    assert p_mean[1] == pytest.approx(p_mean[0], rel=0.02)
    assert np.isnan(p_mean[2])


def test_all_indices_have_the_shape_of_the_sites() -> None:
    """One series of temperature serves several sites."""
    rain = np.ones((2, 3, len(DATES)), dtype=np.float32)
    indices = climate_indices(rain, 10 + 5 * wave(0), rain[0, 0], DATES)
    assert {index.shape for index in indices.values()} == {(2, 3)}
    assert {index.dtype for index in indices.values()} == {np.dtype(np.float64)}


def test_a_place_without_rain() -> None:
    """No day is one of high precipitation, and aridity has no bound."""
    dates = pd.date_range("2000-01-01", "2003-12-31")
    nothing, warm = np.zeros(len(dates)), np.full(len(dates), 20.0)
    found = climate_indices(nothing, warm, np.full(len(dates), 5.0), dates)
    assert found["high_prec_freq"] == 0
    assert found["high_prec_dur"] == 0
    assert found["low_prec_freq"] == 365.25
    assert np.isposinf(found["aridity"])


@pytest.mark.parametrize(
    ("period", "said"),
    [
        (None, "2000-10-01 to 2004-02-17"),
        (slice(None, "2003-10-03"), "2000-10-01 to 2003-10-03"),
        (slice("1990", "2010"), "2000-10-01 to 2004-02-17"),
    ],
)
def test_the_reference_period_is_what_the_record_has(
    period: slice | None, said: str
) -> None:
    """Not what was asked for: thirty years of climate are not in four."""
    ds = example_points(1, 1235)
    climate = xstefaland.derive_climate(ds, period)
    assert climate.attrs["reference_period"] == said


@pytest.mark.parametrize(
    ("period", "text"),
    [
        (slice("2050", "2060"), r"needs 3 complete years, climate= has 0.0 of the rec"),
        (slice("2004", "2001"), r"climate= has 0.0 .*are 2000-10-01 to 2004-02-17"),
        (slice("2001", "2002"), r"climate= has 2.0 .*, or climate=\"none\""),
        (slice(2001, 2003), r"climate=slice\(2001, 2003, None\) is no period"),
        (slice("then", None), r"write its ends as dates, such as slice\(\"1990\""),
    ],
)
def test_a_period_without_climate_is_refused(period: slice, text: str) -> None:
    """It gave the answer of no climate at all, and said nothing."""
    ds = example_points(1, 1235)
    with pytest.raises(InputError, match=text):
        xstefaland.derive_climate(ds, period)
    with pytest.raises(InputError, match=text):
        xstefaland.predict(ds, "streamflow", climate=period)


def test_a_short_record_without_a_period_has_no_climate() -> None:
    """Nobody asked for one: the attributes are missing, and the report says so."""
    climate = xstefaland.derive_climate(example_points(1, 300))
    assert np.isnan(climate.aridity).all()
