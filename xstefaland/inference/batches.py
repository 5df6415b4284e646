"""Batches: how many windows go through a model at once, and what if they do not fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from xstefaland.errors import InputError

if TYPE_CHECKING:
    import torch

BatchSize = int | Literal["auto"]
"""Windows at once; ``"auto"`` follows the device."""

CPU_TOKENS = 3000
"""Tokens per batch on a CPU: few enough for its caches (measured)."""

GPU_SHARE = 0.5
"""Share of a GPU's free memory that one batch may take."""

CPU_BYTES = 2**28
"""Memory that the embeddings and states of the sites at work may take on a CPU."""

_Result = TypeVar("_Result")


@dataclass
class Limit:
    """The largest batch that has not run out of memory; shared by all calls."""

    windows: int | None = None

    def cut(self, size: int) -> int:
        """Return `size`, or the limit where that is smaller."""
        return size if self.windows is None else min(size, self.windows)


def choose_batch_size(
    batch_size: BatchSize, model: Any, days: int, device: torch.device
) -> int:
    """Turn a user's batch size into a number of windows.

    Parameters
    ----------
    batch_size : int or "auto"
        What the user asked for.
    model : StefaLand
        Its ``config`` tells how much memory a window takes.
    days : int
        Length of a window.
    device : torch.device
        Where the model runs.

    Raises
    ------
    InputError
        When it is neither ``"auto"`` nor a positive integer.
    """
    check_batch_size(batch_size)
    if batch_size == "auto":
        return _automatic(model, days + 1, device)
    return batch_size


def check_batch_size(batch_size: object) -> None:
    """Raise an InputError unless it is ``"auto"`` or a positive integer.

    Examples
    --------
    >>> check_batch_size("auto")
    >>> check_batch_size(16)
    """
    number = isinstance(batch_size, int) and not isinstance(batch_size, bool)
    if batch_size != "auto" and not (number and batch_size > 0):  # type: ignore[operator]
        raise InputError(
            f"batch_size={batch_size!r} is not possible; use 'auto' or a positive "
            "number of windows, such as batch_size=16."
        )


def _automatic(model: Any, tokens: int, device: torch.device) -> int:
    """Windows at once that a CPU's caches hold, or that fit into a GPU's memory."""
    if device.type != "cuda":
        return max(1, CPU_TOKENS // tokens)
    config = model.config
    per_token = 16 * config.d_model + 4 * config.ffn + 200 * len(config.forcing)
    room = GPU_SHARE * free_memory(device)
    return int(max(1, min(room // (4 * per_token * tokens), 2048)))


def choose_sites(width: int, days: int, device: torch.device) -> int:
    """Return how many whole records an encoder and its heads take at once.

    Parameters
    ----------
    width : int
        Length of an embedding.
    days : int
        Length of a record.
    device : torch.device
        Where the models run.

    Examples
    --------
    >>> import torch
    >>> [choose_sites(256, days, torch.device("cpu")) for days in (730, 3652, 14610)]
    [35, 7, 1]
    """
    room = CPU_BYTES
    if device.type == "cuda":
        room = int(GPU_SHARE * free_memory(device))
    return sites_within(room, width, days)


def sites_within(room: int, width: int, days: int) -> int:
    """Return how many whole records go into so much memory [bytes]; one at least.

    Examples
    --------
    >>> sites_within(40 * 2**30, 256, 3652)
    1148
    """
    per_site = 40 * width * max(days, 1)  # the embedding and nine states as wide
    return max(1, room // per_site)


def free_memory(device: torch.device) -> int:
    """Return the free memory of a GPU [bytes], with what PyTorch holds in reserve."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + held)


def in_batches(
    run: Callable[[slice], _Result], count: int, size: int, limit: Limit
) -> Iterator[tuple[slice, _Result]]:
    """Call `run` on consecutive slices of ``range(count)``.

    When one runs out of memory its size is halved, the slice is tried again, and the
    first time a warning tells so.

    Parameters
    ----------
    run : callable
        Takes a slice. It must not keep anything when it fails.
    count : int
        Number of items.
    size : int
        Items at once.
    limit : Limit
        Remembers the size that fitted.

    Yields
    ------
    slice, result
        In order.
    """
    begin = 0
    while begin < count:
        size = limit.cut(size)
        rows = slice(begin, min(begin + size, count))
        try:
            result = run(rows)
        except RuntimeError as error:
            if size == 1 or not is_out_of_memory(error):
                raise
            size = _halve(rows.stop - begin, limit)
            continue
        yield rows, result
        begin = rows.stop


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether a device had no memory left: CUDA's own error, or the CPU's text."""
    import torch

    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or (
        "not enough memory" in text and "DefaultCPUAllocator" in text
    )


def _halve(tried: int, limit: Limit) -> int:
    """Halve for all calls that share the limit; the first time, warn."""
    import torch

    size, first = max(1, tried // 2), limit.windows is None
    limit.windows = size
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if first:
        warnings.warn(
            f"{tried} windows at once do not fit into memory; going on with {size}. "
            f"Pass batch_size={size} to start there.",
            RuntimeWarning,
            stacklevel=2,
        )
    return size
