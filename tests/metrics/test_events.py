"""Scores of yes and no: scikit-learn's numbers, ties, what is undefined."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from sklearn import metrics as peer

from xstefaland import metrics

PEERS = {
    "auc": peer.roc_auc_score,
    "average_precision": peer.average_precision_score,
    "brier": peer.brier_score_loss,
    "f1": lambda yes, share: peer.f1_score(yes, share >= 0.5),
}


@pytest.fixture
def obs():
    """Two regions with 200 sites: slides and none, some unknown."""
    values = np.random.default_rng(0).random((2, 200)).round()
    values[0, :20] = np.nan
    return xr.DataArray(values, dims=("region", "site"))


@pytest.fixture
def sim(obs):
    """Probabilities that know something, with many ties."""
    noise = np.random.default_rng(1).random(obs.shape)
    return (0.3 * obs.fillna(0.5) + 0.7 * noise).round(1)


@pytest.mark.parametrize("name", PEERS)
def test_same_number_as_scikit_learn(name, obs, sim):
    """Row by row, ties and missing values included."""
    value = getattr(metrics, name)(obs, sim)
    for region in range(2):
        known = obs[region].notnull().values
        expected = PEERS[name](obs[region].values[known], sim[region].values[known])
        assert value[region].item() == pytest.approx(expected, rel=1e-12)
    assert value.attrs["units"] == "1"


@pytest.mark.parametrize("name", PEERS)
def test_lazy_equals_eager(name, obs, sim, no_compute):
    """Dask in, dask out."""
    with no_compute():
        lazy = getattr(metrics, name)(obs.chunk(region=1), sim.chunk(region=1))
    xr.testing.assert_allclose(lazy.compute(), getattr(metrics, name)(obs, sim))


def test_undefined_is_nan(obs, sim):
    """One class alone has no ROC curve; without a yes there is no precision."""
    none = xr.zeros_like(obs)
    assert metrics.auc(none, sim).isnull().all()
    assert metrics.auc(none + 1, sim).isnull().all()
    assert metrics.average_precision(none, sim).isnull().all()
    assert metrics.f1(none, none).isnull().all()
    for name in PEERS:
        empty = xr.full_like(obs, np.nan)
        assert getattr(metrics, name)(empty, sim).isnull().all()


def test_threshold_of_f1():
    """What reaches the threshold is called."""
    obs = xr.DataArray([1.0, 0.0], dims="site")
    sim = xr.DataArray([0.3, 0.1], dims="site")
    assert metrics.f1(obs, sim).item() == 0
    assert metrics.f1(obs, sim, threshold=0.3).item() == 1
    assert metrics.f1(obs, sim, threshold=0.1).item() == pytest.approx(2 / 3)
