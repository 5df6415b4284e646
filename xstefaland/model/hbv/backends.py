"""Which implementation runs: what is installed, what fits the tensors."""

from __future__ import annotations

import importlib.util
import logging
import os
from functools import cache
from typing import Literal

from xstefaland.errors import InputError

Backend = Literal["auto", "numba", "triton", "reference"]

DEVICES: dict[str, Backend] = {"cpu": "numba", "cuda": "triton"}
"""The fused kernels for each kind of device; both are packages of that name."""

MOST_COMPONENTS = 16
"""Components of a site that the kernel for the CPU can hold."""

logger = logging.getLogger("xstefaland")


def _installed(package: str) -> bool:
    """Whether a package is there, without the cost of importing it."""
    return importlib.util.find_spec(package) is not None


@cache
def best_backend(device: str, components: int) -> Backend:
    """
    Choose the fastest backend, and say once if it is a slow or a new one.

    Parameters
    ----------
    device : str
        Kind of device the tensors are on.
    components : int
        Components of a site.

    Returns
    -------
    {"numba", "triton", "reference"}

    Examples
    --------
    >>> best_backend("cpu", 16)
    'numba'
    """
    slow = "HBV runs its plain torch equations, about 10 times slower than fused ones"
    wanted = DEVICES.get(device)
    if wanted is None:
        logger.warning("%s: there are none for %r", slow, device)
        return "reference"
    if not _installed(wanted):
        logger.warning("%s: install them with pip install %s", slow, wanted)
        return "reference"
    if wanted == "numba" and components > MOST_COMPONENTS:
        logger.warning("%s, which have at most %s components", slow, MOST_COMPONENTS)
        return "reference"
    if wanted == "triton":
        logger.info(
            "the HBV kernel for GPUs is experimental; backend='reference' is not"
        )
    return wanted


def check_backend(backend: str, device: str, components: int) -> None:
    """
    Raise if a backend cannot run these tensors.

    Raises
    ------
    InputError
        If it is unknown, not installed, for another device, or too small.
    """
    if backend == "reference":
        return
    home = {kernels: kind for kind, kernels in DEVICES.items()}
    if backend not in home:
        known = ", ".join(repr(name) for name in ("auto", *home, "reference"))
        raise InputError(f"backend={backend!r} is unknown; use one of {known}.")
    interpreted = backend == "triton" and os.environ.get("TRITON_INTERPRET") == "1"
    problem = ""
    if not _installed(backend):
        problem = f"the package is not installed: pip install {backend}"
    elif device != home[backend] and not interpreted:
        problem = f"it runs on {home[backend]!r} and the tensors are on {device!r}"
    elif backend == "numba" and components > MOST_COMPONENTS:
        problem = f"it has at most {MOST_COMPONENTS} components, not {components}"
    if problem:
        raise InputError(
            f"backend={backend!r} cannot run: {problem}; or backend='auto'."
        )
