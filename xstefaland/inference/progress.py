"""Progress of calls that compute at once; lazy ones have dask's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from xstefaland.options import get_options

DELAY = 3.0  # [s] shorter calls show nothing

# The bar of the call that is running in this thread; none in dask's workers.
_BAR: ContextVar[Any] = ContextVar("xstefaland_progress", default=None)


# Whether what runs here has a bar of its own that counts something else.
_COUNTED: ContextVar[bool] = ContextVar("xstefaland_counted", default=False)


@contextmanager
def bar(shown: bool = True) -> Iterator[None]:
    """Show a bar while what is inside runs, unless ``set_options(progress=False)``.

    Nothing is shown within the first seconds, nor where there is neither a terminal
    nor a notebook.

    Parameters
    ----------
    shown : bool
        False: nothing at all.
    """
    if _COUNTED.get() or not (shown and get_options()["progress"]):
        yield
        return
    with _new_bar() as made:
        token = _BAR.set(made)
        try:
            yield
        finally:
            _BAR.reset(token)


@contextmanager
def counted() -> Iterator[None]:
    """Show no bar inside: the work is one part of what another bar counts."""
    token = _COUNTED.set(True)
    try:
        yield
    finally:
        _COUNTED.reset(token)


def expect(count: int) -> None:
    """Tell the bar, where there is one, of so many windows to come."""
    made = _BAR.get()
    if made is not None:
        made.total += count


def step(count: int) -> None:
    """Tell the bar, where there is one, of so many windows done."""
    made = _BAR.get()
    if made is not None:
        made.update(count)


def _new_bar() -> Any:
    """Make a bar that waits; in a notebook it needs no terminal."""
    from tqdm import std

    from xstefaland.bars import tqdm

    return tqdm(
        total=0,
        desc="xstefaland",
        unit=" windows",
        delay=DELAY,
        leave=False,
        disable=None if tqdm is std.tqdm else False,  # None: only in a terminal
    )
