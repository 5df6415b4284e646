"""The table of coverage adds up, and says which tests were run."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "covered.py"


@pytest.fixture
def covered() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("covered", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def summary(*numbers: int) -> dict[str, dict[str, int]]:
    """What coverage.py tells of one file."""
    names = ("num_statements", "covered_lines", "num_branches", "covered_branches")
    return {"summary": dict(zip(names, numbers, strict=True))}


def test_rooms_are_added_up(
    covered: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements and branches count alike; modules beside the rooms are one."""
    rooms = covered.by_room(
        {
            "xstefaland/metrics/floods.py": summary(10, 9, 4, 2),
            "xstefaland/metrics/spread.py": summary(6, 6, 0, 0),
            "xstefaland/errors.py": summary(5, 0, 5, 0),
        }
    )
    lines = covered.table(rooms).splitlines()
    assert lines[2] == "| (top) | 5 | 5 | 0.0 % |"
    assert lines[3] == "| metrics | 16 | 4 | 85.0 % |"
    assert lines[4] == "| all of these | 21 | 9 | 56.7 % |"
    monkeypatch.setattr(covered, "measured", lambda root: rooms)
    covered.main(["--rooms", "metrics", "--out", str(tmp_path / "table.md")])
    text = (tmp_path / "table.md").read_text()
    assert "of these rooms alone" in text
    assert "errors" not in text
    assert "(top)" not in text
