"""Errors of the package: one small tree, each also a builtin error.

Every error a user can cause derives from :class:`XStefalandError` and from the
builtin class that fits, so both ``except XStefalandError`` and
``except ValueError`` work. A message says what was passed, what is needed and
the call that fixes it; where several things are wrong, one error names them all.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PACKAGE = str(Path(__file__).parent)
_ADDRESS = "git+https://github.com/xstefaland/xstefaland"


class XStefalandError(Exception):
    """Base of all errors that the package raises on purpose."""


class _PlainKeyError(KeyError):
    """A KeyError whose text prints as written, not as a quoted ``repr``."""

    def __str__(self) -> str:
        return str(self.args[0]) if len(self.args) == 1 else Exception.__str__(self)


class InputError(XStefalandError, ValueError):
    """Something in a Dataset or an argument cannot be used as it is."""


class WrongObjectError(InputError, AttributeError):
    """A method that this kind of xarray object lacks; the text says which has it."""


class MissingVariableError(XStefalandError, _PlainKeyError):
    """A variable that is required is neither in the Dataset nor derivable."""


class UnknownTargetError(XStefalandError, _PlainKeyError):
    """A target for which there is no head."""


class WeightsError(XStefalandError, RuntimeError):
    """A weights file cannot be used: damaged, too new, or for another model."""


class WeightsNotFoundError(WeightsError, _PlainKeyError):
    """No weights of that name or at that path."""


class OfflineError(WeightsError):
    """Weights would have to be fetched, but the package is set offline."""


class RunError(XStefalandError, RuntimeError):
    """Regions of a run failed; all others that could be are written.

    Parameters
    ----------
    text : str
        What was done, and which regions failed and why.
    report : xstefaland.store.report.RunReport
        The same to work with.
    """

    def __init__(self, text: str, report: object = None) -> None:
        super().__init__(text)
        self.report: Any = report


def pip_install(extra: str = "", options: str = "") -> str:
    """Return the command that installs this package, which is on no index yet.

    Parameters
    ----------
    extra : str
        Extra of ``pyproject.toml``.
    options : str
        Of pip.

    Examples
    --------
    >>> pip_install("plot")
    "pip install 'xstefaland[plot] @ git+https://github.com/xstefaland/xstefaland'"
    """
    words = ["pip install", options, f"'xstefaland{f'[{extra}]' if extra else ''}"]
    return " ".join([word for word in words if word] + [f"@ {_ADDRESS}'"])


def join_problems(headline: str, problems: Sequence[str]) -> str:
    """Write several problems as one message.

    Parameters
    ----------
    headline : str
        What could not be done.
    problems : sequence of str
        One entry per problem, each with its remedy.

    Returns
    -------
    str
        The headline and one line per problem, or both on one line when there
        is a single one.

    Examples
    --------
    >>> print(join_problems("cannot use the Dataset", ["no time", "no units"]))
    cannot use the Dataset (2 problems):
      1. no time
      2. no units
    >>> print(join_problems("cannot use the Dataset", ["no time"]))
    cannot use the Dataset: no time
    """
    if len(problems) == 1:
        return f"{headline}: {problems[0]}"
    lines = [f"  {number}. {text}" for number, text in enumerate(problems, start=1)]
    return "\n".join([f"{headline} ({len(problems)} problems):", *lines])


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line of the user's own code that called the package.

    Parameters
    ----------
    text : str
        What to say.
    category : type
        Sort of the warning.
    """
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, stacklevel=level)
