"""The command line: ``xstefaland predict in.zarr out.zarr --target streamflow``.

Each command is a line of :data:`COMMANDS`: its name, what it is for, its arguments and
the function that runs it, which returns the exit code.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xstefaland.cli_arguments import (
    benchmark_arguments,
    input_arguments,
    names,
    numbers,
    output_arguments,
    train_arguments,
)
from xstefaland.errors import InputError, RunError, XStefalandError

if TYPE_CHECKING:
    import xarray as xr

OK, PROBLEM, USAGE, FAILED_REGIONS, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: argparse gives 2 itself, and a shell expects 130 after Ctrl-C."""

Arguments = argparse.Namespace
Parser = argparse.ArgumentParser


@dataclass(frozen=True)
class Command:
    """One command.

    Parameters
    ----------
    name : str
        What is typed.
    what : str
        One line on what it is for.
    arguments : callable
        Adds the arguments to its parser.
    run : callable
        Does it; returns the exit code.
    more : str
        Examples, shown below the arguments.
    """

    name: str
    what: str
    arguments: Callable[[Parser], None]
    run: Callable[[Arguments], int]
    more: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        0: done. 1: something is wrong with data, weights or store. 2: the command is
        not understood. 3: regions failed, all others are written. 130: interrupted.

    Examples
    --------
    >>> main(["weights", "list", "--names"])
    stefaland-base-v1...
    0
    """
    given = _parser().parse_args(arguments)
    try:
        with _cluster(getattr(given, "scheduler", None)):
            return int(given.run(given))
    except RunError as error:
        return _say(error, FAILED_REGIONS)
    except (XStefalandError, OSError) as error:
        return _say(error, PROBLEM)
    except KeyboardInterrupt:
        return _say("interrupted; the same command goes on", INTERRUPTED)


def _parser() -> Parser:
    """Build the parser from the table of commands."""
    parser = Parser(
        prog="xstefaland",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    from xstefaland import __version__

    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for command in COMMANDS:
        own = commands.add_parser(
            command.name,
            help=command.what,
            description=command.what[0].upper() + command.what[1:] + ".",
            epilog=command.more or None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.arguments(own)
        own.set_defaults(run=command.run)
    return parser


def _say(what: object, code: int) -> int:
    """Write a message to standard error; return the exit code to leave with."""
    sys.stderr.write(f"xstefaland: {what}\n")
    return code


@contextlib.contextmanager
def _cluster(scheduler: str | None) -> Iterator[None]:
    """Compute on a cluster's workers while the command runs."""
    if scheduler is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError(
            "--scheduler needs dask.distributed: `pip install distributed` or "
            "`conda install distributed`."
        ) from None
    with Client(scheduler, timeout="20s"):  # type: ignore[no-untyped-call]
        yield


def open_input(path: str) -> xr.Dataset:
    """Open what a command reads, lazily; close it when the command is done.

    A NetCDF file that is left to the garbage collector may be closed in one thread
    while another file is opened in a second one, which its library does not survive.

    Parameters
    ----------
    path : str
        A Zarr store or NetCDF file, by path or address.

    Raises
    ------
    InputError
        When there is none, or it cannot be read.
    """
    import xarray as xr

    name = path.rstrip("/")
    zarr = name.endswith(".zarr") or os.path.isdir(name)
    try:
        ds: xr.Dataset = xr.open_zarr(name) if zarr else xr.open_dataset(name)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"cannot read '{path}': {error}. Pass a Zarr store or a NetCDF file."
        ) from error
    return ds


def _predict_arguments(parser: Parser) -> None:
    """Add what ``predict`` takes."""
    input_arguments(parser)
    output_arguments(parser)
    parser.add_argument(
        "--target",
        required=True,
        type=names,
        help="streamflow, soil_moisture, ... or several with commas",
    )
    parser.add_argument("--head", help="name, sort or file of a head")
    parser.add_argument("--quantiles", type=numbers, help="levels: 0.1,0.5,0.9")
    parser.add_argument("--causal", action="store_true", help="no day sees later ones")


def _embed_arguments(parser: Parser) -> None:
    """Add what ``embed`` takes; ``--pool`` has no default, for days are large."""
    input_arguments(parser)
    output_arguments(parser)
    parser.add_argument(
        "--pool",
        choices=("none", "year", "mean", "static"),
        required=True,
        help="one vector a day (none: large), a year, a site, or of its attributes",
    )
    parser.add_argument("--causal", action="store_true", help="no day sees later ones")


def _reconstruct_arguments(parser: Parser) -> None:
    """Add what ``reconstruct`` takes."""
    input_arguments(parser)
    output_arguments(parser)
    parser.add_argument(
        "--add", action="store_true", help="add the variables that the file lacks"
    )


def _check_arguments(parser: Parser) -> None:
    """Add what ``check`` takes: it writes no store, so there is no output."""
    input_arguments(parser)
    parser.add_argument(
        "--target", type=names, help="what is to be predicted, or embedding"
    )
    parser.add_argument("--head", help="name, sort or file of a head")
    parser.add_argument("--causal", action="store_true", help="no day sees later ones")


def _weights_arguments(parser: Parser) -> None:
    """Add what ``weights`` takes."""
    parser.add_argument(
        "action",
        choices=("list", "fetch", "show"),
        help="list all, fetch one or all to this machine, or show one's card",
    )
    parser.add_argument("name", nargs="?", help="a name; fetch without one: all")
    parser.add_argument("--names", action="store_true", help="list names alone")
    parser.add_argument("--json", action="store_true", help="show the card as it is")


# What the commands do.


def _run(given: Arguments, target: Any, **options: Any) -> int:
    """Make the call of :func:`xstefaland.run` that a command line means."""
    from xstefaland.store.run import run

    shared: tuple[str, ...] = (
        "weights",
        "rename",
        "units",
        "latitude",
        "device",
        "precision",
        "dtype",
    )
    shared += ("resume", "regions", "chunks", "shards", "allow_large", "in_flight")
    with open_input(given.input) as ds:
        report = run(
            ds,
            target,
            given.output,
            progress=not given.quiet,
            climate=_climate(given.climate),
            **{name: getattr(given, name) for name in shared},
            **options,
        )
    sys.stdout.write(f"{report}\n")
    return OK


def _climate(given: slice | str | None) -> Any:
    """Read a file of climate attributes; a period or a word is taken as it is."""
    if isinstance(given, str) and given not in ("record", "none"):
        with open_input(given) as table:
            return table.load()
    return given


def _predict(given: Arguments) -> int:
    """Predict."""
    options = {name: getattr(given, name) for name in ("head", "quantiles", "causal")}
    return _run(given, _asked(given), **options)


def _asked(given: Arguments) -> str | list[str] | None:
    """Name one target as a text and several as a list, as in Python."""
    names: list[str] = given.target or []
    return names[0] if len(names) == 1 else given.target


def _embed(given: Arguments) -> int:
    """Embed; ``--pool none``, which has to be said, is Python's default."""
    pool = None if given.pool == "none" else given.pool
    return _run(given, "embedding", pool=pool, causal=given.causal)


def _reconstruct(given: Arguments) -> int:
    """Fill the gaps of a file into a store."""
    return _run(given, "reconstruction", add=given.add)


def _check(given: Arguments) -> int:
    """Print the report; a problem is an exit code, so that scripts can stop."""
    from xstefaland.inference.api import check

    options = ("weights", "head", "rename", "units", "latitude", "causal")
    with open_input(given.input) as ds:
        report = check(
            ds,
            _asked(given),
            climate=_climate(given.climate),
            **{name: getattr(given, name) for name in options},
        )
    sys.stdout.write(f"{report}\n")
    return OK if report.ok else PROBLEM


def _weights(given: Arguments) -> int:
    """Print the table of weights, paths of those that are here, or a card."""
    from xstefaland import weights

    if given.action == "list" and given.name is not None:
        raise InputError(
            f"`xstefaland weights list` lists all; `xstefaland weights show "
            f"{given.name}` shows one."
        )
    if given.action == "list":
        table = weights.list()
        shown = (
            "\n".join(table["name"]) if given.names else table.to_string(index=False)
        )
    elif given.action == "fetch":
        found = [weights.fetch(given.name)] if given.name else weights.fetch_all()
        shown = "\n".join(map(str, found))
    elif given.name is None:
        raise InputError(
            "which weights? `xstefaland weights show NAME`; `xstefaland weights list` "
            "names all."
        )
    else:
        opened = weights.load(given.name)
        shown = opened.card.to_json() if given.json else repr(opened)
    sys.stdout.write(f"{shown}\n")
    return OK


def _train(given: Arguments) -> int:
    """Train; print the path alone, so that a script can take it."""
    from xstefaland.training import commands

    if given.what == "pretrain":
        made = commands.run_pretrain(given)
    else:
        given.climate = _climate(given.climate)
        with open_input(given.input) as ds:
            made = commands.run_finetune(given, ds)
    sys.stdout.write(f"{made.path}\n")
    return OK


def _benchmark(given: Arguments) -> int:
    """Run a benchmark; print its page, or a list."""
    from xstefaland.training.benchmark.command import run_command

    if shown := run_command(given):
        sys.stdout.write(f"{shown}\n")
    return OK


DESCRIPTION = """\
River flow, soil moisture and embeddings from daily weather, for one site or a
continent. A tutorial:

  1. See what a file has and what the model needs; nothing is computed.
         xstefaland check weather.nc --target streamflow
  2. Say what it cannot know: names and units.
         xstefaland check weather.nc --rename rain=precipitation --units 'rain=mm d-1'
  3. Predict into a Zarr store, region by region. Stop it whenever you like: the same
     command goes on where it was.
         xstefaland predict weather.zarr flow.zarr --target streamflow
  4. Read the answer.
         python -c 'import xarray; print(xarray.open_zarr("flow.zarr"))'
"""

EPILOG = """\
exit codes: 0 done; 1 something is wrong with data, weights or store, and the message
says what to do; 2 the command is not understood; 3 some regions failed, and the same
command tries them again; 130 interrupted.
"""

COMMANDS = (
    Command(
        "check",
        "say what a file has, what the model needs and what is wrong",
        _check_arguments,
        _check,
        "exit code 1 when there is a problem, so that a script can stop.",
    ),
    Command(
        "predict",
        "predict targets at all sites into a Zarr store",
        _predict_arguments,
        _predict,
        "examples:\n"
        "  xstefaland predict in.zarr out.zarr --target streamflow,soil_moisture\n"
        "  xstefaland predict in.zarr s3://bucket/out.zarr --target streamflow \\\n"
        "      --regions lat=32,lon=32 --scheduler tcp://10.0.0.1:8786\n\n"
        "Start it on several machines with one shared folder: they share the work.",
    ),
    Command(
        "embed",
        "write the model's view of each day, year or site into a Zarr store",
        _embed_arguments,
        _embed,
        "examples:\n"
        "  xstefaland embed in.zarr sites.zarr --pool mean\n"
        "  xstefaland embed in.zarr years.zarr --pool year --dtype int8",
    ),
    Command(
        "reconstruct",
        "fill gaps in weather and attributes into a Zarr store",
        _reconstruct_arguments,
        _reconstruct,
        "example:\n  xstefaland reconstruct gappy.nc filled.zarr",
    ),
    Command(
        "weights",
        "list, fetch or show trained weights",
        _weights_arguments,
        _weights,
        "examples:\n"
        "  xstefaland weights list\n"
        "  xstefaland weights fetch              # all, for machines without network\n"
        "  xstefaland weights show stefaland-base-v1",
    ),
    Command(
        "train",
        "pretrain an encoder, or finetune a head on observations",
        train_arguments,
        _train,
        "examples:\n"
        "  xstefaland train finetune mine.nc --target streamflow --observed flow \\\n"
        "      --folds 3 --folder runs/mine\n"
        "  xstefaland train pretrain archives --steps 20000 --folder runs/encoder\n\n"
        "It prints the path of the weights file, which --head and --weights take.\n"
        "The rest is in Python: xstefaland.training.",
    ),
    Command(
        "benchmark",
        "compare systems on a task under one protocol",
        benchmark_arguments,
        _benchmark,
        "examples:\n"
        "  xstefaland benchmark --list\n"
        "  xstefaland benchmark camels-pub --data DIR --folds 1\n"
        "  xstefaland benchmark soil-moisture --data DIR --quick\n\n"
        "A run that was broken off goes on when the same command is given again.\n"
        "With --quick a few sites, days and updates show whether it works; the result\n"
        "is marked as no result.",
    ),
)
"""All commands, in the order of the help; a new one is a line here."""


if __name__ == "__main__":
    sys.exit(main())
