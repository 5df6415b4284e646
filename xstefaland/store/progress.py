"""How far a run is: a bar in terminals and notebooks, a line now and then in logs."""

from __future__ import annotations

import sys
from typing import Any

LOG_SECONDS = 30.0
"""Time between two lines where the output is no terminal."""


class Progress:
    """Regions done of all, sites per second and the time left, on standard error.

    Parameters
    ----------
    total, done : int
        Regions of the run, and those that are there already.
    wanted : bool
        Whether to show anything.
    """

    def __init__(self, total: int, done: int, wanted: bool) -> None:
        from xstefaland.bars import tqdm

        self._sites = self._failed = 0
        self._bar: Any = tqdm(
            total=total,
            initial=done,
            disable=not wanted,
            unit="region",
            desc="xstefaland",
            mininterval=0.1 if sys.stderr.isatty() else LOG_SECONDS,
            dynamic_ncols=True,
        )

    def say(self, text: str) -> None:
        """Write a line above the bar."""
        if not self._bar.disable:
            self._bar.write(text, file=sys.stderr)

    def region(self, sites: int, *, failed: bool = False) -> None:
        """Count a region, written or failed, with its sites."""
        self._failed += failed
        self._sites += sites
        if not failed:
            self._bar.update(1)
        seconds = self._bar.format_dict["elapsed"]
        words = {"sites/s": f"{self._sites / seconds:.3g}"} if seconds else {}
        if self._failed:
            words["failed"] = str(self._failed)
        self._bar.set_postfix(words, refresh=False)

    def skip(self) -> None:
        """Count a region that another coordinator wrote."""
        self._bar.update(1)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
