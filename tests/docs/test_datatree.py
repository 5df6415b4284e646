"""The page about trees does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "datatree.md"
CELL = re.compile(r"^```\{code-cell\} python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_dataset_of_a_tree_is_answered() -> None:
    """The page's own cells: each leaf has values on its own dims, and no other."""
    cells = CELL.findall(PAGE.read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    for cell in cells:
        exec(cell, names)
    answers = names["answers"]
    assert len(cells) == 3
    assert [node.path for node in answers.leaves] == ["/gauges", "/highlands/grid"]
    for node in answers.leaves:
        given = names["tree"][node.path].precipitation
        assert set(node.data_vars) == {"streamflow"}
        assert node.streamflow.dims == given.dims
        assert (node.streamflow.notnull() == given.notnull()).all()
        assert node.streamflow.notnull().any()
