"""Whether the bundled weights behave as physics expects: experiments, passed or failed.

``python benchmarks/behaviour.py`` asks each head under changed weather, records and
inputs at held-out CAMELS-US basins and USCRN stations and at four sites made by
formula, and beside them a bucket model, which shows that every rule can be kept. It
prints a table and writes it to ``benchmarks/results/behaviour.md``, ``.csv`` and
``.json``. Failures do not end it with an error: they are what it looks for. Other
weights go through the same table by ``--weights`` and ``--head``.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
import xarray as xr
from behaviour import sites
from behaviour.answers import (
    EMBEDDING,
    Answers,
    JudgedHead,
    Observed,
    embedding,
    find_head,
)
from behaviour.bucket import BUCKETS, MODEL, Bucket
from behaviour.experiment import Verdict
from behaviour.report import markdown, write
from behaviour.themes import EXPERIMENTS

import xstefaland

RESULTS = Path(__file__).parent / "results"
DATA = os.environ.get("XSTEFALAND_TEST_DATA") or "../shared/data"
HEADS = ["streamflow=resconn", "streamflow=resconn-hbv", "soil_moisture=resconn"]
Judged = JudgedHead | Bucket


def heads(chosen: list[str], encoder: str | None) -> list[JudgedHead]:
    """Open the heads named as ``target=head``, and the encoder."""
    found = []
    for text in chosen:
        target, _, name = text.partition("=")
        found.append(find_head(target, name, encoder))
    return [*found, embedding(found[0].encoder)]


def places(head: Judged, data: Path) -> xr.Dataset:
    """Read the real sites that a head is asked about."""
    if head.target == "soil_moisture":
        return sites.stations(data)
    return sites.basins(data)


def ask(head: Judged, data: Path, words: str) -> list[Verdict]:
    """Run all experiments that concern a head."""
    real = places(head, data)
    answers = {
        "real": Answers(head, real),
        "synthetic": Answers(head, sites.synthetic()),
    }
    observed = None if head.target == EMBEDDING else Observed(head, real)
    return [
        each.judge(answers[each.places], observed)
        for each in EXPERIMENTS
        if each.concerns(head.roles) and words in f"{each.name}: {each.measured}"
    ]


def facts(found: list[JudgedHead], seconds: float) -> list[str]:
    """Say what was asked, where and when."""
    left_out = xstefaland.weights.load(found[-1].encoder).card.left_out
    seen = sites.not_held_out(left_out)
    return [
        f"Date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, "
        f"{seconds:.0f} s on {os.cpu_count()} cores, "
        f"load average {os.getloadavg()[1]:.1f}",
        f"Versions: Python {platform.python_version()}, torch {torch.__version__}, "
        f"xstefaland {xstefaland.__version__}",
        "Asked: " + ", ".join(f"{head.label} ({head.sha256[:12]})" for head in found),
        f"Basins {'-'.join(sites.BASIN_YEARS)}: "
        + ", ".join(f"{n} {text}" for n, text in sites.BASINS.items()),
        f"Stations {'-'.join(sites.STATION_YEARS)}: "
        + ", ".join(f"{n} {text}" for n, text in sites.STATIONS.items()),
        "All of them were left out of training."
        if not seen
        else "Not listed as left out of training: " + ", ".join(seen),
    ]


def ask_all(
    found: Sequence[Judged], data: Path, words: str, jobs: int
) -> list[Verdict]:
    """Ask each head in a process of its own, some at a time, each on one thread.

    Small batches gain nothing from more threads, which spin where others work too.
    """
    spawn = get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, torch.set_num_threads, (1,)) as pool:
        asked = [pool.submit(ask, head, data, words) for head in found]
        return [row for each in asked for row in each.result()]


def main() -> None:
    """Ask, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=Path(DATA), help="real observations")
    add("--weights", help="encoder: name or path; default: the head's")
    add("--head", nargs="+", default=HEADS, help="target=head (sort, name or path)")
    add("--only", default="", help="words in an experiment's name")
    add("--jobs", type=int, default=os.cpu_count(), help="heads asked at once")
    add("--out", type=Path, default=RESULTS, help="folder to write to")
    chosen = parser.parse_args()
    if not chosen.data.is_dir():
        parser.error(
            f"no real data at {chosen.data}; pass --data FOLDER, or set "
            "XSTEFALAND_TEST_DATA to it"
        )
    start, found = time.perf_counter(), heads(chosen.head, chosen.weights)
    rows = ask_all([*found, *BUCKETS], chosen.data, chosen.only, chosen.jobs)
    text = markdown(rows, facts(found, time.perf_counter() - start), MODEL)
    print(text)
    write(rows, text, chosen.out)


if __name__ == "__main__":
    main()
