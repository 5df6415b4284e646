"""What a run is and which of its regions are done, in files beside the store.

A region of sea is all NaN, and Zarr writes no chunk for it: that a chunk exists proves
nothing. So each region that is done has a file of its own, written after its data. All
files of a run lie in ``<store>.run``; when the last region is done they become one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xstefaland.errors import InputError, join_problems
from xstefaland.store.folders import Folder

PLAN, READY, FINISHED = "plan.json", "ready.json", "finished.json"
FORMAT = 1
"""Version of these files."""


class Manifest:
    """The files of one run.

    Parameters
    ----------
    folder : Folder
        Where they lie.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def plan(self) -> dict[str, Any] | None:
        """Return what the run is, None where there is none."""
        return self._read(PLAN)

    def restart(self, plan: Mapping[str, Any]) -> None:
        """Write down what the run is, and forget an older one, data last.

        There is a plan at every moment: a store without one is somebody else's.
        """
        for name in (FINISHED, READY, "done"):
            self.folder.remove(name)
        self._write(PLAN, {"format": FORMAT, **plan})

    @property
    def ready(self) -> bool:
        """Whether the store has its template."""
        return self.folder.read(READY) is not None

    def set_ready(self) -> None:
        """Say that the store has its template."""
        self._write(READY, {})

    def done(self) -> set[int]:
        """Return the numbers of the regions that are done."""
        return {int(name.split(".")[0]) for name in self.folder.names("done")}

    def is_done(self, number: int) -> bool:
        """Tell whether a region is done; when all are, it has no file any more."""
        return self.folder.read(_marker(number)) is not None or self.finished

    def set_done(self, number: int, facts: Mapping[str, Any]) -> None:
        """Say that a region's data are written."""
        self._write(_marker(number), facts)

    @property
    def finished(self) -> bool:
        """Whether all regions are done and the store is closed."""
        return self.folder.read(FINISHED) is not None

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Say that the store is complete, and remove what only the run needed."""
        self._write(FINISHED, facts)
        for folder in ("done", "claims", "heirs"):
            self.folder.remove(folder)

    def _read(self, name: str) -> dict[str, Any] | None:
        """Read a file's entries, None where there is none."""
        content = self.folder.read(name)
        return None if content is None else dict(json.loads(content))

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        """Write entries so that people can read them too."""
        self.folder.write(name, json.dumps(values, indent=1).encode())


def refuse_difference(
    store: str, then: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Refuse to go on with another run than the one that was begun.

    Parameters
    ----------
    store : str
        Address, for the message.
    then, now : mapping
        Identity of the run that was begun and of the one that is asked for.

    Raises
    ------
    InputError
        With every difference, and what to do.
    """
    problems = differences(then, now)
    if not problems:
        return
    headline = f"'{store}' was begun by another run, so this one cannot continue it"
    raise InputError(
        f"{join_problems(headline, problems)}\nMake the call as it was, write to "
        "another store, or start over and lose what is there: resume=False."
    )


def differences(then: Any, now: Any, name: str = "") -> list[str]:
    """List what differs between two trees of plain values.

    Numbers with a fraction may differ by 1e-4 of themselves: two machines read the
    same source through different instructions.

    Examples
    --------
    >>> differences({"options": {"causal": False}}, {"options": {"causal": True}})
    ['options.causal: False then, True now']
    """
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        return [
            line
            for key in dict.fromkeys([*then, *now])
            for line in differences(
                then.get(key, "nothing"),
                now.get(key, "nothing"),
                f"{name}.{key}" if name else str(key),
            )
        ]
    if _same(then, now):
        return []
    return [f"{name}: {_text(then)} then, {_text(now)} now"]


def _same(then: Any, now: Any) -> bool:
    """Compare plain values; what could not be read (None) is not compared."""
    if then is None or now is None:
        return True
    if isinstance(then, float) and isinstance(now, float):
        return bool(np.isclose(then, now, rtol=1e-4, atol=1e-9, equal_nan=True))
    if isinstance(then, Sequence) and isinstance(now, Sequence):
        if isinstance(then, str) or isinstance(now, str) or len(then) != len(now):
            return bool(then == now)
        return all(_same(*pair) for pair in zip(then, now, strict=True))
    return bool(then == now)


def _text(value: Any) -> str:
    """Write a value as code; ``nothing`` is no value but says there is none."""
    return value if value == "nothing" else repr(value)


def _marker(number: int) -> str:
    """Name of the file that says that a region is done."""
    return f"done/{number:07d}.json"
