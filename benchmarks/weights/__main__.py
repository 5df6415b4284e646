"""Make weights and prove them, one command a stage, each resumable.

Train the foundation model, and end the run on a copy::

    python -m benchmarks.weights encoder --runs runs --data ../shared/data
    python -m benchmarks.weights encoder --runs runs --data ../shared/data --cooldown

Prove it: copy the encoder and write the queue of heads; work through it, over as many
sessions as it takes; write the tables of what is done by then::

    python -m benchmarks.weights plan --proof runs/proof --encoder FILE.safetensors
    python -m benchmarks.weights heads --proof runs/proof --data ../shared/data
    python -m benchmarks.weights table --proof runs/proof

Publish what has won (`benchmarks/weights/publish.py` says what ships)::

    python -m benchmarks.weights publish --proof runs/proof --data ../shared/data

What each source gives to an epoch of the encoder: ``shares``.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from . import encoder, publish, queue, report
from .heads import Runs
from .machine import keep_memory


def plan(arguments: argparse.Namespace) -> None:
    """Write the queue."""
    if arguments.encoder is None:
        raise SystemExit("plan needs --encoder FILE")
    queue.plan(arguments.proof, arguments.encoder, arguments.sites)


def heads(arguments: argparse.Namespace) -> None:
    """Do one job, or work through the queue."""
    runs = Runs(arguments.proof, arguments.data)
    if arguments.job:
        queue.run_one(runs, arguments.job)
    else:
        queue.work(runs, arguments.most, arguments.only)


def table(arguments: argparse.Namespace) -> None:
    """Write the tables."""
    report.write(Runs(arguments.proof, arguments.data), arguments.results)


def publication(arguments: argparse.Namespace) -> None:
    """Write the weights files that ship."""
    runs = Runs(arguments.proof, arguments.data)
    publish.publish(runs, arguments.only, bundle=arguments.bundle)


STAGES = {
    "encoder": encoder.encoder,
    "shares": encoder.shares,
    "plan": plan,
    "heads": heads,
    "table": table,
    "publish": publication,
}


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line and run a stage."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("stage", choices=STAGES)
    add("--data", type=Path, default=Path("../shared/data"))
    add("--runs", type=Path, default=Path("runs"), help="of encoders")
    add("--corpus", type=Path, help="its folder (RUNS/corpus)")
    add("--basin-years", type=float, default=300_000)
    add("--width", type=int, choices=encoder.RATES, default=256)
    add("--seed", type=int, default=0)
    add("--causal-share", type=float, default=0.25)
    add("--memory-weight", type=float, default=1.0)
    add(
        "--cooldown",
        type=float,
        nargs="?",
        const=0.2,
        metavar="SHARE",
        help="end a copy of the run with so many more updates, in shares of those made",
    )
    add("--proof", type=Path, default=Path("runs/proof"), help="folder of heads")
    add("--encoder", type=Path, help="weights file to be proved")
    add("--sites", type=int, help="of each source, to try the command; default: all")
    add("--job", help="do this one alone, in this process")
    add("--most", type=int, help="jobs to run")
    add("--only", default="", help="words that a job, or a product, must hold")
    add("--results", type=Path, default=report.RESULTS, help="where tables go")
    add("--bundle", action="store_true", help="publish into the package")
    add("--threads", type=int, default=1)
    arguments = parser.parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("pint").setLevel(logging.WARNING)  # it tells of redefinitions
    keep_memory()
    torch.set_num_threads(arguments.threads)
    STAGES[arguments.stage](arguments)


if __name__ == "__main__":
    main()
