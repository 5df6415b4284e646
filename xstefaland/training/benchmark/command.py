"""What ``xstefaland benchmark`` does."""

from __future__ import annotations

import argparse
from dataclasses import replace

from xstefaland.errors import InputError
from xstefaland.training.benchmark.protocols import PROTOCOLS, Protocol
from xstefaland.training.benchmark.running import run_benchmark
from xstefaland.training.benchmark.systems import SYSTEMS
from xstefaland.training.benchmark.writing import collect, write


def listed() -> str:
    """List benchmarks and systems, for people."""
    lines = ["benchmarks:"]
    lines += [f"  {each.name:30} {each.title}" for each in PROTOCOLS.values()]
    return "\n".join([*lines, "systems:", f"  {', '.join(SYSTEMS)}"])


def run_command(asked: argparse.Namespace) -> str:
    """Run what a command line asks for.

    Parameters
    ----------
    asked : Namespace
        As :func:`xstefaland.cli_arguments.benchmark_arguments` reads it.

    Returns
    -------
    str
        What is to be printed: a page, or a list.

    Raises
    ------
    InputError
        For an unknown name, without data, or when there is nothing to do.
    """
    if asked.list:
        return listed()
    if asked.name is None and asked.page is None:
        raise InputError("name a benchmark; `xstefaland benchmark --list` shows them")
    page = _run(asked) if asked.name else ""
    if asked.page:
        collect(asked.out, asked.page)
    return page


def _run(asked: argparse.Namespace) -> str:
    """Run one benchmark and return its page."""
    if asked.name not in PROTOCOLS:
        raise InputError(
            f"there is no benchmark {asked.name!r}; there are {', '.join(PROTOCOLS)}"
        )
    if asked.data is None:
        raise InputError(
            f"say where the data are: `xstefaland benchmark {asked.name} --data DIR`"
        )
    protocol = PROTOCOLS[asked.name]
    if asked.device and isinstance(protocol, Protocol):
        settings = replace(protocol.settings, device=asked.device)
        protocol = replace(protocol, settings=settings)
    outcome = run_benchmark(
        protocol,
        asked.data,
        asked.runs / (asked.name + ("-quick" if asked.quick else "")),
        encoder=asked.encoder,
        systems=asked.systems,
        folds=asked.folds,
        seeds=asked.seeds,
        quick=asked.quick,
        progress=not asked.quiet,
    )
    return write(outcome, asked.out).read_text()
