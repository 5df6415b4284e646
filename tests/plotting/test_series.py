"""Hydrographs and duration curves draw the numbers they were given."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland import datasets, metrics
from xstefaland.errors import InputError
from xstefaland.plotting import flow_duration, hydrograph, skill_map

DAYS = 400


@pytest.fixture
def flow() -> xr.DataArray:
    """Predictions of three sites; the first 30 days are spin-up."""
    rng = np.random.default_rng(1)
    return xr.DataArray(
        rng.gamma(1, 2, (3, DAYS)),
        dims=("basin", "time"),
        coords={
            "basin": ["a", "b", "c"],
            "time": pd.date_range("2001-01-01", periods=DAYS),
            "gauge_name": ("basin", ["Aare", "Birs", "Cher"]),
        },
        name="streamflow",
        attrs={"units": "mm d-1", "long_name": "Streamflow", "spinup_days": 30},
    )


@pytest.fixture
def observed(flow: xr.DataArray) -> xr.DataArray:
    """Observations in another order of sites, with gaps, of two sites alone."""
    noisy = (flow + 0.5).where(flow.time.dt.day != 3)
    return noisy.isel(basin=[2, 0]).drop_attrs().assign_attrs(units="mm d-1")


def line(ax: Any, name: str) -> Any:
    """The line of a label."""
    (found,) = [each for each in ax.get_lines() if each.get_label() == name]
    return found


def test_one_panel_a_site(flow: xr.DataArray, observed: xr.DataArray) -> None:
    """Lines are the site's own, found by label and not by position."""
    axes = hydrograph(flow, observed)
    assert axes.shape == (3,)
    for ax, name in zip(axes, "abc", strict=True):
        np.testing.assert_array_equal(
            line(ax, "predicted").get_ydata(), flow.sel(basin=name)
        )
    truth = line(axes[2], "observed").get_ydata()
    np.testing.assert_array_equal(truth, observed.sel(basin="c"))
    assert np.isnan(line(axes[1], "observed").get_ydata()).all()
    days = mdates.date2num(line(axes[0], "predicted").get_xdata())
    np.testing.assert_allclose(np.diff(days), 1)
    assert axes[0].get_title(loc="left") == "a, Aare"
    assert axes[0].get_ylabel() == "Streamflow\n[mm d⁻¹]"


def test_scores_leave_the_spinup_out(
    flow: xr.DataArray, observed: xr.DataArray
) -> None:
    """What stands above a panel is the score of the days after the spin-up."""
    wrong_start = observed.where(observed.time > observed.time[29], 99)
    ax = hydrograph(flow, wrong_start, scores=["nse", "rmse"])[0]
    late = flow.sel(basin="a")[30:]
    nse = metrics.nse(observed.sel(basin="a"), late).item()
    assert ax.get_title(loc="right") == f"NSE {nse:.2f}, RMSE 0.50"


def test_the_spinup_is_left_out_once(flow: xr.DataArray) -> None:
    """A part of the answer loses the days of the record's spin-up, no others."""
    one = flow.isel(basin=0, drop=True).assign_attrs(record_start="2001-01-01")
    error = xr.zeros_like(one)
    error[29], error[60] = 1e6, 10 * np.sqrt(340)
    for first, score in ((0, 340 / 370), (20, 340 / 370), (60, 1.0), (390, 0.0)):
        part = one.isel(time=slice(first, None))
        ax = hydrograph(part, one + error, scores=["rmse"])
        assert ax.get_title(loc="right") == f"RMSE {10 * np.sqrt(score):.2f}"


def test_a_month_after_the_spinup_is_enough(flow: xr.DataArray) -> None:
    """Of a record hardly longer than the spin-up all days are scored."""
    one = flow.isel(basin=0, drop=True, time=slice(31))
    ax = hydrograph(one, one + 2, scores=["rmse", "bias"])
    assert ax.get_title(loc="right") == "RMSE 2.00, BIAS -2.00"
    worse = (one + 2).where(one.time > one.time[0], one + 100)
    ax = hydrograph(one, worse, scores=["rmse"])
    assert ax.get_title(loc="right") != "RMSE 2.00"


def test_single_site_gives_one_axes(flow: xr.DataArray) -> None:
    """Without a dim of sites there is one panel, also in the user's own Axes."""
    one = flow.isel(basin=1)
    assert isinstance(hydrograph(one), plt.Axes)
    own = plt.subplots()[1]
    assert hydrograph(one, ax=own) is own
    assert own.get_lines()
    grid = plt.subplots(1, 3)[1]
    assert list(hydrograph(flow, ax=grid)) == list(grid)


def test_quantiles_are_bands(flow: xr.DataArray) -> None:
    """The middle level is the line, pairs of levels are bands, whatever their order."""
    levels = xr.IndexVariable("quantile", [0.5, 0.1, 0.9])
    many = xr.concat([flow, flow - 1, flow + 2], levels).isel(basin=[0])
    ax = hydrograph(many)[0]
    np.testing.assert_array_equal(line(ax, "predicted").get_ydata(), flow[0])
    (band,) = ax.collections
    assert band.get_label() == "10% to 90%"
    edge = band.get_paths()[0].vertices[:, 1]
    assert np.isclose(edge.min(), flow[0].min() - 1)
    assert np.isclose(edge.max(), flow[0].max() + 2)


def test_lazy_arrays(flow: xr.DataArray) -> None:
    """Dask arrays are computed for the picture."""
    ax = hydrograph(flow.chunk(basin=1))[1]
    np.testing.assert_array_equal(line(ax, "predicted").get_ydata(), flow[1])


def test_duration_curve(flow: xr.DataArray, observed: xr.DataArray) -> None:
    """The i-th largest of n is exceeded on i / (n + 1) of the days; pairs alone."""
    ax = flow_duration(flow, observed)[2]
    pairs = observed.sel(basin="c").notnull().values
    for name, array in (("observed", observed), ("predicted", flow)):
        values = np.sort(array.sel(basin="c").values[pairs])[::-1]
        drawn = line(ax, name)
        np.testing.assert_array_equal(drawn.get_ydata(), values)
        n = len(values)
        np.testing.assert_allclose(
            drawn.get_xdata(), 100 * np.arange(1, n + 1) / (n + 1)
        )
    assert ax.get_yscale() == "log"


def test_days_without_flow_are_not_on_a_logarithmic_axis(flow: xr.DataArray) -> None:
    """But they count in the share of days."""
    dry = flow[0].where(flow[0] > 1, 0)
    x = line(flow_duration(dry), "predicted").get_xdata()
    assert len(x) == int((dry > 0).sum())
    assert np.isclose(x[-1], 100 * len(x) / (DAYS + 1))


@pytest.mark.parametrize("draw", [hydrograph, flow_duration])
def test_what_cannot_be_drawn(draw: Any, flow: xr.DataArray) -> None:
    """Each error says what to do."""
    with pytest.raises(InputError, match=r"predicted: .*'time' is not among them"):
        draw(flow.mean("time"))
    feet = flow.assign_attrs(units="ft d-1")
    with pytest.raises(InputError, match="units differ: ft d-1 and mm d-1"):
        draw(flow, feet)
    draw(flow, flow.assign_attrs(units="mm/day"))
    with pytest.raises(InputError, match="sites along 'basin'"):
        draw(flow, flow.isel(basin=0, drop=True))
    with pytest.raises(InputError, match="ax= has 2 Axes for 3 sites"):
        draw(flow, ax=plt.subplots(1, 2)[1])
    many = flow.isel(basin=np.zeros(30, int))
    with pytest.raises(InputError, match=r"30 sites .*\.isel\(basin=slice\(12\)\)"):
        draw(many)


def test_real_basins(real_data: Path) -> None:
    """Predictions of bundled weights beside what was observed in CAMELS."""
    ids = ["01022500", "14236200"]
    ds = datasets.camels_us(real_data, ids).sel(time=slice("2003-10-01", "2005-09-30"))
    flow = ds.stefaland.predict("streamflow")
    axes = flow.stefaland.hydrograph(ds.streamflow)
    nse = metrics.nse(ds.streamflow, flow.isel(time=slice(365, None)))
    for ax, value in zip(axes, nse.values, strict=True):
        assert ax.get_title(loc="right").startswith(f"NSE {value:.2f}, KGE ")
        assert ax.get_ylabel() == "Streamflow per basin area\n[mm d⁻¹]"


@pytest.mark.parametrize("days", [1, 9, 45, 200, 500, 1461, 4018, 12784])
def test_dates_of_any_length_fit(days: int) -> None:
    """Neither too many ticks nor a warning, from a day to decades."""
    time = pd.date_range("1981-01-01", periods=days)
    ax = hydrograph(xr.DataArray(np.arange(float(days)), {"time": time}, ("time",)))
    ax.figure.set_size_inches(5, 2)
    ax.figure.canvas.draw()
    labels = [tick.get_window_extent() for tick in ax.get_xticklabels()]
    edges = sorted((box.x0, box.x1) for box in labels if box.width)
    assert all(a[1] < b[0] for a, b in pairwise(edges))


def test_the_first_day_after_the_spinup_counts(flow: xr.DataArray) -> None:
    """One error on that day is in the score, one the day before is not."""
    one = flow.isel(basin=0, drop=True)
    error = xr.zeros_like(one)
    error[29], error[30] = 1e6, 10 * np.sqrt(DAYS - 30)
    ax = hydrograph(one, one + error, scores=["rmse"])
    assert ax.get_title(loc="right") == "RMSE 10.00"


def test_sites_that_were_not_predicted_are_left_out(flow: xr.DataArray) -> None:
    """Whatever their place in the order of labels."""
    more = xr.concat([flow[0].assign_coords(basin="A0"), flow + 1], "basin")
    axes = hydrograph(flow, more)
    for ax, name in zip(axes, "abc", strict=True):
        np.testing.assert_allclose(
            line(ax, "observed").get_ydata(), flow.sel(basin=name) + 1
        )


def test_no_other_quantile_stands_for_the_prediction(flow: xr.DataArray) -> None:
    """Two ends of a band have no middle: neither is drawn or scored as one."""
    levels = xr.Variable("quantile", [0.05, 0.95])
    band = xr.concat([flow * 0.5, flow * 2], levels)
    for draw in (hydrograph, flow_duration, skill_map):
        with pytest.raises(InputError, match=r"quantiles=\[0.05, 0.5, 0.95\]"):
            draw(band, flow)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda o: o.assign_coords(basin=["x", "y"]), "none of the labels of 'basin'"),
        (lambda o: o.expand_dims(source=2), r"\.isel\(source=0\)"),
        (lambda o: o.convert_calendar("noleap"), "observed: its calendar is not"),
    ],
)
def test_observations_of_something_else(
    change: Any, text: str, flow: xr.DataArray, observed: xr.DataArray
) -> None:
    """No empty panels, and no error of matplotlib's."""
    with pytest.raises(InputError, match=text):
        hydrograph(flow, change(observed))
