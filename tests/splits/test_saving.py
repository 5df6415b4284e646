"""Folds on disk: the same labels and numbers come back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland import splits
from xstefaland.errors import InputError


@pytest.mark.parametrize(
    "labels",
    [
        ["01013500", "7"],
        [3, 4],
        [0.25, 1e-9],
        pd.date_range("2000-01-01T12", periods=2),
    ],
)
def test_round_trip(labels, tmp_path):
    """Text with zeros in front, numbers and days keep their type."""
    fold = splits.leave_one_region_out(xr.DataArray(["b", "a"], {"x": labels}, "x"))
    splits.save_folds(fold, tmp_path / "folds.json")
    back = splits.load_folds(tmp_path / "folds.json")
    xr.testing.assert_identical(back, fold)
    assert back["x"].dtype.kind == fold["x"].dtype.kind


def test_grid(tmp_path):
    """Both dims of a map."""
    fold = xr.DataArray(
        np.arange(6).reshape(2, 3) - 1, {"lat": [1.5, 2.5], "lon": [7, 8, 9]},
        ("lat", "lon"), name="fold",
    )  # fmt: skip
    splits.save_folds(fold, tmp_path / "folds.json")
    xr.testing.assert_identical(splits.load_folds(tmp_path / "folds.json"), fold)


def test_a_table_will_do(tmp_path):
    """Two columns written by hand."""
    path = tmp_path / "folds.csv"
    path.write_text("basin,fold\n01013500,0\n01022500,-1\n")
    fold = splits.load_folds(path)
    assert fold.sel(basin="01022500") == -1
    path.write_text("basin,group\n01013500,0\n")
    with pytest.raises(InputError, match=r"has the columns \['basin', 'group'\]"):
        splits.load_folds(path)


def test_what_cannot_be_saved_or_loaded(tmp_path):
    """Folds without labels; files of another kind."""
    with pytest.raises(InputError, match=r"no labels along \['site'\]"):
        splits.save_folds(splits.random_holdout(range(3), 3), tmp_path / "a.json")
    with pytest.raises(InputError, match=r"name it a\.json"):
        splits.save_folds(splits.random_holdout(["a", "b"], 2), tmp_path / "a.csv")
    for text in ("{}", "[]", "no json", '{"format": "other"}'):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(InputError, match=r"b\.json' holds no folds"):
            splits.load_folds(tmp_path / "b.json")
