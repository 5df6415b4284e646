"""Figures of a benchmark: box plots, curves over sites, maps."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xstefaland.training.benchmark.outcome import Outcome
from xstefaland.training.static_scores import ERROR

INCHES, DOTS = (7.0, 4.0), 110
OCEAN = 40.0
"""Degrees of longitude without any site that part a map in two panels."""

PROBABILITY, AMOUNT = "error of the probability", "absolute error"
SMALLER = ("rmse", "ubrmse", "mae", "mse", "brier")
"""Scores of which less is better."""


def draw(outcome: Outcome, folder: Path, name: str) -> list[tuple[str, str]]:
    """Draw all figures of a benchmark.

    Parameters
    ----------
    outcome : Outcome
        What was found.
    folder : Path
        Where the files go.
    name : str
        With which their names begin.

    Returns
    -------
    list of (str, str)
        File name and what it shows.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "figures need matplotlib: `pip install matplotlib` or `conda install "
            "matplotlib`; or leave them out with figures=False"
        ) from error
    drawn = []
    for target, scores in outcome.scores.groupby("target", sort=False):
        several = outcome.scores["target"].nunique() > 1
        stem = f"{name}-{target}" if several else name
        sites = outcome.sites[outcome.sites["target"] == target]
        for kind, (picture, text) in KINDS.items():
            figure = Figure(figsize=INCHES, dpi=DOTS, layout="constrained")
            picture(figure, scores, sites, outcome.protocol.scores[0])
            figure.savefig(folder / f"{stem}-{kind}.png")
            drawn.append((f"{stem}-{kind}.png", f"{text} ({target})"))
    return drawn


def _measured(scores: pd.DataFrame, first: str) -> tuple[pd.DataFrame, str]:
    """One value a site and system: the first score, or the absolute error."""
    if ERROR in scores:
        scores, first = scores.assign(error=scores[ERROR] ** 0.5), "error"
    table = scores.pivot_table(index="site", columns="system", values=first)
    label = first
    if first == "error":
        chance = scores["observed"].isin([0.0, 1.0]).all()
        label = PROBABILITY if chance else AMOUNT
    return table[list(scores["system"].unique())], label


def _boxes(figure: Any, scores: pd.DataFrame, sites: pd.DataFrame, first: str) -> None:
    """Spread of a score over sites, a box a system."""
    table, label = _measured(scores, first)
    axes = figure.subplots()
    values = [table[system].dropna() for system in table]
    axes.boxplot(values, whis=(5, 95), showfliers=False, widths=0.6)
    axes.set_xticks(range(1, len(values) + 1), list(table), rotation=35, ha="right")
    axes.set_ylabel(f"{label}, sites held out")
    axes.grid(axis="y", alpha=0.3)


def _curves(figure: Any, scores: pd.DataFrame, sites: pd.DataFrame, first: str) -> None:
    """Share of sites at or below a score, a line a system; ROC of probabilities."""
    table, label = _measured(scores, first)
    axes = figure.subplots()
    if label == PROBABILITY:
        _roc(axes, scores)
        return
    for number, system in enumerate(table):
        values = np.sort(table[system].dropna())
        share = np.arange(1, len(values) + 1) / len(values)
        axes.step(
            values, share, where="post", label=system, color=f"C{number % 10}",
            linestyle="-" if number < 10 else "--",
        )  # fmt: skip
    low, high = np.nanquantile(table.to_numpy(), [0.05, 0.98])
    if low < high:  # one site and system have one value
        axes.set_xlim(low, high)
    axes.set_xlabel(label)
    axes.set_ylabel("share of sites held out")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)


def _roc(axes: Any, scores: pd.DataFrame) -> None:
    """Hits against false alarms over all thresholds, all folds together."""
    for number, (system, part) in enumerate(scores.groupby("system", sort=False)):
        ordered = part.sort_values("predicted", ascending=False)["observed"]
        hits, alarms = ordered.cumsum(), (1 - ordered).cumsum()
        share = (alarms / alarms.iloc[-1], hits / hits.iloc[-1])
        axes.plot(*share, label=system, color=f"C{number % 10}")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.set_xlabel("share of false alarms")
    axes.set_ylabel("share of hits")
    axes.set_aspect("equal")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)


def _map(figure: Any, scores: pd.DataFrame, sites: pd.DataFrame, first: str) -> None:
    """Where the first system is better (blue) or worse (red) than the second."""
    table, label = _measured(scores, first)
    names = list(table)[:2]
    value = table[names[0]]
    title = f"{label} of {names[0]}"
    if len(names) > 1:
        value, title = value - table[names[1]], f"{label}: {names[0]} - {names[1]}"
    placed = sites.set_index("site").loc[value.index]
    worse = label in (PROBABILITY, AMOUNT, *SMALLER)
    limit = np.nanquantile(abs(value), 0.9) or 1.0
    colours = {"cmap": "RdBu_r" if worse else "RdBu", "vmin": -limit, "vmax": limit}
    if len(names) == 1:
        colours = {"cmap": "viridis", "vmin": value.min(), "vmax": value.max()}
    else:
        colours |= {"edgecolor": "0.5", "linewidth": 0.3}  # small differences are white
    parts = _continents(sites["lon"])
    widths = [max(10.0, sites["lon"][part].agg(np.ptp)) for part in parts]
    panels = figure.subplots(1, len(parts), squeeze=False, width_ratios=widths)[0]
    for axes, part in zip(panels, parts, strict=True):
        here = sites[part]
        axes.scatter(here["lon"], here["lat"], s=2, color="0.85")
        inside = placed.index.isin(here["site"])
        where = placed[inside]
        dots = axes.scatter(
            where["lon"], where["lat"], c=value[inside], s=14, **colours
        )
        axes.locator_params(axis="x", nbins=4)
        axes.set_xlabel("degrees east")
        axes.set_aspect(1 / max(np.cos(np.radians(np.nanmean(here["lat"]))), 0.2))
    panels[0].set_ylabel("degrees north")
    bar = {"label": title, "location": "bottom", "shrink": 0.7, "aspect": 40}
    figure.colorbar(
        dots, ax=panels, extend="both" if len(names) > 1 else "neither", **bar
    )


def _continents(lon: pd.Series) -> list[pd.Series]:
    """Sites west of each wide gap without any, as one mask a panel."""
    ordered = np.sort(lon.dropna().unique())
    wide = np.flatnonzero(np.diff(ordered) > OCEAN)
    edges = [-np.inf, *(ordered[wide] + OCEAN / 2), np.inf]
    return [lon.between(*pair) for pair in pairwise(edges)]


KINDS = {
    "boxes": (_boxes, "Spread over sites, whiskers at 5 and 95 %"),
    "curves": (_curves, "All sites, a line a system"),
    "map": (_map, "Where the first system is better (blue) than the second"),
}
"""What is drawn for each target."""
