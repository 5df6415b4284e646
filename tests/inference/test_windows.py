"""Windows cover a record and their weights sum to one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstefaland.errors import InputError
from xstefaland.inference.windows import (
    causal_starts,
    causal_weights,
    fade_weights,
    window_starts,
)


@st.composite
def records(draw: st.DrawFn) -> tuple[int, int, int]:
    """Days of a record, window and stride."""
    window = draw(st.integers(1, 60))
    return draw(st.integers(0, 400)), window, draw(st.integers(1, window))


@given(records())
def test_windows_cover_the_record(record: tuple[int, int, int]) -> None:
    """Every day lies in a window, the last window ends with the record."""
    days, window, stride = record
    starts = window_starts(days, window, stride)
    length = min(window, days)
    assert starts[0] == 0
    assert starts[-1] + length == days
    assert (np.diff(starts) > 0).all()
    assert (np.diff(starts) <= stride).all()
    assert (np.diff(starts)[:-1] == stride).all()


@given(records())
def test_weights_sum_to_one(record: tuple[int, int, int]) -> None:
    """Blended constants stay constant, and no weight is negative."""
    starts, weights = window_starts(*record), fade_weights(*record)
    total = np.zeros(record[0])
    for start, line in zip(starts, weights, strict=True):
        total[start : start + len(line)] += line
    np.testing.assert_allclose(total, 1.0, rtol=1e-6)
    assert (weights >= 0).all()


def test_fade_is_linear_between_two_windows() -> None:
    """Where two windows overlap, the newer one rises by equal steps."""
    weights = fade_weights(365 + 183, 365, 183)
    rise = weights[1, :182]
    np.testing.assert_allclose(np.diff(rise), 1 / 183, rtol=1e-4)
    np.testing.assert_allclose(weights[0, 183:], 1 - rise, atol=1e-6)


def test_short_record_is_one_window_unpadded() -> None:
    """A record no longer than a window is seen whole, with full weight."""
    assert window_starts(365, 365, 183).tolist() == [0]
    np.testing.assert_array_equal(fade_weights(40, 365, 183), np.ones((1, 40)))


@pytest.mark.parametrize("stride", [0, 11])
@pytest.mark.parametrize("starts", [window_starts, causal_starts])
def test_stride_that_leaves_days_out_is_refused(starts: Any, stride: int) -> None:
    """The message names stride and window."""
    with pytest.raises(InputError, match=f"stride={stride} .* window=10"):
        starts(100, 10, stride)


@given(records())
def test_causal_days_count_once_and_have_a_history(
    record: tuple[int, int, int],
) -> None:
    """Each day comes from one window, and lies deep enough in it."""
    days, window, stride = record
    starts, weights = causal_starts(*record), causal_weights(*record)
    assert weights.shape == (len(starts), window)
    day = starts[:, None] + np.arange(window)
    counted = day[weights == 1]
    np.testing.assert_array_equal(np.sort(counted), np.arange(counted.max() + 1))
    assert days <= counted.max() + 1 < max(days, window) + stride
    history = np.broadcast_to(np.arange(window), day.shape)[weights == 1]
    assert (history >= np.minimum(counted, window - stride)).all()
    assert ((weights == 0) | (weights == 1)).all()


@given(records(), st.integers(0, 100))
def test_causal_windows_do_not_move(record: tuple[int, int, int], more: int) -> None:
    """A longer record has the same windows, and further ones."""
    days, window, stride = record
    longer = days + more, window, stride
    starts = causal_starts(*record)
    np.testing.assert_array_equal(causal_starts(*longer)[: len(starts)], starts)
    np.testing.assert_array_equal(
        causal_weights(*longer)[: len(starts)], causal_weights(*record)
    )
