"""Groups of sites: skill by aridity, snow and region, for the card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xstefaland.weights.evidence import EVERYWHERE, Skill

CLASSES = {
    "aridity": ((1.0, 2.0), ("humid", "dry", "semi-arid")),
    "snow": ((0.1, 0.3), ("rain", "rain and snow", "snow")),
}
"""Upper limits of all classes but the last, and their names. Aridity is PET / P: above
1 water is scarce over the year, above 2 (P / PET below .5) land is semi-arid in the
World Atlas of Desertification (UNEP 1997). Snow is the share of precipitation."""

COLUMNS = {"aridity": "aridity", "snow": "frac_snow"}
"""Attribute that each class is made from."""


def climate_groups(attributes: pd.DataFrame) -> pd.DataFrame:
    """Name the classes of aridity and snow of some sites.

    Parameters
    ----------
    attributes : DataFrame
        One row a site with columns ``aridity`` (PET / P) and ``frac_snow`` (1).

    Returns
    -------
    DataFrame
        Columns ``aridity`` and ``snow``; ``"unknown"`` where the attribute is missing.

    Examples
    --------
    >>> table = pd.DataFrame({"aridity": [0.6, 2.5], "frac_snow": [0.4, float("nan")]})
    >>> climate_groups(table).to_dict("list")
    {'aridity': ['humid', 'semi-arid'], 'snow': ['snow', 'unknown']}
    """
    out = {}
    for by, (limits, names) in CLASSES.items():
        values = attributes[COLUMNS[by]].to_numpy(float)
        found = np.array(names)[
            np.searchsorted(limits, values, side="right").clip(max=2)
        ]
        out[by] = np.where(np.isnan(values), "unknown", found)
    return pd.DataFrame(out, index=attributes.index)


def skill_table(
    scores: pd.DataFrame,
    groups: pd.DataFrame,
    target: str,
    metrics: Sequence[str],
    *,
    inputs: str = "complete",
) -> tuple[Skill, ...]:
    """Write medians of scores, over all sites and by group, as lines of a card.

    Parameters
    ----------
    scores : DataFrame
        One row a site: ``site`` and a column per metric.
    groups : DataFrame
        Index = site ids; a column for each way to group, such as ``region``.
    target : str
        What was predicted.
    metrics : sequence of str
        Columns of `scores`.
    inputs : str
        ``"complete"``, or what was hidden.

    Returns
    -------
    tuple of Skill
        All sites first; NaN is left out of medians and sites without a group of
        groups.

    Examples
    --------
    >>> scores = pd.DataFrame({"site": ["a", "b", "c"], "nse": [0.5, 0.7, 0.1]})
    >>> regions = pd.DataFrame({"region": ["US", "US", "GB"]}, index=["a", "b", "c"])
    >>> for row in skill_table(scores, regions, "streamflow", ["nse"]):
    ...     print(row.group, row)
    all nse 0.5 (3 sites)
    GB nse 0.1 (1 sites)
    US nse 0.6 (2 sites)
    """
    table = scores.set_index("site")[list(metrics)].join(groups)
    table.insert(0, EVERYWHERE, EVERYWHERE)
    rows = []
    for by in (EVERYWHERE, *groups.columns):
        for group, part in table.groupby(by, sort=True):
            medians = part[list(metrics)].median().dropna().round(4)
            rows.append(
                Skill(
                    target=target,
                    by=str(by),
                    group=str(group),
                    sites=len(part),
                    scores={str(k): float(v) for k, v in medians.items()},
                    inputs=inputs,
                )
            )
    return tuple(rows)
