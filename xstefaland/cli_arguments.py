"""Arguments that commands share, and the text that stands in them."""

from __future__ import annotations

import argparse
from pathlib import Path


def pairs(text: str) -> dict[str, str]:
    """Read ``a=b,c=d``.

    Examples
    --------
    >>> pairs("pr=mm d-1,tas=K")
    {'pr': 'mm d-1', 'tas': 'K'}
    """
    parts = [part.partition("=") for part in text.split(",")]
    if not all(key.strip() and sign and value.strip() for key, sign, value in parts):
        raise argparse.ArgumentTypeError(f"{text!r}: write name=value,name=value")
    return {key.strip(): value.strip() for key, _, value in parts}


def sizes(text: str) -> dict[str, int]:
    """Read ``lat=32,lon=32``.

    Examples
    --------
    >>> sizes("lat=32,lon=64")
    {'lat': 32, 'lon': 64}
    """
    try:
        return {key: int(value) for key, value in pairs(text).items()}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write lat=32,lon=32") from None


def count(text: str) -> int:
    """Read a number of things, one at least.

    Examples
    --------
    >>> count("2")
    2
    """
    try:
        found = int(text)
    except ValueError:
        found = 0
    if found < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: write a whole number from 1 on")
    return found


def numbers(text: str) -> list[float]:
    """Read ``0.1,0.5,0.9``."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: write 0.1,0.5,0.9") from None


def folds(text: str) -> int | list[int]:
    """Read how many folds, or which.

    Examples
    --------
    >>> folds("3"), folds("0,3"), folds("3,")
    (3, [0, 3], [3])
    """
    try:
        found = [int(part) for part in text.split(",") if part.strip()]
        return found if "," in text else found[0]
    except (ValueError, IndexError):
        raise argparse.ArgumentTypeError(f"{text!r}: write 3, or 0,3") from None


def name_or_degrees(text: str) -> str | float:
    """Read the name of a variable, or degrees north.

    Examples
    --------
    >>> name_or_degrees("gauge_lat"), name_or_degrees("-45.5")
    ('gauge_lat', -45.5)
    """
    try:
        return float(text)
    except ValueError:
        return text


def period_or_file(text: str) -> slice | str:
    """Read ``FROM:TO``, ``record``, ``none``, or the path of a file.

    Examples
    --------
    >>> period_or_file("1990:2010"), period_or_file("none"), period_or_file("c.nc")
    (slice('1990', '2010', None), 'none', 'c.nc')
    """
    first, colon, last = text.partition(":")
    if not colon or "/" in text or Path(text).exists():
        return text
    return slice(first or None, last or None)


def names(text: str) -> list[str]:
    """Read ``streamflow,soil_moisture``."""
    return [part.strip() for part in text.split(",") if part.strip()]


def input_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command that reads data takes."""
    parser.add_argument(
        "input", metavar="IN", help="NetCDF file or Zarr store of daily weather"
    )
    parser.add_argument("--weights", help="encoder: a name or a file")
    parser.add_argument(
        "--rename",
        type=pairs,
        metavar="A=B,...",
        help="names in the file that are not recognised: rain=precipitation",
    )
    parser.add_argument(
        "--units",
        type=pairs,
        metavar="A=U,...",
        help="units that the file does not state: 'rain=mm d-1,t=K'",
    )
    parser.add_argument(
        "--latitude",
        type=name_or_degrees,
        help="variable that holds the latitude, or degrees north of all sites",
    )
    parser.add_argument(
        "--climate",
        type=period_or_file,
        metavar="FROM:TO|FILE",
        help="reference period of climate attributes (1990:2010), a file of them "
        "(derive_climate), record, or none",
    )


def output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command that writes a store takes."""
    parser.add_argument("output", metavar="OUT", help="Zarr store: path or address")
    go = parser.add_mutually_exclusive_group()
    go.add_argument(
        "--resume",
        action="store_true",
        default=True,
        help="go on where an earlier run was stopped (the default)",
    )
    go.add_argument(
        "--restart",
        dest="resume",
        action="store_false",
        help="start over, and lose what an earlier run wrote",
    )
    parser.add_argument("--scheduler", help="address of a dask.distributed scheduler")
    parser.add_argument(
        "--regions", type=sizes, metavar="D=N,...", help="sites written at once"
    )
    parser.add_argument(
        "--chunks", type=sizes, metavar="D=N,...", help="chunks of the Zarr store"
    )
    parser.add_argument("--shards", action="store_true", help="one file per region")
    parser.add_argument(
        "--dtype", default="float32", choices=("float32", "float16", "int8")
    )
    parser.add_argument("--in-flight", type=count, metavar="N", help="regions at once")
    parser.add_argument("--device", help="auto, cpu, cuda or cuda:0")
    parser.add_argument("--precision", choices=("float32", "bfloat16"))
    parser.add_argument(
        "--allow-large", action="store_true", help="write more than 100 GB"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def benchmark_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``benchmark`` takes."""
    parser.add_argument("name", nargs="?", help="the benchmark; --list shows all")
    parser.add_argument("--data", type=Path, help="folder of data")
    parser.add_argument(
        "--folds",
        type=folds,
        metavar="N|A,B,...",
        help="the first so many folds, or these: 0,3 or 3,",
    )
    parser.add_argument("--seeds", type=count, default=1, help="runs of each system")
    parser.add_argument(
        "--systems", nargs="+", metavar="SYSTEM", help="some; --list shows all"
    )
    parser.add_argument(
        "--encoder",
        nargs="+",
        metavar="FILE",
        help="names or paths; each fold takes the one that left out most of its sites; "
        "default: the registry's",
    )
    parser.add_argument("--device", help="where networks are trained: cpu, cuda, auto")
    parser.add_argument("--quick", action="store_true", help="does it work at all?")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("benchmarks/results/skill"),
        help="folder of pages and figures (%(default)s)",
    )
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs/benchmark"),
        help="folder in which pieces of work are kept (%(default)s)",
    )
    parser.add_argument(
        "--page",
        type=Path,
        metavar="FILE",
        help="join all pages of --out into this one, for the manual",
    )
    parser.add_argument("--list", action="store_true", help="list all and end")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def train_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``train`` takes: a command of its own for each kind of training."""
    kinds = parser.add_subparsers(required=True, dest="what", metavar="WHAT")
    pretrain = kinds.add_parser("pretrain", help="an encoder, from archives")
    pretrain.add_argument("data", type=Path, metavar="DATA", help="folder of archives")
    pretrain.add_argument(
        "--sources", nargs="+", metavar="SOURCE", help="some; default: all"
    )
    pretrain.add_argument("--steps", type=count, required=True, help="updates in all")
    pretrain.add_argument("--batch-size", type=count, help="windows per update")
    pretrain.add_argument(
        "--leave-out",
        type=Path,
        metavar="FILE",
        help="gauge numbers or labels of sites, one a line, that are left out by place "
        "in every source; default: a draw of a tenth of all places",
    )
    _training_arguments(pretrain)
    finetune = kinds.add_parser("finetune", help="a head, on your own observations")
    input_arguments(finetune)
    finetune.add_argument("--target", required=True, help="streamflow, clay, ...")
    finetune.add_argument("--observed", help="variable of the observations")
    finetune.add_argument("--head", default="resconn", help="a system (%(default)s)")
    finetune.add_argument("--folds", type=int, help="leave sites out in turn")
    finetune.add_argument("--updates", type=count, help="updates of the head")
    finetune.add_argument(
        "--causal", action="store_true", help="no day sees later ones"
    )
    finetune.add_argument("--device", help="cpu, cuda or auto")
    finetune.add_argument("--quiet", action="store_true", help="show no progress")
    _training_arguments(finetune)


def _training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what both kinds of training take."""
    parser.add_argument(
        "--folder",
        type=Path,
        required=True,
        help="where everything is kept; the same command goes on there",
    )
    parser.add_argument("--name", help="of the weights")
    parser.add_argument("--seed", type=int, default=0)
