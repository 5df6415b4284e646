"""What is measured of packed embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from packing import compared, measure

from xstefaland.testing import example_points, tiny_weights


def test_smaller_types_are_smaller_and_worse(tmp_path: Path) -> None:
    """A site without weather counts for nothing."""
    ds = example_points(sites=6, days=120)
    ds = ds.where(ds.site != "site002")
    encoder = tiny_weights(window=40, stride=15)
    rows = measure(ds, tmp_path, weights=encoder)
    sizes = [row["bytes a number"] for row in rows]
    assert 4.4 > sizes[0] > sizes[1] > sizes[2] > 0.1
    errors = [float(row["error, share of the standard deviation"]) for row in rows]
    assert 0 == errors[0] < errors[1] < 1e-3 < errors[2] < 0.05
    assert {row["nearest neighbour kept"] for row in rows} == {"5 of 5"}
    values = 5 * 120 * 16  # of five sites, none beyond a range that was fitted to all
    assert {row["beyond the range"] for row in rows} == {f"0 of {values}"}


def test_other_embeddings_are_found_out() -> None:
    """Noise as large as the signal, and neighbours that change places."""
    rng = np.random.default_rng(0)
    true = rng.normal(size=(5, 40, 8)) + 5 * rng.normal(size=(5, 1, 8))
    row = compared(-true[::-1], true)
    assert float(row["error, share of the standard deviation"]) > 0.5
    assert row["nearest neighbour kept"] != "5 of 5"
    assert float(row["cosine, worst day"]) < 0.9
