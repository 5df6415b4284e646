"""Scaling of a head: statistics of its inputs and its target at training sites."""

from __future__ import annotations

import math

import numpy as np
from torch import nn

from xstefaland.model import HeadConfig
from xstefaland.training.corpus import statistics
from xstefaland.training.pretraining import LOGGED
from xstefaland.training.tasks import Floats, Records, Task
from xstefaland.training.versions import Version
from xstefaland.weights.targets import TARGETS


def scale(
    head: nn.Module, task: Task, config: HeadConfig, version: Version | None = None
) -> None:
    """Set a head's scaling and limits, from the training sites and the target.

    Parameters
    ----------
    head, task, config
        See :func:`fit`.
    version : Version, optional
        The complete inputs; needed for heads with process channels.
    """
    features = head.get_submodule("features")
    tables = head_statistics(task, config)
    for name in ("forcing_scaling", "attribute_scaling", "log_scaling"):
        rows = tables[name]
        features.get_submodule(name).assign(  # type: ignore[operator]
            [r["mean"] for r in rows],
            [r["std"] for r in rows],
            [r["transform"] == "log1p" for r in rows],
        )
    if config.channels:
        found = _channel_statistics(task, config, version or Version(None, None))
        log = [False] * len(config.channels)
        features.get_submodule("channel_scaling").assign(*found, log)  # type: ignore[operator]
    if config.physics is None:  # HBV's answers are physical as they are
        mean, spread = _target_statistics(task)
        log = task.target.transform == "log1p"
        head.get_submodule("target_scaling").assign([mean], [spread], [log])  # type: ignore[operator]
    known = [TARGETS.get(name, task.target) for name in config.targets[1:]]
    specs = [task.target, *known]
    head.limit([t.minimum for t in specs], [t.maximum for t in specs])  # type: ignore[operator]


def _channel_statistics(
    task: Task, config: HeadConfig, version: Version
) -> tuple[list[float], list[float]]:
    """Means and deviations of the process channels at training sites."""
    mean, spread = [], []
    for name in config.channels:
        parts = [
            version.process(r, r.rows("train"), [name])[:, ::7].ravel()
            for r in task.records
        ]
        row = _row(name, np.concatenate(parts), log=False)
        mean.append(float(row["mean"]))  # type: ignore[arg-type]
        spread.append(float(row["std"]))  # type: ignore[arg-type]
    return mean, spread


def _target_statistics(task: Task) -> tuple[float, float]:
    """Mean and deviation of the training sites' observations, transformed."""
    observed = np.concatenate([_training(r, r.observed) for r in task.records])
    if task.target.transform == "logit":
        share = float(np.nanmean(observed).clip(1e-3, 1 - 1e-3))
        return math.log(share / (1 - share)), 1.0
    found = statistics(observed, log=task.target.transform == "log1p")
    return float(found["mean"] or 0.0), float(found["std"] or 1.0)


def head_statistics(
    task: Task, config: HeadConfig
) -> dict[str, list[dict[str, object]]]:
    """Scaling of a head's inputs, by the name of the module that holds it."""
    forcing, attributes, logged = [], [], []
    for name in config.forcing:
        index = task.forcing_names.index(name)
        parts = [_training(r, r.forcing[:, ::7, index]) for r in task.records]
        values = np.concatenate(parts)
        forcing.append(_row(name, values, log=False))
        if name in config.also_log:
            logged.append(_row(name, values, log=True))
    for name in config.attributes:
        index = task.attribute_names.index(name)
        parts = [_training(r, r.attributes[:, index]) for r in task.records]
        attributes.append(_row(name, np.concatenate(parts), log=name in LOGGED))
    return {
        "forcing_scaling": forcing,
        "attribute_scaling": attributes,
        "log_scaling": logged,
    }


def _row(name: str, values: Floats, log: bool) -> dict[str, object]:
    """Statistics of one input; of one that no training site has, none."""
    found = {"mean": 0.0, "std": 1.0, "minimum": None, "maximum": None}
    if np.isfinite(values).any():
        found = statistics(values, log)
    return {"name": name, "transform": "log1p" if log else "linear", **found}


def _training(records: Records, values: Floats) -> Floats:
    """Values ``(site, ...)`` of the training sites, flat."""
    return values[records.rows("train")].ravel()
