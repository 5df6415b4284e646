"""Values read from JSON against the annotations of the dataclass they shall fill.

Cards and configurations come from files that anyone may have written, and dataclasses
check no types: here a wrong one becomes a sentence instead of an error somewhere else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from xstefaland.errors import WeightsError, join_problems

DEPTH = 20
"""Levels of lists and objects that a card may nest."""

hints_of = cache(get_type_hints)
"""Resolved annotations of a class."""

_SURE = (str, bool, NoneType)
"""Types of which every value is a good one."""

_WORDS = {
    str: "text",
    bool: "true or false",
    int: "an integer",
    float: "a finite number",
    dict: "an object",
    NoneType: "null",
}


def depth(values: Any) -> int:
    """Count levels of lists and objects, without recursion, up to one too many."""
    level, count = [values], 0
    while level and count <= DEPTH:
        nested = [v for v in level if isinstance(v, dict | list | tuple)]
        level = [i for v in nested for i in (v.values() if isinstance(v, dict) else v)]
        count += bool(nested)
    return count


def become_plain(entry: Any, name: str) -> list[str]:
    """Replace a mapping by what JSON makes of it, so that what is read equals it.

    Parameters
    ----------
    entry : dataclass
        A frozen one.
    name : str
        Of the mapping in it.

    Returns
    -------
    list of str
        Why that cannot be done.
    """
    given = getattr(entry, name)
    if depth(given) > DEPTH:
        return [f"`{name}` is nested deeper than {DEPTH} levels"]
    try:
        plain = json.loads(json.dumps(given, allow_nan=False))
    except (TypeError, ValueError) as error:
        return [
            f"`{name}` cannot be stored as JSON ({error}); use plain Python "
            "numbers, strings, lists and None instead of NaN"
        ]
    object.__setattr__(entry, name, plain)
    return []


def refuse_unplain(entry: Any, *names: str) -> None:
    """Bring mappings of a frozen dataclass to plain JSON, or raise with all reasons.

    Raises
    ------
    WeightsError
        For what JSON cannot hold.
    """
    problems = [problem for name in names for problem in become_plain(entry, name)]
    if problems:
        title = f"an entry of the card, {type(entry).__name__}, is wrong"
        raise WeightsError(join_problems(title, problems))


def from_plain(value: Any, wanted: Any) -> Any:
    """Turn JSON's lists and objects into the tuples and dataclasses of an annotation.

    What does not fit is left as it is, for :func:`type_problems` to tell.

    Parameters
    ----------
    value : object
        A value read from JSON.
    wanted : type
        An annotation, resolved.

    Returns
    -------
    object
        The value, with tuples and dataclasses inside.

    Raises
    ------
    WeightsError
        When an object has entries that its dataclass does not know, or lacks some.

    Examples
    --------
    >>> from_plain([["rain"], ["snow", "hail"]], tuple[tuple[str, ...], ...])
    (('rain',), ('snow', 'hail'))
    """
    if not isinstance(value, list | dict):
        return value
    for choice in _choices(wanted):
        if isinstance(value, list) and get_origin(choice) is tuple:
            return tuple(from_plain(item, get_args(choice)[0]) for item in value)
        if isinstance(value, dict) and is_dataclass(choice):
            return _filled(choice, value)  # type: ignore[arg-type]
    return value


def type_problems(name: str, value: Any, wanted: Any) -> list[str]:
    """Tell where a value is not what its annotation says; numbers must be finite.

    Parameters
    ----------
    name : str
        What the value is called in messages.
    value : object
        Any value.
    wanted : type
        An annotation, resolved: plain types, ``Literal``, tuples of one type,
        dictionaries, dataclasses, and unions of these.

    Returns
    -------
    list of str
        Nothing when the value fits.

    Examples
    --------
    >>> type_problems("heads", "four", int)
    ["`heads` is 'four'; it must be an integer"]
    >>> type_problems("levels", (0.1, float("nan")), tuple[float, ...])
    ['`levels[1]` is nan; it must be a finite number']
    """
    choices = _choices(wanted)
    if type(value) in _SURE and type(value) in choices:
        return []
    for choice in choices:
        if is_dataclass(choice) and isinstance(value, choice):  # type: ignore[arg-type]
            return _entry_problems(name, value, choice)
        if get_origin(choice) is tuple and isinstance(value, tuple):
            return _item_problems(name, value, get_args(choice)[0])
    if any(_fits(value, choice) for choice in choices):
        return []
    text = repr(value)
    shown = text if len(text) <= 60 else f"a {type(value).__name__}"
    return [f"`{name}` is {shown}; it must be {_described(wanted)}"]


def _entry_problems(name: str, value: Any, cls: Any) -> list[str]:
    """Tell the same of every entry of a dataclass."""
    hints = hints_of(cls)
    return [
        problem
        for item in fields(cls)
        for problem in type_problems(
            f"{name}.{item.name}", getattr(value, item.name), hints[item.name]
        )
    ]


def _item_problems(name: str, value: tuple[Any, ...], wanted: Any) -> list[str]:
    """Tell the same of every item of a tuple."""
    if all(type(item) is wanted is str for item in value):
        return []  # lists of sites are long
    return [
        problem
        for index, item in enumerate(value)
        for problem in type_problems(f"{name}[{index}]", item, wanted)
    ]


@cache
def _choices(wanted: Any) -> tuple[Any, ...]:
    """Members of a union, or the one type that there is."""
    return get_args(wanted) if get_origin(wanted) in (UnionType, Union) else (wanted,)


def _fits(value: Any, wanted: Any) -> bool:
    """Compare with one plain type; a bool is no number, and an int is a float too."""
    if wanted is Any:
        return True
    if get_origin(wanted) is Literal:
        return any(
            type(value) is type(choice) and value == choice
            for choice in get_args(wanted)
        )
    if wanted in (int, float):
        return _is_number(value, wanted)
    return isinstance(value, get_origin(wanted) or wanted)


def _is_number(value: Any, wanted: type) -> bool:
    """Tell a finite number of a kind."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value) and (wanted is float or isinstance(value, int))
    except OverflowError:  # an integer beyond the largest float
        return False


def _described(wanted: Any) -> str:
    """Name a type as a message does."""
    choices = _choices(wanted)
    if len(choices) > 1:
        return " or ".join(map(_described, choices))
    if get_origin(wanted) is Literal:
        return " or ".join(map(repr, get_args(wanted)))
    if get_origin(wanted) is tuple:
        return f"a list, each item {_described(get_args(wanted)[0])}"
    plain = get_origin(wanted) or wanted
    return _WORDS.get(plain) or str(plain.__name__)


def _filled(cls: type, values: Mapping[str, Any]) -> Any:
    """Build a dataclass from a mapping, refusing unknown and missing entries."""
    known, needed = _entries(cls)
    problems = [f"unknown entry '{n}'" for n in sorted(values.keys() - known)]
    problems += [f"missing entry '{n}'" for n in sorted(needed - values.keys())]
    if problems:
        raise WeightsError(
            join_problems(f"the card's {cls.__name__} cannot be read", problems)
        )
    hints = hints_of(cls)
    return cls(**{k: from_plain(value, hints[k]) for k, value in values.items()})


@cache
def _entries(cls: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Names of a dataclass's entries, and of those without a default."""
    needed = [
        item.name
        for item in fields(cls)
        if item.default is MISSING and item.default_factory is MISSING
    ]
    return frozenset(item.name for item in fields(cls)), frozenset(needed)
