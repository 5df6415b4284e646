"""Progress bars advise nobody to install widgets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "xstefaland"
NOTEBOOK = """
import sys, warnings
sys.modules["ipywidgets"] = None  # not installed
import ipykernel.zmqshell  # by which tqdm knows a notebook
warnings.simplefilter("always")
from xstefaland.bars import tqdm
bar = tqdm(total=2, file=sys.stdout)
bar.update(2)
bar.close()
"""


def test_a_notebook_without_widgets_gets_the_plain_bar() -> None:
    """The import and the bar warn of nothing, where plain tqdm's import would."""
    pytest.importorskip("ipykernel")  # comes with the extra docs
    done = _run(NOTEBOOK)
    assert done.returncode == 0, done.stderr
    assert "2/2" in done.stdout
    assert "IProgress" not in done.stderr
    plain = _run(NOTEBOOK.replace("xstefaland.bars", "tqdm.auto"))
    assert "IProgress not found" in plain.stderr


def test_nobody_takes_the_bar_from_elsewhere() -> None:
    """One module imports tqdm's choice of a bar."""
    files = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if "from tqdm.auto" in path.read_text(encoding="utf-8")
    ]
    assert files == ["bars.py"]


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
