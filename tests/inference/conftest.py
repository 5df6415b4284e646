"""How close two answers of a float32 model must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xstefaland.testing import tiny_head, tiny_weights

Same = Callable[[Any, Any], None]


def assert_same(actual: Any, expected: Any) -> None:
    """Relative L2 distance below 1e-5, single values within 1e-4 of the scale."""
    actual, expected = np.asarray(actual, float), np.asarray(expected, float)
    assert actual.shape == expected.shape
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    there = ~np.isnan(expected)
    difference = np.abs(actual - expected)[there]
    norm = np.linalg.norm(expected[there])
    assert np.linalg.norm(difference) <= 1e-5 * norm
    if difference.size:
        assert difference.max() <= 1e-4 * np.abs(expected[there]).max()


@pytest.fixture(scope="session")
def same() -> Same:
    """Compare arrays of a model's answers."""
    return assert_same


@pytest.fixture(scope="session")
def weights() -> Any:
    """A small encoder with a window of 40 days at a stride of 15."""
    return tiny_weights(window=40, stride=15)


@pytest.fixture(scope="session")
def head(weights: Any) -> Any:
    """A head on it for two targets."""
    return tiny_head(weights, ["streamflow", "soil_moisture"])
