"""The machine: what it is, and how it keeps its memory."""

from __future__ import annotations

import ctypes
import os
import platform
import sys

TRIM, TOP, MAP = -1, -2, -3  # numbers of glibc's settings of malloc


def machine() -> str:
    """Describe the machine in a line."""
    load = os.getloadavg()[1]
    return f"{os.cpu_count()} cores {platform.machine()}, 5-minute load {load:.1f}"


def keep_memory() -> None:
    """Let glibc keep freed memory: an update asks for the same again at once."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if sys.platform == "linux" and mallopt is not None:
        for setting, number in ((MAP, 2**30), (TRIM, 2**31 - 1), (TOP, 2**28)):
            mallopt(setting, number)
