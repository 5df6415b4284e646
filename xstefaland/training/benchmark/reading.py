"""Reading what a protocol names: observations, inputs and folds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from xstefaland.errors import InputError, join_problems
from xstefaland.inference.plans import plan_encoder
from xstefaland.inputs.hints import Hints
from xstefaland.training import choices
from xstefaland.training.benchmark import holdouts
from xstefaland.training.benchmark.protocols import Protocol
from xstefaland.training.finetuning import read_task
from xstefaland.training.tasks import Task
from xstefaland.weights.files import Weights

QUICK_SITES, QUICK_UPDATES, QUICK_DAYS = 40, 30, 1461
OF_SITES = ("forcing", "attributes", "latitude", "observed", "positions")
"""Arrays of records with a row for each site."""


def quickened(protocol: Protocol) -> Protocol:
    """Shorten it; whether a site was seen before is not asked where nothing is told."""
    updates = min(QUICK_UPDATES, protocol.settings.updates)
    settings = replace(protocol.settings, updates=updates)
    return replace(protocol, settings=settings, in_corpus=False)


def read_tasks(
    protocol: Protocol, data: Path, encoder: Weights, quick: bool
) -> tuple[dict[str, Task], dict[str, holdouts.Folds]]:
    """Read every target's observations, and fold its sites.

    Parameters
    ----------
    protocol : Protocol
        What is compared on what.
    data : Path
        Folder of data.
    encoder : Weights
        Whose inputs are read.
    quick : bool
        Keep a few sites and days.

    Returns
    -------
    tasks, folds : dict
        By the name of the target: the task, and the fold of each of its sites.

    Raises
    ------
    InputError
        When no site is in a fold.
    """
    _, asked = plan_encoder(encoder)
    sets = dict(protocol.data(data))
    period = protocol.period
    if quick and all("time" in ds.dims for ds in sets.values()):
        last = slice(-QUICK_DAYS, None)
        sets = {name: ds.isel(time=last) for name, ds in sets.items()}
        period = None
    tasks, labels = {}, {}
    for target, observed in protocol.targets.items():
        others = set(protocol.targets.values()) - {observed}
        inputs = {name: ds.drop_vars(others) for name, ds in sets.items()}
        spec = choices.find_target(target)
        task = read_task(
            inputs, spec, asked, observed, Hints(),
            period, protocol.minimum_days, protocol.extra,
        )  # fmt: skip
        folds = protocol.split(task.sites)
        if quick:
            task, folds = _some_sites(task, folds)
        problems = [] if (folds >= 0).any() else ["no site is in any fold"]
        if problems:
            raise InputError(join_problems(f"{protocol.name} cannot be run", problems))
        tasks[spec.name], labels[spec.name] = task, folds
    return tasks, labels


def _some_sites(task: Task, folds: holdouts.Folds) -> tuple[Task, holdouts.Folds]:
    """Keep a few sites, drawn; the others are in no round."""
    kept = np.random.default_rng(0).permutation(len(folds))[:QUICK_SITES]
    sites = task.sites["site"].to_numpy()[np.sort(kept)]
    records = tuple(
        replace(
            r,
            **{name: getattr(r, name)[rows] for name in OF_SITES},
            sites=r.sites[rows].reset_index(drop=True),
        )
        for r in task.records
        if (rows := r.sites["site"].isin(sites).to_numpy()).any()
    )
    return replace(task, records=records), folds[np.sort(kept)]
