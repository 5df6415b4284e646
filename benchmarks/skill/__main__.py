"""The committed results of the benchmarks, over as many sessions as it takes.

Write the queue and copy the encoder that ships, which may be given later; work through
it, or through the jobs that hold some words; see what is left; write the pages of what
is done::

    python -m benchmarks.skill plan --encoder FILE.safetensors
    python -m benchmarks.skill work --data ../shared/data --corpus runs/corpus2
    python -m benchmarks.skill work --only encoder
    python -m benchmarks.skill left
    python -m benchmarks.skill pages

Encoders that leave out folds are jobs of the queue, before the jobs that read them. A
job that was stopped goes on when the same command is given again. What short runs say
about the costs: ``costs --quick runs/benchmark``.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.weights.machine import keep_memory

from . import costs, pages, work
from .jobs import read_job


def run_plan(runs: work.SkillRuns, given: argparse.Namespace) -> None:
    """Write the queue."""
    work.plan(runs, given.encoder)


def run_work(runs: work.SkillRuns, given: argparse.Namespace) -> None:
    """Do one job, or work through the queue."""
    if given.job:
        work.do(runs, read_job(given.job))
        return
    runs.worklist.work(
        given.most, given.only, lambda left: print(costs.left(runs).splitlines()[-1])
    )


def run_left(runs: work.SkillRuns, given: argparse.Namespace) -> None:
    """Print what is left."""
    print(costs.left(runs))


def run_pages(runs: work.SkillRuns, given: argparse.Namespace) -> None:
    """Write the pages."""
    pages.write_pages(runs, given.results)


def run_costs(runs: work.SkillRuns, given: argparse.Namespace) -> None:
    """Extrapolate the costs of short runs."""
    if given.quick is None:
        raise SystemExit("costs needs --quick DIR, where short runs are kept")
    print(costs.write_table(given.data, given.quick).round(2).to_string(index=False))


STAGES = {
    "plan": run_plan,
    "work": run_work,
    "left": run_left,
    "pages": run_pages,
    "costs": run_costs,
}


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line and run a stage."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("stage", choices=STAGES)
    add("--runs", type=Path, default=Path("runs/skill"), help="folder of all jobs")
    add("--data", type=Path, default=Path("../shared/data"))
    add("--corpus", type=Path, default=Path("runs/corpus"), help="built if it is not")
    add("--encoder", help="the encoder that ships: a name or a file")
    add("--job", help="do this one alone, in this process")
    add("--most", type=int, help="jobs to run")
    add("--only", default="", help="words that a job must hold")
    add("--results", type=Path, default=pages.RESULTS, help="where pages go")
    add("--quick", type=Path, help="folder of short runs")
    add("--threads", type=int, default=1)
    given = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("pint").setLevel(logging.ERROR)  # it tells of redefinitions
    keep_memory()
    torch.set_num_threads(given.threads)
    STAGES[given.stage](work.SkillRuns(given.runs, given.data, given.corpus), given)


if __name__ == "__main__":
    main()
