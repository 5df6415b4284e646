"""What the public functions promise about values and shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

import xstefaland
from xstefaland.inference import batches
from xstefaland.testing import example_grid, example_points, tiny_head, tiny_weights

BOTH = ["streamflow", "soil_moisture"]


@pytest.mark.parametrize("days", [5, 39, 40, 41, 130])
@pytest.mark.parametrize("start", ["2000-01-01", "2003-07-19"])
def test_records_of_any_length(weights: Any, head: Any, days: int, start: str) -> None:
    """Shorter and longer than a window, from mid-year on: every day has a value."""
    ds = example_points(2, days, start=start)
    embedding = xstefaland.embed(ds, weights=weights)
    assert embedding.shape == (2, days, 16)
    assert embedding.name == "embedding"
    assert np.isfinite(embedding).all()
    flow = xstefaland.predict(ds, "streamflow", head=head, weights=weights)
    assert flow.shape == (2, days)
    assert np.isfinite(flow).all()


def test_start_of_the_record_matters(weights: Any) -> None:
    """The calendar enters: the same weather in another season embeds differently."""
    winter = example_points(1, 30, start="2001-01-01")
    summer = winter.assign_coords(time=winter.time + pd.Timedelta(days=181))
    a, b = (xstefaland.embed(ds, weights=weights).values for ds in (winter, summer))
    assert np.abs(a - b).max() > 1e-2


def test_days_left_out_are_missing_days(weights: Any, same: Any) -> None:
    """A gap in the time axis is as good as NaN, and does not come back."""
    whole = example_points(2, 100)
    keep = np.r_[0:31, 50:100]
    cut = whole.isel(time=keep)
    names = ["precipitation", "temperature", "shortwave_radiation"]
    hidden = whole.copy()
    hidden[names] = whole[names].where(whole.time.isin(cut.time))
    for pool in (None, "static"):
        a = xstefaland.embed(cut, weights=weights, pool=pool)
        b = xstefaland.embed(hidden, weights=weights, pool=pool)
        if pool is None:
            xr.testing.assert_identical(a.time, cut.time)
            b = b.isel(time=keep)
        same(a, b)
    mean = xstefaland.embed(cut, weights=weights, pool="mean")
    same(mean, xstefaland.embed(cut, weights=weights).mean("time"))


def test_a_missing_forcing_is_a_missing_value(weights: Any, same: Any) -> None:
    """A Dataset without radiation equals one with NaN radiation."""
    ds = example_points(2, 60)
    without = ds.drop_vars("shortwave_radiation")
    empty = ds.assign(shortwave_radiation=ds.shortwave_radiation * np.nan)
    empty.shortwave_radiation.attrs["units"] = "W m-2"
    with pytest.warns(UserWarning, match="holds not a single finite value"):
        b = xstefaland.embed(empty, weights=weights)
    a = xstefaland.embed(without, weights=weights)
    same(a, b)
    np.testing.assert_allclose(a.fraction_missing, 1 / 3, rtol=1e-6)


def test_units_are_converted(weights: Any, same: Any) -> None:
    """Kelvin and kg m-2 s-1 give what degC and mm d-1 give."""
    ds = example_points(2, 50)
    other = ds.copy()
    other["temperature"] = (ds.temperature.astype(float) + 273.15).assign_attrs(
        units="K"
    )
    other["precipitation"] = (ds.precipitation.astype(float) / 86400).assign_attrs(
        units="kg m-2 s-1"
    )
    a, b = (xstefaland.embed(each, weights=weights) for each in (ds, other))
    assert np.abs(a - b).max() < 1e-3
    renamed = ds.rename(precipitation="P_gauge")
    chosen = xstefaland.embed(
        renamed, weights=weights, rename={"P_gauge": "precipitation"}
    )
    same(chosen, a)


def test_pools(weights: Any, same: Any) -> None:
    """Means are means of the daily embedding; years are named; static has no time."""
    ds = example_points(3, 500, start="2001-11-05")
    daily = xstefaland.embed(ds, weights=weights)
    mean = xstefaland.embed(ds, weights=weights, pool="mean")
    assert mean.dims == ("site", "embedding")
    same(mean, daily.mean("time"))
    year = xstefaland.embed(ds, weights=weights, pool="year")
    assert year.dims == ("site", "year", "embedding")
    assert year.year.values.tolist() == [2001, 2002, 2003]
    assert year.year.dtype.kind == "i"
    same(year, daily.groupby("time.year").mean())
    static = xstefaland.embed(ds, weights=weights, pool="static")
    assert static.dims == ("site", "embedding")
    assert np.isfinite(static).all()


def test_no_site_dim_is_a_single_site(weights: Any, head: Any, same: Any) -> None:
    """A Dataset of one place has results without site dims."""
    ds = example_points(3, 60)
    one = ds.isel(site=1)
    embedding = xstefaland.embed(one, weights=weights)
    assert embedding.dims == ("time", "embedding")
    same(embedding, xstefaland.embed(ds, weights=weights).isel(site=1))
    flow = xstefaland.predict(one, "streamflow", head=head, weights=weights)
    assert flow.dims == ("time",)
    assert flow.fraction_missing.dims == ()


def test_sea_cells_are_nan(weights: Any, head: Any) -> None:
    """Cells without forcing are NaN in every answer, the others are not."""
    grid = example_grid(days=50)
    sea = grid.temperature.isnull().all("time")
    assert 0 < int(sea.sum()) < sea.size
    for answer in (
        xstefaland.embed(grid, weights=weights, pool="mean").isel(embedding=0),
        xstefaland.predict(grid, "streamflow", head=head, weights=weights).mean("time"),
    ):
        xr.testing.assert_equal(
            answer.isnull().drop_vars(answer.coords), sea.drop_vars(sea.coords)
        )


def test_string_or_list(weights: Any, head: Any) -> None:
    """A string gives a DataArray, a list a Dataset in its order."""
    ds = example_points(2, 50)
    options: dict[str, Any] = {"head": head, "weights": weights}
    one = xstefaland.predict(ds, "soil_moisture", **options)
    both = xstefaland.predict(ds, ["soil_moisture", "streamflow"], **options)
    single = xstefaland.predict(ds, ["soil_moisture"], **options)
    assert isinstance(one, xr.DataArray)
    assert list(both.data_vars) == ["soil_moisture", "streamflow"]
    assert list(single.data_vars) == ["soil_moisture"]
    np.testing.assert_array_equal(one, both.soil_moisture)
    assert one.name == "soil_moisture"


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count sites that encoders embed."""
    from xstefaland.inference.blocks import Encoder

    sites: list[int] = []
    embed = Encoder.embedding

    def counting(self: Any, block: Any, *rest: Any, **more: Any) -> Any:
        sites.append(block.sites)
        return embed(self, block, *rest, **more)

    monkeypatch.setattr(Encoder, "embedding", counting)
    return sites


@pytest.mark.parametrize("lazy", [False, True])
def test_a_list_of_targets_runs_the_encoder_once(
    weights: Any, head: Any, monkeypatch: pytest.MonkeyPatch, lazy: bool
) -> None:
    """Two targets of one head cost one embedding of each site."""
    sites = counted(monkeypatch)
    ds = example_points(4, 50)
    if lazy:
        ds = ds.chunk(site=2)
    xstefaland.predict(ds, BOTH, head=head, weights=weights).compute()
    assert sum(sites) == 4


def test_two_heads_share_one_run(
    weights: Any, monkeypatch: pytest.MonkeyPatch, same: Any
) -> None:
    """Different heads on the same encoder cost one embedding, and answer as alone."""
    from xstefaland.inference import plans

    flow = tiny_head(weights, ["streamflow"], forcing=("temperature", "precipitation"))
    soil = tiny_head(weights, ["soil_moisture"], seed=8, attributes=("clay", "slope"))
    by_target = {"streamflow": flow, "soil_moisture": soil}
    monkeypatch.setattr(
        plans.files,
        "resolve_heads",
        lambda targets, head=None, **_: {
            name: head or by_target[name] for name in targets
        },
    )
    ds = example_points(3, 60)
    sites = counted(monkeypatch)
    both = xstefaland.predict(ds, BOTH, weights=weights)
    assert sum(sites) == 3
    for name, own in by_target.items():
        alone = xstefaland.predict(ds, name, head=own, weights=weights)
        same(both[name], alone)


def test_prediction_is_the_head_on_the_embedding(
    weights: Any, head: Any, same: Any
) -> None:
    """Encoder, head, columns and spin-up: by hand the same numbers."""
    ds = example_points(3, 70)
    embedding = xstefaland.embed(ds, weights=weights)
    forcing = np.stack([ds.precipitation, ds.temperature], -1)
    with torch.inference_mode():
        by_hand = head.model()(
            torch.from_numpy(embedding.values),
            torch.from_numpy(forcing),
            torch.from_numpy(ds.elevation.values[:, None]),
            spinup_days=365,
        )
    answer = xstefaland.predict(ds, BOTH, head=head, weights=weights)
    same(answer.to_dataarray().transpose("site", "time", ...), by_hand)


def test_many_sites_go_in_groups(
    weights: Any, head: Any, monkeypatch: pytest.MonkeyPatch, same: Any
) -> None:
    """A small memory share gives the same answer in several turns."""
    ds = example_points(5, 60)
    options: dict[str, Any] = {"head": head, "weights": weights}
    expected = xstefaland.predict(ds, "streamflow", **options)
    monkeypatch.setattr(batches, "CPU_BYTES", 40 * 16 * 60 * 2)
    sites = counted(monkeypatch)
    same(xstefaland.predict(ds, "streamflow", **options), expected)
    assert sites == [2, 2, 1]


def test_masked_inputs_are_hidden(weights: Any) -> None:
    """A head's masked inputs change nothing even when given."""
    masked = tiny_head(weights, attributes=("elevation",), masked_inputs=["clay"])
    options: dict[str, Any] = {"head": masked, "weights": weights}
    ds = example_points(2, 50)
    other = ds.assign(clay=ds.clay + 30)
    a = xstefaland.predict(ds, "streamflow", **options)
    b = xstefaland.predict(other, "streamflow", **options)
    np.testing.assert_array_equal(a, b)
    without = tiny_head(weights, attributes=("elevation",))
    c, d = (
        xstefaland.predict(each, "streamflow", head=without, weights=weights)
        for each in (ds, other)
    )
    assert np.abs(c - d).max() > 1e-6


def test_static_targets(weights: Any) -> None:
    """No time in the answer; sites without forcing are served from attributes."""
    head = tiny_head(weights, BOTH, static=True, required=(), kind="linear")
    options: dict[str, Any] = {"head": head, "weights": weights}
    ds = example_points(3, 60)
    answer = xstefaland.predict(ds, "streamflow", **options)
    assert answer.dims == ("site",)
    assert "cell_methods" not in answer.attrs
    names = ["precipitation", "temperature", "shortwave_radiation"]
    dry = ds.copy()
    dry[names] = ds[names].where(ds.site != "site001")
    other = xstefaland.predict(dry, "streamflow", **options)
    assert np.isfinite(other).all()
    np.testing.assert_array_equal(other[[0, 2]], answer[[0, 2]])


@pytest.mark.parametrize("lazy", [False, True])
def test_static_targets_without_time(weights: Any, lazy: bool) -> None:
    """A Dataset of attributes is enough; cells without any stay NaN."""
    head = tiny_head(weights, BOTH, static=True, required=())
    ds = example_points(3, 10).drop_dims("time")
    names = ["elevation", "slope", "clay", "frac_forest"]
    ds[names] = ds[names].where(ds.site != "site002")
    given = ds.chunk(site=1) if lazy else ds
    answer = xstefaland.predict(given, BOTH, head=head, weights=weights)
    assert answer.streamflow.dims == ("site",)
    assert np.isfinite(answer.streamflow).values.tolist() == [True, True, False]
    higher = ds.assign(elevation=ds.elevation + 900)
    other = xstefaland.predict(higher, "streamflow", head=head, weights=weights)
    assert (other != answer.streamflow)[:2].all()
    np.testing.assert_array_equal(answer.fraction_missing, 1)


def test_quantiles(weights: Any) -> None:
    """Levels come last, are named and never cross; without them it is the median."""
    head = tiny_head(weights, BOTH, quantiles=(0.1, 0.5, 0.9))
    options: dict[str, Any] = {"head": head, "weights": weights}
    ds = example_grid(days=45).chunk(lat=1)
    spread = xstefaland.predict(ds, BOTH, quantiles=[0.9, 0.1], **options).compute()
    assert spread.streamflow.dims == ("time", "lat", "lon", "quantile")
    assert spread["quantile"].values.tolist() == [0.9, 0.1]
    high, low = (spread.streamflow.sel(quantile=level) for level in (0.9, 0.1))
    median = xstefaland.predict(ds, "streamflow", **options).compute()
    assert median.dims == ("time", "lat", "lon")
    land = ~np.isnan(median)
    assert ((low < median) & (median < high)).where(land, True).all()


def test_options_are_the_default(weights: Any, same: Any) -> None:
    """set_options and the keywords do the same; bfloat16 differs a little."""
    ds = example_points(2, 50)
    exact = xstefaland.embed(ds, weights=weights)
    with xstefaland.set_options(precision="bfloat16", device="cpu"):
        rough = xstefaland.embed(ds, weights=weights)
    same(rough, xstefaland.embed(ds, weights=weights, precision="bfloat16"))
    error = np.linalg.norm(rough - exact) / np.linalg.norm(exact)
    assert 1e-5 < error < 5e-2


def test_weights_by_path(tmp_path: Path) -> None:
    """A path is as good as opened weights."""
    path = tmp_path / "own.safetensors"
    opened = tiny_weights(path)
    ds = example_points(1, 20)
    xr.testing.assert_equal(
        xstefaland.embed(ds, weights=path), xstefaland.embed(ds, weights=opened)
    )


def test_a_year_of_one_day_is_that_day(weights: Any) -> None:
    """The mean of a single day is the day itself."""
    ds = example_points(2, 41, start="2000-11-22")
    assert [int(n) for n in ds.time.dt.year.groupby(ds.time.dt.year).count()] == [40, 1]
    daily = xstefaland.embed(ds, weights=weights)
    yearly = xstefaland.embed(ds, weights=weights, pool="year")
    np.testing.assert_allclose(yearly[:, 1], daily[:, -1], rtol=1e-5, atol=1e-6)
