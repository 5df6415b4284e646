"""What smaller numbers cost: size and error of stored embeddings, type by type.

``make benchmark-packing BENCHMARK_ARGS="--data ../shared/data"`` stores the daily
embeddings of basins of CAMELS-US (or without ``--data`` of made-up sites) by
``xstefaland.run`` in each type, and compares what is read back with float32. The table
goes to ``benchmarks/results/packing.md``. It holds no times.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from attention import weather
from numpy.typing import NDArray
from scale import markdown

import xstefaland
from xstefaland.store.run import RANGE_SITES

RESULTS = Path(__file__).parent / "results"
TYPES = ("float32", "float16", "int8")
DAYS, SITES = 1095, 120
Row = dict[str, Any]


def nearest(days: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the site whose mean embedding is nearest, of ``(site, time, d)``."""
    means = np.nanmean(days, axis=1)
    distance = np.linalg.norm(means[:, None] - means, axis=-1)
    np.fill_diagonal(distance, np.inf)
    return distance.argmin(1)


def compared(found: NDArray[np.float64], true: NDArray[np.float64]) -> Row:
    """Compare embeddings ``(site, time, d)`` with those of float32."""
    lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(true, axis=-1)
    cosine = (found * true).sum(-1) / lengths
    error = np.sqrt(np.nanmean((found - true) ** 2)) / np.nanstd(true)
    same = int((nearest(found) == nearest(true)).sum())
    return {
        "error, share of the standard deviation": f"{error:.2g}",
        "cosine, worst day": f"{np.nanmin(cosine):.7f}",
        "nearest neighbour kept": f"{same} of {len(true)}",
    }


def stored(path: Path) -> int:
    """Size of the chunks of the embeddings [bytes]."""
    chunks = (path / "embedding" / "c").rglob("*")
    return sum(file.stat().st_size for file in chunks if file.is_file())


def measure(ds: xr.Dataset, folder: Path, **options: Any) -> list[Row]:
    """Store embeddings in each type; one row for each.

    Parameters
    ----------
    ds : xarray.Dataset
        Weather and attributes along one dim of sites.
    folder : Path
        Where stores may be written.
    **options
        For :func:`xstefaland.run`.
    """
    rows: list[Row] = []
    there, true = None, None
    for kind in TYPES:
        path = folder / f"{kind}.zarr"
        given: Any = {"dtype": kind, "progress": False, **options}
        report = xstefaland.run(ds, "embedding", str(path), **given)
        answer = report.open().embedding
        (site,) = set(answer.dims) - {"time", "embedding"}
        found = answer.transpose(site, "time", "embedding").values.astype(np.float64)
        if there is None:  # sites without weather have no embedding
            there = np.isfinite(found).any((1, 2))
        found = found[there]
        true = found if true is None else true
        size = stored(path) / np.isfinite(true).sum()
        row: Row = {"dtype": kind, "bytes a number": size, **compared(found, true)}
        rows.append({**row, "beyond the range": f"{report.clipped} of {true.size}"})
    return rows


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with camels_us.nc")
    parser.add_argument("--sites", type=int, default=SITES)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to")
    chosen = parser.parse_args()
    ds = weather(chosen.data, chosen.sites, chosen.days)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(ds, Path(folder))
    kind = "CAMELS-US basins" if chosen.data else "made-up sites"
    lines = [
        f"Daily embeddings of {chosen.sites} {kind} over {chosen.days} days, bundled "
        "weights, compressed as `run` does; bytes are those of the chunks for each "
        "number that is there, errors against float32. The range of bytes was fitted "
        f"to {min(RANGE_SITES, chosen.sites)} of these places.",
        "",
        *markdown(rows),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "packing.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
