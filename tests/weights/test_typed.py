"""Values against annotations: what fits, and how the rest is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from xstefaland.errors import WeightsError
from xstefaland.weights.typed import from_plain, type_problems


@dataclass(frozen=True)
class Pair:
    """A dataclass inside another."""

    name: str
    size: int = 1


@dataclass(frozen=True)
class Whole:
    """One of every sort of annotation."""

    pairs: tuple[Pair, ...] = ()
    other: Pair | None = None
    levels: tuple[float, ...] = ()
    free: dict[str, Any] | None = None
    mode: Literal["a", 1] | None = None


def test_json_becomes_tuples_and_dataclasses() -> None:
    """Lists and objects are turned into what the annotations name, at any depth."""
    values = {"pairs": [{"name": "x", "size": 2}], "other": {"name": "y"}}
    whole = from_plain({**values, "levels": [1, 0.5], "free": {"k": [1]}}, Whole)
    assert whole == Whole((Pair("x", 2),), Pair("y"), (1, 0.5), {"k": [1]})
    assert type_problems("w", whole, Whole) == []


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"pairs": ({"name": "x"},)}, "`w.pairs[0]` is {'name': 'x'}; it must be Pair"),
        ({"pairs": "x"}, "`w.pairs` is 'x'; it must be a list, each item Pair"),
        ({"other": Pair("x", True)}, "`w.other.size` is True; it must be an integer"),
        ({"other": 0}, "`w.other` is 0; it must be Pair or null"),
        ({"levels": (1.0, "a")}, "`w.levels[1]` is 'a'; it must be a finite number"),
        ({"levels": (False,)}, "`w.levels[0]` is False; it must be a finite number"),
        ({"free": [1]}, "`w.free` is [1]; it must be an object or null"),
        ({"mode": True}, "`w.mode` is True; it must be 'a' or 1 or null"),
        ({"mode": "x" * 99}, "`w.mode` is a str; it must be 'a' or 1 or null"),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, Any], problem: str) -> None:
    """Place, value and what is needed, in one sentence."""
    assert type_problems("w", Whole(**values), Whole) == [problem]


def test_all_problems_at_once() -> None:
    """Every entry that does not fit is listed."""
    whole = Whole(levels=("a", "b"), mode=2)  # type: ignore[arg-type]
    assert len(type_problems("w", whole, Whole)) == 3


def test_unknown_and_missing_entries() -> None:
    """An object must have the entries of its dataclass and no others."""
    with pytest.raises(WeightsError, match="2 problems") as caught:
        from_plain({"other": {"size": 3, "sise": 3}}, Whole)
    assert "unknown entry 'sise'" in str(caught.value)
    assert "missing entry 'name'" in str(caught.value)
