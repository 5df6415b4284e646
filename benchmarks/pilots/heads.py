"""Heads as judges: train one on an encoder (or on none), score it at held-out sites."""

from __future__ import annotations

import json
import math
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks.pilots import data, encoders
from benchmarks.pilots.climate import RENDERINGS
from xstefaland.inputs.climate import CLIMATE_INDICES
from xstefaland.model import HeadConfig, build_head
from xstefaland.model.process import AVERAGES, CHANNELS
from xstefaland.training import finetuning, tasks
from xstefaland.training.finetuning import Finetuning, Sampler, Version

Floats = NDArray[np.float32]
SCORES = ["nse", "kge", "rmse", "ubrmse", "corr", "pbias"]
CHECKPOINT_SECONDS = 240.0
SETTINGS: dict[str, dict[str, Any]] = {
    "streamflow": {"steps": 1500, "per_site": True, "floor": 0.1},
    "soil_moisture": {"steps": 1000, "per_site": False, "floor": 0.0},
}


@dataclass(frozen=True, kw_only=True)
class System:
    """A kind of head and what it is given.

    Parameters
    ----------
    kind : str
        As in :class:`~xstefaland.model.HeadConfig`.
    channels : tuple of str
        Of :mod:`xstefaland.model.process`.
    place : bool
        Whether day of year and latitude are inputs.
    attributes : bool
        Whether attributes are.
    stretches : bool
        Train with climate attributes from random stretches of the record (half of the
        samples) or without any (a fifth).
    anomaly : bool
        Learn each site's standardised target; predictions are given with the typical
        deviation and mean of the training sites.
    """

    kind: Any
    channels: tuple[str, ...] = ()
    place: bool = False
    attributes: bool = True
    stretches: bool = False
    anomaly: bool = False


SYSTEMS = {
    "lstm": System(kind="lstm"),
    "lstm-plain": System(kind="lstm", attributes=False),
    "lstm-averages": System(kind="lstm", channels=AVERAGES, place=True),
    "lstm-library": System(kind="lstm", channels=CHANNELS, place=True),
    "lstm-stretches": System(
        kind="lstm", channels=CHANNELS, place=True, stretches=True
    ),
    "resconn": System(kind="resconn"),
    "resconn-calendar": System(kind="resconn", place=True),
    "resconn-library": System(kind="resconn", channels=CHANNELS, place=True),
    "lstm-anomaly": System(kind="lstm", attributes=False, anomaly=True),
    "resconn-anomaly": System(kind="resconn", attributes=False, anomaly=True),
}


def head_config(task: tasks.Task, system: System, width: int) -> HeadConfig:
    """Configure a head; `width` is that of the embedding."""
    attributes = [n for n in task.known_attributes if n != "latitude"]
    if not system.attributes:
        attributes = []
    return HeadConfig(
        kind=system.kind,
        targets=(task.target,),
        forcing=(
            *tasks.STREAMFLOW_FORCING,
            *(data.CALENDAR if system.place else ()),
            *system.channels,
        ),
        attributes=(*attributes, *(["latitude"] if system.place else [])),
        also_log=("precipitation",),
        embedding=width,
    )


def run(
    runs: Path, source: Path, target: str, name: str, encoder: str, seed: int
) -> None:
    """Train and score one head; a run that was stopped goes on."""
    folder = runs / "heads" / f"{target}-{name}-{encoder}-{seed}"
    if (folder / "scores.csv").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    system = SYSTEMS[name]
    corpus = data.open_corpus(runs, source)
    plain = data.plain_task(corpus, target)
    hidden, wide = data.hidden_inputs(plain)
    caches, width = encoders.embeddings(runs, corpus, plain, hidden, encoder, seed)
    task = data.wide_task(corpus, plain)
    config = head_config(task, system, width)
    versions = [Version(None, caches[0]), Version(wide, caches[1])]
    settings = Finetuning(batch_size=32, seed=seed, **SETTINGS[target])
    climates = data.site_climates(corpus, task)
    learned = data.standardised(task) if system.anomaly else task
    sampler = (
        StretchSampler(learned, config, versions, settings, climates)
        if system.stretches
        else Sampler(learned, config, versions, settings)
    )
    head, seconds = train(learned, config, sampler, settings, folder)
    if system.anomaly:  # the target's limits are no limits of its anomaly
        head.get_buffer("minimum").fill_(-torch.inf)
        head.get_buffer("maximum").fill_(torch.inf)
    score(head, system, task, config, versions, climates).to_csv(
        folder / "part.csv", index=False
    )
    about = {"minutes": seconds / 60, "updates": settings.steps}
    (folder / "about.json").write_text(json.dumps(about))
    (folder / "part.csv").rename(folder / "scores.csv")
    (folder / "checkpoint.pt").unlink(missing_ok=True)


def score(
    head: torch.nn.Module,
    system: System,
    task: tasks.Task,
    config: HeadConfig,
    versions: list[Version],
    climates: dict[str, Floats],
) -> pd.DataFrame:
    """Scores per held-out site, for each way in which inputs may be wanting."""
    given = [("complete", task, versions[0]), ("hidden", task, versions[1])]
    if config.kind == "lstm" and config.attributes:  # embeddings know the whole record
        three = data.with_climate(task, {n: c[:, 0] for n, c in climates.items()})
        none = data.with_climate(
            task, {n: c[:, 0] * np.nan for n, c in climates.items()}
        )
        given += [
            ("climate-3y", three, versions[0]),
            ("climate-none", none, versions[0]),
        ]
    tables = []
    for name, inputs, version in given:
        results = finetuning.predict_sites(head, inputs, config, version)
        if system.anomaly:
            level, spread = data.typical(task)
            results = [(s, r, values * spread + level) for s, r, values in results]
        table = finetuning.score_sites(results, SCORES)
        tables.append(table.merge(means(results), on="site").assign(inputs=name))
    return pd.concat(tables)


def means(results: list[tuple[tasks.TaskSource, Any, Floats]]) -> pd.DataFrame:
    """Mean of observations and predictions of each site on the days that are scored."""
    tables = []
    for source, rows, predicted in results:
        observed = source.target[rows][:, 365:]
        simulated = np.where(np.isfinite(observed), predicted[:, 365:, 0], np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sites without observations are not scored
            columns = {
                "mean_observed": np.nanmean(observed, 1),
                "mean_predicted": np.nanmean(simulated, 1),
            }
        names = source.sites["site"].to_numpy()[rows]
        tables.append(pd.DataFrame({"site": names, **columns}))
    return pd.concat(tables)


class StretchSampler(Sampler):
    """Samples whose climate attributes come from a random stretch, or are absent."""

    def __init__(
        self,
        task: tasks.Task,
        config: HeadConfig,
        versions: list[Version],
        settings: Finetuning,
        climates: dict[str, Floats],
    ) -> None:
        super().__init__(task, config, versions, settings)
        self.climates = climates
        self.columns = [config.attributes.index(n) for n in CLIMATE_INDICES]
        self.changes = np.random.default_rng([settings.seed, 1])

    def _row(self, version: int, number: int, site: int, *rest: Any) -> Any:
        embedding, forcing, attributes, *others = super()._row(
            version, number, site, *rest
        )
        chance = self.changes.random()
        which = int(self.changes.integers(RENDERINGS))
        if chance < 0.7:
            attributes = attributes.copy()
            climate = self.climates[self.task.sources[number].name][site, which]
            known = np.isfinite(attributes[self.columns])  # hidden ones stay hidden
            value = climate if chance < 0.5 else np.float32(np.nan)
            attributes[self.columns] = np.where(known, value, np.nan)
        return (embedding, forcing, attributes, *others)


def train(
    task: tasks.Task,
    config: HeadConfig,
    sampler: Sampler,
    settings: Finetuning,
    folder: Path,
) -> tuple[torch.nn.Module, float]:
    """Train as `xstefaland.training.finetune` does, but survive being stopped."""
    torch.manual_seed(settings.seed)
    head = build_head(config)
    finetuning._scale(head, task, config)
    optimiser = torch.optim.AdamW(
        head.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    path = folder / "checkpoint.pt"
    first, spent = 0, 0.0
    if path.exists():
        first, spent = _resume(path, head, optimiser, sampler)
    started = saved = time.monotonic()
    losses: list[float] = []
    head.train()
    for step in range(first, settings.steps):
        rate = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * rate * min(1.0, (step + 1) / 50)
        loss = finetuning._update(head, sampler.draw(), settings)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        if math.isfinite(norm):
            optimiser.step()
        losses.append(float(loss.detach()))
        now = time.monotonic()
        if (step + 1) % 50 == 0:
            line = {"step": step + 1, "seconds": spent + now - started}
            line["loss"] = float(np.mean(losses))
            with (folder / "log.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
            losses = []
        if now - saved > CHECKPOINT_SECONDS:
            _save(path, head, optimiser, sampler, step + 1, spent + now - started)
            saved = now
    torch.save(head.state_dict(), folder / "head.pt")
    return head.eval(), spent + time.monotonic() - started


def _save(
    path: Path,
    head: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    sampler: Sampler,
    step: int,
    seconds: float,
) -> None:
    """Write where a run stands, whole or not at all."""
    state = {
        "head": head.state_dict(),
        "optimiser": optimiser.state_dict(),
        "sampler": json.dumps(sampler.rng.bit_generator.state),
        "torch": torch.get_rng_state(),
        "position": [step, seconds],
    }
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def _resume(
    path: Path,
    head: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    sampler: Sampler,
) -> tuple[int, float]:
    """Bring a run back to where it stood; return updates and seconds so far."""
    state = torch.load(path, weights_only=True)
    head.load_state_dict(state["head"])
    optimiser.load_state_dict(state["optimiser"])
    sampler.rng.bit_generator.state = json.loads(state["sampler"])
    torch.set_rng_state(state["torch"])
    step, seconds = state["position"]
    return step, seconds
