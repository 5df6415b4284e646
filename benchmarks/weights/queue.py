"""Plan the jobs and work through them: one at a time, each in a process of its own.

``RUNS/queue.txt`` may be edited while the queue is worked on. Done jobs are skipped,
stopped ones go on where their checkpoint was written, failed ones are noted in
``RUNS/failed.txt`` and left until their line there is deleted. Embeddings are deleted
as soon as no job of the queue needs them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from xstefaland.training.benchmark.systems import randomised
from xstefaland.weights import load, resolve_head
from xstefaland.weights.files import Weights, save

from .heads import Runs, run
from .jobs import Job, every_job
from .renderings import NO_SPACE

ROOT = Path(__file__).resolve().parents[2]
FIRST_RELEASE = "stefaland-base-v1"
BUNDLED = ("streamflow", "soil_moisture")
ALLOCATION = {  # glibc keeps freed memory: a fifth less time in page faults
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**28),
}


def plan(folder: Path, encoder: Path, sites: int | None = None) -> None:
    """Copy encoders and the heads that ship into the runs, and write the queue.

    Another encoder may be planned later: its jobs go behind those that are there.

    Parameters
    ----------
    folder : Path
        Of the runs.
    encoder : Path
        Weights file of the foundation model.
    sites : int, optional
        Sites of each source, to try the command; default: all.
    """
    (folder / "encoders").mkdir(parents=True, exist_ok=True)
    path, had = folder / "plan.json", {"encoders": [], "sites": sites}
    if path.exists():
        had = json.loads(path.read_text())
    weights = load(encoder)
    names = dict.fromkeys([*had["encoders"], weights.path.stem, "random", "v1"])
    _copy(weights.path, folder / "encoders" / weights.path.name)
    _randomise(weights, folder / "encoders" / "random.safetensors")
    _copy(load(FIRST_RELEASE).path, folder / "encoders" / "v1.safetensors")
    (folder / "bundled").mkdir(exist_ok=True)
    for target in BUNDLED:
        _copy(resolve_head(target).path, folder / "bundled" / f"{target}.safetensors")
    path.write_text(json.dumps({**had, "encoders": list(names)}))
    queue = folder / "queue.txt"
    lines = queue.read_text().splitlines() if queue.exists() else []
    lines += [
        line for job in every_job(weights.path.stem) if (line := str(job)) not in lines
    ]
    queue.write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} jobs in {queue}")


def _copy(source: Path, to: Path) -> None:
    """Copy a file that is not there."""
    if not to.exists():
        shutil.copy(source, to)


def _randomise(weights: Weights, path: Path) -> None:
    """Write an encoder of the same form and scaling, drawn anew."""
    if path.exists():
        return
    model = randomised(weights.model())  # type: ignore[arg-type]
    card = replace(weights.card, name="random", training={}, metrics={}, skill=())
    save(path, model.state_dict(), card)


def jobs(folder: Path) -> list[Job]:
    """Read the jobs of the queue."""
    lines = (folder / "queue.txt").read_text().splitlines()
    return [Job.read(line) for line in lines if line.strip() and line[0] != "#"]


def pending(runs: Runs) -> list[Job]:
    """Jobs that are neither done nor failed, in order."""
    failed = runs.folder / "failed.txt"
    bad = set(failed.read_text().splitlines()) if failed.exists() else set()
    return [
        job
        for job in jobs(runs.folder)
        if str(job) not in bad and not (runs.head(job) / "scores.csv").exists()
    ]


def work(runs: Runs, most: int | None = None, only: str = "") -> None:
    """Run jobs until none is left, or so many were run.

    Parameters
    ----------
    runs : Runs
        Where the queue is.
    most : int, optional
        Jobs to run at most.
    only : str
        Words that a job's line must hold.
    """
    count = 0
    while most is None or count < most:
        left = pending(runs)
        _delete_embeddings(runs, left)
        chosen = [job for job in left if only in str(job)]
        if not chosen:
            return
        _run_apart(runs, chosen[0])
        count += 1


def _run_apart(runs: Runs, job: Job) -> None:
    """Run a job in a process of its own; stop where it was stopped from outside."""
    words = [sys.executable, "-m", "benchmarks.weights", "heads", "--job", str(job)]
    words += ["--proof", str(runs.folder.resolve()), "--data", str(runs.data.resolve())]
    _note(runs, f"start {job}")
    with (runs.folder / "jobs.log").open("a") as log:
        done = subprocess.run(
            words,
            cwd=ROOT,
            stdout=log,
            stderr=log,
            check=False,
            env=os.environ | ALLOCATION,
        )
    _note(runs, f"end {done.returncode} {job}")
    if done.returncode == NO_SPACE:
        raise SystemExit(f"the disk is full: see the end of {runs.folder / 'jobs.log'}")
    if done.returncode > 0:
        with (runs.folder / "failed.txt").open("a") as file:
            file.write(f"{job}\n")
    elif done.returncode < 0:
        raise SystemExit(f"{job} was stopped; the same command goes on with it")


def _delete_embeddings(runs: Runs, left: list[Job]) -> None:
    """Delete what no job needs any more."""
    needed = {runs.embeddings(job.target, job.encoder) for job in left}
    for folder in (runs.folder / "embeddings").glob("*/*/"):
        if folder not in needed:
            shutil.rmtree(folder)


def _note(runs: Runs, text: str) -> None:
    line = f"{datetime.now():%m-%d %H:%M:%S} load {os.getloadavg()[0]:.1f} {text}"
    print(line, flush=True)
    with (runs.folder / "queue.log").open("a") as file:
        file.write(f"{line}\n")


def run_one(runs: Runs, line: str) -> None:
    """Do one job in this process."""
    run(runs, Job.read(line))
