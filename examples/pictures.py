"""The picture of the demo: predictions beside observations, a gap, a water balance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

# Okabe and Ito's colours, told apart by colour-blind readers
PREDICTED, OBSERVED, FILLED = "#0072B2", "#333333", "#D55E00"
SNOW, GREEN = "#56B4E9", "#009E73"
SHOWN = 730  # days
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def draw(
    path: Path,
    places: Any,
    rivers: xr.Dataset,
    soil: xr.DataArray,
    gap: xr.Dataset,
    table: pd.DataFrame,
) -> None:
    """Draw predictions of the last two years, one row per site.

    Parameters
    ----------
    path : Path
        The PNG to write.
    places : demo.Places
        ``basins`` and ``stations`` with their weather, and with ``streamflow`` and
        ``soil_moisture`` where they are ``observed``.
    rivers : xarray.Dataset
        ``streamflow`` and fluxes of HBV [mm d-1, mm], ``(site, time)``.
    soil : xarray.DataArray
        Soil moisture [m3 m-3], ``(site, time)``.
    gap : xarray.Dataset
        A variable ``given`` (with a gap), ``hidden`` and ``filled``, ``(time,)``.
    table : pandas.DataFrame
        Scores by target and site.
    """
    flow, rows = rivers["streamflow"], max(len(rivers["streamflow"]), len(soil))
    truths = places.basins.get("streamflow"), places.stations.get("soil_moisture")
    kind = "observed weather" if places.observed else "synthetic weather"
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows + 1, 2, figsize=(11, 1.7 * (rows + 1)), squeeze=False, dpi=120
        )
        for row in range(rows):
            _series(axes[row, 0], flow, truths[0], row, table)
            _series(axes[row, 1], soil, truths[1], row, table)
        _gap(axes[rows, 0], gap)
        _balance(axes[rows, 1], rivers, places.basins["precipitation"])
        figure.suptitle(
            f"Streamflow (left) and soil moisture at 5 cm (right), {kind}", fontsize=11
        )
        figure.savefig(path)
        plt.close(figure)


def _series(
    axes: Axes,
    sim: xr.DataArray,
    obs: xr.DataArray | None,
    row: int,
    table: pd.DataFrame,
) -> None:
    """Draw one site: observed below, predicted above."""
    if row >= len(sim):
        axes.set_axis_off()
        return
    days = slice(-SHOWN, None)
    one = sim[row].isel(time=days)
    if obs is not None:
        truth = obs[row].isel(time=days)
        axes.plot(truth.time, truth, color=OBSERVED, lw=1.1, label="observed")
    axes.plot(one.time, one, color=PREDICTED, lw=1.1, label="predicted")
    axes.set_ylabel("m³ m⁻³" if sim.name == "soil_moisture" else "mm d⁻¹")
    axes.set_title(_caption(table, str(sim.name), row))
    _finish(axes, legend=row == 0)


def _caption(table: pd.DataFrame, target: str, row: int) -> str:
    line = table[table["target"] == target].iloc[row]
    place = str(line["place"]).replace("_", " ")
    if not np.isfinite(line.get("nse", np.nan)):
        return place
    if target == "soil_moisture":
        return f"{place} · RMSE {line['rmse']:.3f}, r {line['corr']:.2f}"
    return f"{place} · NSE {line['nse']:.2f}, KGE {line['kge']:.2f}"


def _gap(axes: Axes, gap: xr.Dataset) -> None:
    """Draw a hidden stretch of a variable with what the model put there."""
    inside = np.flatnonzero(gap["filled"].notnull().values)
    near = gap.isel(time=slice(max(inside[0] - 45, 0), inside[-1] + 45))
    axes.plot(near.time, near["given"], color=OBSERVED, lw=1.1, label="given")
    axes.plot(near.time, near["hidden"], ":", color=OBSERVED, lw=1.1, label="hidden")
    axes.plot(near.time, near["filled"], color=FILLED, lw=1.3, label="reconstructed")
    unit = gap["given"].attrs["units"].replace("-2", "⁻²").replace("-1", "⁻¹")
    what = gap["given"].attrs["long_name"].split(",")[0].capitalize()
    axes.set(ylabel=unit, title=f"{what}, a gap filled by reconstruct()")
    _finish(axes, legend=True)


def _balance(axes: Axes, rivers: xr.Dataset, rain: xr.DataArray) -> None:
    """Draw the last year's water balance at the site with most snow."""
    if "snow_water_equivalent" not in rivers:
        axes.set_axis_off()
        return
    snow = rivers["snow_water_equivalent"]
    (site,) = set(snow.dims) - {"time"}
    where = {site: int(np.nanargmax(snow.mean("time"))), "time": slice(-365, None)}
    one = rivers.isel(where)
    sums = {
        "precipitation": (rain.isel(where), OBSERVED, "-"),
        "streamflow": (one["streamflow_hbv"], PREDICTED, "-"),
        "evapotranspiration": (one["evapotranspiration"], GREEN, "--"),
    }
    for name, (series, colour, line) in sums.items():
        total = series.cumsum("time")
        axes.plot(one.time, total, line, color=colour, lw=1.3, label=name)
    values = one["snow_water_equivalent"]
    axes.fill_between(one.time, values, color=SNOW, alpha=0.6, lw=0, label="snow")
    name = str(one.coords.get("gauge_name", one[site]).values)
    axes.set(ylabel="mm", title=f"Water balance by HBV over a year, {name}")
    _finish(axes, legend=True)


def _finish(axes: Axes, *, legend: bool) -> None:
    """Set limits and dates, and leave room for a legend."""
    lines = np.concatenate([np.asarray(line.get_ydata()) for line in axes.lines])
    axes.set_ylim(0, np.nanmax(lines) * (1.35 if legend else 1.05))
    axes.margins(x=0.01)
    if legend:
        axes.legend(loc="upper left", ncols=4, handlelength=1.4, columnspacing=1.2)
    locator = AutoDateLocator(minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
