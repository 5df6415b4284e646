"""Conformal bands: what is promised holds at sites that were not used to fit them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.spatial.distance import cdist

import xstefaland
from xstefaland import datasets
from xstefaland.errors import InputError
from xstefaland.model.bands import BandConfig, BandCorrection
from xstefaland.testing import example_points, tiny_head, tiny_weights
from xstefaland.training.conformal import coverage, fit_band, sites_needed
from xstefaland.weights import Band, combine
from xstefaland.weights.targets import TargetSpec

DIMS = ("site", "time")
FREE = TargetSpec(name="heat", units="degC")


def world(sites: int, seed: int, days: int = 400) -> tuple[xr.DataArray, xr.DataArray]:
    """Answers, and truths whose errors grow with the answer and differ by site."""
    rng = np.random.default_rng(seed)
    answer = rng.gamma(1.0, 2.0, (sites, days))
    own = rng.normal(0, 0.15, (sites, 1))
    spread = 0.1 + 0.2 * np.sqrt(answer)
    error = own + spread * rng.standard_t(5, answer.shape)
    truth = (np.sqrt(answer) + error).clip(0) ** 2
    truth[rng.random(truth.shape) < 0.3] = np.nan
    coords = {"site": np.arange(sites)}
    arrays = (xr.DataArray(v, dims=DIMS, coords=coords) for v in (answer, truth))
    return tuple(arrays)  # type: ignore[return-value]


def corrected(band: Band, answer: xr.DataArray, base: Any = None) -> xr.DataArray:
    """Quantiles by the network that a weights file makes of a band."""
    config = BandConfig(
        target=band.target,
        levels=band.levels,
        knots=band.knots,
        offsets=band.offsets,
        root=band.scale == "root",
    )
    own = torch.from_numpy(answer.values).float()
    levels = torch.from_numpy(base).float() if base is not None else own[..., None]
    values = BandCorrection(config)(own, levels)
    coords = {**answer.coords, "quantile": list(band.levels)}
    return xr.DataArray(values.numpy(), coords, (*answer.dims, "quantile"))


def test_intervals_hold_at_new_sites():
    """50, 80 and 90 % of the days of 150 new sites lie inside, at all sizes of flow.

    At least: up to 2 / 101 more do, for the site that was not seen.
    """
    band = fit_band(*world(100, 0), "streamflow")
    answer, truth = world(150, 1)
    quantiles = corrected(band, answer)
    table = coverage(quantiles, truth).set_index("interval")
    for interval in (0.5, 0.8, 0.9):
        assert -0.01 < table.coverage[interval] - interval < 0.01 + 2 / 101
        assert table.low[interval] < interval < table.high[interval]
    low, high = np.quantile(answer, [0.3, 0.9])
    for part in (answer < low, answer > high):
        for interval in (0.5, 0.8, 0.9):
            part_of = coverage(quantiles.where(part), truth.where(part))
            got = part_of.set_index("interval").coverage[interval]
            assert got == pytest.approx(interval + 1 / 101, abs=0.04)


def test_one_band_for_all_answers_would_not_hold():
    """Without ranges of answers low flows are covered too often and high ones less."""
    band = fit_band(*world(100, 0), "streamflow", shares=(0.0, 1.0))
    answer, truth = world(150, 1)
    quantiles = corrected(band, answer)
    high = answer > np.quantile(answer, 0.9)
    got = coverage(quantiles.where(high), truth.where(high), intervals=[0.8])
    assert got.coverage[0] < 0.7
    assert coverage(quantiles, truth).coverage[1] == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("level", [0.1, 0.9])
def test_the_promise_holds_with_the_fewest_sites(level: float):
    """Over many draws of nine sites, a tenth site's day is covered as promised.

    With all its days alike a site is one number: the promise is then exact.
    """
    rng = np.random.default_rng(3)
    below = []
    for _ in range(600):
        error = np.repeat(rng.normal(0, 1, (10, 1)), 4, axis=1)
        truth = xr.DataArray(error, dims=DIMS)
        band = fit_band(truth[:9] * 0, truth[:9], FREE, levels=(level,))
        below.append(error[9, 0] <= band.offsets[0][0])
    share, room = np.mean(below), 3 * math.sqrt(0.09 / 600)
    assert share == pytest.approx(level, abs=room)


def test_quantiles_that_are_too_narrow_are_widened():
    """Of a head with quantiles each level is corrected by itself."""
    levels = (0.1, 0.5, 0.9)

    def narrow(answer: xr.DataArray) -> xr.DataArray:
        steps = xr.DataArray([-0.1, 0.0, 0.1], {"quantile": list(levels)}, "quantile")
        return (answer * (1 + steps)).transpose(*DIMS, "quantile")

    answer, truth = world(100, 0)
    band = fit_band(narrow(answer), truth, "streamflow")
    assert band.levels == levels
    answer, truth = world(150, 1)
    before = coverage(narrow(answer), truth, intervals=[0.8]).coverage[0]
    quantiles = corrected(band, answer, narrow(answer).values)
    after = coverage(quantiles, truth, intervals=[0.8]).coverage[0]
    assert before < 0.4
    assert after == pytest.approx(0.8, abs=0.02)
    assert bool((quantiles.diff("quantile") >= 0).all())


def test_sites_weigh_the_same_whatever_their_days():
    """A site with a hundred times the days of others does not decide."""
    rng = np.random.default_rng(0)
    error = rng.normal(0, 1, (40, 500))
    error[0] += 50
    short = xr.DataArray(error, dims=DIMS).where(
        (xr.DataArray(np.arange(40), dims="site") == 0)
        | (xr.DataArray(np.arange(500), dims="time") < 5)
    )
    band = fit_band(short * 0, short, FREE, levels=(0.5,))
    assert abs(band.offsets[0][0]) < 0.3


def test_scale_follows_the_targets_limits():
    """Flows are taken by their roots; what may be negative, or has two limits, not."""
    answer, truth = world(30, 0)
    assert fit_band(answer, truth, "streamflow").scale == "root"
    assert fit_band(answer, truth, "soil_temperature").scale == "linear"
    assert fit_band(answer / 50, truth / 50, "soil_moisture").scale == "linear"


def test_constant_answers_have_one_offset():
    """Where the answer says nothing there is one range, and the band is still one."""
    answer, truth = world(30, 0)
    band = fit_band(answer * 0, truth, "streamflow")
    assert len(band.knots) == 2
    assert band.offsets[0] == band.offsets[1]
    assert band.problems() == []


def test_too_few_sites_are_refused():
    """Levels far out take many sites; NaN is no observation."""
    answer, truth = world(18, 0)
    with pytest.raises(InputError, match=r"take 19 calibration sites with.* are 18"):
        fit_band(answer, truth, "streamflow")
    answer, truth = world(19, 0)
    fit_band(answer, truth, "streamflow")
    truth[4] = np.nan
    with pytest.raises(InputError, match="there are 18"):
        fit_band(answer, truth, "streamflow")
    assert [sites_needed([level]) for level in (0.5, 0.8, 0.9, 0.99)] == [1, 4, 9, 99]


def test_other_labels_are_refused():
    """Predictions of other sites, or without days, are no predictions of these."""
    answer, truth = world(20, 0)
    with pytest.raises(InputError, match="have different labels"):
        fit_band(answer.assign_coords(site=np.arange(20) + 1), truth, "streamflow")
    with pytest.raises(InputError, match="both need 'time' and the same dims"):
        fit_band(answer.isel(time=0), truth, "streamflow")
    quantiles = answer.expand_dims(quantile=[0.1, 0.9])
    with pytest.raises(InputError, match="lack the median"):
        fit_band(quantiles, truth, "streamflow")
    both = answer.expand_dims(quantile=[0.1, 0.5, 0.9])
    with pytest.raises(InputError, match=r"interval of 50% .*\[0.25, 0.75\]"):
        coverage(both, truth, intervals=[0.5])


def test_coverage_by_hand():
    """Shares and widths of two sites and a third without observations, by group."""
    values = np.broadcast_to([0.0, 0.5, 1.0], (3, 4, 3))
    coords = {"quantile": [0.1, 0.5, 0.9]}
    quantiles = xr.DataArray(values, coords, (*DIMS, "quantile"))
    truth = xr.DataArray(
        [[0.5, 0.5, 2.0, np.nan], [0.5, -1.0, -1.0, 2.0], [np.nan] * 4], dims=DIMS
    )
    groups = {"region": ["US", "GB", "GB"]}
    table = coverage(quantiles, truth, groups, intervals=[0.8])
    assert table.group.tolist() == ["all", "US", "GB"]
    assert table.sites.tolist() == [2, 1, 1]
    np.testing.assert_allclose(table.coverage, [(2 / 3 + 1 / 4) / 2, 2 / 3, 1 / 4])
    assert table.width.tolist() == [1.0, 1.0, 1.0]


def test_groups_go_by_the_labels_of_sites():
    """Labels in another order are refused; an axis more is brought to its place."""
    values = np.broadcast_to([0.0, 0.5, 1.0], (2, 2, 4, 3))
    dims = ("lat", "lon", "time", "quantile")
    coords = {"quantile": [0.1, 0.5, 0.9], "lat": [1, 2], "lon": [5, 6]}
    quantiles = xr.DataArray(values, coords, dims)
    truth = quantiles.isel(quantile=1, drop=True) + xr.DataArray(
        [[0, 0], [9, 0]], dims=("lat", "lon")
    )
    dry = xr.DataArray(
        [["no", "yes"], ["no", None]], {"lon": [5, 6], "lat": [1, 2]}, ("lon", "lat")
    )
    table = coverage(quantiles, truth, {"dry": dry}, intervals=[0.8]).set_index("group")
    assert table.coverage.to_dict() == {"all": 0.75, "no": 1.0, "yes": 0.0}
    same = coverage(quantiles, truth, {"dry": ["a", "a", "b", "a"]}, intervals=[0.8])
    assert same.coverage.tolist() == [0.75, 1.0, 0.0]
    with pytest.raises(InputError, match=r"groups\['dry'\] has other labels"):
        coverage(quantiles, truth, {"dry": dry[::-1]}, intervals=[0.8])
    with pytest.raises(InputError, match=r"groups\['dry'\] has shape \(3,\)"):
        coverage(quantiles, truth, {"dry": ["a", "a", "b"]}, intervals=[0.8])


def test_a_calibrated_file_covers_what_it_predicts(tmp_path: Path):
    """From predictions to a file to quantiles: through `predict`, at other sites."""
    encoder = tiny_weights(window=60, stride=30)
    head = tiny_head(encoder, ["streamflow"])
    ds = example_points(sites=40, days=60)
    answer = xstefaland.predict(ds, "streamflow", head=head, weights=encoder)
    rng = np.random.default_rng(0)
    truth = answer + rng.normal(0, 0.2 + np.abs(answer), answer.shape)
    levels = (0.25, 0.5, 0.75)
    target = TargetSpec(name="streamflow", units="mm d-1")
    first, rest = slice(0, 20), slice(20, None)
    whole = (0.0, 1.0)  # one range of answers: with few sites each keeps a reserve
    band = fit_band(answer[first], truth[first], target, levels=levels, shares=whole)
    file = combine([head], tmp_path / "x.safetensors", bands=[band])
    got = xstefaland.predict(
        ds, "streamflow", head=file, weights=encoder, quantiles=levels
    )
    table = coverage(got[rest], truth[rest], intervals=[0.5])
    assert -0.05 < table.coverage[0] - 0.5 < 0.05 + 2 / 21
    assert file.card.bands[0].sites == 20


def test_intervals_hold_at_real_gauges(real_data: Path):
    """Flow guessed from the nearest gauge: bands from half of CAMELS, scored at half.

    A bad guess with a scatter that no formula made. Of eight draws of the halves the
    shares inside were .505 to .554, .809 to .839 and .914 to .934.
    """
    flow = datasets.camels_us(real_data / "camels_us.nc")["streamflow"]
    flow = flow.sel(time=slice("1999-10-01", "2002-09-30")).load()
    flow = flow[flow.notnull().mean("time") > 0.9].reset_coords(drop=True)
    place = datasets.camels_us(real_data / "camels_us.nc").sel(basin=flow.basin)
    radians = np.deg2rad(np.c_[place.latitude, place.longitude])
    near = cdist(radians * [1, 0.78], radians * [1, 0.78])  # cos of 39 degrees
    np.fill_diagonal(near, np.inf)
    guess = flow.copy(data=flow.values[near.argmin(1)])
    order = np.random.default_rng(1).permutation(len(flow))
    first, rest = np.array_split(order, 2)
    band = fit_band(guess[first], flow[first], "streamflow")
    assert band.sites > 200
    quantiles = corrected(band, guess[rest])
    overall = coverage(quantiles, flow[rest]).set_index("interval").coverage
    for interval in (0.5, 0.8, 0.9):
        assert -0.02 < overall[interval] - interval < 0.06
