"""From an examined Dataset to the arrays of a model: lazy where the input is lazy.

Conversion and derivation happen inside one plain-array function per chunk (see
:mod:`xstefaland.inputs.chunk`), so a chunk costs one task.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError, MissingVariableError, join_problems, warn
from xstefaland.geometry.sites import latitude as site_latitude
from xstefaland.inputs.axes import every_day
from xstefaland.inputs.chunk import (
    Assembly,
    ResultColumn,
    attribute_values,
    forcing_values,
)
from xstefaland.inputs.examine import Examination, examine
from xstefaland.inputs.hints import NO_HINTS, Hints
from xstefaland.inputs.readings import Reading
from xstefaland.inputs.recipes import LATITUDE
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.units import IDENTITY, conversion
from xstefaland.options import get_options

Array = npt.NDArray[Any]
logger = logging.getLogger("xstefaland")


@dataclass(frozen=True)
class Prepared:
    """Input of a model in physical units.

    Attributes
    ----------
    forcing : xarray.DataArray
        Dims (site dims, `time`, `variable`), float32, NaN where missing; every day from
        the first to the last. Dask-backed where the Dataset's forcing is, in the
        chunks of its site dims.
    attributes : xarray.DataArray
        Dims (site dims, `attribute`), float32, NaN where missing.
    latitude : xarray.DataArray
        Dims (site dims), float32 [degrees north], NaN where unknown.
    rejected : xarray.DataArray
        Dims (site dims), float32: number of values that were there and could not be
        true, so they are missing.
    examination : Examination
        What was found, assumed and derived.

    Notes
    -----
    The arrays carry no site coordinates: labels are taken from the Dataset itself.
    """

    forcing: xr.DataArray
    attributes: xr.DataArray
    latitude: xr.DataArray
    rejected: xr.DataArray
    examination: Examination

    @property
    def time(self) -> pd.DatetimeIndex:
        """The Dataset's own days, a subset of the days of `forcing`."""
        return self.examination.days

    @property
    def site_dims(self) -> tuple[str, ...]:
        """Dimensions of the forcing besides `time`, in the Dataset's order."""
        return self.examination.site_dims


def prepare(
    ds: xr.Dataset, requirements: Requirements, hints: Hints = NO_HINTS
) -> Prepared:
    """Turn a Dataset into the input of a model.

    Parameters
    ----------
    ds : xarray.Dataset
        Forcings, dims `time` and those of the sites, and attributes.
    requirements : Requirements
        What the model asks for.
    hints : Hints
        What the user says beside.

    Returns
    -------
    Prepared
        Lazy where the forcing is dask-backed; nothing is computed.

    Raises
    ------
    MissingVariableError
        When nothing is wrong but that a required input is missing.
    InputError
        For all other problems, all of them in one message.

    Warns
    -----
    UserWarning
        For values that are suspicious, such as Kelvin labelled as degC.

    Examples
    --------
    >>> rain = VariableSpec("precipitation", "mm d-1")
    >>> rate = xr.DataArray([0.0, 1e-4], dims="time", attrs={"units": "kg m-2 s-1"})
    >>> dates = pd.date_range("2000-01-01T12", periods=2)
    >>> ds = xr.Dataset({"pr": rate}, coords={"time": dates})
    >>> prepared = prepare(ds, Requirements((rain,)))
    >>> prepared.forcing.dims, prepared.forcing.values.ravel().round(2).tolist()
    (('time', 'variable'), [0.0, 8.640000343322754])
    """
    found = examine(ds, requirements, hints)
    found = found.loaded() if found.report.ok else found
    report = found.report
    if not report.ok:
        only_missing = report.problems == report.missing
        kind = MissingVariableError if only_missing else InputError
        raise kind(join_problems("the Dataset cannot be used", report.problems))
    tell = logger.warning if get_options()["validation"] == "log" else warn
    for text in report.warnings:
        tell(text)
    latitude = site_latitude(found.ds, found.site_dims, found.latitude)
    forcing, rejected = _forcing(found, latitude)
    chunks = {d: c for d, c in forcing.chunksizes.items() if d in found.site_dims}
    attributes = _attributes(found, latitude)
    if chunks:
        attributes = attributes.chunk({**chunks, "attribute": -1})
        latitude = latitude.chunk(chunks)
    return Prepared(forcing, attributes, latitude, rejected, found)


def _forcing(
    found: Examination, latitude: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray]:
    """Make forcing ``(*site_dims, time, variable)``; count rejected values by site."""
    variables = found.requirements.forcing
    names = [variable.name for variable in variables]
    assembly, arrays = _assembly(found, names, latitude)
    required = [
        tuple(names.index(name) for name in group if name in names)
        for group in found.requirements.required
        if set(group) & set(names)
    ]
    options = {
        "assembly": assembly,
        "columns": _columns(variables, found),
        "required": required,
    }
    coords = {"time": assembly.days, "variable": names}
    outputs = [list(coords), []]
    forcing, rejected = _apply(forcing_values, arrays, found, coords, outputs, options)
    return forcing.rename("forcing"), rejected.rename("rejected")


def _attributes(found: Examination, latitude: xr.DataArray) -> xr.DataArray:
    """Attributes ``(*site_dims, attribute)``."""
    variables = found.requirements.attributes
    names = [variable.name for variable in variables]
    assembly, arrays = _assembly(found, names, latitude)
    options = {"assembly": assembly, "columns": _columns(variables, found)}
    coords = {"attribute": names}
    (out,) = _apply(attribute_values, arrays, found, coords, [list(coords)], options)
    return out.rename("attributes")


def _assembly(
    found: Examination, names: Sequence[str], latitude: xr.DataArray
) -> tuple[Assembly, list[xr.DataArray]]:
    """Collect what some variables need, and the raw arrays in that order."""
    used = found.behind(names)
    readings: list[Reading | str] = []
    arrays: list[xr.DataArray] = []
    for origin in used:
        if origin.source:
            readings.append(found.readings[origin.name])
            arrays.append(_raw(found.ds[origin.source].variable, found.site_dims))
    recipes = tuple(origin.recipe for origin in used if origin.recipe)
    if any(LATITUDE in recipe.ingredients for recipe in recipes):
        readings.append(LATITUDE)
        arrays.append(_raw(latitude.variable, found.site_dims))
    days = every_day(found.days)
    positions = None
    if len(days) != len(found.days):
        positions = days.get_indexer(found.days)
    validation = get_options()["validation"]
    assembly = Assembly(
        tuple(readings), recipes, days, positions, found.period, validation
    )
    return assembly, arrays


def _raw(variable: xr.Variable, dims: tuple[str, ...]) -> xr.DataArray:
    """Array with the site dims first and `time` (length 1 for site values) last."""
    sizes = dict(zip(variable.dims, variable.shape, strict=True))
    if "time" not in sizes:
        variable = xr.Variable(("once", *variable.dims), variable.data[np.newaxis])
    last = "time" if "time" in sizes else "once"
    order = [dim for dim in dims if dim in sizes]
    return xr.DataArray(variable.transpose(*order, last))


def _columns(
    variables: Sequence[VariableSpec], found: Examination
) -> tuple[ResultColumn | None, ...]:
    """For each variable how it gets the model's units, None where it is missing."""
    return tuple(
        _column(v, found) if found.origins[v.name].available else None
        for v in variables
    )


def _column(variable: VariableSpec, found: Examination) -> ResultColumn:
    """Describe one variable of the result.

    A climate attribute that is derived is held within what the model has seen: a
    record of a few dry years gives an aridity that no place of the training had.
    """
    known = variable.catalogued
    change = IDENTITY
    if known is not None and variable.units not in (None, known.units):
        units = str(variable.units)
        change = conversion(known.units, units, difference=known.difference)
    recipe = found.origins[variable.name].recipe
    limits = None
    low, high = variable.minimum, variable.maximum
    if recipe is not None and recipe.climate and low is not None and high is not None:
        limits = (low, high)
    return ResultColumn(variable.name, change, limits)


def _apply(
    function: Callable[..., Any],
    arrays: list[xr.DataArray],
    found: Examination,
    coords: Mapping[str, Any],
    outputs: list[list[str]],
    options: Mapping[str, Any],
) -> list[xr.DataArray]:
    """Run a function over all sites, lazily if any array is lazy."""
    sizes = {name: len(values) for name, values in coords.items()}
    results: Any
    if arrays:
        results = xr.apply_ufunc(
            function,
            *arrays,
            input_core_dims=[[str(array.dims[-1])] for array in arrays],
            output_core_dims=outputs,
            exclude_dims={"time", "once"} & {str(array.dims[-1]) for array in arrays},
            dask="parallelized",
            output_dtypes=[np.float32] * len(outputs),
            dask_gufunc_kwargs={"output_sizes": sizes},
            keep_attrs=False,
            kwargs=dict(options),
        )
    else:
        results = [xr.DataArray(np.float32(0 if not o else np.nan)) for o in outputs]
    results = list(results) if isinstance(results, tuple | list) else [results]
    site_sizes = {dim: found.ds.sizes[dim] for dim in found.site_dims}
    return [
        _shaped(result, {**site_sizes, **{d: sizes[d] for d in own}}, coords)
        for result, own in zip(results, outputs, strict=True)
    ]


def _shaped(
    result: xr.DataArray, sizes: Mapping[str, int], coords: Mapping[str, Any]
) -> xr.DataArray:
    """Give a result all its dims, in their order, and the coordinates of its own."""
    absent = {dim: size for dim, size in sizes.items() if dim not in result.dims}
    if absent:
        result = result.expand_dims(absent)
    own = {name: values for name, values in coords.items() if name in sizes}
    return result.transpose(*sizes).assign_coords(own)
