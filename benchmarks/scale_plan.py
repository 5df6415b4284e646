"""What a continent at 1 km over 40 years costs, and how much is written: a plan.

``make benchmark-scale-plan`` counts the floating-point operations of a site from the
weights that ship. Processor time follows from the rate at which ``make
benchmark-scale`` ran the same kind of work on this machine, read from its
``scale.csv``; where that has not been run the column says so. Time on an H200 is
arithmetic, not measured: data sheet times a stated share, and a stated time for each
step of the LSTM. The tables go to ``benchmarks/results/scale_plan.md``, which the
manual includes.
"""

from __future__ import annotations

import argparse
import csv
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scale
import torch
from dask.utils import format_bytes
from encoder import operations
from scale import markdown

from xstefaland.inference.batches import GPU_SHARE, sites_within
from xstefaland.inference.plans import plan_predictions
from xstefaland.inference.windows import window_starts
from xstefaland.model import EncoderConfig
from xstefaland.model.process import SPINUP_DAYS
from xstefaland.store.sizes import LARGE
from xstefaland.weights import Weights

RESULTS = Path(__file__).parent / "results"
YEARS, DAYS = 40, 14_610
PLACES = {
    "80 000 cells": 80_000,
    "Australia": 7_700_000,
    "Europe": 10_200_000,
    "North America": 24_700_000,
}
"""Cells of a square kilometre: the land area of a continent [km2]."""

BFLOAT16, FLOAT32, MEMORY = 989e12, 67e12, 141e9
"""An H200 by its data sheet: dense operations a second, and memory [bytes]."""

SHARE = 0.3
"""Of these rates, what networks of this size are taken to reach."""

STEP = 10e-6
"""Time that a day of an LSTM is taken to need on a card, whatever the batch [s]."""

ONE_CORE = ("workers", "1 worker x 1 thread")
"""The line of scale.csv that tells the rate of one core."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """Floating-point operations of a site.

    Parameters
    ----------
    encoder, head : float
        Of all windows of its record, and of all its days.
    steps : int
        Days that an LSTM takes one after the other, those of spin-up too.
    """

    encoder: float
    head: float
    steps: int


def work(encoder: Weights, head: Weights, days: int) -> Work:
    """Count the operations of a site from the weights' own sizes.

    Parameters
    ----------
    encoder, head : Weights
        The head is a sequence head: each number of its matrices multiplies once a day,
        those for attributes too, which the code does once a site.
    days : int
        Length of the record.
    """
    config = EncoderConfig.from_dict(encoder.card.config)
    windows = len(window_starts(days, config.window, config.stride))
    network: Any = head.model()
    steps = days + min(days, SPINUP_DAYS)
    matrices = sum(p.numel() for p in network.parameters() if p.ndim > 1)
    recurrent = sum(isinstance(m, torch.nn.LSTM) for m in network.modules())
    return Work(windows * operations(config), 2.0 * matrices * steps, recurrent * steps)


def rate_of_a_core(path: Path) -> float | None:
    """Operations a second that one core did in ``make benchmark-scale``, if it was run.

    Parameters
    ----------
    path : Path
        Its scale.csv.
    """
    if not path.exists():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        rows = {(row["part"], row["what"]): row for row in csv.DictReader(file)}
    row = rows.get(ONE_CORE)
    if row is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        site = work(*scale.weights(folder, int(row["layers"])), scale.DAYS)
    sites = int(row["chunks"]) * scale.SIDE**2
    return sites * (site.encoder + site.head) / float(row["seconds"])


def seconds_on_a_card(site: Work, sites: float, batch: int) -> float:
    """Time on an H200, by arithmetic: products, and LSTM steps in their order."""
    products = site.encoder / BFLOAT16 + site.head / FLOAT32
    return sites * products / SHARE + math.ceil(sites / batch) * site.steps * STEP


def costs(site: Work, width: int, rate: float | None) -> list[Row]:
    """Cost of a million site-years, and of whole places.

    Parameters
    ----------
    site : Work
        Of one site.
    width : int
        Of an embedding: so many sites does a card's head take at once.
    rate : float or None
        Operations a second of one core, if they were measured.
    """
    batch = sites_within(int(GPU_SHARE * MEMORY), width, DAYS)
    rows = []
    for name, sites in {"a million site-years": 1e6 / YEARS, **PLACES}.items():
        core = "not measured"
        if rate is not None:
            core = f"{sites * (site.encoder + site.head) / rate / 3600:,.1f}"
        card = seconds_on_a_card(site, sites, batch) / 3600
        rows.append(
            {
                "what": name,
                "sites": f"{sites:,.0f}",
                "million site-years": f"{sites * YEARS / 1e6:,.1f}",
                "CPU [core-hours]": core,
                "H200 [hours], arithmetic": f"{card:,.3f}",
            }
        )
    return rows


def written(width: int) -> list[Row]:
    """Bytes of the answers, before compression."""
    answers = {
        "a daily target (`streamflow`)": (DAYS, ("float32", "float16")),
        "a static target (`clay`)": (1, ("float32", "float16")),
        "`embedding`, daily": (DAYS * width, ("float32", "float16", "int8")),
        '`embedding`, `pool="year"`': (YEARS * width, ("float32", "float16", "int8")),
        '`embedding`, `pool="mean"`': (width, ("float32", "float16", "int8")),
    }
    rows = []
    for name, (numbers, kinds) in answers.items():
        for kind in kinds:
            size = numbers * torch.empty(0, dtype=getattr(torch, kind)).element_size()
            rows.append({"target": name, "dtype": kind})
            rows[-1] |= {p: format_bytes(n * size) for p, n in PLACES.items()}
    return rows


def report(measured: Path) -> str:
    """Write the plan for the default head of streamflow and its encoder."""
    (plan,) = plan_predictions(["streamflow"])
    head, encoder = plan.heads[0].weights, plan.encoder
    site, width = work(encoder, head, DAYS), int(encoder.card.config["d_model"])
    rate = rate_of_a_core(measured)
    told = (
        "No rate of a core was measured: run `make benchmark-scale`, then this again."
        if rate is None
        else f"One core: {rate / 1e9:.1f} GFLOP/s, measured from Zarr to Zarr by "
        f"`make benchmark-scale` ({', '.join(ONE_CORE)})."
    )
    parts = [
        "# A continent at 1 km over 40 years",
        "",
        f"`{head.name}` on `{encoder.name}`; a cell a square kilometre, {DAYS} days. A "
        f"site takes {site.encoder / 1e9:.0f} GFLOP in the encoder and "
        f"{site.head / 1e9:.0f} in the head. {told}",
        "",
        *markdown(costs(site, width, rate)),
        "",
        f"The column of the H200 is arithmetic, not measured: {SHARE:.0%} of "
        f"{BFLOAT16 / 1e12:.0f} TFLOP/s (bfloat16) for the encoder and of "
        f"{FLOAT32 / 1e12:.0f} (float32) for the head, and {STEP * 1e6:.0f} "
        f"microseconds for each of the {site.steps} steps of the LSTM, which takes "
        f"{sites_within(int(GPU_SHARE * MEMORY), width, DAYS)} sites at once in "
        f"{MEMORY / 1e9:.0f} GB. Reading and writing come on top.",
        "",
        "Written, before compression "
        f"(`run` asks for `allow_large=True` beyond {format_bytes(LARGE)}):",
        "",
        *markdown(written(width)),
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Calculate, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = RESULTS / "scale.csv"
    parser.add_argument("--measured", type=Path, default=default, help="scale.csv")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to")
    chosen = parser.parse_args()
    text = report(chosen.measured)
    print(text)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "scale_plan.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
