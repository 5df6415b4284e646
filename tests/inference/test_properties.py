"""However data are chunked, batched, ordered and transposed: the same answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xstefaland
from xstefaland.testing import example_grid, example_points

FEW = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FORCING = ["precipitation", "temperature", "shortwave_radiation"]


def gappy(ds: xr.Dataset, seed: int) -> xr.Dataset:
    """Knock out values, days and one whole site."""
    rng = np.random.default_rng(seed)
    ds = ds.copy()
    for name in FORCING:
        ds[name] = ds[name].where(rng.random(ds[name].shape) > 0.1)
    days = np.sort(rng.choice(ds.sizes["time"], ds.sizes["time"] - 5, replace=False))
    return ds.isel(time=days)


def both(ds: xr.Dataset, weights: Any, head: Any, batch_size: Any) -> list[Any]:
    """Embed and predict."""
    options: dict[str, Any] = {"weights": weights, "batch_size": batch_size}
    return [
        xstefaland.embed(ds, **options),
        xstefaland.embed(ds, pool="year", **options),
        xstefaland.predict(ds, "streamflow", head=head, **options),
    ]


def assert_same_labels(actual: xr.DataArray, expected: xr.DataArray) -> None:
    """Coordinates are identical, those that are lazy after computing."""
    assert actual.name == expected.name
    assert set(actual.coords) == set(expected.coords)
    for name, coord in expected.coords.items():
        own = actual[name].compute().reset_coords(drop=True)
        other = coord.compute().reset_coords(drop=True).transpose(*own.dims)
        xr.testing.assert_identical(own, other)


@FEW
@given(
    rows=st.integers(1, 3),
    columns=st.integers(1, 4),
    batch=st.one_of(st.just("auto"), st.integers(1, 9)),
    days=st.integers(12, 120),
    seed=st.integers(0, 99),
)
def test_chunks_and_batches_change_nothing(
    weights: Any,
    head: Any,
    same: Any,
    rows: int,
    columns: int,
    batch: Any,
    days: int,
    seed: int,
) -> None:
    """Any chunks of a grid and any batch size give the eager answer to 1e-5."""
    grid = gappy(example_grid(3, 4, days, start="2001-08-20", seed=seed), seed)
    eager = both(grid, weights, head, "auto")
    lazy = both(grid.chunk(lat=rows, lon=columns), weights, head, batch)
    for a, b in zip(lazy, eager, strict=True):
        assert a.chunks is not None
        assert a.dims == b.dims
        assert a.chunksizes["lat"] == grid.chunk(lat=rows).chunksizes["lat"]
        assert a.chunksizes["lon"] == grid.chunk(lon=columns).chunksizes["lon"]
        assert a.dtype == np.float32
        same(a, b)
        assert_same_labels(a, b)


@FEW
@given(order=st.permutations(range(5)), days=st.integers(3, 90), data=st.data())
def test_order_of_sites_changes_nothing(
    weights: Any, head: Any, same: Any, order: list[int], days: int, data: st.DataObject
) -> None:
    """A permutation of sites, or some of them, permutes the answer."""
    ds = gappy(example_points(5, days + 5, seed=days), days)
    chosen = order[: data.draw(st.integers(1, 5))]
    whole = both(ds, weights, head, "auto")
    part = both(ds.isel(site=chosen), weights, head, "auto")
    for a, b in zip(part, whole, strict=True):
        same(a, b.isel(site=chosen))
        assert_same_labels(a, b.isel(site=chosen))


@FEW
@given(dims=st.permutations(("time", "lat", "lon")))
def test_dims_come_back_in_their_order(
    weights: Any, head: Any, same: Any, dims: list[str]
) -> None:
    """Transposed input gives the transposed answer, embedding last."""
    grid = example_grid(2, 3, 60)
    turned = grid.transpose(*dims)
    for a, b in zip(
        both(turned, weights, head, "auto"),
        both(grid, weights, head, "auto"),
        strict=True,
    ):
        expected = ["year" if "year" in b.dims and d == "time" else d for d in dims]
        assert list(a.dims) == expected + (
            ["embedding"] if "embedding" in b.dims else []
        )
        same(a, b.transpose(*a.dims))
        assert_same_labels(a, b)
