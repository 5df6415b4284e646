"""Sites and their labels: what goes in as a Dataset, an array or a list."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError

ArrayLike: TypeAlias = xr.DataArray | pd.Series | Sequence[Any] | npt.NDArray[Any]
Seed: TypeAlias = int | np.random.Generator
Labels: TypeAlias = npt.NDArray[np.int64]


def site_array(values: ArrayLike) -> xr.DataArray:
    """Return values as an array on site dims; a list has the dim ``site``.

    The index of a pandas Series is labels, unless it merely counts its rows.
    """
    if isinstance(values, xr.DataArray):
        return values
    if isinstance(values, pd.Series):
        index = values.index
        bare = index.nlevels > 1 or index.equals(pd.RangeIndex(len(index)))
        labels = {} if bare else {"site": index.rename("site")}
        return xr.DataArray(values.to_numpy(), labels, "site")
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(
            f"an array of shape {array.shape} has no site labels; pass a DataArray, "
            'or one value per site: xr.DataArray(values, dims=("lat", "lon"))'
        )
    return xr.DataArray(array, dims="site")


def template(sites: xr.Dataset | ArrayLike) -> xr.DataArray:
    """All -1 on the site dims of the input, with its coordinates."""
    if isinstance(sites, xr.Dataset):
        dims: list[Hashable] = [dim for dim in sites.sizes if dim != "time"]
        shape = tuple(sites.sizes[dim] for dim in dims)
        coords = {k: c for k, c in sites.coords.items() if set(c.dims) <= set(dims)}
        return xr.DataArray(np.full(shape, -1), dims=dims, coords=coords)
    array = site_array(sites)
    return array.copy(data=np.full(array.shape, -1)).rename(None).drop_attrs(deep=False)


def labelled(
    values: npt.NDArray[Any], empty: xr.DataArray, name: str = "fold"
) -> xr.DataArray:
    """Put integers on the labels of a template."""
    return empty.copy(
        data=np.asarray(values, dtype=np.int64).reshape(empty.shape)
    ).rename(name)


def group_codes(groups: ArrayLike, empty: xr.DataArray) -> Labels:
    """Return the number of each group; every site needs one."""
    codes = pd.factorize(checked_values("groups", groups, empty).ravel())[0]
    if missing := int((codes < 0).sum()):
        raise InputError(
            f"{missing} of {codes.size} sites have no group; give each one its own"
        )
    return np.asarray(codes, dtype=np.int64)


def checked_values(
    name: str, given: ArrayLike, empty: xr.DataArray
) -> npt.NDArray[Any]:
    """Return one value a site; refuse other shapes, and labels in another order."""
    if isinstance(given, pd.Series) and empty.ndim == 1:
        given = site_array(given).rename(site=empty.dims[0])
    values = np.asarray(given)
    if values.shape != empty.shape:
        raise InputError(
            f"{name} has shape {values.shape} and the sites {empty.shape}; pass one "
            "value for each site, in the same order"
        )
    if isinstance(given, xr.DataArray):
        try:
            xr.align(given, empty, join="exact", copy=False)
        except ValueError as error:
            raise InputError(
                f"{name} has other labels than the sites, or in another order "
                f"({error}); bring it to theirs: {name}.reindex_like(sites)"
            ) from None
    return values


def fold_number(folds: int, count: int) -> int:
    """Refuse a number of folds that so many sites cannot give."""
    if not 2 <= folds <= count:
        raise InputError(
            f"folds={folds} is not possible with {count} different places or groups; "
            f"pass a number from 2 to {count}, or fraction= to hold out one part"
        )
    return folds
