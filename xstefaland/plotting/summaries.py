"""Summaries: scores by system, what moves an answer, which inputs are missing."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.plotting.drawing import OTHER, PREDICTED, label, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from xstefaland.inputs.report import Report

STATES = {  # colour of each state of an input, in the order of the bars
    "given": "#0072B2",
    "derived": "#56B4E9",
    "hidden": "#999999",
    "missing": "#E69F00",
}
NAMED = 90  # characters of names beside a bar


def box(
    scores: xr.DataArray | Mapping[str, xr.DataArray],
    by: str = "system",
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw the spread of a score over sites, one box for each system.

    Parameters
    ----------
    scores : xarray.DataArray or mapping of str to DataArray
        Scores with the dim `by`, or one array of scores for each system. Missing ones
        are left out.
    by : str
        Dim of the systems (models, regions, ...).
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Boxes from quartile to quartile, whiskers from the 5th to the 95th percentile,
        the median in figures.

    Raises
    ------
    InputError
        When there is no dim `by`.

    Examples
    --------
    >>> nse = xr.DataArray([0.2, 0.5, 0.6], dims="site", name="nse")
    >>> ax = box({"ours": nse + 0.1, "LSTM": nse})
    >>> [text.get_text() for text in ax.texts]
    ['0.60', '0.50']
    """
    if isinstance(scores, Mapping):
        systems = [str(name) for name in scores]
        arrays = list(scores.values())
    elif by not in scores.dims:
        raise InputError(
            f"the dims are {scores.dims}, {by!r} is not among them; pass by=, or a "
            'mapping such as {"ours": nse_ours, "LSTM": nse_lstm}'
        )
    else:
        systems = [str(name) for name in scores[by].values]
        arrays = [scores.isel({by: number}) for number in range(len(systems))]
    values = [a.values[np.isfinite(a.values)].ravel() for a in arrays]
    ax = new_axes(ax, (1.6 + 1.1 * len(systems), 3.6))
    ax.boxplot(
        values,
        whis=(5, 95),
        showfliers=False,
        widths=0.55,
        medianprops={"color": OTHER, "linewidth": 1.6},
    )
    ax.set_xticks(range(1, len(systems) + 1), systems)
    for place, one in enumerate(values, start=1):
        if one.size:
            median = float(np.median(one))
            style: dict[str, Any] = {"ha": "center", "color": OTHER, "size": "small"}
            style |= {"xytext": (0, 3), "textcoords": "offset points"}
            ax.annotate(f"{median:.2f}", (place, median), **style)
    ax.set_ylabel(label(arrays[0]))
    return ax


def explanation(change: xr.DataArray, *, ax: Axes | None = None) -> Axes:
    """Draw how much an answer changes when each input is hidden.

    Parameters
    ----------
    change : xarray.DataArray
        What :func:`xstefaland.explain` returned.
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        One bar for each input, the longest on top: the mean of the absolute change
        over all sites and days; the dot is the mean with its sign.

    Raises
    ------
    InputError
        When there is no dim ``hidden``.
    """
    if "hidden" not in change.dims:
        raise InputError(
            f"the dims are {change.dims}, 'hidden' is not among them; pass what "
            'ds.stefaland.explain("streamflow") returned'
        )
    rest = [dim for dim in change.dims if dim != "hidden"]
    both = xr.Dataset({"size": abs(change).mean(rest), "mean": change.mean(rest)})
    table = both.reset_coords(drop=True).compute().sortby("size")
    names = [str(name).replace("_", " ") for name in table["hidden"].values]
    ax = new_axes(ax, (6.5, 0.7 + 0.3 * len(names)))
    ax.barh(names, table["size"].values, color=PREDICTED, height=0.7, label="size")
    ax.plot(table["mean"].values, names, "o", color=OTHER, ms=4, label="with its sign")
    ax.axvline(0, color="0.5", lw=0.8)
    ax.set_xlabel(f"mean {label(change)}".replace(" [", "\n["))
    ax.legend(frameon=False, fontsize="small", loc="lower right")
    return ax


def missing_inputs(report: Report, *, ax: Axes | None = None) -> Axes:
    """Draw which inputs of a model are given, derived and missing, group by group.

    Parameters
    ----------
    report : Report
        What :func:`xstefaland.check` returned.
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        One bar for each group of variables; the names are those of the missing ones.
    """
    counts, names = _by_group(report.table)
    ax = new_axes(ax, (9, 0.9 + 0.45 * len(counts)))
    left = np.zeros(len(counts))
    for state, colour in STATES.items():
        widths = counts[state].to_numpy()
        if widths.any():
            ax.barh(counts.index, widths, left=left, color=colour, label=state)
        left = left + widths
    for group, end in zip(counts.index, left, strict=True):
        text = textwrap.fill(textwrap.shorten(names[group], NAMED), NAMED // 2)
        ax.text(end + 0.3, group, text, va="center", fontsize="x-small")
    ax.set_xlim(0, max(left, default=1) * 2.2)
    ax.invert_yaxis()
    ax.set_xlabel("variables of the model; named: missing")
    ax.legend(frameon=False, fontsize="small", ncols=4, loc="lower right")
    return ax


def _by_group(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Count variables by group and state; name the missing ones."""
    state = table["how"].where(table["how"].isin(["derived", "hidden", "missing"]))
    state = state.fillna("given")
    groups = table["needed for"].str.extract(r"\((.+)\)")[0].fillna(table["needed for"])
    groups = groups.str.replace(", required", "")
    order = list(dict.fromkeys(groups))
    counts = pd.crosstab(groups, state).reindex(order)
    counts = counts.reindex(columns=list(STATES), fill_value=0)
    absent = table["name"].where(state == "missing")
    names = {g: ", ".join(absent[groups == g].dropna()) for g in order}
    return counts, names
