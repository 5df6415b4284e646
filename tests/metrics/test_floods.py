"""Peaks: timing, height, misses; gaps; against a peer's numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland import metrics
from xstefaland.errors import InputError

GOLDEN = Path(__file__).parent.parent / "golden"
PAIRS = json.loads((GOLDEN / "metrics.json").read_text())["pairs"]


@pytest.fixture
def flow():
    """Three floods of one day, 150 days apart."""
    values = 0.1 + np.sin(np.arange(500) / 9) * 0.01
    values[[100, 250, 400]] += [5.0, 4.0, 6.0]
    days = pd.date_range("2001-10-01", periods=500)
    return xr.DataArray(values, {"time": days}, "time", attrs={"units": "mm d-1"})


def shifted(flow: xr.DataArray, days: int) -> xr.DataArray:
    """The same, some days later."""
    return flow.copy(data=np.roll(flow, days))


@pytest.mark.parametrize("name", PAIRS)
def test_missed_peaks_are_a_peers_share(name):
    """As often missed; the peer divides by peaks that nobody could judge too."""
    with np.load(GOLDEN / "metrics_series.npz") as file:
        obs, sim = (xr.DataArray(x, dims="time") for x in file[name])
    theirs = PAIRS[name]["neuralhydrology"]["Missed-Peaks"]
    ours = metrics.missed_peaks(obs, sim).item()
    if not PAIRS[name]["missing_days"]:
        assert ours == pytest.approx(theirs, rel=1e-12)
    else:
        assert ours >= theirs - 1e-12


def test_floods_that_come_late(flow):
    """Two days late: timing 2, all missed within a day, none within two."""
    late = shifted(flow, 2)
    assert metrics.peak_timing(flow, late).item() == 2
    assert metrics.peak_timing(flow, shifted(flow, -2)).item() == 2
    assert metrics.missed_peaks(flow, late).item() == 1
    assert metrics.missed_peaks(flow, late, window=2).item() == 0
    assert metrics.peak_timing(flow, flow).item() == 0


def test_height_of_peaks(flow):
    """Half as high everywhere is half off."""
    assert metrics.peak_mape(flow, flow / 2).item() == pytest.approx(50)
    assert metrics.peak_timing(flow, flow / 2).attrs["units"] == "d"


def test_a_peak_beside_a_gap_is_not_judged(flow):
    """Days that are missing, as NaN or as labels, end the window."""
    late = shifted(flow, 2)
    wrong = late.copy()
    wrong[98:104] = flow[98:104]  # the first flood is on time
    assert metrics.peak_timing(flow, wrong).item() == pytest.approx(4 / 3)
    gap = flow.where(flow.time != flow.time[102])
    assert metrics.peak_timing(gap, wrong).item() == 2
    short = flow.drop_isel(time=102)
    assert metrics.peak_timing(short, wrong).item() == 2
    other = [each.convert_calendar("proleptic_gregorian", use_cftime=True)
             for each in (short, wrong)]  # fmt: skip
    assert metrics.peak_timing(*other).item() == 2


def test_order_and_laziness(flow, no_compute):
    """Labels decide the order; dask in, dask out; several sites at once."""
    late = shifted(flow, 2)
    both = xr.concat([flow, late], "site")
    mixed = np.random.default_rng(0).permutation(500)
    expected = metrics.peak_timing(both, late)
    assert expected.values.tolist() == [2, 0]
    got = metrics.peak_timing(both.isel(time=mixed), late.isel(time=mixed[::-1]))
    xr.testing.assert_equal(got, expected)
    with no_compute():
        lazy = metrics.peak_timing(both.chunk(site=1), late.chunk())
    xr.testing.assert_equal(lazy.compute(), expected)


@pytest.mark.parametrize("name", ["peak_timing", "peak_mape", "missed_peaks"])
def test_without_peaks_there_is_no_score(name, flow):
    """Constant or absent observations are NaN."""
    score = getattr(metrics, name)
    assert np.isnan(score(xr.full_like(flow, 1.0), flow))
    assert np.isnan(score(xr.full_like(flow, np.nan), flow))


def test_peaks_need_one_dim(flow):
    """Two dims have no order."""
    both = xr.concat([flow, flow], "site")
    with pytest.raises(InputError, match=r"pass dim='site'"):
        metrics.peak_timing(both, both, dim=("site", "time"))
