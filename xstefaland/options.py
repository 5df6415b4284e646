"""Package-wide options: a function that is also a context manager."""

from __future__ import annotations

import os
import re
import threading
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from xstefaland.errors import InputError, join_problems

# What holds, from the weakest to the strongest: _BASE, then each of _CALLS in turn
# (both are the whole process's), then _BLOCKS (one thread's or asynchronous task's).
# A call stays in _CALLS while its object lives: that may still enter a `with` block.
_BASE: dict[str, Any] = {
    "device": "auto",
    "precision": "float32",
    "validation": "warn",
    "out_of_range": "missing",
    "cache_dir": None,
    "offline": False,
    "progress": True,
}
_CALLS: list[tuple[weakref.ref[Any], Mapping[str, Any]]] = []
_BLOCKS: ContextVar[dict[str, Any]] = ContextVar("xstefaland_options")
_GUARD = threading.Lock()


def _device(value: Any) -> bool:
    """Whether it may name a device; whether that is there shows at its first use."""
    pattern = r"auto|cpu|mps|cuda(:\d+)?"
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _yes_or_no(value: Any) -> bool:
    """Whether it is True or False: 0 and 1 are more likely a mistake."""
    return isinstance(value, bool)


def _one_of(*choices: str) -> Callable[[Any], bool]:
    """Make the check of an option that is one of some words."""
    return lambda value: isinstance(value, str) and value in choices


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "device": (_device, '"auto", "cpu", "cuda", "cuda:0" or "mps"'),
    "precision": (_one_of("float32", "bfloat16"), '"float32" or "bfloat16"'),
    "validation": (
        _one_of("raise", "warn", "log", "ignore"),
        '"raise", "warn", "log" or "ignore"',
    ),
    "out_of_range": (_one_of("missing", "keep"), '"missing" or "keep"'),
    "cache_dir": (
        lambda value: value is None or isinstance(value, str | os.PathLike),
        "a folder, or None for the default one",
    ),
    "offline": (_yes_or_no, "True or False"),
    "progress": (_yes_or_no, "True or False"),
}


def checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as they are kept, without setting any.

    Parameters
    ----------
    options : mapping
        Names and values, as :class:`set_options` takes them.

    Raises
    ------
    InputError
        For a name or value that does not exist; all wrong ones at once.
    """
    problems = []
    for name, value in options.items():
        if name not in _CHECKS:
            problems.append(f"no option {name!r}; there are {', '.join(_CHECKS)}")
        elif not _CHECKS[name][0](value):
            problems.append(f"{name}={value!r} is not possible; use {_CHECKS[name][1]}")
    if problems:
        raise InputError(join_problems("cannot set the options", problems))
    folder = options.get("cache_dir")
    return {**options, "cache_dir": Path(folder)} if folder else dict(options)


def get_options() -> Mapping[str, Any]:
    """Return the options in force here: in this thread or asynchronous task.

    Returns
    -------
    Mapping
        A read-only copy: later changes do not show in it.

    Examples
    --------
    >>> import xstefaland
    >>> xstefaland.get_options()["precision"]
    'float32'
    """
    with _GUARD:
        options = dict(_BASE)
        for _, values in _CALLS:
            options.update(values)
    return MappingProxyType(options | _BLOCKS.get({}))


class set_options:
    """Set options for the whole process, or for what runs in a ``with`` block.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:0", ..., "mps"}
        Where the models run. ``"auto"`` takes a CUDA device where there is one;
        ``"mps"`` is the GPU of Apple's machines.
    precision : {"float32", "bfloat16"}
        Arithmetic of the models. ``"bfloat16"`` is faster on devices that have it
        and changes results in the third digit.
    validation : {"raise", "warn", "log", "ignore"}
        What happens when values lie far outside the range seen in training.
        ``"log"`` writes to the logger ``xstefaland``. Problems that make a result
        impossible are errors whatever is set here.
    out_of_range : {"missing", "keep"}
        What becomes of values beyond what is physically possible for their variable:
        they are taken as missing, or used as they are.
    cache_dir : path or None
        Folder for downloaded weights. ``None`` means the environment variable
        ``XSTEFALAND_CACHE``, else the cache folder of the operating system.
    offline : bool
        Never use the network. Bundled and cached weights still work.
    progress : bool
        Show a bar, in terminals and notebooks, while a call computes for more than a
        few seconds. Lazy results have dask's: ``dask.diagnostics.ProgressBar``.

    Raises
    ------
    InputError
        For a name or value that does not exist; all wrong ones at once, and none
        of the others is set.

    Notes
    -----
    A plain call holds in all threads, from now on. In a ``with`` block the options hold
    for the thread or the asynchronous task that entered it and for no other, also not
    for threads started inside. A plain call inside a block sets the process's option;
    where the block has set the same one, it holds there too, until the block ends.
    ``with set_options(...)`` is a call first: for the instant until the block is
    entered, threads outside of any block can see its options.

    Examples
    --------
    >>> import xstefaland
    >>> with xstefaland.set_options(device="cpu", offline=True):
    ...     xstefaland.get_options()["offline"]
    True
    >>> xstefaland.get_options()["offline"]
    False
    """

    def __init__(self, **options: Any) -> None:
        self._options = checked_options(options)
        self._around: list[dict[str, Any]] = []
        with _GUARD:
            while _CALLS and _CALLS[0][0]() is None:
                _BASE.update(_CALLS.pop(0)[1])
            _CALLS.append((weakref.ref(self), self._options))
        block = _BLOCKS.get({})
        self._hidden = {k: v for k, v in block.items() if k in options}
        _BLOCKS.set(block | {name: self._options[name] for name in self._hidden})

    def __enter__(self) -> Self:
        """Take the plain call back and make the options those of this block alone."""
        with _GUARD:
            _CALLS[:] = [call for call in _CALLS if call[0]() is not self]
        block = _BLOCKS.get({})
        block = block | {k: v for k, v in self._hidden.items() if k in block}
        self._hidden = {}
        self._around.append(block)
        _BLOCKS.set(block | self._options)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Return to the options around the block."""
        _BLOCKS.set(self._around.pop())
