"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def code(names: Iterable[str]) -> list[str]:
    """Write names as code."""
    return [f"`{name}`" for name in names]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; bars inside cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([str(cell).replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
