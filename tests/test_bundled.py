"""The weights that ship give the answers they gave when they were frozen.

Measured on this code: other batch sizes and numbers of threads move an answer by at
most 7e-6 of its largest value. The tolerance leaves room for other processors.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parent / "golden" / "bundled"
MAKE = runpy.run_path(str(FOLDER / "make.py"))
FROZEN = dict(np.load(FOLDER / "answers.npz"))
TOLERANCE = 1e-4
"""Of an array's largest value."""


@pytest.fixture(scope="module")
def answers() -> Any:
    """Answers of today; batches are not those that were frozen."""
    return MAKE["answers"](device="cpu", precision="float32", batch_size=5)


def test_everything_is_frozen(answers: Any) -> None:
    """An answer that has no frozen one (or the other way) is told."""
    assert set(answers) == set(FROZEN)


@pytest.mark.parametrize("name", sorted(FROZEN))
def test_answer_is_the_frozen_one(answers: Any, name: str) -> None:
    """If weights or answers were meant to change, run tests/golden/bundled/make.py."""
    expected = FROZEN[name]
    assert answers[name].dtype == np.float32
    assert answers[name].shape == expected.shape
    np.testing.assert_array_equal(np.isnan(answers[name]), np.isnan(expected))
    there = ~np.isnan(expected)
    scale = np.abs(expected[there]).max()
    assert scale > 0
    error = np.abs(answers[name] - expected)[there].max()
    assert error <= TOLERANCE * scale


def test_what_is_frozen_varies() -> None:
    """Frozen answers differ between sites and days: they can tell right from wrong."""
    for name, values in FROZEN.items():
        flat = values[np.isfinite(values)]
        assert len(flat) > 2
        assert flat.std() > 1e-3 * np.abs(flat).max(), name
