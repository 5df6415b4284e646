"""Ways to do attention in bfloat16 on a CPU: processor seconds, and what they cost.

``make benchmark-attention BENCHMARK_ARGS="--data ../shared/data"`` embeds basins of
CAMELS-US (or without `--data` made-up sites) with the bundled encoder in each way and
compares the embeddings with those of float32. The table goes to
``benchmarks/results/attention.md``. One thread, processor seconds, the best of some
repeats in turn: other jobs disturb little.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from encoder import machine
from numpy.typing import NDArray
from torch import Tensor, softmax

import xstefaland
from xstefaland.model.transformer import TransformerLayer
from xstefaland.testing import example_points

RESULTS = Path(__file__).parent / "results"
SITES, DAYS, SAFE = 12, 1461, 60.0
Mix = Callable[[Tensor, Tensor], Tensor]


def by_softmax(scores: Tensor, value: Tensor) -> Tensor:
    """Normalise, then mix: what the package does."""
    return softmax(scores, -1) @ value


def by_exp(scores: Tensor, value: Tensor) -> Tensor:
    """Mix, then normalise; overflows where a score is above 88."""
    weights = scores.exp()
    return (weights @ value).div_(weights.sum(-1, keepdim=True))


def by_exp_guarded(scores: Tensor, value: Tensor) -> Tensor:
    """Mix the same way where the first key's scores and the sums allow it."""
    if scores[..., :1].abs().max() > SAFE:
        return by_softmax(scores, value)
    weights = scores.exp()
    total = weights.sum(-1, keepdim=True)
    low, high = total.aminmax()
    if not (low > 1e-30 and high < 1e30):
        return by_softmax(scores, value)
    return (weights @ value).div_(total)


def by_exp_float32(scores: Tensor, value: Tensor) -> Tensor:
    """Do the same with sums in float32."""
    if scores[..., :1].abs().max() > SAFE:
        return by_softmax(scores, value)
    weights = scores.exp()
    total = weights.sum(-1, keepdim=True, dtype=torch.float32)
    low, high = total.aminmax()
    if not (low > 1e-30 and high < 1e30):
        return by_softmax(scores, value)
    return ((weights @ value) / total).to(value.dtype)


def by_exp_of_rows(scores: Tensor, value: Tensor) -> Tensor:
    """Subtract the maximum of each row, then mix and normalise."""
    return by_exp(scores - scores.amax(-1, keepdim=True), value)


def by_exp_clamped(scores: Tensor, value: Tensor) -> Tensor:
    """Clamp scores, then mix and normalise."""
    return by_exp(scores.clamp(-80, 80), value)


WAYS: dict[str, Mix] = {
    "softmax (what is done)": by_softmax,
    "exp, product, sum": by_exp,
    "the same, guarded": by_exp_guarded,
    "guarded, sums in float32": by_exp_float32,
    "row maximum subtracted": by_exp_of_rows,
    "clamped at 80": by_exp_clamped,
}


def attend_by(mix: Mix) -> None:
    """Have all layers mix in one way."""

    def attention(
        self: TransformerLayer, query: Tensor, key: Tensor, value: Tensor, keep: None
    ) -> Tensor:
        return mix((query / math.sqrt(query.shape[-1])) @ key.mT, value)

    TransformerLayer._explicit_attention = attention  # type: ignore[assignment]


def weather(folder: Path | None, sites: int = SITES, length: int = DAYS) -> xr.Dataset:
    """Return some records of so many days."""
    if folder is None:
        return example_points(sites, length)
    ds = xstefaland.datasets.camels_us(folder / "camels_us.nc")
    ds = ds.drop_vars("streamflow", errors="ignore")
    (dim,) = set(ds.temperature.dims) - {"time"}
    places = np.linspace(0, ds.sizes[dim] - 1, sites).astype(int)
    return ds.isel({dim: places, "time": slice(length)}).load()


def error(found: NDArray[np.float32], true: NDArray[np.float32]) -> str:
    """Relative distance over all, and on the worst day, where there are answers."""
    there = np.isfinite(true).all(-1)
    found, true = found[there], true[there]
    if not np.isfinite(found).all():
        return "not finite | not finite"
    distance = np.linalg.norm(found - true, axis=-1)
    worst = (distance / np.linalg.norm(true, axis=-1)).max()
    whole = np.linalg.norm(found - true) / np.linalg.norm(true)
    return f"{whole:.5f} | {worst:.3f}"


def seconds_of(run: Callable[[], object]) -> float:
    """Processor time of a call [s]."""
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    """Print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with camels_us.nc")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    ds = weather(given.data)
    true = xstefaland.embed(ds, precision="float32").values.astype(np.float64)
    scores = torch.randn(4, 4, 366, 366).mul_(3).bfloat16()
    value = torch.randn(4, 4, 366, 64).bfloat16()
    alone, whole = dict.fromkeys(WAYS, math.inf), dict.fromkeys(WAYS, math.inf)
    errors = {}
    for _ in range(given.repeats):
        for name, mix in WAYS.items():
            attend_by(mix)
            out = []
            took = seconds_of(
                lambda out=out: out.append(xstefaland.embed(ds, precision="bfloat16"))
            )
            whole[name] = min(whole[name], took)
            errors[name] = error(out[0].values.astype(np.float64), true)
            with torch.inference_mode():
                times = [
                    seconds_of(lambda mix=mix: mix(scores, value)) for _ in range(10)
                ]
            alone[name] = min(alone[name], *times)
    lines = [
        "# Ways to do attention in bfloat16 on a CPU",
        "",
        *(f"* {line}" for line in machine()),
        f"* {SITES} {'CAMELS-US basins' if given.data else 'made-up sites'}, {DAYS} "
        f"days, bundled encoder; best of {given.repeats}, processor seconds",
        "",
        "| way | mixing alone [ms] | embed [s] | error, share of size | worst day |",
        "| --- | --: | --: | --: | --: |",
        *(
            f"| {name} | {1e3 * alone[name]:.2f} | {whole[name]:.3f} | {errors[name]} |"
            for name in WAYS
        ),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "attention.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
