"""Fit one head to a task: scaling, updates, checkpoints, predictions, scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xstefaland.model import HeadConfig, build_head
from xstefaland.training.corpus import statistics
from xstefaland.training.losses import basin_nse_loss
from xstefaland.training.pretraining import LOGGED
from xstefaland.training.sampling import Sample, Sampler, Version
from xstefaland.training.tasks import Floats, Records, Task, hide


@dataclass(frozen=True, kw_only=True)
class Finetuning:
    """Settings of one finetuning run.

    Parameters
    ----------
    updates, batch_size : int
        Updates, and windows per update.
    days, warmup : int
        Scored days of a window, and the days before them that only fill the states.
    learning_rate, weight_decay : float
        Of AdamW; the rate falls as a cosine.
    per_site : bool or None
        Divide errors by the deviation of the site's observations (NSE loss); otherwise
        by that of all observations. None: as the target's entry says.
    floor : float
        Added to the deviation, as a share of that of all observations.
    full_share : float
        Share of batches in which no input was hidden.
    precision : {"bfloat16", "float32"}
        Arithmetic.
    seed : int
        Of samples and weights.
    checkpoint_updates : int
        Updates between checkpoints.
    """

    updates: int = 300
    batch_size: int = 16
    days: int = 365
    warmup: int = 120
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    per_site: bool | None = None
    floor: float = 0.05
    full_share: float = 0.6
    precision: str = "bfloat16"
    seed: int = 0
    checkpoint_updates: int = 100


def fit(
    task: Task,
    config: HeadConfig,
    versions: Sequence[Version],
    settings: Finetuning,
    *,
    checkpoint: Path | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> nn.Module:
    """Train a head on the task's training sites.

    Parameters
    ----------
    task : Task
        Observations and inputs.
    config : HeadConfig
        The head; only its first target is fitted.
    versions : sequence of Version
        The first is the complete input, the others have inputs hidden.
    settings : Finetuning
        See there.
    checkpoint : Path, optional
        File from which a run goes on, and to which it is written now and then.
    progress : callable, optional
        Called after each update with its number and the loss.

    Returns
    -------
    Module
        The trained head in evaluation mode.
    """
    torch.manual_seed(settings.seed)
    head = build_head(config)
    scale(head, task, config)
    per_site = settings.per_site
    sampler = Sampler(
        task,
        config,
        versions,
        days=settings.days,
        warmup=settings.warmup,
        batch_size=settings.batch_size,
        full_share=settings.full_share,
        per_site=task.target.loss == "nse" if per_site is None else per_site,
        seed=settings.seed,
    )
    optimiser = torch.optim.AdamW(
        head.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    first = _resume(checkpoint, head, optimiser)
    head.train()
    for number in range(first, settings.updates):
        rate = 0.5 * (1 + math.cos(math.pi * number / settings.updates))
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * rate * min(1.0, (number + 1) / 50)
        torch.manual_seed(settings.seed * 1_000_003 + number)  # dropout, when resumed
        loss = _loss(head, sampler.draw(number), sampler, settings)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        if math.isfinite(norm):
            optimiser.step()
        done = number + 1
        if checkpoint is not None and done % settings.checkpoint_updates == 0:
            _save(checkpoint, head, optimiser, done)
        if progress is not None:
            progress(done, float(loss.detach()))
    return head.eval()


def _loss(
    head: nn.Module, sample: Sample, sampler: Sampler, settings: Finetuning
) -> Tensor:
    """Squared error of the scored days in units of the deviation."""
    low = settings.precision == "bfloat16"
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        predicted = head(
            sample.embedding, sample.forcing, sample.attributes, spinup_days=0
        )
    scored = slice(sampler.warmup, None)
    return basin_nse_loss(
        predicted[:, scored, :1].float(),
        sample.observed[:, scored],
        sample.deviation,
        settings.floor * max(sampler.overall, 1e-6),
    )


def _save(
    path: Path, head: nn.Module, optimiser: torch.optim.Optimizer, done: int
) -> None:
    """Write a checkpoint, whole or not at all."""
    state = {
        "head": head.state_dict(),
        "optimiser": optimiser.state_dict(),
        "done": done,
    }
    unfinished = path.with_suffix(".part")
    torch.save(state, unfinished)
    unfinished.replace(path)


def _resume(
    path: Path | None, head: nn.Module, optimiser: torch.optim.Optimizer
) -> int:
    """Load a checkpoint if there is one; return the number of updates done."""
    if path is None or not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    head.load_state_dict(state["head"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["done"])


def scale(head: nn.Module, task: Task, config: HeadConfig) -> None:
    """Set a head's scaling and limits, from the training sites and the target."""
    features = head.get_submodule("features")
    tables = head_statistics(task, config)
    for name in ("forcing_scaling", "attribute_scaling", "log_scaling"):
        rows = tables[name]
        features.get_submodule(name).assign(  # type: ignore[operator]
            [r["mean"] for r in rows],
            [r["std"] for r in rows],
            [r["transform"] == "log1p" for r in rows],
        )
    if hasattr(head, "target_scaling"):
        observed = [_training(r, r.observed) for r in task.records]
        log = task.target.transform == "log1p"
        found = statistics(np.concatenate(observed), log=log)
        count = len(config.targets)
        head.target_scaling.assign(  # type: ignore[operator,union-attr]
            [found["mean"]] * count, [found["std"]] * count, [log] * count
        )
        head.limit([task.target.minimum] * count, [task.target.maximum] * count)  # type: ignore[operator]


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
    transform = "log1p" if log else "linear"
    return {"name": name, "transform": transform, **statistics(values, log)}


def _training(records: Records, values: Floats) -> Floats:
    """Values ``(site, ...)`` of the training sites, flat."""
    return values[records.rows("train")].ravel()


Predicted = list[tuple[Records, NDArray[np.int64], Floats]]


def predict_sites(
    head: nn.Module,
    task: Task,
    config: HeadConfig,
    version: Version,
    *,
    role: str = "held out",
    size: int = 8,
) -> Predicted:
    """Predict whole records of the sites with a role.

    Returns
    -------
    list
        Per records: the records, the rows, predictions ``(site, day, target)``.
    """
    forcing_columns = [task.forcing_names.index(n) for n in config.forcing]
    attribute_columns = [task.attribute_names.index(n) for n in config.attributes]
    results = []
    for records in task.records:
        forcing, attributes = hide(records, version.hidden)
        rows = records.rows(role)
        parts = []
        for first in range(0, len(rows), size):
            part = rows[first : first + size]
            embedding = torch.zeros(len(part), 1, 1)
            if version.embeddings is not None and config.kind != "lstm":
                cached = version.embeddings[records.name][part].astype(np.float32)
                embedding = torch.from_numpy(cached)
            with torch.inference_mode():
                answer = head(
                    embedding,
                    torch.from_numpy(forcing[part][:, :, forcing_columns]),
                    torch.from_numpy(attributes[part][:, attribute_columns]),
                )
            parts.append(answer.numpy())
        if parts:
            results.append((records, rows, np.concatenate(parts)))
    return results


def score_sites(
    results: Predicted, names: Sequence[str], *, skip: int = 365, minimum: int = 90
) -> pd.DataFrame:
    """Score each site's first target.

    Parameters
    ----------
    results : list
        See :func:`predict_sites`.
    names : sequence of str
        Functions of :mod:`xstefaland.metrics`.
    skip : int
        First days of each record that are not scored.
    minimum : int
        Sites with fewer observations are left out.

    Returns
    -------
    DataFrame
        One row a site.
    """
    import xarray as xr

    from xstefaland import metrics

    tables = []
    for records, rows, predicted in results:
        dims = ("site", "time")
        observed = xr.DataArray(records.observed[rows][:, skip:], dims=dims)
        simulated = xr.DataArray(predicted[:, skip:, 0], dims=dims)
        enough = (observed.notnull().sum("time") >= minimum).values
        table = pd.DataFrame(
            {name: getattr(metrics, name)(observed, simulated).values for name in names}
        )
        table.insert(0, "site", records.sites["site"].to_numpy()[rows])
        tables.append(table[enough])
    return pd.concat(tables, ignore_index=True)
