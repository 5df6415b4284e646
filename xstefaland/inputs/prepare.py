"""From an examined Dataset to the arrays of a model: lazy where the input is lazy.

Conversion and derivation happen inside one plain-array function per chunk (see
:mod:`xstefaland.inputs.chunk`), so a chunk costs one task.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError, MissingVariableError, join_problems, warn
from xstefaland.inputs.chunk import (
    Assembly,
    ChunkTask,
    Inputs,
    ResultColumn,
    input_arrays,
)
from xstefaland.inputs.days import Days
from xstefaland.inputs.examine import Examination, examine
from xstefaland.inputs.hints import NO_HINTS, Hints
from xstefaland.inputs.readings import Reading
from xstefaland.inputs.recipes import LATITUDE
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.units import IDENTITY, conversion
from xstefaland.options import get_options

Array = npt.NDArray[Any]
logger = logging.getLogger("xstefaland")


@dataclass(frozen=True, eq=False)
class Prepared:
    """Input of a model in physical units, as raw arrays and the way from there.

    Attributes
    ----------
    examination : Examination
        What was found, assumed and derived.
    assembly : Assembly
        What happens in each chunk.
    arrays : tuple of DataArray
        What it takes: site dims first, dask-backed where the Dataset's forcing is, in
        the chunks of its site dims.

    Notes
    -----
    The arrays carry no site coordinates: labels are taken from the Dataset itself.
    """

    examination: Examination
    assembly: Assembly
    arrays: tuple[xr.DataArray, ...]

    @property
    def time(self) -> pd.DatetimeIndex:
        """The Dataset's own days, a subset of the days of `forcing`."""
        return self.examination.days

    @property
    def site_dims(self) -> tuple[str, ...]:
        """Dimensions of the forcing besides `time`, in the Dataset's order."""
        return self.examination.site_dims

    @property
    def forcing(self) -> xr.DataArray:
        """Dims (site dims, `time`, `variable`): every day, float32, NaN = missing."""
        names = [v.name for v in self.examination.requirements.forcing]
        coords = {"time": self.assembly.days.index, "variable": names}
        return xr.DataArray(self._whole[0], coords, name="forcing")

    @property
    def attributes(self) -> xr.DataArray:
        """Dims (site dims, `attribute`), float32, NaN where missing."""
        names = [v.name for v in self.examination.requirements.attributes]
        return xr.DataArray(self._whole[1], {"attribute": names}, name="attributes")

    @property
    def latitude(self) -> xr.DataArray:
        """Dims (site dims), float32 [degrees north], NaN where unknown."""
        return xr.DataArray(self._whole[2], name="latitude")

    @property
    def rejected(self) -> xr.DataArray:
        """Dims (site dims), float32: values that could not be true, so are missing."""
        return xr.DataArray(self._whole[3], name="rejected")

    @property
    def lazy(self) -> bool:
        """Whether any of the arrays is chunked."""
        return any(array.chunks for array in self.arrays)

    def apply(
        self,
        function: Callable[..., tuple[Array, ...]],
        outputs: Sequence[Sequence[str]],
        sizes: Mapping[str, int],
        **options: Any,
    ) -> list[xr.Variable]:
        """Run a function on the inputs of all sites: one task a chunk where lazy.

        Parameters
        ----------
        function : callable
            Takes :class:`~xstefaland.inputs.chunk.Inputs` and the options; returns a
            tuple of float32 arrays: dims of the sites, then those named here. A worker
            must be able to import it.
        outputs : sequence of sequence of str
            Dims of each answer after those of the sites.
        sizes : mapping of str to int
            Lengths of all these dims.
        **options
            Plain values: they travel with the graph.

        Returns
        -------
        list of Variable
            Lazy where any of the arrays is. Nothing lazy is computed.
        """
        if not self.lazy:
            answers = function(self._inputs, **options)
            dims = [(*self.site_dims, *own) for own in outputs]
            return [xr.Variable(*pair) for pair in zip(dims, answers, strict=True)]
        last = [str(array.dims[-1]) for array in self.arrays]
        results = xr.apply_ufunc(
            ChunkTask(self.assembly, function, options),
            *(array.variable for array in self.arrays),
            input_core_dims=[[dim] for dim in last],
            output_core_dims=outputs,
            exclude_dims=set(last),
            dask="parallelized",
            output_dtypes=[np.float32] * len(outputs),
            dask_gufunc_kwargs={
                "output_sizes": {dim: sizes[dim] for own in outputs for dim in own}
            },
            keep_attrs=False,
        )
        results = results if isinstance(results, tuple) else (results,)
        return [
            _in_order(result, (*self.site_dims, *own))
            for result, own in zip(results, outputs, strict=True)
        ]

    @cached_property
    def _inputs(self) -> Inputs:
        """The inputs of a Dataset in memory, made once for all answers."""
        return self.assembly(*(array.to_numpy() for array in self.arrays))

    @cached_property
    def _whole(self) -> list[xr.Variable]:
        """Forcing, attributes, latitude, rejected: from one task a chunk."""
        asked = self.examination.requirements
        sizes = {
            "time": len(self.assembly.days),
            "variable": len(asked.forcing),
            "attribute": len(asked.attributes),
        }
        dims = [["time", "variable"], ["attribute"], [], []]
        return self.apply(input_arrays, dims, sizes)


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
    return arranged(found, get_options()["validation"])


def arranged(found: Examination, validation: str) -> Prepared:
    """Turn a Dataset that was examined, and can be used, into the input of a model.

    Parameters
    ----------
    found : Examination
        Its sites may be some of those that were examined (``found.apart().on(...)``).
    validation : {"raise", "warn", "log", "ignore"}
        What to do about suspicious values that were not in memory.
    """
    arrays, readings, series = _raw_arrays(found)
    assembly = _assembly(found, readings, series, validation)
    return Prepared(found, assembly, tuple(arrays))


def _assembly(
    found: Examination,
    readings: Sequence[Reading | tuple[str, ...]],
    series: int,
    validation: str,
) -> Assembly:
    """Write down what happens in each chunk."""
    asked = found.requirements
    names = [variable.name for variable in asked.forcing]
    origins = found.behind(variable.name for variable in asked.variables)
    return Assembly(
        readings=tuple(readings),
        series=series,
        recipes=tuple(origin.recipe for origin in origins if origin.recipe),
        days=Days.of(found.days),
        forcing=_columns(asked.forcing, found),
        attributes=_columns(asked.attributes, found),
        required=tuple(
            tuple(names.index(name) for name in group if name in names)
            for group in asked.required
            if set(group) & set(names)
        ),
        period=found.period,
        validation=validation,
    )


def _raw_arrays(
    found: Examination,
) -> tuple[list[xr.DataArray], list[Reading | tuple[str, ...]], int]:
    """Collect forcings, then values of sites to be looked at, then all others as one.

    Values that were in memory when they were examined need no second look.
    """
    origins = found.behind(variable.name for variable in found.requirements.variables)
    read = [found.readings[origin.name] for origin in origins if origin.source]
    given = {reading: found.ds[reading.source].variable for reading in read}
    series = [reading for reading in read if "time" in given[reading].dims]
    lazy = [r for r in read if r not in series and r.lazy]
    ready = {
        reading.name: variable.copy(data=reading.values(variable.to_numpy()))
        for reading, variable in given.items()
        if reading not in series and reading not in lazy
    }
    readings: list[Reading | tuple[str, ...]] = [*series, *lazy]
    variables = [given[reading] for reading in (*series, *lazy)]
    latitude = found.latitudes()
    if latitude.chunks is None:
        ready[LATITUDE] = latitude
    else:
        readings.append((LATITUDE,))
        variables.append(latitude)
    sizes = {dim: found.ds.sizes[dim] for dim in found.site_dims}
    arrays = [_sites_first(variable, sizes) for variable in variables]
    if ready:
        readings.append(tuple(ready))
        arrays.append(_together(ready.values(), found))
    return _aligned(arrays, len(series)), readings, len(series)


def _sites_first(variable: xr.Variable, sizes: Mapping[str, int]) -> xr.DataArray:
    """Array with all site dims first and `time` (length 1 for site values) last.

    Numpy aligns what follows by position: a value for each row is not one a column.
    """
    if "time" not in variable.dims:
        variable = xr.Variable(("once", *variable.dims), variable.data[np.newaxis])
    last = [dim for dim in variable.dims if dim not in sizes]
    if not set(sizes) <= set(variable.dims):
        full: dict[Any, int] = {**sizes, **{dim: variable.sizes[dim] for dim in last}}
        variable = variable.set_dims(full)  # type: ignore[no-untyped-call]
    return xr.DataArray(_in_order(variable, (*sizes, *last)))


def _in_order(variable: xr.Variable, dims: tuple[Hashable, ...]) -> xr.Variable:
    """Order the dims; dask would make a task a chunk where nothing is to be done."""
    return variable if variable.dims == dims else variable.transpose(*dims)


def _together(variables: Iterable[xr.Variable], found: Examination) -> xr.DataArray:
    """Bring values of sites together in one array, site dims first."""
    sizes = {dim: found.ds.sizes[dim] for dim in found.site_dims}
    full = [v.set_dims(sizes) for v in variables]  # type: ignore[no-untyped-call]
    values = [v.transpose(*sizes).to_numpy() for v in full]
    return xr.DataArray(np.stack(values, -1), dims=(*sizes, "once"))


def _aligned(arrays: Sequence[xr.DataArray], series: int) -> list[xr.DataArray]:
    """Chunk all arrays alike: as the forcing where it is lazy, else as the rest is."""
    lazy = [array for array in arrays[:series] if array.chunks]
    lazy = lazy or [array for array in arrays if array.chunks]
    chunks = {
        dim: sizes
        for array in xr.unify_chunks(*lazy)
        for dim, sizes in array.chunksizes.items()
    }
    if not chunks:
        return list(arrays)
    return [
        array.chunk({dim: chunks.get(dim, -1) for dim in array.dims[:-1]})
        for array in arrays
    ]


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
