"""Regions cover all sites once and share no Zarr chunk."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from xstefaland.errors import InputError
from xstefaland.store.regions import (
    CHUNK_BYTES,
    Regions,
    refuse_chunks,
    region_steps,
    zarr_chunks,
)
from xstefaland.testing import example_grid

LENGTHS = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 12)), min_size=0, max_size=3
)


@given(LENGTHS)
def test_every_site_is_in_one_region(lengths: list[tuple[int, int]]) -> None:
    """Whatever the sizes and steps, at the edges too."""
    dims = tuple(f"d{number}" for number in range(len(lengths)))
    sizes = tuple(size for size, _ in lengths)
    regions = Regions(dims, sizes, tuple(step for _, step in lengths))
    seen = np.zeros(sizes, int)
    for number in range(len(regions)):
        cut = regions.slices(number)
        seen[tuple(cut[dim] for dim in dims)] += 1
        assert regions.sites(number) == seen[tuple(cut[d] for d in dims)].size
    assert (seen == 1).all()


def test_a_single_site_is_one_region() -> None:
    """No dims, one region, and a name without a place."""
    regions = Regions((), (), ())
    assert (len(regions), regions.slices(0), regions.sites(0)) == (1, {}, 1)
    assert regions.name(0) == "0"


def test_a_region_has_a_name_for_people() -> None:
    """Its number and where it lies."""
    assert Regions(("lat", "lon"), (3, 4), (2, 2)).name(1) == "1 (lat 0:2, lon 2:4)"


@pytest.mark.parametrize(
    ("chunks", "given_", "suggested", "expected"),
    [
        ({}, None, {"lat": 1, "lon": 3}, {"lat": 1, "lon": 3}),
        ({}, None, {"lat": 9, "lon": 9}, {"lat": 3, "lon": 4}),
        ({"lat": 1, "lon": 1}, None, {"lat": 1, "lon": 3}, {"lat": 1, "lon": 3}),
        ({"lat": 1, "lon": 1}, None, {"lat": 3, "lon": 4}, {"lat": 3, "lon": 4}),
        ({"lat": 2, "lon": 4}, None, {"lat": 1, "lon": 1}, {"lat": 2, "lon": 4}),
        ({"lat": 2}, {"lat": 1}, {"lat": 3, "lon": 4}, {"lat": 1, "lon": 4}),
        ({}, {"lon": 99}, {"lat": 1, "lon": 1}, {"lat": 1, "lon": 4}),
    ],
)
def test_steps_follow_wish_then_chunks_then_memory(
    chunks: Any, given_: Any, suggested: Any, expected: Any
) -> None:
    """Chunks of the input are joined while they fit, never cut."""
    ds = example_grid(3, 4, 5)
    ds = ds.chunk(chunks) if chunks else ds
    assert region_steps(ds, ("lat", "lon"), given_, suggested) == expected


@given(
    sites=st.integers(1, 40),
    step=st.integers(1, 12),
    chunk=st.integers(1, 12),
    days=st.integers(1, 50),
    long=st.integers(1, 60),
)
def test_no_chunk_and_no_shard_has_two_regions(
    sites: int, step: int, chunk: int, days: int, long: int
) -> None:
    """Each border of a region is one of a chunk and of a shard."""
    steps = {"site": min(step, sites)}
    wanted = {"site": math.gcd(chunk, steps["site"]), "time": long}
    refuse_chunks(wanted, steps, {"site": sites, "time": days})
    whole = xr.Variable(("site", "time"), np.zeros((sites, days), np.float32))
    for shards in (False, True):
        found = zarr_chunks(whole, steps, wanted, shards=shards)
        outer = found.get("shards", found["chunks"])
        assert all(o % c == 0 for o, c in zip(outer, found["chunks"], strict=True))
        assert steps["site"] % outer[0] == 0
        assert not shards or (outer[0] == steps["site"] and outer[1] >= days)


def test_long_records_are_cut_along_time() -> None:
    """A region of daily embeddings is gigabytes; its chunks are not."""
    import dask.array as da

    daily = xr.Variable(
        ("site", "time", "embedding"),
        da.zeros((64, 14600, 256), chunks=-1, dtype=np.float32),
    )
    (sites, days, width) = zarr_chunks(daily, {"site": 64}, None, shards=False)[
        "chunks"
    ]
    assert (sites, width) == (64, 256)
    assert 0.9 * CHUNK_BYTES < sites * days * width * 4 <= CHUNK_BYTES


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"lat": 3}, "regions={'lat': 3}"),
        ({"lat": 8}, "regions={'lat': 8}"),
        ({"lat": 0}, "positive sizes"),
        ({"level": 1}, "'lat', 'lon', 'time'"),
    ],
)
def test_wrong_chunks_are_refused(wrong: Any, text: str) -> None:
    """With a size that is possible."""
    with pytest.raises(InputError) as error:
        refuse_chunks(wrong, {"lat": 4, "lon": 4}, {"lat": 9, "lon": 9, "time": 50})
    assert text in str(error.value)


@pytest.mark.parametrize("size", [4, 6, 99])
def test_one_region_may_have_any_chunks(size: int) -> None:
    """Where a region holds all of a dim, no other one could share a chunk of it."""
    refuse_chunks({"lat": size}, {"lat": 6}, {"lat": 6})
    whole = xr.Variable(("lat",), np.zeros(6))
    found = zarr_chunks(whole, {"lat": 6}, {"lat": size}, shards=True)
    assert found["chunks"] == (min(size, 6),)
    assert found["shards"][0] >= 6


def test_wrong_regions_are_refused() -> None:
    """Time is never cut."""
    with pytest.raises(InputError, match=r"regions=.*'lat', 'lon'"):
        region_steps(example_grid(), ("lat", "lon"), {"time": 5}, {"lat": 1, "lon": 1})
