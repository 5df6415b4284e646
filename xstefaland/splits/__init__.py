"""Holdouts in space and time as labelled integer folds.

Each function returns a DataArray ``fold`` on the site dims, with their labels. In
round ``k`` the sites with ``fold == k`` are held out and all others, those with
fold -1 included, may be used for training:

>>> import xarray as xr
>>> region = xr.DataArray(["N", "N", "S"], coords={"site": ["a", "b", "c"]})
>>> fold = leave_one_region_out(region)
>>> fold.site[fold == 1].values.tolist()
['c']

The same arguments always give the same folds. Sites that are one place under two
names leak the answer: :func:`random_holdout` keeps them in one fold where it is given
their coordinates, :func:`same_place` finds them otherwise, :func:`leaks` lists those on
both sides and :func:`training_part` leaves them out of training. :func:`save_folds`
writes folds down.
"""

from __future__ import annotations

from xstefaland.splits.holdouts import (
    HUC_GROUPS,
    leave_one_region_out,
    random_holdout,
    regional_holdout,
    time_holdout,
)
from xstefaland.splits.places import (
    continents,
    leaks,
    same_place,
    spatial_blocks,
    training_part,
)
from xstefaland.splits.saving import load_folds, save_folds

__all__ = [
    "HUC_GROUPS",
    "continents",
    "leaks",
    "leave_one_region_out",
    "load_folds",
    "random_holdout",
    "regional_holdout",
    "same_place",
    "save_folds",
    "spatial_blocks",
    "time_holdout",
    "training_part",
]
