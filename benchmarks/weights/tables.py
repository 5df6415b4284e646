"""Systems of scikit-learn: moving averages or embeddings of a day, and a regression.

"trees" are the hardest simple baseline for soil moisture so far: with eight leaves,
averages of up to a month and six attributes that follow from weather they cannot learn
stations by heart. The others are what a user of `ds.stefaland.embed()` would write, on
embeddings, on averages of weather with the climate and the landscape, and on both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xstefaland.training.benchmark import tabular
from xstefaland.training.fitting import Predicted
from xstefaland.training.systems import CLIMATE
from xstefaland.training.tasks import Floats, Records, Task
from xstefaland.training.versions import Version, hide

FULL_SHARE = 0.6  # of the training sites; of the others inputs are hidden, as of heads
ROWS = 120_000  # days that are trained on


@dataclass(frozen=True)
class Table:
    """Features of a day and a regression.

    Attributes
    ----------
    estimator : callable
        See :data:`xstefaland.training.benchmark.tabular.Estimator`.
    averages : sequence of int
        Days of moving averages, beside the day's forcing, attributes, latitude and
        season; none of all these where it is empty.
    embedding : bool
        Whether the embedding of the day is among the features.
    attributes : sequence of str, optional
        Those that are used, without latitude; default: all, and latitude.
    rows : int
        Days that are trained on.
    """

    estimator: tabular.Estimator
    averages: Sequence[int] = ()
    embedding: bool = False
    attributes: Sequence[str] | None = None
    rows: int = ROWS


def small_trees(probability: bool, seed: int) -> Any:
    """Boosted trees: 300 of 8 leaves."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=300, max_leaf_nodes=8, learning_rate=0.05, random_state=seed
    )


_ALL = tabular.DAYS
TABLES: dict[str, Table] = {
    "trees": Table(small_trees, (3, 7, 30), False, CLIMATE, tabular.ROWS),
    "ridge-averages": Table(tabular.linear, _ALL),
    "ridge-embedding": Table(tabular.linear, embedding=True),
    "boosted-averages": Table(tabular.boosted, _ALL),
    "boosted-embedding": Table(tabular.boosted, embedding=True),
    "boosted-both": Table(tabular.boosted, _ALL, embedding=True),
}


def fit_predict(
    table: Table, task: Task, versions: Mapping[str, Version], seed: int
) -> list[Predicted]:
    """Train on the training sites; predict those held out in each rendering."""
    return [
        tabular.fit_predict(
            table.estimator,
            task,
            seed,
            rows=table.rows,
            features=_features(table, _shown(task, versions, name, seed)),
        )
        for name in versions
    ]


Shown = Mapping[str, Sequence[Version]]
"""Of every record, the rendering in which each site is shown."""


def _shown(task: Task, versions: Mapping[str, Version], asked: str, seed: int) -> Shown:
    """Hide inputs of some training sites, and of the others those of a rendering."""
    out = {}
    for number, each in enumerate(task.records):
        rng = np.random.default_rng([seed, number])
        thin = rng.random(len(each.sites)) >= FULL_SHARE
        held = each.sites["role"].eq("held out").to_numpy()
        names = np.where(held, asked, np.where(thin, "hidden", "complete"))
        out[each.name] = [versions[name] for name in names]
    return out


def _features(table: Table, shown: Shown) -> tabular.Features:
    """Make the function that gives the features of a site."""

    def features(task: Task, records: Records, row: int) -> Floats:
        version = shown[records.name][row]
        parts = []
        if table.averages:
            seen = _site(table, task, records, row, version)
            parts.append(tabular.site_features(task, seen, 0, table.averages))
        if table.embedding:
            if version.embeddings is None:
                raise SystemExit("a system with embeddings needs an encoder in its job")
            parts.append(version.embeddings[records.name][row].astype(np.float32))
        return np.concatenate(parts, 1)

    return features


def _site(
    table: Table, task: Task, records: Records, row: int, version: Version
) -> Records:
    """Return one site as it is shown; what the table does not use is missing.

    Latitude goes with the attributes, as it tells stations apart.
    """
    forcing, attributes = hide(
        records, version.hidden, row, attributes=version.attributes
    )
    latitude = version.latitude(records, row)
    if table.attributes is not None:
        used = np.isin(task.attribute_names, table.attributes)
        attributes = np.where(used, attributes, np.float32(np.nan))
        latitude = np.full_like(latitude, np.nan)
    return replace(
        records,
        forcing=forcing[None],
        attributes=attributes[None],
        latitude=np.atleast_1d(latitude),
    )
