"""The empty store: dims, coordinates, attributes, chunks; values come by region."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xstefaland.errors import InputError, join_problems
from xstefaland.inference import labels
from xstefaland.store.packing import Packing
from xstefaland.store.regions import zarr_chunks

KEPT = ("units", "calendar", "grid_mapping", "dtype")
"""Of how the input is encoded, what the store keeps; chunks and codecs are its own."""


@dataclass(frozen=True)
class Template:
    """A whole answer without values.

    Parameters
    ----------
    ds : xarray.Dataset
        Small coordinates with their values, all else as empty dask arrays.
    by_region : tuple of str
        The variables that regions fill.
    data : tuple of str
        The data variables: a Dataset takes `embedding`, which has a dim of its own
        name, for a coordinate.
    """

    ds: xr.Dataset
    by_region: tuple[str, ...]
    data: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """Size of what regions fill, not compressed [bytes]."""
        return sum(int(self.ds.variables[name].nbytes) for name in self.by_region)


def template(ds: xr.Dataset, answer: xr.Dataset, dims: tuple[str, ...]) -> Template:
    """Widen the answer for one site to all sites.

    Parameters
    ----------
    ds : xarray.Dataset
        The whole input.
    answer : xarray.Dataset
        The answer for one of its sites, not computed.
    dims : tuple of str
        Dims of the sites.

    Raises
    ------
    InputError
        For coordinates that Zarr cannot hold.
    """
    own = labels.coordinates(ds).variables
    added = {labels.FRACTION_MISSING, labels.VALUES_REJECTED, labels.FRACTION_FILLED}
    variables: dict[str, xr.Variable] = {}
    by_region = []
    for name, variable in answer.variables.items():
        text = str(name)
        if not set(dims) & set(variable.dims) and text in answer.coords:
            variables[text] = _plain(variable)
        elif text in answer.coords and name in own and text not in added:
            variables[text] = _plain(own[name])
        else:
            by_region.append(text)
            variables[text] = _empty(variable, ds, dims)
    _refuse_objects(variables)
    data = tuple(str(name) for name in answer.data_vars)
    coords = {name: v for name, v in variables.items() if name not in data}
    whole = xr.Dataset({n: variables[n] for n in data}, coords, answer.attrs)
    return Template(whole, tuple(by_region), data)


def write_template(
    made: Template,
    store: str,
    steps: Mapping[str, int],
    packing: Packing,
    *,
    chunks: Mapping[str, int] | None,
    shards: bool,
    storage_options: Mapping[str, Any] | None,
) -> None:
    """Write the empty store, replacing what is there.

    Parameters
    ----------
    made : Template
        What to write.
    store : str
        Path or address.
    steps : mapping
        Sizes of a region.
    packing : Packing
        How data variables are packed.
    chunks, shards
        See :func:`~xstefaland.store.regions.zarr_chunks`.
    storage_options : mapping, optional
        For fsspec.
    """
    encoding = {}
    for name in made.by_region:
        variable = made.ds.variables[name]
        packed = packing.encoding(variable, name in made.data)
        stored = variable.astype(packed["dtype"])
        cut = zarr_chunks(stored, steps, chunks, shards=shards)
        encoding[name] = {**variable.encoding, **packed, **cut}
    made.ds.to_zarr(
        store,
        mode="w",
        compute=False,
        zarr_format=3,
        consolidated=False,
        encoding=encoding,
        storage_options=dict(storage_options) if storage_options else None,
    )


def _empty(variable: xr.Variable, ds: xr.Dataset, dims: tuple[str, ...]) -> xr.Variable:
    """Return a variable of all sites that costs nothing; its chunks come later."""
    sizes = {d: ds.sizes[d] if d in dims else n for d, n in variable.sizes.items()}
    data = da.zeros(tuple(sizes.values()), chunks=-1, dtype=variable.dtype)
    return xr.Variable(tuple(sizes), data, variable.attrs, _kept(variable))


def _plain(variable: xr.Variable) -> xr.Variable:
    """Return a variable in memory, text as Zarr specifies it, with an own encoding."""
    variable = variable.to_base_variable().compute()
    values, attrs = variable.values, dict(variable.attrs)
    if values.dtype.kind == "U":  # fixed lengths are no part of format 3
        values = values.astype(object)
    elif values.dtype.kind == "O":
        values, attrs = _as_text(values, attrs)
    return xr.Variable(variable.dims, values, attrs, _kept(variable))


def _as_text(
    values: NDArray[Any], attrs: dict[str, Any]
) -> tuple[NDArray[Any], dict[str, Any]]:
    """Write geometries and their CRS as WKT, which all read: Zarr holds no objects."""
    if "shapely" not in sys.modules:
        return values, attrs
    import shapely

    if not shapely.is_geometry(values).all():
        return values, attrs
    text = np.asarray(shapely.to_wkt(values, rounding_precision=-1), object)
    crs: Any = attrs.get("crs")
    return text, {**attrs, "crs": crs.to_wkt()} if hasattr(crs, "to_wkt") else attrs


def _kept(variable: xr.Variable) -> dict[str, Any]:
    """Keep of the encoding how dates are counted, and the grid mapping."""
    dates = variable.dtype.kind in "mM"
    wanted = KEPT if dates else ("grid_mapping",)
    return {n: variable.encoding[n] for n in wanted if n in variable.encoding}


def _refuse_objects(variables: Mapping[str, xr.Variable]) -> None:
    """Refuse coordinates that are neither numbers, dates nor text."""
    problems = []
    for name, variable in variables.items():
        if variable.dtype.kind != "O":
            continue
        kinds = {type(v).__name__ for v in np.ravel(variable.values)} - {"str"}
        if kinds:
            call = f'ds.drop_vars("{name}")'
            if kinds == {"tuple"}:  # of several levels, which stay as coordinates
                call = f'ds.reset_index("{name}")'
            problems.append(
                f"the coordinate '{name}' holds {', '.join(sorted(kinds))}: {call}"
            )
    if problems:
        raise InputError(join_problems("a Zarr store cannot hold these", problems))
