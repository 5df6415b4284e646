"""Windows cover a record and their weights sum to one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstefaland.errors import InputError
from xstefaland.inference.windows import fade_weights, window_starts


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
def test_stride_that_leaves_days_out_is_refused(stride: int) -> None:
    """The message names stride and window."""
    with pytest.raises(InputError, match=f"stride={stride} .* window=10"):
        window_starts(100, 10, stride)
