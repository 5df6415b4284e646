"""Quantiles and ensembles: known answers, brute force, laziness, messages."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from xstefaland import metrics
from xstefaland.errors import InputError

LEVELS = np.linspace(0.005, 0.995, 100)


@pytest.fixture
def obs():
    """2 000 draws of a standard normal, some missing."""
    values = np.random.default_rng(0).normal(size=2000)
    values[::50] = np.nan
    return xr.DataArray(values, dims="time", attrs={"units": "mm d-1"})


@pytest.fixture
def band(obs):
    """The right quantiles for each day."""
    values = np.broadcast_to(stats.norm.ppf(LEVELS), (obs.size, 100))
    return xr.DataArray(values, {"quantile": LEVELS}, ("time", "quantile"))


def test_crps_of_a_normal(obs, band):
    """Many quantiles, or many members, give the closed form of the normal."""
    z = obs.dropna("time").values
    exact = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - np.pi**-0.5
    score = metrics.crps_quantiles(obs, band)
    assert score.item() == pytest.approx(exact.mean(), abs=2e-3)
    assert score.attrs == {"units": "mm d-1", "long_name": "CRPS from quantiles"}
    assert "quantile" not in score.coords
    ensemble = band.rename(quantile="member")
    assert metrics.crps_ensemble(obs, ensemble).item() == pytest.approx(
        exact.mean(), abs=2e-3
    )


def test_crps_of_members_written_out():
    """All pairs of members, one of them missing on a day."""
    rng = np.random.default_rng(1)
    obs = xr.DataArray(rng.normal(size=7), dims="time")
    sim = xr.DataArray(rng.normal(size=(7, 5)), dims=("time", "member"))
    sim[3, 2] = np.nan
    expected = []
    for day in range(7):
        x = sim[day].dropna("member").values
        pairs = np.abs(x[:, None] - x).mean() / 2
        expected.append(np.abs(x - obs[day].item()).mean() - pairs)
    assert metrics.crps_ensemble(obs, sim).item() == pytest.approx(np.mean(expected))
    one = sim.isel(member=[0])
    mae = metrics.mae(obs, one.isel(member=0)).item()
    assert metrics.crps_ensemble(obs, one).item() == pytest.approx(mae)


def test_uneven_levels_stand_for_their_neighbourhood():
    """Weights are the shares of levels nearest to each: .3, .4, .3."""
    obs = xr.DataArray([1.0], dims="time")
    sim = xr.DataArray(
        [[0.0, 0.0, 0.0]], {"quantile": [0.1, 0.5, 0.9]}, ("time", "quantile")
    )
    loss = metrics.pinball(obs, sim).values
    np.testing.assert_allclose(loss, [0.1, 0.5, 0.9])
    expected = 2 * (0.3 * 0.1 + 0.4 * 0.5 + 0.3 * 0.9)
    assert metrics.crps_quantiles(obs, sim).item() == pytest.approx(expected)


def test_pinball_against_scikit_learn(obs, band):
    """The same loss level by level."""
    from sklearn.metrics import mean_pinball_loss

    known = obs.notnull().values
    for level in (0.005, 0.405, 0.995):
        sim = band.sel(quantile=level, method="nearest")
        expected = mean_pinball_loss(
            obs.values[known], sim.values[known], alpha=sim["quantile"].item()
        )
        got = metrics.pinball(obs, band).sel(quantile=level, method="nearest")
        assert got.item() == pytest.approx(expected)


def test_coverage_of_the_right_band(obs, band):
    """90 % within .05 and .95; everything within an endless band; NaN left out."""
    wide = xr.concat([band.isel(quantile=[0]) * 0 - 1e9, band * 0 + 1e9], "quantile")
    ends = wide.isel(quantile=[0, -1]).assign_coords(quantile=[0.05, 0.95])
    assert metrics.coverage(obs, ends).item() == 1
    assert metrics.coverage(obs, band, level=0.99).item() == pytest.approx(
        0.99, abs=0.01
    )
    half = stats.norm.ppf([0.25, 0.75])
    ends = xr.DataArray(half, {"quantile": [0.25, 0.75]}, "quantile")
    ends = ends.expand_dims(time=obs.size)
    assert metrics.coverage(obs, ends, level=0.5).item() == pytest.approx(0.5, abs=0.03)


def test_lazy_equals_eager(obs, band, no_compute):
    """Nothing is computed on the way."""
    for name in ("pinball", "crps_quantiles"):
        with no_compute():
            lazy = getattr(metrics, name)(obs.chunk(time=300), band.chunk(time=500))
        expected = getattr(metrics, name)(obs, band)
        xr.testing.assert_allclose(lazy.compute(), expected)
    members = band.rename(quantile="member")
    with no_compute():
        lazy = metrics.crps_ensemble(obs.chunk(time=300), members.chunk(time=300))
        covered = metrics.coverage(obs.chunk(), band.chunk(), level=0.99)
    xr.testing.assert_allclose(lazy.compute(), metrics.crps_ensemble(obs, members))
    xr.testing.assert_allclose(
        covered.compute(), metrics.coverage(obs, band, level=0.99)
    )


def test_messages(obs, band):
    """What is asked and what is there."""
    with pytest.raises(InputError, match=r"level=0\.3 needs the quantiles 0\.35 and"):
        metrics.coverage(obs, band.isel(quantile=[0, 50]), level=0.3)
    with pytest.raises(InputError, match="labels are levels between 0 and 1"):
        metrics.pinball(obs, obs)
    with pytest.raises(InputError, match="labels are levels between 0 and 1"):
        metrics.pinball(obs, band.assign_coords(quantile=np.arange(100)))
    with pytest.raises(InputError, match="sim has no dim 'member'"):
        metrics.crps_ensemble(obs, band)
