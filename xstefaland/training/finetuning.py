"""Finetuning: a head on cached embeddings of the frozen encoder."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
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
from xstefaland.training.tasks import Hidden, Task, TaskSource, hide
from xstefaland.weights.targets import TARGETS

logger = logging.getLogger("xstefaland")
Floats = NDArray[np.float32]
Cache = Mapping[str, NDArray[np.float16]]


@dataclass(frozen=True, kw_only=True)
class Finetuning:
    """Settings of one finetuning run.

    Parameters
    ----------
    steps, batch_size : int
        Updates, and windows per update.
    days, warmup : int
        Scored days of a window, and the days before them that only fill the states.
    learning_rate, weight_decay : float
        Of AdamW; the rate falls as a cosine.
    per_site : bool
        Divide errors by the deviation of the site's observations (NSE loss); otherwise
        by that of all observations.
    floor : float
        Added to the deviation, in the target's units.
    full_share : float
        Share of batches in which no input was hidden.
    precision : {"bfloat16", "float32"}
        Arithmetic.
    seed : int
        Of samples and weights.
    """

    steps: int
    batch_size: int = 64
    days: int = 365
    warmup: int = 120
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    per_site: bool = True
    floor: float = 0.1
    full_share: float = 0.6
    precision: str = "bfloat16"
    seed: int = 0


@dataclass(frozen=True)
class Version:
    """One rendering of the task's inputs: what is hidden, and the embeddings for it."""

    hidden: Hidden | None
    embeddings: Cache | None


def finetune(
    task: Task,
    config: HeadConfig,
    versions: Sequence[Version],
    settings: Finetuning,
    log: Path | None = None,
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
    log : Path, optional
        File for one line of JSON every 50 updates.

    Returns
    -------
    Module
        The trained head in evaluation mode.
    """
    torch.manual_seed(settings.seed)
    head = build_head(config)
    _scale(head, task, config)
    sampler = Sampler(task, config, versions, settings)
    optimiser = torch.optim.AdamW(
        head.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    started, recent = time.monotonic(), []
    head.train()
    for step in range(settings.steps):
        rate = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * rate * min(1.0, (step + 1) / 50)
        loss = _update(head, sampler.draw(), settings)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        if math.isfinite(norm):
            optimiser.step()
        recent.append(float(loss.detach()))
        if log is not None and (step + 1) % 50 == 0:
            seconds = time.monotonic() - started
            line = {"step": step + 1, "seconds": seconds, "loss": np.mean(recent)}
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            recent = []
    return head.eval()


def _update(head: nn.Module, sample: Sample, settings: Finetuning) -> Tensor:
    low = settings.precision == "bfloat16"
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        predicted = head(
            sample.embedding, sample.forcing, sample.attributes, spinup_days=0
        )
    scored = slice(settings.warmup, None)
    return basin_nse_loss(
        predicted[:, scored, :1].float(),
        sample.observed[:, scored],
        sample.deviation,
        settings.floor,
    )


def _scale(head: nn.Module, task: Task, config: HeadConfig) -> None:
    """Set the head's scaling from the training sites."""
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
        observed = [_values(s, s.target) for s in task.sources]
        found = statistics(np.concatenate(observed), log=False)
        count = len(config.targets)
        head.target_scaling.assign(  # type: ignore[operator,union-attr]
            [found["mean"]] * count, [found["std"]] * count, [False] * count
        )
        for bound in ("minimum", "maximum"):
            limits = [getattr(TARGETS[name], bound) for name in config.targets]
            known = torch.tensor([math.nan if x is None else x for x in limits])
            buffer = head.get_buffer(bound)
            buffer.copy_(torch.where(known.isnan(), buffer, known))


def head_statistics(
    task: Task, config: HeadConfig
) -> dict[str, list[dict[str, object]]]:
    """Scaling of a head's inputs, by the name of the module that holds it."""
    forcing, attributes, logged = [], [], []
    for name in config.forcing:
        index = task.forcing_names.index(name)
        parts = [_values(s, s.forcing[:, ::7, index]) for s in task.sources]
        values = np.concatenate(parts)
        forcing.append(_row(name, values, log=False))
        if name in config.also_log:
            logged.append(_row(name, values, log=True))
    for name in config.attributes:
        index = task.attribute_names.index(name)
        parts = [_values(s, s.attributes[:, index]) for s in task.sources]
        attributes.append(_row(name, np.concatenate(parts), log=name in LOGGED))
    return {
        "forcing_scaling": forcing,
        "attribute_scaling": attributes,
        "log_scaling": logged,
    }


def _row(name: str, values: Floats, log: bool) -> dict[str, object]:
    transform = "log1p" if log else "linear"
    return {"name": name, "transform": transform, **statistics(values, log)}


def _values(source: TaskSource, values: Floats) -> Floats:
    """Values ``(site, ...)`` of the training sites, flat."""
    return values[(source.sites["role"] == "train").to_numpy()].ravel()


@dataclass(frozen=True)
class Sample:
    """One batch of windows as tensors."""

    embedding: Tensor  # (B, T, d)
    forcing: Tensor  # (B, T, forcing)
    attributes: Tensor  # (B, attribute)
    observed: Tensor  # (B, T, 1)
    deviation: Tensor  # (B, 1)


class Sampler:
    """Random windows of the training sites; the same for every head with one seed."""

    def __init__(
        self,
        task: Task,
        config: HeadConfig,
        versions: Sequence[Version],
        settings: Finetuning,
    ) -> None:
        self.task, self.settings, self.versions = task, settings, versions
        self.rng = np.random.default_rng(settings.seed)
        self.width = config.embedding
        self.embedded = config.kind != "lstm"
        self.forcing = [task.forcing_names.index(n) for n in config.forcing]
        self.attributes = [task.attribute_names.index(n) for n in config.attributes]
        self.inputs = [[hide(s, v.hidden) for s in task.sources] for v in versions]
        self.places = self._places()
        everything = np.concatenate([_values(s, s.target) for s in task.sources])
        self.overall = float(np.nanstd(everything))

    def _places(self) -> NDArray[np.int64]:
        """Source and row of every training site."""
        places = []
        for number, source in enumerate(self.task.sources):
            rows = np.flatnonzero(source.sites["role"] == "train")
            places += [(number, row) for row in rows]
        return np.array(places)

    def draw(self) -> Sample:
        """Draw one batch; windows have observations on a fifth of their scored days."""
        settings = self.settings
        days = settings.days + settings.warmup
        full = self.rng.random() < settings.full_share or len(self.versions) == 1
        version = 0 if full else int(self.rng.integers(1, len(self.versions)))
        rows: list[tuple[Floats, ...]] = []
        while len(rows) < settings.batch_size:
            number, site = self.places[self.rng.integers(len(self.places))]
            source = self.task.sources[number]
            start = int(self.rng.integers(0, len(source.dates) - days + 1))
            window = slice(start, start + days)
            observed = source.target[site, window]
            if np.isfinite(observed[settings.warmup :]).mean() < 0.2:
                continue
            rows.append(self._row(version, number, site, window, observed))
        columns = [torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True)]
        return Sample(*columns)

    def _row(
        self, version: int, number: int, site: int, window: slice, observed: Floats
    ) -> tuple[Floats, ...]:
        source = self.task.sources[number]
        forcing, attributes = self.inputs[version][number]
        caches = self.versions[version].embeddings
        if self.embedded and caches is not None:
            embedding = caches[source.name][site, window].astype(np.float32)
        else:
            embedding = np.zeros((1, 1), np.float32)
        deviation = (
            np.nanstd(source.target[site]) if self.settings.per_site else self.overall
        )
        return (
            embedding,
            forcing[site, window][:, self.forcing],
            attributes[site, self.attributes],
            observed[:, None],
            np.array([deviation], np.float32),
        )


def predict_sites(
    head: nn.Module,
    task: Task,
    config: HeadConfig,
    version: Version,
    *,
    role: str = "held out",
    size: int = 8,
) -> list[tuple[TaskSource, NDArray[np.int64], Floats]]:
    """Predict whole records of the sites with a role.

    Returns
    -------
    list
        Per source: the source, its rows, predictions ``(site, day, target)``.
    """
    forcing_columns = [task.forcing_names.index(n) for n in config.forcing]
    attribute_columns = [task.attribute_names.index(n) for n in config.attributes]
    results = []
    for source in task.sources:
        forcing, attributes = hide(source, version.hidden)
        rows = np.flatnonzero(source.sites["role"] == role)
        parts = []
        for first in range(0, len(rows), size):
            part = rows[first : first + size]
            embedding = torch.zeros(len(part), 1, 1)
            if version.embeddings is not None and config.kind != "lstm":
                cached = version.embeddings[source.name][part].astype(np.float32)
                embedding = torch.from_numpy(cached)
            with torch.inference_mode():
                answer = head(
                    embedding,
                    torch.from_numpy(forcing[part][:, :, forcing_columns]),
                    torch.from_numpy(attributes[part][:, attribute_columns]),
                )
            parts.append(answer.numpy())
        if parts:
            results.append((source, rows, np.concatenate(parts)))
    return results


def score_sites(
    results: Sequence[tuple[TaskSource, NDArray[np.int64], Floats]],
    names: Sequence[str],
    *,
    skip: int = 365,
) -> pd.DataFrame:
    """Scores per site of the first target, after `skip` days; needs 90 observations."""
    import xarray as xr

    from xstefaland import metrics

    tables = []
    for source, rows, predicted in results:
        dims = ("site", "time")
        observed = xr.DataArray(source.target[rows][:, skip:], dims=dims)
        simulated = xr.DataArray(predicted[:, skip:, 0], dims=dims)
        enough = (observed.notnull().sum("time") >= 90).values
        table = pd.DataFrame(
            {name: getattr(metrics, name)(observed, simulated).values for name in names}
        )
        table.insert(0, "site", source.sites["site"].to_numpy()[rows])
        tables.append(table[enough])
    return pd.concat(tables, ignore_index=True)
