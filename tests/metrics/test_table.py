"""Summaries over sites, and the count of what is undefined."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xstefaland import metrics


@pytest.fixture
def table():
    """Scores of five sites; one river never changes, one was never observed."""
    rng = np.random.default_rng(0)
    obs = xr.DataArray(rng.gamma(1, 1, (5, 300)), dims=("site", "time"))
    obs[1], obs[2] = 1.0, np.nan
    return metrics.scores(obs, obs * 1.1 + 0.1, names=["nse", "rmse"])


def test_summary_counts_what_is_undefined(table):
    """Constant observations have an RMSE and no NSE; absent ones have neither."""
    summary = metrics.summary(table)
    found = summary.sel(statistic=["count", "undefined"])
    assert found["nse"].values.tolist() == [3, 2]
    assert found["rmse"].values.tolist() == [4, 1]
    median = summary["nse"].sel(statistic="50%").item()
    assert median == pytest.approx(np.nanmedian(table["nse"]))
    assert summary["rmse"].sel(statistic="95%") == table["rmse"].quantile(0.95)
    assert summary["nse"].attrs["long_name"] == "Nash-Sutcliffe efficiency"


def test_lazy_equals_eager(table, no_compute):
    """A summary of lazy scores is lazy."""
    with no_compute():
        lazy = metrics.summary(table.chunk())
    xr.testing.assert_allclose(lazy.compute(), metrics.summary(table))


def test_every_score_has_a_name_in_scores():
    """All public scores, and nothing else, can be asked for by name."""
    known = set(metrics.table._known())
    assert known == set(metrics.__all__) - {"scores", "summary"}
