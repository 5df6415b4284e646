"""Plan the jobs and work through them; embeddings go as soon as no job needs them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from benchmarks.worklist import Worklist
from xstefaland.training.benchmark.systems import randomised
from xstefaland.weights import load, resolve_head
from xstefaland.weights.files import Weights, save

from .heads import Runs, run
from .jobs import Job, every_job

FIRST_RELEASE = "stefaland-base-v1"
BUNDLED = ("streamflow", "soil_moisture")


def plan(folder: Path, encoder: Path, sites: int | None = None) -> None:
    """Copy encoders, their log and the heads that ship; write the queue.

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
    log = weights.path.with_name("log.jsonl")
    if log.exists():
        _copy(log, folder / "encoders" / f"{weights.path.stem}.jsonl")
    _randomise(weights, folder / "encoders" / "random.safetensors")
    _copy(load(FIRST_RELEASE).path, folder / "encoders" / "v1.safetensors")
    (folder / "bundled").mkdir(exist_ok=True)
    for target in BUNDLED:
        _copy(resolve_head(target).path, folder / "bundled" / f"{target}.safetensors")
    path.write_text(json.dumps({**had, "encoders": list(names)}))
    lines = worklist(Runs(folder, Path())).add(map(str, every_job(weights.path.stem)))
    print(f"{len(lines)} jobs in {folder / 'queue.txt'}")


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


def worklist(runs: Runs) -> Worklist:
    """Open the queue of some runs."""
    words = ["-m", "benchmarks.weights", "heads"]
    words += ["--proof", str(runs.folder.resolve()), "--data", str(runs.data.resolve())]

    def done(line: str) -> bool:
        return (runs.head(Job.read(line)) / "scores.csv").exists()

    return Worklist(runs.folder, words, done)


def jobs(runs: Runs) -> list[Job]:
    """All jobs of the queue."""
    return [Job.read(line) for line in worklist(runs).jobs()]


def pending(runs: Runs) -> list[Job]:
    """Jobs that are neither done nor failed, in order."""
    return [Job.read(line) for line in worklist(runs).pending()]


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

    def clear(left: list[str]) -> None:
        _delete_embeddings(runs, [Job.read(line) for line in left])

    worklist(runs).work(most, only, clear)


def _delete_embeddings(runs: Runs, left: list[Job]) -> None:
    """Delete what no job needs any more."""
    needed = {runs.embeddings(job.target, job.encoder) for job in left}
    for folder in (runs.folder / "embeddings").glob("*/*/"):
        if folder not in needed:
            shutil.rmtree(folder)


def run_one(runs: Runs, line: str) -> None:
    """Do one job in this process."""
    run(runs, Job.read(line))
