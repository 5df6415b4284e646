"""How fast the encoder embeds, beside what the machine's matrix products would allow.

``python benchmarks/encoder.py`` embeds years of 365 days with a model of the bundled
size (d 256, 4 layers, 6 forcings, 22 attributes), in float32 and bfloat16 and at
several batch sizes, prints a table and writes it to ``benchmarks/results/encoder.md``
and ``encoder.csv``. The floor is the number of floating-point operations of one window
over the best rate that any of the model's own matrix products reaches in the same run.
All timings take turns, round after round, and the best of each counts, so that another
job on the same cores disturbs them alike; its load stands above the table. Where that
is not enough, ``--threads 1 --clock cpu`` counts only the time that the process really
had a core.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xstefaland.inference.blocks import embed_block
from xstefaland.inference.loaded import placed
from xstefaland.model import EncoderConfig, StefaLand
from xstefaland.model.embedding import HIDDEN

RESULTS = Path(__file__).parent / "results"
DAYS = 365
GOALS = {"float32": 0.80, "bfloat16": 0.55}
"""Share of the floor that is asked for (issue 2, section 3)."""

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

Row = dict[str, Any]
Timed = Callable[[], object]


def build(layers: int) -> StefaLand:
    """Build a model of the bundled size with random weights."""
    torch.manual_seed(0)
    config = EncoderConfig(
        forcing=tuple(f"forcing{i}" for i in range(6)),
        attributes=tuple(f"attribute{i}" for i in range(22)),
        layers=layers,
    )
    return StefaLand(config).eval()


def products(config: EncoderConfig) -> list[tuple[str, int, int, int, int]]:
    """List one window's matrix products: name, rows, inner, columns, how often."""
    tokens, width, layers = DAYS + 1, config.d_model, config.layers
    head = width // config.heads
    attention = config.heads * layers
    return [
        ("forcing", DAYS, HIDDEN * len(config.forcing), width, 1),
        ("attributes", 1, HIDDEN * len(config.attributes), width, 1),
        ("in_proj", tokens, width, 3 * width, layers),
        ("scores", tokens, head, tokens, attention),
        ("mixed", tokens, tokens, head, attention),
        ("out_proj", tokens, width, width, layers),
        ("linear1", tokens, width, config.ffn, layers),
        ("linear2", tokens, config.ffn, width, layers),
        ("to_embedding", tokens, width, width, 1),
    ]


def operations(config: EncoderConfig) -> float:
    """Count the floating-point operations of one window's matrix products."""
    return sum(2.0 * a * b * c * times for _, a, b, c, times in products(config))


def gemms(config: EncoderConfig, dtype: torch.dtype) -> dict[str, tuple[Timed, float]]:
    """Make the model's larger products alone, at 4, 8 and 16 windows in a row."""
    out: dict[str, tuple[Timed, float]] = {}
    for name, rows, inner, columns, _ in products(config):
        if name in ("in_proj", "linear1", "linear2"):
            for windows in (4, 16):
                a = torch.randn(windows * rows, inner, dtype=dtype)
                b = torch.randn(columns, inner, dtype=dtype)
                count = 2.0 * windows * rows * inner * columns
                key = f"{name} x {windows}"
                out[key] = (lambda a=a, b=b: torch.nn.functional.linear(a, b), count)
    return out


def arrays(sites: int) -> tuple[np.ndarray, ...]:
    """Make one year of weather and the attributes of some sites."""
    rng = np.random.default_rng(0)
    return (
        rng.normal(size=(sites, DAYS, 6)).astype(np.float32),
        rng.normal(size=(sites, 22)).astype(np.float32),
        rng.uniform(-60, 60, sites).astype(np.float32),
        np.arange(1, DAYS + 1),
    )


def candidates(
    model: StefaLand, precision: str, batches: list[int]
) -> dict[tuple[str, int | str], tuple[Timed, int]]:
    """Make what is timed: the bare model, and blocks of numpy arrays through it."""
    ready: Any = placed(model, torch.device("cpu"), precision)
    out: dict[tuple[str, int | str], tuple[Timed, int]] = {}
    for batch in batches:
        forcing, attributes, latitude, day = arrays(batch)
        given = {
            "day_of_year": torch.tensor(day, dtype=torch.float32).expand(batch, -1),
            "latitude": torch.from_numpy(latitude),
        }
        inputs = torch.from_numpy(forcing), torch.from_numpy(attributes)
        out["model", batch] = (lambda i=inputs, g=given: ready.encode(*i, **g), batch)
    sites = max(batches)
    block = arrays(sites)
    for size in (*batches, "auto"):
        run: Timed = lambda size=size: embed_block(  # noqa: E731
            ready, *block, batch_size=size, device="cpu", precision=precision
        )
        out["embed_block", size] = (run, sites)
    return out


def best(timed: dict[Any, Timed], seconds: float, clock: str) -> dict[Any, float]:
    """Time everything in turns until `seconds` have passed; return the best of each."""
    for run in timed.values():
        run()
    found = dict.fromkeys(timed, float("inf"))
    now = CLOCKS[clock]
    rounds, end = 0, time.monotonic() + seconds
    while rounds < 3 or time.monotonic() < end:
        for key, run in timed.items():
            start = now()
            run()
            found[key] = min(found[key], now() - start)
        rounds += 1
    return found


def measure(
    model: StefaLand, precision: str, batches: list[int], seconds: float, clock: str
) -> list[Row]:
    """Time one precision; return one row per way and batch size."""
    matrices = gemms(model.config, getattr(torch, precision))
    ways = candidates(model, precision, batches)
    timed: dict[Any, Timed] = {key: run for key, (run, _) in (matrices | ways).items()}
    with torch.inference_mode():
        found = best(timed, seconds, clock)
    peak = max(count / found[key] for key, (_, count) in matrices.items())
    floor = peak / operations(model.config)
    return [
        {
            "precision": precision,
            "way": key[0],
            "batch": key[1],
            "windows_per_s": windows / found[key],
            "floor_per_s": floor,
            "share": windows / found[key] / floor,
            "peak_gflops": peak / 1e9,
        }
        for key, (_, windows) in ways.items()
    ]


def machine() -> list[str]:
    """Describe the machine, its load and the versions."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [x.split(":")[1].strip() for x in lines if x.startswith("model name")]
    return [
        f"Date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        f"Machine: {names[0] if names else platform.processor()}, {os.cpu_count()} "
        f"cores, {torch.get_num_threads()} threads",
        "Load average before the run (1, 5, 15 min): "
        + ", ".join(f"{x:.2f}" for x in os.getloadavg()),
        f"Versions: Python {platform.python_version()}, torch {torch.__version__}, "
        f"numpy {np.__version__}",
    ]


def verdict(rows: list[Row], precision: str) -> str:
    """Say whether the goal is met at every batch size."""
    shares = [r["share"] for r in rows if r["precision"] == precision]
    auto = next(r["share"] for r in rows if r["batch"] == "auto")
    goal = GOALS[precision]
    text = f"{precision}: {min(shares):.0%} to {max(shares):.0%} of the floor"
    if precision == "float32":
        text += f" (auto {auto:.0%})"
    met = sum(share >= goal for share in shares)
    return f"{text}; {met} of {len(shares)} rows reach the goal of {goal:.0%}"


def table(rows: list[Row], facts: list[str]) -> str:
    """Write the results as Markdown."""
    lines = [
        "# Speed of the encoder",
        "",
        f"Windows of {DAYS} days per second; d 256, 4 layers, 6 forcings, 22 "
        "attributes, random weights. `model` is the bare network on tensors, "
        "`embed_block` numpy arrays in and out. The floor: the operations of one "
        f"window ({operations(build(4).config) / 1e9:.2f} GFLOP) at the best rate of "
        "the model's own matrix products in this run. Best of many rounds, taken in "
        "turns.",
        "",
        *(f"* {fact}" for fact in facts),
        "",
        "| precision | way | batch | windows/s | floor/s | share of the floor |",
        "|--|--|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {r['precision']} | {r['way']} | {r['batch']} | {r['windows_per_s']:.1f} "
        f"| {r['floor_per_s']:.1f} | {r['share']:.0%} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--threads", type=int, help="threads of torch")
    parser.add_argument("--seconds", type=float, default=60.0, help="per precision")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--precision", nargs="+", default=list(GOALS))
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to")
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    facts, rows, model = machine(), [], build(4)
    facts.append(f"Clock: {chosen.clock}, {chosen.seconds:.0f} s per precision")
    for precision in chosen.precision:
        rows += measure(model, precision, chosen.batches, chosen.seconds, chosen.clock)
        facts.append(verdict(rows, precision))
    text = table(rows, facts)
    print(text)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "encoder.md").write_text(text, encoding="utf-8")
    with (chosen.out / "encoder.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
