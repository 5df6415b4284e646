"""Folds as small text files, so that others score on the very same ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError

_FORMAT = "xstefaland folds 1"


def save_folds(fold: xr.DataArray, path: str | os.PathLike[str]) -> None:
    """Write folds as JSON: labels of every dim, numbers, attributes.

    Parameters
    ----------
    fold : xarray.DataArray
        Folds on labelled dims: text, whole numbers, decimals or days.
    path : path-like
        File that is written.

    Raises
    ------
    InputError
        For a dim without labels: positions alone would not find the sites again; for
        the path of a CSV, from which :func:`load_folds` would not read JSON.

    Examples
    --------
    >>> import tempfile, xarray as xr
    >>> fold = xr.DataArray([0, 1], {"site": ["a", "b"]}, "site", name="fold")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_folds(fold, folder + "/folds.json")
    ...     load_folds(folder + "/folds.json").identical(fold)
    True
    """
    if Path(path).suffix == ".csv":
        raise InputError(
            f"path={os.fspath(path)!r} would hold JSON, which is not read from a CSV; "
            f"name it {Path(path).stem}.json"
        )
    bare = [str(dim) for dim in fold.dims if dim not in fold.indexes]
    if bare:
        raise InputError(
            f"fold has no labels along {bare}; give it some: "
            f'fold.assign_coords({bare[0]}=ds["{bare[0]}"])'
        )
    what = {
        "format": _FORMAT,
        "labels": {str(dim): _labels(fold.indexes[dim]) for dim in fold.dims},
        "days": [str(d) for d in fold.dims if _has_days(fold.indexes[d])],
        "fold": fold.values.tolist(),
        "attributes": dict(fold.attrs),
    }
    Path(path).write_text(json.dumps(what) + "\n")


def load_folds(path: str | os.PathLike[str]) -> xr.DataArray:
    """Read folds that :func:`save_folds` wrote, or a CSV with a column ``fold``.

    Parameters
    ----------
    path : path-like
        JSON; or CSV whose other column (the first one) holds the labels as text.

    Returns
    -------
    xarray.DataArray
        Integer ``fold`` on its labels.

    Raises
    ------
    InputError
        For a file that holds something else.
    """
    path = Path(path)
    if path.suffix == ".csv":
        return _from_csv(path)
    try:
        what: dict[str, Any] = json.loads(path.read_text())
        known = what["format"] == _FORMAT
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise InputError(
            f"path={str(path)!r} holds no folds; write it with "
            "xstefaland.splits.save_folds(fold, path)"
        )
    labels = {
        dim: pd.DatetimeIndex(each) if dim in what["days"] else each
        for dim, each in what["labels"].items()
    }
    values = np.asarray(what["fold"], np.int64)
    return xr.DataArray(
        values, labels, list(labels), name="fold", attrs=what["attributes"]
    )


def _labels(index: pd.Index) -> list[Any]:
    """Labels as JSON can hold them: days as text."""
    return index.astype(str).tolist() if _has_days(index) else index.tolist()


def _has_days(index: pd.Index) -> bool:
    """Whether labels are days, which JSON has no type for."""
    return isinstance(index, pd.DatetimeIndex)


def _from_csv(path: Path) -> xr.DataArray:
    """Read folds from a table; labels stay text, for leading zeros."""
    table = pd.read_csv(path, dtype=str)
    if "fold" not in table or table.shape[1] < 2:
        raise InputError(
            f"path={str(path)!r} has the columns {list(table)}; needed are the labels "
            "and 'fold'"
        )
    dim = next(str(name) for name in table if name != "fold")
    values = table["fold"].astype(np.int64).to_numpy()
    return xr.DataArray(values, {dim: table[dim].to_list()}, dim, name="fold")
