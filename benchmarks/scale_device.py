"""What a card would do: how many sites a head takes at once, and what travels to it.

``make benchmark-scale-device`` needs no card. It asks the package how it would divide
the memory of cards of some sizes, and counts the bytes that a small prediction with
the weights that ship brings to its device and back: on the CPU, where nothing moves,
but by the same code. The tables go to ``benchmarks/results/scale_device.md``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import xarray as xr
from scale import markdown
from torch.overrides import TorchFunctionMode

import xstefaland
from xstefaland.inference.batches import CPU_BYTES, GPU_SHARE, sites_within
from xstefaland.inference.plans import plan_encoder
from xstefaland.testing import example_points

RESULTS = Path(__file__).parent / "results"
CARDS = (16, 80, 140)  # [GB]
RECORDS = (2, 10, 40)  # [years]
Row = dict[str, Any]


def head_batches(width: int, cells: int = 80_000) -> Iterator[Row]:
    """Yield how many sites a head takes at once, as the package divides memory."""
    cards = {f"card of {size} GB": int(GPU_SHARE * size * 1e9) for size in CARDS}
    for device, room in {"CPU": CPU_BYTES, **cards}.items():
        row: Row = {"device": device}
        for years in RECORDS:
            sites = sites_within(room, width, round(365.25 * years))
            row[f"{years} years"] = sites
        yield row | {f"runs for {cells} cells, 40 years": math.ceil(cells / sites)}


class Travels(TorchFunctionMode):
    """Counts the bytes that are brought to a device and back, by width of the last dim.

    On a CPU nothing moves, but the same calls are made: ``to(device)`` and ``cpu()``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.there: dict[int, int] = {}
        self.back: dict[int, int] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.Tensor.cpu:
            self._count(self.back, args[0])
        elif func is torch.Tensor.to and any(
            isinstance(each, torch.device | str) for each in (*args, *kwargs.values())
        ):
            self._count(self.there, args[0])
        return func(*args, **kwargs)

    @staticmethod
    def _count(counts: dict[int, int], tensor: torch.Tensor) -> None:
        width = tensor.shape[-1] if tensor.ndim else 1
        counts[width] = counts.get(width, 0) + tensor.nbytes


def travelled(
    ask: Callable[..., Any], ds: xr.Dataset, width: int, **options: Any
) -> Row:
    """Count what a call brings to its device and back, a site and day.

    Parameters
    ----------
    ask : callable
        Such as :func:`xstefaland.embed`.
    ds : xarray.Dataset
        In memory.
    width : int
        Of an embedding; no other tensor may be as wide.
    **options
        For `ask`.
    """
    ask(ds, **options)  # networks are brought to their place once
    with Travels() as seen:
        ask(ds, **options)
    size = ds.sizes["site"] * ds.sizes["time"]
    embeddings = seen.there.get(width, 0) + seen.back.get(width, 0)
    return {
        "to the device": sum(seen.there.values()) / size,
        "back": sum(seen.back.values()) / size,
        "of them embeddings": embeddings / size,
    }


def report() -> str:
    """Ask and count; return the page."""
    encoder, _ = plan_encoder(None)
    width = int(encoder.card.config["d_model"])
    ds = example_points(sites=4, days=730)
    predicted = travelled(xstefaland.predict, ds, width, target=["streamflow"])
    embedded = travelled(xstefaland.embed, ds, width)
    parts = [
        "# Heads on a card, and what travels",
        "",
        "Sites that a head takes at once, as the package divides memory "
        f"(`sites_within`): {GPU_SHARE:.0%} of a card, all of which is free, for "
        f"embeddings of {width} numbers. A chunk has to hold as many.",
        "",
        *markdown(list(head_batches(width))),
        "",
        f"Bytes a site and day between host and device, with `{encoder.name}`, over "
        "two years: counted on a CPU, where the code calls `to(device)` and `cpu()`. "
        "Windows overlap, so a day's weather travels more than once.",
        "",
        *markdown([{"call": "predict", **predicted}, {"call": "embed", **embedded}]),
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Count, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to")
    chosen = parser.parse_args()
    text = report()
    print(text)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "scale_device.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
