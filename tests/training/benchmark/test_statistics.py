"""Centres, spread and intervals of scores with a known answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xstefaland.training.benchmark.statistics import centres, paired


def series(shift: float, noise: float = 0.0) -> pd.DataFrame:
    """Two systems on 40 sites of two folds, with two seeds."""
    rng = np.random.default_rng(0)
    level = np.linspace(0.2, 0.8, 40)
    parts = []
    for system, more in (("own", shift), ("other", 0.0)):
        for seed in (0, 1):
            values = level + more + (0.01 if seed else -0.01)
            values = values + noise * rng.normal(size=40)
            table = pd.DataFrame({"site": range(40), "nse": values, "rmse": 1 - values})
            fold = np.repeat([0, 1], 20)
            parts.append(
                table.assign(system=system, seed=seed, fold=fold, target="flow")
            )
    return pd.concat(parts, ignore_index=True)


def static(skill: float) -> pd.DataFrame:
    """Two systems that predict a number at 200 sites of two folds."""
    rng = np.random.default_rng(1)
    observed = rng.normal(size=200)
    parts = [
        pd.DataFrame({"site": range(200), "observed": observed})
        .assign(predicted=observed + noise * rng.normal(size=200))
        .assign(system=name, seed=0, fold=np.repeat([0, 1], 100), target="clay")
        for name, noise in (("own", skill), ("other", 0.8))
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(squared_error=(table.observed - table.predicted) ** 2)


def test_medians_and_spread():
    """Seeds are averaged site by site; folds differ by .3, seeds by .02."""
    table = centres(series(0.1), ["nse", "rmse"]).set_index("system")
    assert table.index.tolist() == ["own", "other"]
    assert table.loc["own", "nse"] == pytest.approx(0.6)
    assert table.loc["own", "rmse"] == pytest.approx(0.4)
    assert table.loc["own", "sites"] == 40
    assert table.loc["own", "seeds ±"] == pytest.approx(0.02 / np.sqrt(2))
    step = 0.6 / 39 * 20
    assert table.loc["own", "folds ±"] == pytest.approx(step / np.sqrt(2))
    single = centres(series(0.1).query("seed == 0"), ["nse"])
    assert single["seeds ±"].isna().all()


def test_pairs_of_series():
    """A constant difference has no width; noise has, and hides a small one."""
    row = paired(series(0.1), "nse").iloc[0]
    assert row["pair"] == "own - other"
    np.testing.assert_allclose(row[["difference", "low", "high"]].astype(float), 0.1)
    assert row["clear"]
    assert not paired(series(0.0, noise=0.2), "nse").iloc[0]["clear"]
    assert paired(series(0.1).query("system == 'own'"), "nse").empty


def test_scores_over_sites():
    """Means over folds; the better system is told apart, the same one is not."""
    table = centres(static(0.3), ["r2", "corr"]).set_index("system")
    assert table.loc["own", "r2"] == pytest.approx(1 - 0.09, abs=0.03)
    assert table.loc["other", "r2"] == pytest.approx(1 - 0.64, abs=0.2)
    row = paired(static(0.3), "r2").iloc[0]
    assert row["low"] < row["difference"] < row["high"]
    assert row["clear"]
    assert row["sites"] == 200
    assert not paired(static(0.8), "r2").iloc[0]["clear"]
