"""Scores against two peers' numbers, and their labels, laziness and messages."""

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
# Name in the peer's code -> ours. Only names whose definitions coincide.
NEURALHYDROLOGY = {
    "NSE": "nse",
    "MSE": "mse",
    "RMSE": "rmse",
    "KGE": "kge",
    "Pearson-r": "corr",
    "Alpha-NSE": "alpha_nse",
    "Beta-NSE": "beta_nse",
    "Beta-KGE": "beta_kge",
    "Peak-Timing": "peak_timing",
    "Peak-MAPE": "peak_mape",
    "FHV": "fhv",
    "FMS": "fms",
    "FLV": "flv_log",
}
DMG = {
    "rmse": "rmse",
    "rmse_ub": "ubrmse",
    "rmse_fdc": "rmse_fdc",
    "mae": "mae",
    "corr": "corr",
    "corr_spearman": "spearman",
    "r2": "r2",
    "nse": "nse",
    "flv": "flv",
    "fhv": "fhv",
    "pbias": "pbias",
    "kge": "kge",
    "kge_12": "kge_2012",
}
TABLES = {"scores", "summary"}
BANDS = {"coverage", "crps_ensemble", "crps_quantiles", "pinball"}  # one dim more
EVENTS = {"auc", "average_precision", "brier", "f1"}  # yes or no
FLOODS = {"missed_peaks", "peak_mape", "peak_timing"}  # one series in order
EVERY = sorted(set(metrics.__all__) - TABLES - BANDS - EVENTS - FLOODS)


def _series(name):
    """Observed and simulated series of one golden pair."""
    with np.load(GOLDEN / "metrics_series.npz") as file:
        obs, sim = file[name]
    return xr.DataArray(obs, dims="time"), xr.DataArray(sim, dims="time")


@pytest.fixture
def obs():
    """Three sites x 500 days of synthetic flow, some days missing, labelled."""
    rng = np.random.default_rng(0)
    flow = rng.gamma(0.7, 2.0, size=(3, 500))
    flow[1, 40:90] = np.nan
    return xr.DataArray(
        flow,
        dims=("site", "time"),
        coords={
            "site": ["a", "b", "c"],
            "time": pd.date_range("2001-10-01", periods=500),
        },
        attrs={"units": "mm d-1"},
    )


@pytest.fixture
def sim(obs):
    """The same with noise and a bias, and missing on other days."""
    rng = np.random.default_rng(1)
    made = obs.fillna(1.0) * rng.uniform(0.6, 1.6, obs.shape) + 0.1
    made[0, :10] = np.nan
    return made.assign_attrs(units="mm d-1")


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    ("peer", "names"), [("neuralhydrology", NEURALHYDROLOGY), ("dmg", DMG)]
)
def test_same_number_as_peers(name, peer, names):
    """Every score with a common definition equals the peer's to 1e-10."""
    obs, sim = _series(name)
    golden = PAIRS[name][peer]
    for theirs, ours in names.items():
        if ours in {"ubrmse", "rmse_fdc"} and PAIRS[name]["missing_days"]:
            continue  # the peer takes unpaired days too; next test
        value = getattr(metrics, ours)(obs, sim, dim="time").item()
        expected = golden[theirs]
        if ours in ("flv", "flv_log") and name == "zeros_in_obs":
            assert np.isnan(value)  # low flows all zero: the peers' are 5e7, -4e10
            continue
        np.testing.assert_allclose(
            value, expected, rtol=1e-10, atol=1e-12, err_msg=f"{ours} against {theirs}"
        )


def test_mean_square_is_bias_and_spread(obs, sim):
    """``mse = bias**2 + ubrmse**2``, missing days included."""
    parts = metrics.bias(obs, sim) ** 2 + metrics.ubrmse(obs, sim) ** 2
    np.testing.assert_allclose(parts, metrics.mse(obs, sim), rtol=1e-12)


def test_nse_written_out(obs, sim):
    """A plain loop over sites with paired days gives the same NSE."""
    for site in obs["site"].values:
        o, s = obs.sel(site=site).values, sim.sel(site=site).values
        both = ~np.isnan(o) & ~np.isnan(s)
        o, s = o[both], s[both]
        expected = 1 - ((s - o) ** 2).sum() / ((o - o.mean()) ** 2).sum()
        assert metrics.nse(obs, sim).sel(site=site).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", EVERY)
def test_one_value_per_site_with_attributes(name, obs, sim):
    """The reduced dim goes, the others and their coords stay, attributes say what."""
    value = getattr(metrics, name)(obs, sim, dim="time")
    assert value.dims == ("site",)
    xr.testing.assert_identical(value["site"], obs["site"])
    assert set(value.attrs) == {"long_name", "units"}
    assert value.notnull().all()


@pytest.mark.parametrize("name", EVERY)
def test_lazy_equals_eager(name, obs, sim, no_compute):
    """Dask in, dask out, nothing computed on the way, the same numbers."""
    score = getattr(metrics, name)
    with no_compute():
        lazy = score(obs.chunk({"site": 1}), sim.chunk({"site": 2}), dim="time")
    assert lazy.chunks is not None
    xr.testing.assert_allclose(lazy.compute(), score(obs, sim, dim="time"), rtol=1e-12)


@pytest.mark.parametrize("name", ["nse", "kge", "rmse", "ubrmse", "corr", "pbias"])
def test_time_may_be_in_several_chunks(name, obs, sim):
    """Scores that need only moments do not care how time is cut."""
    score = getattr(metrics, name)
    lazy = score(obs.chunk({"time": 70}), sim.chunk({"time": 110}))
    xr.testing.assert_allclose(lazy.compute(), score(obs, sim), rtol=1e-12)


@pytest.mark.parametrize("name", ["fhv", "flv", "flv_log", "fms", "spearman"])
def test_sorting_scores_ask_for_one_chunk(name, obs, sim):
    """A score that sorts never rechunks by itself; the message has the call."""
    with pytest.raises(InputError, match=r"obs\.chunk\(\{'time': -1\}\)"):
        getattr(metrics, name)(obs.chunk({"time": 70}), sim)


@pytest.mark.parametrize("name", EVERY)
def test_order_of_days_does_not_matter(name, obs, sim):
    """Shuffling the days of one side changes nothing: labels decide."""
    order = np.random.default_rng(2).permutation(obs.sizes["time"])
    score = getattr(metrics, name)
    xr.testing.assert_allclose(
        score(obs, sim.isel(time=order), dim="time"), score(obs, sim, dim="time")
    )


@pytest.mark.parametrize("name", EVERY)
def test_several_dims_are_one_sample(name, obs, sim):
    """Reducing two dims equals reducing one that holds the same values."""
    score = getattr(metrics, name)
    both = score(obs, sim, dim=("site", "time"))
    row = {"sample": ("site", "time")}
    stacked = score(obs.stack(row), sim.stack(row), dim="sample")
    assert both.dims == ()
    assert both.item() == pytest.approx(stacked.item(), rel=1e-12)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("value", [np.nan, 0.1])
def test_undefined_is_nan_without_warning(name, value, obs, sim):
    """No pair at all is NaN; constant observations have no NSE, KGE, correlation."""
    obs = xr.full_like(obs, value)
    result = getattr(metrics, name)(obs, sim, dim="time")
    relative = {"nse", "r2", "kge", "kge_2012", "corr", "spearman"}
    relative |= {"alpha_nse", "beta_nse", "fms", "flv_log"}
    if np.isnan(value) or name in relative:
        assert result.isnull().all()
    else:
        assert np.isfinite(result).all()


def test_dry_river_has_no_percent_bias():
    """Without observed volume a relative error is undefined, not infinite."""
    obs = xr.DataArray(np.zeros(100), dims="time")
    for score in (metrics.pbias, metrics.fhv):
        assert score(obs, obs + 1).isnull()


def test_extra_dims_broadcast(obs, sim):
    """Quantiles of the simulation are each compared with the same observations."""
    spread = xr.DataArray([0.5, 1.0], dims="quantile", coords={"quantile": [0.1, 0.5]})
    value = metrics.nse(obs, sim * spread)
    assert value.sizes == {"site": 3, "quantile": 2}
    np.testing.assert_allclose(
        value.sel(quantile=0.5).drop_vars("quantile"), metrics.nse(obs, sim)
    )


def test_common_days_are_compared(obs, sim):
    """A simulation that starts earlier and ends later is scored where both exist."""
    part = slice(100, 300)
    value = metrics.kge(obs.isel(time=part), sim)
    expected = metrics.kge(obs.isel(time=part), sim.isel(time=part))
    xr.testing.assert_identical(value, expected)


def test_float32_is_summed_in_float64(obs, sim):
    """Single precision input gives a double precision score."""
    value = metrics.nse(obs.astype("float32"), sim.astype("float32"))
    assert value.dtype == np.float64
    np.testing.assert_allclose(value, metrics.nse(obs, sim), rtol=1e-5)


def test_units_of_errors_are_those_of_the_observations(obs, sim):
    """RMSE carries the units, MSE their square, efficiencies none."""
    assert metrics.rmse(obs, sim).attrs["units"] == "mm d-1"
    assert metrics.mse(obs, sim).attrs["units"] == "(mm d-1)2"
    assert metrics.nse(obs, sim).attrs["units"] == "1"
    bare = metrics.rmse(obs.drop_attrs(), sim.drop_attrs())
    assert "units" not in bare.attrs


def test_inputs_stay_as_they_were(obs, sim):
    """Neither values nor attributes of the arguments change."""
    before = obs.copy(deep=True), sim.copy(deep=True)
    for name in EVERY:
        getattr(metrics, name)(obs, sim, dim="time")
    xr.testing.assert_identical(obs, before[0])
    xr.testing.assert_identical(sim, before[1])


def test_scores_make_one_dataset(obs, sim):
    """The benchmark's eight by default, each equal to its own function."""
    table = metrics.scores(obs, sim)
    assert len(table) == 8
    for name in table:
        xr.testing.assert_identical(
            table[name].rename(None), getattr(metrics, str(name))(obs, sim)
        )


def test_unknown_score_is_named(obs, sim):
    """The message has the wrong name and all right ones."""
    with pytest.raises(InputError, match=r"no score named \['KGE'\]; there are .*kge"):
        metrics.scores(obs, sim, names=["nse", "KGE"])


def test_plain_arrays_are_refused(obs, sim):
    """Numpy arrays have no labels; both are reported with the call that helps."""
    with pytest.raises(InputError, match=r"2 problems") as caught:
        metrics.nse(obs.values, sim.values)
    assert "obs is a ndarray; wrap it as xr.DataArray(obs, dims=...)" in str(
        caught.value
    )


def test_missing_dim_is_named(obs, sim):
    """The message lists the dims that there are."""
    with pytest.raises(InputError, match=r"obs has no dim 'day', its dims are"):
        metrics.nse(obs, sim, dim="day")


def test_other_sites_are_refused(obs, sim):
    """Sites are never dropped silently."""
    with pytest.raises(InputError, match=r"of 3 and 2 labels along 'site' 2 are in"):
        metrics.nse(obs, sim.isel(site=[0, 1]))


def test_labels_that_stand_twice_pair_with_themselves(obs, sim):
    """Where both have the same labels there is nothing to choose."""
    twice = [0, 1, 1]
    score = metrics.nse(obs.isel(site=twice), sim.isel(site=twice))
    xr.testing.assert_equal(score, metrics.nse(obs, sim).isel(site=twice))
    with pytest.raises(InputError, match="labels along 'site'"):
        metrics.nse(obs.isel(site=twice), sim.isel(site=[1, 1, 0]))


def test_no_common_day_is_refused(obs, sim):
    """Records that do not overlap are an error, not NaN."""
    with pytest.raises(InputError, match=r"of 100 and 100 labels along 'time' 0 are"):
        metrics.nse(obs[:, :100], sim[:, 100:200])


def test_unlabelled_sizes_must_match():
    """Without labels only equal lengths can be paired."""
    short, long = (
        xr.DataArray(np.ones(3), dims="time"),
        xr.DataArray([1.0], dims="time"),
    )
    with pytest.raises(InputError, match=r"'time' has sizes 3 and 1 and no labels"):
        metrics.nse(short, long)


def test_different_units_are_refused_with_every_other_problem(obs, sim):
    """Units and sites wrong: one error that lists both."""
    sim = sim.assign_attrs(units="m3 s-1").isel(site=[0])
    with pytest.raises(InputError, match=r"2 problems") as caught:
        metrics.nse(obs, sim)
    assert "obs is in 'mm d-1' and sim in 'm3 s-1'" in str(caught.value)
