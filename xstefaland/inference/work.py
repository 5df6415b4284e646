"""Work: one task at a time per device, on as many cores as its worker was given."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from xstefaland.inference.loaded import Loaded


@contextmanager
def at_work(place: Loaded) -> Iterator[None]:
    """Hold a model's device; give PyTorch this worker's cores, then the memory back.

    Workers of dask.distributed are started with ``OMP_NUM_THREADS=1``, so that the
    libraries of several tasks do not fight over the cores. Here one task computes at a
    time, so it takes all the threads that the worker was given (``nthreads``), while
    the worker's other threads read and write. Outside of workers PyTorch's own setting
    stays.
    """
    with place.lock, torch_threads(threads_of_worker()):
        try:
            yield
        finally:
            release_memory()


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Let PyTorch use `count` threads in this block (None: as it is), then as before.

    The number holds for the calling thread alone, as OpenMP has it.
    """
    import torch

    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_of_worker() -> int | None:
    """Return the number of threads of the worker that runs this task, if one does."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return int(distributed.get_worker().state.nthreads)
    except ValueError:
        return None


def release_memory() -> None:
    """Give freed memory back to the system, where its C library keeps it.

    glibc has a heap for each thread and keeps what is freed there, so that memory
    would grow with the number of chunks (measured in ``benchmarks/scale.py``).
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    """Find glibc's function; other C libraries have none and need none."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
