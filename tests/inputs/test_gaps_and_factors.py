"""Climate of records with gaps, and units with a number: what mutants slipped through.

Numbers are worked out by hand.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xstefaland.inputs.formulas.climate import climate_indices
from xstefaland.inputs.units import conversion

DATES = pd.date_range("2001-01-01", "2004-12-31")
MONTH = DATES.month.to_numpy()


def test_gaps_do_not_pull_the_temperature_to_zero() -> None:
    """January at 10 and July at 30 degC keep their 20 degC, whatever is missing."""
    warm = np.where(MONTH == 7, 30.0, np.where(MONTH == 1, 10.0, 20.0))
    gone = (MONTH == 7) & (DATES.day > 15) & (DATES.year > 2001)
    gappy = np.where(gone, np.nan, warm)
    rain = np.ones(len(DATES))
    indices = climate_indices(rain, gappy, rain, DATES)
    assert indices["temperature_range"] == pytest.approx(20)
    assert indices["temperature_mean"] == pytest.approx(np.nanmean(gappy))


def test_snow_counts_days_with_both_rain_and_temperature() -> None:
    """A quarter of the water falls below zero, also where a tenth of it is unknown."""
    warm = np.resize([-0.5, 0.0, 0.5, 9.0], len(DATES))  # rain at zero is no snow
    rain = np.full(len(DATES), 8.0)
    pet = np.ones(len(DATES))
    gone = np.arange(len(DATES)) % 40 < 4  # a whole cycle of the four days
    for gappy in (
        (np.where(gone, np.nan, rain), warm),
        (rain, np.where(gone, np.nan, warm)),
    ):
        assert climate_indices(*gappy, pet, DATES)["frac_snow"] == pytest.approx(
            0.25, abs=1e-3
        )


@pytest.mark.parametrize(
    ("source", "target", "scale"),
    [
        ("mm d-1", "0.1 mm d-1", 10.0),
        ("0.1 mm d-1", "mm d-1", 0.1),
        ("0.1 mm d-1", "10 mm d-1", 0.01),
        ("m", "1000 m", 0.001),
    ],
)
def test_numbers_in_units_count_on_both_sides(
    source: str, target: str, scale: float
) -> None:
    """Tenths of millimetres on either side."""
    assert conversion(source, target).scale == pytest.approx(scale)
