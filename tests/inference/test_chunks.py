"""Chunks: whole records, and as many sites as fit."""

from __future__ import annotations

from typing import Any

import pytest
import xarray as xr

import xstefaland
from xstefaland.errors import InputError
from xstefaland.inference.chunks import suggest_chunks
from xstefaland.testing import example_grid, example_points


def test_chunks_follow_the_memory(weights: Any) -> None:
    """More memory, more sites; time is never cut; the largest answer fits."""
    ds = example_points(500, 100)
    sizes = [
        suggest_chunks(ds, memory, "cpu", weights=weights)
        for memory in ("10 kB", "1 MB", 10**7, "1 GiB")
    ]
    assert [chunks["time"] for chunks in sizes] == [-1] * 4
    sites = [chunks["site"] for chunks in sizes]
    assert sites == sorted(sites)
    assert sites[0] == 1
    assert sites[-1] == 500
    chunk = ds.isel(site=slice(sites[1]))
    answer = xstefaland.embed(chunk, weights=weights)
    assert answer.nbytes + sum(ds.nbytes for ds in chunk.values()) < 1e6


def test_result_can_be_used(weights: Any) -> None:
    """The dict goes into .chunk and the chunked Dataset is accepted."""
    grid = example_grid().chunk(time=50)
    chunks = suggest_chunks(grid, "200 kB", "cpu", weights=weights)
    assert chunks == {"time": -1, "lat": 1, "lon": 1}
    assert xstefaland.check(grid.chunk(chunks), weights=weights).ok


def test_single_site(weights: Any) -> None:
    """Without site dims there is only time."""
    one = example_points(1, 50).isel(site=0)
    assert suggest_chunks(one, weights=weights) == {"time": -1}


@pytest.mark.parametrize("memory", ["much", -1, 0, None, float("inf")])
def test_memory_that_is_no_size(weights: Any, memory: Any) -> None:
    """The message quotes it."""
    with pytest.raises(InputError, match=f"memory={memory!r} is not a size"):
        suggest_chunks(example_points(1, 50), memory, weights=weights)


def test_no_forcing(weights: Any) -> None:
    """Says what is wrong with the Dataset."""
    with pytest.raises(InputError, match="chunks need daily forcing: no dimension"):
        suggest_chunks(xr.Dataset({"a": ("x", [1.0])}), weights=weights)
    with pytest.raises(InputError, match="'time' has length 0"):
        suggest_chunks(example_points(2, 50).isel(time=slice(0)), weights=weights)
