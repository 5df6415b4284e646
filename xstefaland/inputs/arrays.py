"""From a Dataset to the arrays of a model: lazy where the input is lazy.

Conversion and derivation happen inside one plain-array function per chunk (see
:mod:`xstefaland.inputs.assembly`), so a chunk costs one task.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError, MissingVariableError, join_problems
from xstefaland.geometry.sites import latitude as site_latitude
from xstefaland.inputs.assembly import Assembly, AttributeBlock, ForcingBlock, Output
from xstefaland.inputs.attributes import LATITUDE
from xstefaland.inputs.checks import Plan, examine
from xstefaland.inputs.report import Report
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.timeaxis import every_day
from xstefaland.inputs.units import IDENTITY, Conversion, conversion

Array = npt.NDArray[Any]


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
    time : pandas.DatetimeIndex
        The Dataset's own days, a subset of the days of `forcing`.
    site_dims : tuple of str
        Dimensions of the forcing besides `time`, in the Dataset's order.
    report : Report
        What was found, assumed and derived.

    Notes
    -----
    The arrays carry no site coordinates: labels are taken from the Dataset itself.
    """

    forcing: xr.DataArray
    attributes: xr.DataArray
    latitude: xr.DataArray
    time: pd.DatetimeIndex
    site_dims: tuple[str, ...]
    report: Report


def prepare(
    ds: xr.Dataset,
    requirements: Requirements,
    *,
    rename: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
) -> Prepared:
    """Turn a Dataset into the input of a model.

    Parameters
    ----------
    ds : xarray.Dataset
        Forcings, dims `time` and up to two site dimensions, and attributes.
    requirements : Requirements
        What the model asks for.
    rename : mapping of str to str, optional
        Name in the Dataset to canonical name.
    units : mapping of str to str, optional
        Name in the Dataset to units, for variables that state none or wrong ones.

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
    plan = examine(ds, requirements, rename=rename, units=units)
    if _load(ds, plan):  # now the values can be checked too
        plan = examine(ds, requirements, rename=rename, units=units)
    if not plan.report.ok:
        only_missing = plan.report.problems == plan.report.missing
        kind = MissingVariableError if only_missing else InputError
        raise kind(join_problems("the Dataset cannot be used", plan.report.problems))
    for text in plan.report.warnings:
        warnings.warn(text, UserWarning, stacklevel=2)
    latitude = site_latitude(ds, plan.site_dims, plan.latitude)
    forcing = _forcing(ds, requirements, plan, latitude)
    chunks = {d: c for d, c in forcing.chunksizes.items() if d in plan.site_dims}
    attributes = _attributes(ds, requirements, plan, latitude)
    if chunks:
        attributes = attributes.chunk({**chunks, "attribute": -1})
        latitude = latitude.chunk(chunks)
    return Prepared(
        forcing, attributes, latitude, plan.days, plan.site_dims, plan.report
    )


def _load(ds: xr.Dataset, plan: Plan) -> bool:
    """Read what is in a file and not dask-backed, once; say whether there was any."""
    variables = [ds[reading.source].variable for reading in plan.readings.values()]
    unread = [v for v in variables if v.chunks is None and not v._in_memory]
    if plan.report.ok:
        for variable in unread:
            variable.load()
    return plan.report.ok and bool(unread)


def _forcing(
    ds: xr.Dataset, requirements: Requirements, plan: Plan, latitude: xr.DataArray
) -> xr.DataArray:
    names = [variable.name for variable in requirements.forcing]
    assembly, arrays = _assembly(ds, plan, names, latitude)
    block = ForcingBlock(assembly, _outputs(requirements.forcing, plan))
    coords = {"time": assembly.days, "variable": names}
    return _apply(block, arrays, ds, plan, coords).rename("forcing")


def _attributes(
    ds: xr.Dataset, requirements: Requirements, plan: Plan, latitude: xr.DataArray
) -> xr.DataArray:
    names = [variable.name for variable in requirements.attributes]
    assembly, arrays = _assembly(ds, plan, names, latitude)
    block = AttributeBlock(assembly, _outputs(requirements.attributes, plan))
    return _apply(block, arrays, ds, plan, {"attribute": names}).rename("attributes")


def _assembly(
    ds: xr.Dataset, plan: Plan, names: Sequence[str], latitude: xr.DataArray
) -> tuple[Assembly, list[xr.DataArray]]:
    """Collect what some variables need, and the raw arrays in that order."""
    used = plan.behind(names)
    inputs: list[tuple[str, Conversion]] = []
    arrays: list[xr.DataArray] = []
    for source in used:
        if source.match:
            reading = plan.readings[source.name]
            inputs.append((source.name, reading.conversion))
            arrays.append(_raw(ds[reading.source].variable, plan.site_dims))
    recipes = tuple(source.recipe for source in used if source.recipe)
    if any(LATITUDE in recipe.ingredients for recipe in recipes):
        inputs.append((LATITUDE, IDENTITY))
        arrays.append(_raw(latitude.variable, plan.site_dims))
    days = every_day(plan.days)
    positions = None if len(days) == len(plan.days) else days.get_indexer(plan.days)
    return Assembly(tuple(inputs), recipes, days, positions), arrays


def _raw(variable: xr.Variable, dims: tuple[str, ...]) -> xr.DataArray:
    """Array with the site dims first and `time` (length 1 for site values) last."""
    sizes = dict(zip(variable.dims, variable.shape, strict=True))
    if "time" not in sizes:
        variable = xr.Variable(("once", *variable.dims), variable.data[np.newaxis])
    last = "time" if "time" in sizes else "once"
    order = [dim for dim in dims if dim in sizes]
    return xr.DataArray(variable.transpose(*order, last))


def _outputs(
    variables: Sequence[VariableSpec], plan: Plan
) -> tuple[Output | None, ...]:
    return tuple(
        _output(v) if plan.sources[v.name].available else None for v in variables
    )


def _output(variable: VariableSpec) -> Output:
    known = variable.catalogued
    if known is None or variable.units is None or variable.units == known.units:
        return Output(variable.name)
    change = conversion(known.units, variable.units, difference=known.difference)
    return Output(variable.name, change)


def _apply(
    block: Callable[..., Array],
    arrays: list[xr.DataArray],
    ds: xr.Dataset,
    plan: Plan,
    coords: Mapping[str, Any],
) -> xr.DataArray:
    """Run a block over all sites, lazily if any array is lazy."""
    sizes = {name: len(values) for name, values in coords.items()}
    shape = {dim: ds.sizes[dim] for dim in plan.site_dims}
    if arrays:
        result: xr.DataArray = xr.apply_ufunc(
            block,
            *arrays,
            input_core_dims=[[str(array.dims[-1])] for array in arrays],
            output_core_dims=[list(sizes)],
            exclude_dims={"time", "once"} & {str(array.dims[-1]) for array in arrays},
            dask="parallelized",
            output_dtypes=[np.float32],
            dask_gufunc_kwargs={"output_sizes": sizes},
            keep_attrs=False,
        )
    else:
        result = xr.DataArray(np.float32(np.nan))
    missing = {
        dim: size for dim, size in {**shape, **sizes}.items() if dim not in result.dims
    }
    if missing:
        result = result.expand_dims(missing)
    return result.transpose(*plan.site_dims, *sizes).assign_coords(coords)
