"""What heads see of a task, and what an encoder makes of it.

Embeddings are kept on disk while a job needs them.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.worklist import NO_SPACE
from xstefaland.model import StefaLand
from xstefaland.model.process import CHANNELS, WEATHER
from xstefaland.training.channels import cache_channels
from xstefaland.training.finetuning import NEVER_HIDDEN
from xstefaland.training.tasks import Task
from xstefaland.training.versions import (
    Cache,
    Hidden,
    Version,
    cache_embeddings,
    drop_inputs,
    other_climate,
    without_place,
)

from .splits import unseen

TRAINED = ("complete", "hidden")
"""Renderings that heads are trained on; they are scored on all."""

SPARE = 3e9  # bytes that stay free on the disk


def renderings(task: Task, folder: Path) -> dict[str, Version]:
    """Make all renderings of a task, without embeddings.

    They are the same for every job, so that they are embedded once: "complete";
    "hidden": whole forcings, groups of attributes or all of them, climate attributes of
    another stretch of the record, and 15 % of the sites without latitude, as in
    finetuning; "weather": precipitation and temperature, and what follows from them.
    """
    complete = Version(None, None, channels=cache_channels(task, CHANNELS, folder))
    hidden = replace(
        complete,
        hidden=drop_inputs(task, NEVER_HIDDEN, 1),
        attributes=other_climate(task, 2),
        placeless=without_place(task, 3),
    )
    weather = replace(complete, hidden=_weather_alone(task))
    return {"complete": complete, "hidden": hidden, "weather": weather}


def _weather_alone(task: Task) -> Hidden:
    """Hide all that does not follow from precipitation, temperature and latitude."""
    forcing = np.array([name not in WEATHER for name in task.forcing_names])
    out = {}
    for records in task.records:
        given = np.array([n not in records.derived for n in task.attribute_names])
        rows = (len(records.sites), 1)
        out[records.name] = np.tile(forcing, rows), np.tile(given, rows)
    return out


def with_physics(task: Task, version: Version) -> Version:
    """Show HBV its evaporation at every site; embeddings stay as they are."""
    if version.hidden is None:
        return version
    column = task.forcing_names.index(WEATHER[2])
    hidden = {}
    for name, (forcing, attributes) in version.hidden.items():
        shown = forcing.copy()
        shown[:, column] = False
        hidden[name] = shown, attributes
    return replace(version, hidden=hidden)


def nothing(task: Task, width: int) -> Cache:
    """Embeddings that are all zero."""
    zero = np.zeros((), np.float16)
    return {
        r.name: np.broadcast_to(zero, (*r.observed.shape, width)) for r in task.records
    }


def embed(
    model: StefaLand, task: Task, versions: dict[str, Version], folder: Path
) -> dict[str, Version]:
    """Add embeddings to every rendering; make those that are not on disk.

    Of the rendering that is scored alone, only the held-out places are embedded. The
    time that it took is noted in ``cost.jsonl`` beside the folder's renderings.
    """
    held = unseen(task.sites).eq("held out").to_numpy()
    sites = task.sites["site"].to_numpy()
    scored = task.with_roles(dict.fromkeys(sites[held], "held out"))
    out = {}
    for name, version in versions.items():
        part = task if name in TRAINED else scored
        _require_space(part, model.config.d_model, folder / name)
        there = _files(part, folder / name)
        started = time.monotonic()
        cache = cache_embeddings(
            model, part, folder / name, version.hidden, attributes=version.attributes
        )
        _note(folder, part, there, time.monotonic() - started)
        out[name] = replace(version, embeddings=cache)
    return out


def _files(task: Task, folder: Path) -> set[str]:
    """Name the sources that are embedded already."""
    return {r.name for r in task.records if (folder / f"{r.name}.npy").exists()}


def _require_space(task: Task, width: int, folder: Path) -> None:
    """Stop before the disk is full."""
    there = _files(task, folder)
    needed = sum(
        len(r.used()) * len(r.dates) * width * 2
        for r in task.records
        if r.name not in there
    )
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed + SPARE > free:
        print(
            f"embeddings in {folder} take {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB "
            "are free; make room, or finish the jobs of another encoder first",
            file=sys.stderr,
        )
        raise SystemExit(NO_SPACE)


def _note(folder: Path, task: Task, there: set[str], seconds: float) -> None:
    """Write down what embedding took."""
    made = [r for r in task.records if r.name not in there]
    years = sum(len(r.used()) * len(r.dates) for r in made) / 365
    if years:
        line = {"basin_years": years, "seconds": seconds}
        with (folder.parent / f"{folder.name}-cost.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")


def milliseconds(folder: Path) -> float:
    """Time to embed a basin-year, over all that was noted; NaN without any."""
    path = folder.parent / f"{folder.name}-cost.jsonl"
    lines: Sequence[str] = path.read_text().splitlines() if path.exists() else ()
    notes = [json.loads(line) for line in lines]
    years = sum(note["basin_years"] for note in notes)
    return 1000 * sum(n["seconds"] for n in notes) / years if years else float("nan")
