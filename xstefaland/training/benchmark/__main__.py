"""The command: ``python -m xstefaland.training.benchmark NAME --data DIR``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from xstefaland.errors import XStefalandError
from xstefaland.training.benchmark import PROTOCOLS, SYSTEMS, run_benchmark
from xstefaland.training.benchmark.writing import collect, write

EPILOG = """\
A run that was broken off goes on when the same command is given again. With --quick a
few sites, days and updates show whether it works; the result is marked as no result.
"""


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m xstefaland.training.benchmark",
        description="Compare systems on a task under one protocol.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("name", nargs="?", choices=list(PROTOCOLS), help="the benchmark")
    made.add_argument("--data", type=Path, help="folder of data")
    made.add_argument("--folds", type=int, help="run only the first so many folds")
    made.add_argument("--seeds", type=int, default=1, help="runs of each system")
    made.add_argument(
        "--systems", nargs="+", metavar="SYSTEM", help=f"of {', '.join(SYSTEMS)}"
    )
    made.add_argument("--encoder", help="name or path; default: the registry's")
    made.add_argument("--quick", action="store_true", help="does it work at all?")
    made.add_argument(
        "--out", type=Path, default=Path("benchmarks/results/skill"),
        help="folder of pages and figures (%(default)s)",
    )  # fmt: skip
    made.add_argument(
        "--runs", type=Path, default=Path("runs/benchmark"),
        help="folder in which pieces of work are kept (%(default)s)",
    )  # fmt: skip
    made.add_argument(
        "--page", type=Path, metavar="FILE",
        help="join all pages of --out into this one, for the manual",
    )  # fmt: skip
    made.add_argument("--list", action="store_true", help="list benchmarks and end")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 0, 1 for data, 2 for usage."""
    reader = parser()
    asked = reader.parse_args(arguments)
    say = sys.stdout.write
    if asked.list:
        for protocol in PROTOCOLS.values():
            say(f"{protocol.name:30} {protocol.title}\n")
        return 0
    if asked.name and asked.data is None:
        reader.error(f"say where the data are: {asked.name} --data DIR")
    if asked.name is None and asked.page is None:
        reader.error("name a benchmark; --list shows them")
    try:
        if asked.name:
            say(f"{_run(asked)}\n")
        if asked.page:
            collect(asked.out, asked.page)
    except XStefalandError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _run(asked: argparse.Namespace) -> str:
    """Run one benchmark and return its page."""
    name = asked.name + ("-quick" if asked.quick else "")
    outcome = run_benchmark(
        PROTOCOLS[asked.name],
        asked.data,
        asked.runs / name,
        encoder=asked.encoder,
        systems=asked.systems,
        folds=asked.folds,
        seeds=asked.seeds,
        quick=asked.quick,
    )
    return write(outcome, asked.out).read_text()


if __name__ == "__main__":
    sys.exit(main())
