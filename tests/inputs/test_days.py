"""Days: a few bytes whatever the length, and the same dates again."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from xstefaland.inputs.days import Days

LONG = pd.date_range("1980-03-01", "2019-12-31", name="time")


@pytest.mark.parametrize("missing", [[], [1], [5, 6, 4000], list(range(100, 9000, 7))])
def test_there_and_back(missing: list[int]) -> None:
    """Every day, those of the Dataset among them, also after pickling."""
    own = LONG.delete(missing)
    days = pickle.loads(pickle.dumps(Days.of(own)))
    assert len(days) == len(LONG)
    assert days.index.equals(LONG)
    assert days.index.name == "time"
    assert days.own.equals(own)
    expected = None if not missing else LONG.get_indexer(own)
    np.testing.assert_array_equal(days.positions, expected)


def test_it_is_small() -> None:
    """Forty years, with gaps or without, travel in a kilobyte or two."""
    assert len(pickle.dumps(Days.of(LONG))) < 200
    assert len(pickle.dumps(Days.of(LONG.delete([5])))) < 2200


def test_values_go_in_and_out() -> None:
    """Left-out days are NaN inside and gone again outside; no copy without gaps."""
    own = LONG[:6].delete([2, 3])
    days, values = Days.of(own), np.arange(8.0).reshape(2, 4)
    inside = days.inserted(values)
    nan = np.nan
    np.testing.assert_array_equal(inside[0], [0, 1, nan, nan, 2, 3])
    np.testing.assert_array_equal(days.taken(inside, 1), values)
    whole = Days.of(LONG[:4])
    assert whole.inserted(values) is values
    assert whole.taken(values, 1) is values


def test_no_days() -> None:
    """A Dataset without time."""
    days = Days.of(LONG[:0])
    assert (len(days), len(days.index), days.positions) == (0, 0, None)
