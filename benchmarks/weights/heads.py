"""One job: train a head, score it at held-out sites in every rendering, keep it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.worklist import alone
from xstefaland.inference.plans import plan_encoder
from xstefaland.inference.unseen import left_out
from xstefaland.model import HeadConfig, build_head
from xstefaland.training import choices
from xstefaland.training.fitting import (
    Finetuning,
    Predicted,
    fit,
    predict_sites,
    score_sites,
)
from xstefaland.training.groups import COLUMNS, climate_groups
from xstefaland.training.shards import REQUIREMENTS
from xstefaland.training.tasks import Task
from xstefaland.training.versions import Version
from xstefaland.weights.files import Weights, read

from . import renderings, tables
from .imagined import with_imagined
from .jobs import CONTROLS, NONE, Job
from .machine import machine
from .observations import REGIONS, join, open_task
from .splits import places, roles, unseen
from .systems import SYSTEMS, TrainedSystem
from .tables import TABLES

SCORES = ("nse", "kge", "rmse", "ubrmse", "corr", "pbias", "fhv", "flv")
SETTINGS: dict[str, dict[str, Any]] = {
    "streamflow": {"updates": 6000, "batch_size": 32, "warmup": 120, "floor": 0.1},
}
OTHERWISE: dict[str, Any] = {"updates": 1000, "batch_size": 32, "warmup": 120}
"""Budget of the targets: every system of one sees as many windows."""

WIDTHS = {"streamflow": 256}
"""Widths of the heads where the usual one is too narrow: 256 instead of 128 adds .015
[.011, .019] to the NSE of an LSTM (one seed)."""

LOG_EVERY = 25
OWN = ("camels-era5land", "camels-daymet", "camels-nldas", "camels-maurer", "uscrn")
"""Sources whose sites the first bundled heads may have been trained on."""


@dataclass(frozen=True)
class Runs:
    """The folder of all jobs, and what it was planned with.

    Attributes
    ----------
    folder, data : Path
        Of the jobs, and of the archives.
    """

    folder: Path
    data: Path

    @cached_property
    def plan(self) -> dict[str, Any]:
        """What `plan` wrote down: names of ``encoders`` and ``sites`` of a source."""
        path = self.folder / "plan.json"
        if not path.exists():
            raise SystemExit(f"{self.folder} has no plan: run the stage `plan` first")
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def encoder(self, name: str) -> Weights:
        """Open an encoder of the plan."""
        return read(self.folder / "encoders" / f"{name}.safetensors")

    @cached_property
    def main(self) -> Weights:
        """The encoder that the plan is about."""
        return self.encoder(self.plan["encoders"][0])

    @property
    def proved(self) -> list[str]:
        """Names of the encoders that are no controls, the main one first."""
        return [n for n in self.plan["encoders"] if n not in (*CONTROLS, "v1")]

    def task(self, target: str) -> Task:
        """Open the task of a target; all sites take part."""
        names = self.plan["encoders"]
        encoders = [plan_encoder(self.encoder(name))[1] for name in names]
        asked = join([*encoders, REQUIREMENTS])
        folder = self.folder / "tasks"
        return open_task(folder, self.data, target, asked, self.plan["sites"])

    def embeddings(self, target: str, encoder: str) -> Path:
        """Folder of what an encoder made of a target's sites."""
        return self.folder / "embeddings" / target / encoder

    def making(self, what: str) -> Path:
        """File that is locked while something that jobs share is made."""
        return self.folder / "making" / what

    def head(self, job: Job) -> Path:
        """Folder of a job."""
        return self.folder / "heads" / job.folder


def run(runs: Runs, job: Job) -> None:
    """Train and score one head; a job that was stopped goes on, a done one is left."""
    folder = runs.head(job)
    if (folder / "scores.csv").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with alone(runs.making(job.target)):  # what jobs share is made once
        whole = runs.task(job.target)
        if SYSTEMS[job.system].imagines:
            place = runs.folder / "tasks" / f"{job.target}-imagined"
            whole = with_imagined(whole, place)
    task = whole.with_roles(roles(whole.sites, job))
    lacking = {"train", "held out"} - set(task.sites["role"])
    if lacking:
        raise SystemExit(f"{job}: no site is {lacking}; plan with more --sites")
    versions = seen(runs, job, whole)
    started = time.monotonic()
    answers, about = ANSWERS.get(job.system, trained)(runs, job, task, versions)
    about |= {"seconds": time.monotonic() - started, "machine": machine()}
    table = pd.concat(
        score_sites(answer, SCORES).assign(inputs=name)
        for name, answer in zip(versions, answers, strict=True)
    )
    unfinished = folder / "scores.part"
    table.merge(described(runs.task(job.target)), on="site").to_csv(
        unfinished, index=False
    )
    cost = renderings.milliseconds(runs.embeddings(job.target, job.encoder))
    about |= {"embedding_ms": cost, "encoder": job.encoder, "job": str(job)}
    (folder / "about.json").write_text(json.dumps(about, indent=1))
    unfinished.rename(folder / "scores.csv")
    (folder / "checkpoint.pt").unlink(missing_ok=True)


def seen(runs: Runs, job: Job, task: Task) -> dict[str, Version]:
    """Make the renderings that a job trains on and is scored in.

    The one that is scored alone is of the random split.
    """
    with alone(runs.making(job.target)):
        found = renderings.renderings(task, runs.folder / "channels" / job.target)
    if job.split != "random":
        del found["weather"]
    if job.encoder == "zero":
        zero = renderings.nothing(task, int(runs.main.card.config["d_model"]))
        return {k: replace(v, embeddings=zero) for k, v in found.items()}
    if job.encoder == NONE:
        return found
    model: Any = runs.encoder(job.encoder).model()
    with alone(runs.making(f"{job.target}-{job.encoder}")):
        return renderings.embed(
            model, task, found, runs.embeddings(job.target, job.encoder)
        )


Answers = tuple[list[Predicted], dict[str, Any]]


def trained(runs: Runs, job: Job, task: Task, versions: dict[str, Version]) -> Answers:
    """Train the head of a system, and that of its level if it has one; predict."""
    system, folder = SYSTEMS[job.system], runs.head(job)
    if system.physical:
        versions = {k: renderings.with_physics(task, v) for k, v in versions.items()}
    settings = settings_of(job, system)
    config = config_of(runs, job, task)
    head, seconds = _fitted(task, config, versions, settings, folder, "head")
    started = time.monotonic()
    answers = [predict_sites(head, task, config, v) for v in versions.values()]
    spent = time.monotonic() - started
    if system.level is not None:
        own = choices.head_config(task, system.level, config.embedding, causal=False)
        level, more = _fitted(task, own, versions, settings, folder, "level")
        levels = [predict_sites(level, task, own, v) for v in versions.values()]
        answers = [_levelled(a, b, task) for a, b in zip(answers, levels, strict=True)]
        seconds += more
    return answers, {
        "minutes": seconds / 60,
        "updates": settings.updates,
        "parameters": sum(p.numel() for p in head.parameters()),
        "training_sites": len(_training_places(task)),
        "head_ms": 1000 * spent / _basin_years(answers),
    }


def settings_of(job: Job, system: TrainedSystem) -> Finetuning:
    """Budget of a job."""
    entries = SETTINGS.get(job.target, OTHERWISE) | dict(system.settings)
    if job.updates:
        entries["updates"] = job.updates
    return Finetuning(**entries, seed=job.seed)


def config_of(runs: Runs, job: Job, task: Task) -> HeadConfig:
    """Configure the head of a job."""
    name = runs.plan["encoders"][0] if job.encoder in (NONE, "zero") else job.encoder
    width = int(runs.encoder(name).card.config["d_model"])
    head = SYSTEMS[job.system].head
    found = choices.head_config(task, head, width, causal=False)
    if not isinstance(head, str) and "width" in head:
        return found
    return replace(found, width=WIDTHS.get(job.target, found.width))


def _fitted(
    task: Task,
    config: HeadConfig,
    versions: dict[str, Version],
    settings: Finetuning,
    folder: Path,
    name: str,
) -> tuple[torch.nn.Module, float]:
    """Train a head unless it is there; return it with the seconds that it takes."""
    path = folder / f"{name}.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        head = build_head(config)
        head.load_state_dict(state["head"])
        return head.eval(), float(state["seconds"])
    log = Log(folder / f"{name}.jsonl")
    head = fit(
        task, config, [versions[each] for each in renderings.TRAINED], settings,
        checkpoint=folder / "checkpoint.pt", progress=log,
    )  # fmt: skip
    seconds = log.seconds_an_update * settings.updates
    state = {"head": head.state_dict(), "seconds": seconds}
    torch.save(state, path.with_suffix(".part"))
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(config.to_dict()))
    path.with_suffix(".part").rename(path)
    return head, seconds


class Log:
    """Losses of a run, a line now and then; how long an update takes."""

    def __init__(self, path: Path) -> None:
        self.path, self.losses = path, list[float]()
        self.started, self.updates = time.monotonic(), 0

    def __call__(self, done: int, loss: float) -> None:
        """Note an update."""
        self.losses.append(loss)
        self.updates += 1
        if done % LOG_EVERY == 0:
            line = {"update": done, "loss": float(np.mean(self.losses))}
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            self.losses = []

    @property
    def seconds_an_update(self) -> float:
        """Mean over the updates of this process."""
        return (time.monotonic() - self.started) / max(1, self.updates)


def _levelled(anomaly: Predicted, level: Predicted, task: Task) -> Predicted:
    """Give each site the mean over its days of another answer."""
    out = []
    for (records, rows, own), (_, _, other) in zip(anomaly, level, strict=True):
        moved = own - np.nanmean(own, 1, keepdims=True)
        moved = moved + np.nanmean(other, 1, keepdims=True)
        limited = np.clip(moved, task.target.minimum, task.target.maximum)
        out.append((records, rows, limited))
    return out


def _tabular(runs: Runs, job: Job, task: Task, versions: dict[str, Version]) -> Answers:
    """Answer by a regression of scikit-learn."""
    started = time.monotonic()
    answers = tables.fit_predict(TABLES[job.system], task, versions, job.seed)
    minutes = (time.monotonic() - started) / 60 / len(versions)
    places_ = len(_training_places(task))
    return answers, {"minutes": minutes, "training_sites": places_}


def _bundled(runs: Runs, job: Job, task: Task, versions: dict[str, Version]) -> Answers:
    """Answer by the head that ships, where it was not trained."""
    weights = read(runs.folder / "bundled" / f"{job.target}.safetensors")
    network: Any = weights.model()
    config = network.config
    sites = task.sites
    own = sites["site"].map(lambda site: site.startswith(OWN))
    trained_on = own & ~left_out(sites["label"], [weights])
    kept = sites["role"].eq("held out") & ~trained_on
    task = task.with_roles(dict.fromkeys(sites["site"][kept], "held out"))
    column, answers = config.targets.index(job.target), []
    for version in versions.values():
        found = predict_sites(network, task, config, replace(version, channels=None))
        answers.append([(r, rows, values[..., column:]) for r, rows, values in found])
    return answers, {"updates": 0}


ANSWERS = {**dict.fromkeys(TABLES, _tabular), "bundled": _bundled}
"""Systems that are not heads of this run."""


def _training_places(task: Task) -> set[str]:
    """Name the places that are trained on."""
    sites = task.sites
    return set(places(sites)[sites["role"] == "train"])


def _basin_years(answers: list[Predicted]) -> float:
    """Weather that was predicted from."""
    days = [
        values.shape[0] * values.shape[1] for each in answers for *_, values in each
    ]
    return sum(days) / 365


def described(task: Task) -> pd.DataFrame:
    """Say of every site where it lies, and in which climate."""
    sites = task.sites
    columns = [task.attribute_names.index(name) for name in COLUMNS.values()]
    values = np.concatenate([r.attributes[:, columns] for r in task.records])
    climate = climate_groups(pd.DataFrame(values, columns=list(COLUMNS.values())))
    source = np.repeat(
        [r.name for r in task.records], [len(r.sites) for r in task.records]
    )
    return pd.DataFrame(
        {
            "site": sites["site"],
            "place": places(sites),
            "source": source,
            "region": [REGIONS[name] for name in source],
            "lat": sites["lat"],
            "lon": sites["lon"],
            "unseen": unseen(sites).eq("held out"),
            **{name: climate[name] for name in climate},
        }
    )
