"""Tutorials are whole: downloadable, listed, and without helpers of their own."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "tutorials"
PAGES = sorted(FOLDER.glob("0*.md"))
CELL = re.compile(r"```\{code-cell\} python\n(?::tags:[^\n]*\n)?(.*?)```", re.DOTALL)


def test_all_are_listed() -> None:
    """The index has every page, in order."""
    listed = re.findall(r"^0\d_\w+$", (FOLDER / "index.md").read_text(), re.MULTILINE)
    assert listed == [page.stem for page in PAGES]
    assert len(listed) == 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page: Path) -> None:
    """It offers itself as a notebook, says on what it ran, and defines no function."""
    text = page.read_text(encoding="utf-8")
    assert f"{{nb-download}}`{page.stem}.ipynb`" in text
    assert "XSTEFALAND_TEST_DATA" in text
    assert "synthetic" in text
    cells = [ast.parse(cell) for cell in CELL.findall(text)]
    assert len(cells) == text.count("{code-cell}")
    helpers = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
    assert not [n for cell in cells for n in ast.walk(cell) if isinstance(n, helpers)]
