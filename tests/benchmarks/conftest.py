"""What the tests of the benchmarks share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # where the scripts find their modules


@pytest.fixture
def benchmarks() -> Path:
    """Folder of the benchmarks."""
    return BENCHMARKS
