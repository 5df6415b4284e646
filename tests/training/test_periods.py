"""Climate attributes of random stretches."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xstefaland.inputs.formulas.climate import CLIMATE_INDICES
from xstefaland.training.periods import climate_of_stretches

NAMES = ("precipitation", "temperature", "potential_evapotranspiration")


def weather(days: int) -> tuple[np.ndarray, pd.DatetimeIndex]:
    """Two sites whose rain grows by 0.1 mm/d a year, from 1 and from 2 mm/d."""
    dates = pd.date_range("1980-01-01", periods=days)
    year = (dates.year - 1980).to_numpy(float)
    rain = np.stack([1 + 0.1 * year, 2 + 0.1 * year])
    warm = 10 + 8 * np.sin(2 * np.pi * dates.day_of_year.to_numpy() / 365.25)
    series = np.stack([rain, np.stack([warm, warm]), np.full((2, days), 3.0)], -1)
    return series.astype(np.float32), dates


def test_stretches_of_one_to_thirty_years_give_their_own_climate() -> None:
    """Means lie within the record's range and differ; sites share the stretch."""
    forcing, dates = weather(12784)
    rng = np.random.default_rng(0)
    found = climate_of_stretches(forcing, NAMES, dates, rng, 40)
    assert found.shape == (2, 40, len(CLIMATE_INDICES))
    assert np.isfinite(found).all()
    mean = found[..., CLIMATE_INDICES.index("p_mean")]
    assert (mean[0] >= 1).all()
    assert (mean[0] <= 4.4 + 1e-5).all()
    assert np.ptp(mean[0]) > 1
    np.testing.assert_allclose(mean[1] - mean[0], 1, atol=1e-5)
    aridity = found[..., CLIMATE_INDICES.index("aridity")]
    np.testing.assert_allclose(aridity, 3 / mean, rtol=1e-5)


def test_stretches_keep_their_season() -> None:
    """July is warm whatever the first day of the stretch."""
    forcing, dates = weather(5000)
    forcing[..., 1] = np.where(dates.month == 7, 20.0, 0.0)
    found = climate_of_stretches(forcing, NAMES, dates, np.random.default_rng(1))
    warmest = found[..., CLIMATE_INDICES.index("temperature_range")]
    np.testing.assert_allclose(warmest, 20, rtol=1e-5)


@pytest.mark.parametrize(("days", "known"), [(300, False), (366, True), (800, True)])
def test_a_year_is_needed(days: int, known: bool) -> None:
    """A season alone has no climate; one year has."""
    forcing, dates = weather(days)
    found = climate_of_stretches(forcing, NAMES, dates, np.random.default_rng(0))
    assert np.isfinite(found).all() == known
    assert np.isnan(found).all() != known


def test_gaps_make_the_climate_unknown() -> None:
    """A site without two months of each year has none; its neighbour has."""
    forcing, dates = weather(2000)
    forcing[0, np.isin(dates.month, [6, 7]), 0] = np.nan
    found = climate_of_stretches(forcing, NAMES, dates, np.random.default_rng(0))
    mean = CLIMATE_INDICES.index("p_mean")
    assert np.isfinite(found[1, :, mean]).all()
    assert np.isnan(found[0, :, mean]).sum() >= 4  # five years less sixths can do
