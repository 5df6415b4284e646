"""Boosted trees for soil moisture: small trees on short averages and the climate.

With eight leaves, averages of up to a month and six attributes that follow from weather
they cannot learn stations by heart: the hardest simple baseline so far.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from xstefaland.training.benchmark import tabular
from xstefaland.training.fitting import Predicted
from xstefaland.training.systems import CLIMATE
from xstefaland.training.tasks import Records, Task
from xstefaland.training.versions import Version, hide

DAYS = (3, 7, 30)
FULL_SHARE = 0.6  # of the training sites; of the others inputs are hidden, as of heads


def small_trees(probability: bool, seed: int) -> Any:
    """Boosted trees: 300 of 8 leaves."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=300, max_leaf_nodes=8, learning_rate=0.05, random_state=seed
    )


def fit_predict(task: Task, versions: dict[str, Version], seed: int) -> list[Predicted]:
    """Train on the training sites; predict those held out in each rendering."""
    return [
        tabular.fit_predict(
            small_trees, _seen(task, versions["hidden"], version, seed), seed, days=DAYS
        )
        for version in versions.values()
    ]


def _seen(task: Task, hidden: Version, asked: Version, seed: int) -> Task:
    """Hide inputs of some training sites, and of the others those of a rendering."""
    kept = [task.attribute_names.index(name) for name in CLIMATE]
    records = []
    for number, each in enumerate(task.records):
        rng = np.random.default_rng([seed, number])
        thin = rng.random(len(each.sites)) >= FULL_SHARE
        held = each.sites["role"].eq("held out").to_numpy()
        rows = [
            _row(each, row, asked if held[row] else hidden if thin[row] else None)
            for row in range(len(each.sites))
        ]
        forcing, attributes = (np.stack(part) for part in zip(*rows, strict=True))
        records.append(
            replace(
                each,
                forcing=forcing,
                attributes=attributes[:, kept],
                latitude=np.full_like(each.latitude, np.nan),  # it tells stations apart
            )
        )
    names = tuple(task.requirements.attributes[column] for column in kept)
    requirements = replace(task.requirements, attributes=names)
    return replace(task, records=tuple(records), requirements=requirements)


def _row(records: Records, row: int, version: Version | None) -> Any:
    """Return forcing and attributes of a site, as a rendering shows them."""
    if version is None:
        return hide(records, None, row)
    return hide(records, version.hidden, row, attributes=version.attributes)
