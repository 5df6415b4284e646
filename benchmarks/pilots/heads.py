"""Heads as judges: train one on an encoder (or on none), score it at held-out sites."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.pilots import data, encoders
from xstefaland.model import HeadConfig, build_head
from xstefaland.model.process import AVERAGES, CHANNELS
from xstefaland.training import finetuning, tasks
from xstefaland.training.finetuning import Finetuning, Sampler, Version

SCORES = ["nse", "kge", "rmse", "ubrmse", "corr", "pbias"]
CHECKPOINT_SECONDS = 240.0
SETTINGS: dict[str, dict[str, Any]] = {
    "streamflow": {"steps": 1500, "per_site": True, "floor": 0.1},
    "soil_moisture": {"steps": 1000, "per_site": False, "floor": 0.0},
}
# system -> kind of head, channels beside the weather, calendar and latitude?
SYSTEMS: dict[str, tuple[Any, tuple[str, ...], bool]] = {
    "lstm": ("lstm", (), False),
    "lstm-averages": ("lstm", AVERAGES, True),
    "lstm-library": ("lstm", CHANNELS, True),
    "resconn": ("resconn", (), False),
    "resconn-calendar": ("resconn", (), True),
    "resconn-library": ("resconn", CHANNELS, True),
}


def head_config(task: tasks.Task, system: str, width: int) -> HeadConfig:
    """Configure a head; `width` is that of the embedding."""
    kind, extra, place = SYSTEMS[system]
    attributes = [n for n in task.known_attributes if n != "latitude" or place]
    return HeadConfig(
        kind=kind,
        targets=(task.target,),
        forcing=(
            *tasks.STREAMFLOW_FORCING,
            *(data.CALENDAR if place else ()),
            *extra,
        ),
        attributes=tuple(attributes),
        also_log=("precipitation",),
        embedding=width,
    )


def run(
    runs: Path, source: Path, target: str, system: str, encoder: str, seed: int
) -> None:
    """Train and score one head; a run that was stopped goes on."""
    folder = runs / "heads" / f"{target}-{system}-{encoder}-{seed}"
    if (folder / "scores.csv").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    corpus = data.open_corpus(runs, source)
    plain = data.plain_task(corpus, target)
    hidden, wide = data.hidden_inputs(plain)
    caches, width = encoders.embeddings(runs, corpus, plain, hidden, encoder, seed)
    task = data.wide_task(corpus, plain)
    config = head_config(task, system, width)
    versions = [Version(None, caches[0]), Version(wide, caches[1])]
    settings = Finetuning(batch_size=32, seed=seed, **SETTINGS[target])
    head, seconds = train(task, config, versions, settings, folder)
    tables = []
    for name, version in zip(("complete", "hidden"), versions, strict=True):
        results = finetuning.predict_sites(head, task, config, version)
        table = finetuning.score_sites(results, SCORES)
        tables.append(table.assign(inputs=name))
    about = {"minutes": seconds / 60, "updates": settings.steps}
    (folder / "about.json").write_text(json.dumps(about))
    import pandas as pd

    pd.concat(tables).to_csv(folder / "scores.csv", index=False)
    (folder / "checkpoint.pt").unlink(missing_ok=True)


def train(
    task: tasks.Task,
    config: HeadConfig,
    versions: list[Version],
    settings: Finetuning,
    folder: Path,
) -> tuple[torch.nn.Module, float]:
    """Train as `xstefaland.training.finetune` does, but survive being stopped."""
    torch.manual_seed(settings.seed)
    head = build_head(config)
    finetuning._scale(head, task, config)
    sampler = Sampler(task, config, versions, settings)
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
