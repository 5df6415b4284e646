"""Batches: sizes, and what happens when memory runs out."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from xstefaland.errors import InputError
from xstefaland.inference import batches
from xstefaland.inference.batches import (
    Limit,
    choose_batch_size,
    choose_sites,
    in_batches,
    is_out_of_memory,
)
from xstefaland.inference.blocks import embed_block, reconstruct_block
from xstefaland.testing import tiny_encoder

CPU_TEXT = (
    "[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: not enough "
    "memory: you tried to allocate 1000 bytes."
)
ERRORS = [RuntimeError(CPU_TEXT), torch.OutOfMemoryError("CUDA out of memory.")]


def arrays(sites: int) -> tuple[Any, ...]:
    """Forcing, attributes, latitude, day of year of a short record."""
    rng = np.random.default_rng(0)
    forcing = rng.gamma(1.0, 5.0, (sites, 50, 3)).astype(np.float32)
    attributes = rng.uniform(0, 40, (sites, 4)).astype(np.float32)
    return forcing, attributes, np.zeros(sites, np.float32), np.arange(1, 51)


@pytest.mark.parametrize("error", ERRORS, ids=["cpu", "cuda"])
def test_out_of_memory_halves_and_warns_once(same: Any, error: RuntimeError) -> None:
    """The answer is the same, later batches and blocks keep the smaller size."""
    model: Any = tiny_encoder(window=30, stride=15)
    values = arrays(8)
    expected = embed_block(model, *values, device="cpu")
    encode, sizes = model.encode, []

    def small_memory(forcing: Any, *rest: Any, **more: Any) -> Any:
        sizes.append(len(forcing))
        if len(forcing) > 5:
            raise error
        return encode(forcing, *rest, **more)

    model.encode = small_memory
    limit = Limit()
    with pytest.warns(RuntimeWarning, match="16 windows .* going on with 8") as caught:
        first = embed_block(model, *values, batch_size=16, device="cpu", limit=limit)
    assert len(caught) == 1
    assert sizes == [16, 8, 4, 4, 4, 4, 4, 4]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = embed_block(model, *values, batch_size=16, device="cpu", limit=limit)
    assert sizes[8:] == [4] * 6
    same(first, expected)
    np.testing.assert_array_equal(first, again)


def test_a_single_window_that_does_not_fit_is_an_error() -> None:
    """There is nothing left to halve."""

    def full(rows: slice) -> None:
        raise RuntimeError(CPU_TEXT)

    with (
        pytest.warns(RuntimeWarning, match="going on with 1"),
        pytest.raises(RuntimeError, match="not enough memory"),
    ):
        list(in_batches(full, 4, 2, Limit()))


def test_other_errors_pass_unchanged() -> None:
    """Only lack of memory is retried."""
    calls = []

    def wrong(rows: slice) -> None:
        calls.append(rows)
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        list(in_batches(wrong, 4, 2, Limit()))
    assert len(calls) == 1
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


@pytest.mark.parametrize("size", [0, -3, 2.5, "large", True])
def test_impossible_batch_sizes_are_refused(size: Any) -> None:
    """The message quotes what was passed."""
    with pytest.raises(InputError, match=f"batch_size={size!r} is not possible"):
        choose_batch_size(size, tiny_encoder(), 365, torch.device("cpu"))


def test_automatic_size_follows_the_window() -> None:
    """Shorter windows come in larger batches; one is the least."""
    model, device = tiny_encoder(), torch.device("cpu")
    year = choose_batch_size("auto", model, 365, device)
    month = choose_batch_size("auto", model, 30, device)
    assert 1 <= year < month
    assert choose_batch_size("auto", model, 10**6, device) == 1


def test_records_follow_the_memory_of_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Forty years: one record at once on a CPU, hundreds on a card of 120 GiB."""
    monkeypatch.setattr(batches, "free_memory", lambda device: 120 * 2**30)
    assert choose_sites(256, 14610, torch.device("cpu")) == 1
    assert choose_sites(256, 14610, torch.device("cuda")) == 430
    assert choose_sites(256, 0, torch.device("cpu")) > 1000


@pytest.mark.parametrize("pool", [None, "mean", "static"])
def test_parts_change_nothing(
    same: Any, monkeypatch: pytest.MonkeyPatch, pool: Any
) -> None:
    """Site by site is what all sites at once are, one without weather among them."""
    model: Any = tiny_encoder(window=30, stride=15)
    values = arrays(5)
    values[0][3] = np.nan
    together = embed_block(model, *values, device="cpu", pool=pool)
    filled = reconstruct_block(model, *values, device="cpu")
    monkeypatch.setattr(batches, "CPU_BYTES", 1)
    assert choose_sites(16, 50, torch.device("cpu")) == 1
    same(embed_block(model, *values, device="cpu", pool=pool), together)
    for one, other in zip(
        reconstruct_block(model, *values, device="cpu"), filled, strict=True
    ):
        same(one, other)
