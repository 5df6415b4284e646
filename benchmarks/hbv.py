"""
How fast HBV runs: the fused kernel beside the plain torch equations, in one run.

``python benchmarks/hbv.py`` times forward, and forward with backward, of both forms of
a run over records of 1 to 10 years and 10 to 1000 basins, prints a table and writes it
to ``benchmarks/results/hbv.md`` and ``hbv.csv``. Times are the best of many
repetitions; the load of the machine stands above the table, because another job on the
same cores spoils runs with several threads most of all.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import datetime
import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from xstefaland.model.hbv import lean_widths, logit_width, simulate, simulate_lean

RESULTS = Path(__file__).parent / "results"
COMPONENTS = 16
SIZES = [(100, 365), (100, 730), (100, 1460), (100, 3650), (10, 730), (1000, 730)]
QUICK = [(100, 365), (100, 730)]
GOALS = {"lean": (30.0, 60.0), "drop-in": (None, 200.0)}
"""Milliseconds for 100 basins, 730 days and two cores (issue 3, section 3)."""

COLUMNS = (
    "basins", "days", "form", "backend", "threads", "forward_ms", "forward_median_ms",
    "both_ms", "both_median_ms", "forward_ratio", "both_ratio", "peak_mib",
    "component_days_per_s",
)  # fmt: skip
Row = dict[str, Any]


def problem(basins: int, days: int, form: str) -> list[torch.Tensor]:
    """Make the forcing and the logits of a form."""
    g = torch.Generator().manual_seed(0)
    rain = (torch.randn(days, basins, generator=g) * 8).clamp(min=0)
    season = torch.sin(torch.arange(days) / 58.0)[:, None]
    warmth = 5 + 10 * season + 3 * torch.randn(days, basins, generator=g)
    pet = (2.2 + 1.8 * season).expand(days, basins)
    forcing = torch.stack([rain, warmth, pet], dim=-1)
    if form == "lean":
        static, daily = lean_widths(COMPONENTS)
        shapes: list[tuple[int, ...]] = [(basins, static), (days, basins, daily)]
    else:
        shapes = [(days, basins, logit_width(COMPONENTS))]
    logits = [torch.randn(shape, generator=g).requires_grad_() for shape in shapes]
    return [forcing, *logits]


def times(run: Callable[[], object], budget: float, most: int = 60) -> list[float]:
    """Time a call again and again, in milliseconds; the first counts only if slow."""
    start = time.perf_counter()
    run()
    first = time.perf_counter() - start
    found = [1e3 * first] if first > budget else []
    end = start + first + budget
    while not found or (time.perf_counter() < end and len(found) < most):
        start = time.perf_counter()
        run()
        found.append(1e3 * (time.perf_counter() - start))
    return found


def forget_peak() -> None:
    """Give freed memory back, and let Linux count the peak of memory anew."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def memory(field: str) -> float:
    """Read a field of the memory of this process in MiB; not a number elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(x.split()[1]) / 1024 for x in lines if x.startswith(field))


def measure(basins: int, days: int, form: str, backend: str, budget: float) -> Row:
    """Time one form of one size on one backend."""
    forcing, *logits = problem(basins, days, form)
    call = simulate_lean if form == "lean" else simulate
    options: dict[str, Any] = {"components": COMPONENTS, "backend": backend}

    def forward() -> None:
        with torch.no_grad():
            call(forcing, *logits, **options)

    def both() -> None:
        flow = call(forcing, *logits, **options).streamflow
        torch.autograd.grad(flow.sum(), logits)

    ahead = times(forward, budget)
    forget_peak()
    before = memory("VmRSS")
    whole = times(both, budget)
    return {
        "basins": basins,
        "days": days,
        "form": form,
        "backend": backend,
        "threads": torch.get_num_threads(),
        "forward_ms": min(ahead),
        "forward_median_ms": statistics.median(ahead),
        "both_ms": min(whole),
        "both_median_ms": statistics.median(whole),
        "peak_mib": memory("VmHWM") - before,
        "component_days_per_s": basins * days * COMPONENTS / min(whole) * 1e3,
    }


def compare(sizes: list[tuple[int, int]], budget: float) -> Iterator[Row]:
    """Measure every size and form, the kernel and then the plain equations."""
    for basins, days in sizes:
        for form in ("lean", "drop-in"):
            fast = measure(basins, days, form, "numba", budget)
            plain = measure(basins, days, form, "reference", budget)
            for row in (fast, plain):
                row["forward_ratio"] = plain["forward_ms"] / row["forward_ms"]
                row["both_ratio"] = plain["both_ms"] / row["both_ms"]
                yield row


def load() -> str:
    """Write the load average of the last 1, 5 and 15 minutes."""
    return ", ".join(f"{x:.2f}" for x in os.getloadavg())


def machine() -> list[str]:
    """Describe the machine, its load and the versions."""
    import numba

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [
        line.split(":")[1].strip() for line in lines if line.startswith("model name")
    ]
    cpu = names[0] if names else platform.processor()
    wait = os.environ.get("OMP_WAIT_POLICY", "not set")
    return [
        f"Date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        f"Machine: {cpu}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        f"Load average before the run (1, 5, 15 min): {load()}",
        f"Versions: Python {platform.python_version()}, torch {torch.__version__}, "
        f"numba {numba.__version__}; OMP_WAIT_POLICY {wait}",
    ]


def goal(row: Row) -> str:
    """Say whether a row meets the goal that is set for it."""
    if (row["basins"], row["days"], row["backend"]) != (100, 730, "numba"):
        return ""
    limits = zip(("forward_ms", "both_ms"), GOALS[row["form"]], strict=True)
    wanted = [(row[name], limit) for name, limit in limits if limit]
    met = all(found <= limit for found, limit in wanted)
    text = " / ".join(f"{limit:.0f}" for _, limit in wanted)
    return f"{'met' if met else 'missed'} (<= {text} ms)"


def table(rows: list[Row], facts: list[str]) -> str:
    """Write the results as Markdown."""
    lines = [
        "# Speed of HBV",
        "",
        f"{COMPONENTS} components, float32, gradient of the sum of streamflow by all "
        "logits; best of many repetitions (median in brackets). `ratio` is the time of "
        "the plain torch equations over that of the row, in this same run; `memory` is "
        "what forward and backward need beyond the inputs at their peak.",
        "",
        *(f"* {fact}" for fact in facts),
        "",
        "| basins | days | form | backend | forward, ms | forward + backward, ms | "
        "ratio forward | ratio both | memory, MiB | M component-days/s | goal |",
        "|--:|--:|--|--|--:|--:|--:|--:|--:|--:|--|",
    ]
    for r in rows:
        speed = r["component_days_per_s"] / 1e6
        lines.append(
            f"| {r['basins']} | {r['days']} | {r['form']} | {r['backend']} "
            f"| {r['forward_ms']:.1f} ({r['forward_median_ms']:.1f}) "
            f"| {r['both_ms']:.1f} ({r['both_median_ms']:.1f}) "
            f"| {r['forward_ratio']:.1f} | {r['both_ratio']:.1f} "
            f"| {r['peak_mib']:.0f} | {speed:.1f} | {goal(r)} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two sizes only")
    parser.add_argument("--threads", type=int, help="threads of torch and the kernel")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each timing")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to")
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    facts = machine()
    rows = list(compare(QUICK if chosen.quick else SIZES, chosen.seconds))
    facts.append("Load average after it: " + load())
    text = table(rows, facts)
    print(text)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "hbv.md").write_text(text, encoding="utf-8")
    with (chosen.out / "hbv.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
