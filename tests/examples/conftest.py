"""What the tests of the examples share."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _imported(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setitem(sys.modules, name, sys.modules.get(name, ModuleType(name)))
    sys.modules.pop(name)
    return importlib.import_module(name)


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module examples/readers.py."""
    return _imported("readers", monkeypatch)


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module examples/demo.py."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    for name in ("readers", "pictures"):
        _imported(name, monkeypatch)
    return _imported("demo", monkeypatch)
