"""Compile kernels once per machine, and say so."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from numba import njit

logger = logging.getLogger("xstefaland")


def compiled(function: Callable[..., None]) -> Any:
    """
    Compile a kernel on its first call and keep the result on disk.

    Parameters
    ----------
    function : callable
        Kernel that fills arrays it is given.

    Returns
    -------
    callable
        The compiled kernel. It releases the interpreter lock. Where no folder can be
        written to (numba looks at ``NUMBA_CACHE_DIR``, the package and the user's
        cache), it is compiled anew in every process.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:
        logger.info("no folder for compiled kernels; set NUMBA_CACHE_DIR to keep them")
        return njit(**options)(function)


def announce(kernel: Any, dtype: str) -> None:
    """
    Log that the next call of a kernel compiles it or reads it from disk.

    Parameters
    ----------
    kernel : callable
        What `compiled` returned.
    dtype : str
        Kind of number it is about to be called with.
    """
    known = {str(signature[2].dtype) for signature in kernel.signatures}
    if dtype not in known:
        logger.info(
            "preparing %s for %s: compiled once per machine (about half a minute), "
            "then read from disk",
            kernel.__name__,
            dtype,
        )
