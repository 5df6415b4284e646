"""Folders of runs: the same run goes on in its folder, another is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xstefaland.errors import InputError
from xstefaland.training.folders import claim


def test_the_same_run_goes_on(tmp_path: Path) -> None:
    """What JSON has no type for (a tuple) is no difference."""
    folder = tmp_path / "new" / "run"
    claim(folder, {"seed": 1, "scores": ("nse", "kge")}, "folder")
    claim(folder, {"seed": 1, "scores": ("nse", "kge")}, "folder")
    held = json.loads((folder / "run.json").read_text())
    assert held == {"seed": 1, "scores": ["nse", "kge"]}


def test_another_run_is_refused(tmp_path: Path) -> None:
    """With all that differs, and the folder's note left as it was."""
    claim(tmp_path, {"seed": 1, "encoder": "a", "data": "x"}, "runs")
    with pytest.raises(InputError, match=r"runs='.*' .*: seed, encoder differ\. Give"):
        claim(tmp_path, {"seed": 2, "encoder": "b", "data": "x"}, "runs")
    assert json.loads((tmp_path / "run.json").read_text())["seed"] == 1
