"""Package-wide options: a function that is also a context manager."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from xstefaland.errors import InputError, join_problems

_OPTIONS: dict[str, Any] = {
    "device": "auto",
    "precision": "float32",
    "validation": "warn",
    "out_of_range": "missing",
    "cache_dir": None,
    "offline": False,
}


def _device(value: Any) -> bool:
    pattern = r"auto|cpu|cuda(:\d+)?"
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _one_of(*choices: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in choices


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "device": (_device, '"auto", "cpu", "cuda" or "cuda:0"'),
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
    "offline": (lambda value: isinstance(value, bool), "True or False"),
}


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
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
    """Return the options in force.

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
    return MappingProxyType(dict(_OPTIONS))


class set_options:
    """Set options for good, or inside a ``with`` block.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:0", ...}
        Where the models run. ``"auto"`` takes a CUDA device where there is one.
    precision : {"float32", "bfloat16"}
        Arithmetic of the models. ``"bfloat16"`` is faster on devices that have it
        and changes results in the third digit.
    validation : {"raise", "warn", "ignore"}
        What happens when values lie far outside the range seen in training.
        Problems that make a result impossible are errors whatever is set here.
    cache_dir : path or None
        Folder for downloaded weights. ``None`` means the environment variable
        ``XSTEFALAND_CACHE``, else the cache folder of the operating system.
    offline : bool
        Never use the network. Bundled and cached weights still work.

    Raises
    ------
    InputError
        For a name or value that does not exist; all wrong ones at once, and none
        of the others is set.

    Notes
    -----
    Options are process-wide. Leaving a ``with`` block restores only the options
    that it set, so a change of another option inside the block stays.

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
        checked = _checked(options)
        self._old = {name: _OPTIONS[name] for name in checked}
        _OPTIONS.update(checked)

    def __enter__(self) -> Self:
        """Enter a ``with`` block; the options are set already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Restore the options that this block set."""
        _OPTIONS.update(self._old)
