"""Compile kernels once per machine, and say so."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from numba import njit

from xstefaland.model.hbv import parameters

logger = logging.getLogger("xstefaland")

SOURCES = [*Path(__file__).parent.glob("*.py"), Path(parameters.__file__)]
"""Files that decide what is compiled."""


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
        kernel = njit(cache=True, **options)(function)
    except RuntimeError:
        logger.info("no folder for compiled kernels; set NUMBA_CACHE_DIR to keep them")
        return njit(**options)(function)
    drop_stale(Path(kernel.stats.cache_path), function.__name__, SOURCES)
    return kernel


def drop_stale(folder: Path, name: str, sources: Iterable[Path]) -> None:
    """
    Remove what was compiled before any of the sources changed.

    Numba itself looks only at the file of the kernel, not at those it calls.

    Parameters
    ----------
    folder : Path
        Where numba keeps the compiled kernel.
    name : str
        Name of the kernel.
    sources : iterable of Path
        Files that the kernel is made of.
    """
    changed = max(path.stat().st_mtime for path in sources)
    for index in folder.glob(f"*.{name}-*.nbi"):
        with contextlib.suppress(OSError):
            if index.stat().st_mtime < changed:
                index.unlink()


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
