"""Observations of a target, read from the Dataset that holds the inputs too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xstefaland.errors import InputError, join_problems, warn
from xstefaland.inputs.axes import every_day
from xstefaland.inputs.examine import Examination, examine
from xstefaland.inputs.hints import Hints
from xstefaland.inputs.matching import Origin
from xstefaland.inputs.readings import Reader, Reading
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.units import conversion, stated

Array = npt.NDArray[Any]

FILLS = (-9999.0, -99999.0)
"""Numbers that stand for missing in the tables of many services, stated or not."""


def observations(
    ds: xr.Dataset,
    name: str,
    wanted: VariableSpec,
    examination: Examination,
    *,
    units: str | None = None,
) -> xr.DataArray:
    """Take the observations of a target, on the sites and days of the inputs.

    Parameters
    ----------
    ds : xarray.Dataset
        The user's data.
    name : str
        The observed variable in it.
    wanted : VariableSpec
        The target's name and units; `minimum` and `maximum` are its limits.
    examination : Examination
        Of the inputs.
    units : str, optional
        Units of the observations where the Dataset states none or wrong ones.

    Returns
    -------
    xarray.DataArray
        Dims (site dims, `time`), float32 in the target's units, every day from the
        first to the last; without `time` where the observations have none. NaN where
        there is no observation, or an impossible one.

    Raises
    ------
    InputError
        With everything that is wrong with the observations.

    Warns
    -----
    UserWarning
        When some lie beyond the limits.
    """
    reading, problems = _reading(ds, name, wanted, units)
    if not problems:
        problems = _strange_dims(ds[name], examination.site_dims)
    if problems:
        raise InputError(join_problems(f"observed={name!r} cannot be used", problems))
    static = "time" not in ds[name].dims
    order = (*examination.site_dims, *([] if static else ["time"]))
    array = ds[name].reset_coords(drop=True)
    lacking = {dim: ds.sizes[dim] for dim in order if dim not in array.dims}
    raw = array.expand_dims(lacking).transpose(*order).to_numpy()
    values = _within_limits(reading, np.array(reading.values(raw)))
    if static:
        return xr.DataArray(values.astype(np.float32), dims=order, name=wanted.name)
    days = every_day(examination.days)
    out = np.full((*values.shape[:-1], len(days)), np.nan, np.float32)
    out[..., days.get_indexer(examination.days)] = values
    return xr.DataArray(out, dims=order, coords={"time": days}, name=wanted.name)


def observation_problems(
    ds: xr.Dataset, name: str, wanted: VariableSpec, units: str | None = None
) -> list[str]:
    """List what is wrong with an observed variable, whatever the inputs are.

    Parameters
    ----------
    ds, name, wanted, units
        As for :func:`observations`.
    """
    return [f"observed={name!r}: {p}" for p in _reading(ds, name, wanted, units)[1]]


def inputs_that_tell(
    ds: xr.Dataset, name: str, requirements: Requirements, hints: Hints
) -> frozenset[str]:
    """Name the inputs that would be taken or derived from an observed variable.

    A model of the target must not see them, in training or after: ``swe`` is an alias
    of an input, and so observed snow would predict itself.

    Parameters
    ----------
    ds : xarray.Dataset
        The user's data.
    name : str
        The observed variable in it.
    requirements : Requirements
        What the model asks for.
    hints : Hints
        What the user says beside.

    Returns
    -------
    frozenset of str
        Canonical names.

    Examples
    --------
    >>> snow = VariableSpec("snow_depth_water_equivalent", "mm")
    >>> rain = VariableSpec("precipitation", "mm d-1")
    >>> day = xr.DataArray([1.0, 2.0], dims="time")
    >>> ds = xr.Dataset({"swe": day, "pr": day}, {"time": np.arange(2)})
    >>> inputs_that_tell(ds, "swe", Requirements((rain, snow)), Hints())
    frozenset({'snow_depth_water_equivalent'})
    """
    found = examine(ds, requirements, hints)
    return frozenset(
        variable.name
        for variable in requirements.variables
        if any(origin.source == name for origin in found.behind([variable.name]))
    )


def _reading(
    ds: xr.Dataset, name: str, wanted: VariableSpec, units: str | None
) -> tuple[Reading, list[str]]:
    """How the observations become values in the target's units, and what hinders it."""
    spec = VariableSpec(f"observed {wanted.name}")  # no entry of the catalogue
    reading = Reading(spec.name, name, spec)
    if name not in ds.variables:
        have = ", ".join(repr(str(each)) for each in ds.data_vars)
        return reading, [f"the Dataset has no such variable; it has {have}"]
    reader = Reader(ds, Requirements((spec,)))
    reading = reader.read(Origin(spec.name, "name", name))
    problems = list(reader.problems)
    target, label = str(wanted.units), stated(units or ds[name].attrs.get("units"))
    if label is None:
        call = f"units={{{name!r}: {target!r}}}"
        return reading, [*problems, f"it states no units; say which, such as {call}"]
    low, high = wanted.minimum, wanted.maximum
    reading = replace(
        reading,
        label=label,
        units=wanted.units,
        fills=(*reading.fills, *FILLS),
        spec=replace(spec, minimum=low, maximum=high),
    )
    try:
        change = conversion(label, target, daily=True)
    except InputError as error:
        return reading, [*problems, f"{error}{_volume_hint(name, label)}"]
    return replace(reading, conversion=change), problems


def _strange_dims(array: xr.DataArray, site_dims: tuple[str, ...]) -> list[str]:
    """Say which dimensions of the observations are none of the inputs'."""
    strange = [str(dim) for dim in array.dims if dim not in (*site_dims, "time")]
    if not strange:
        return []
    call = ", ".join(f"{dim}=0" for dim in strange)
    return [
        f"it has the dimension {strange[0]!r}, which the forcing has not; choose one "
        f'entry: ds["{array.name}"].isel({call}, drop=True)'
    ]


def _within_limits(reading: Reading, values: Array) -> Array:
    """Take impossible observations as missing, and say how many there were."""
    low, high = reading.spec.minimum, reading.spec.maximum
    below = values < (-np.inf if low is None else low)
    beyond = below | (values > (np.inf if high is None else high))
    if beyond.any():
        share = beyond.sum() / np.isfinite(values).sum()
        warn(
            f"{reading.source!r}: {share:.2%} of the observations (such as "
            f"{values[beyond][0]:g}) lie beyond {low} to {high} {reading.units} and "
            "are taken as missing; are its units right?"
        )
    values[beyond] = np.nan
    return values


def _volume_hint(name: str, label: str) -> str:
    """How a volume of water per time becomes a depth over the basin."""
    try:
        daily = conversion(label, "m3 s-1").scale * 86.4  # 1000 m3 d-1: a mm on 1 km2
    except InputError:
        return ""
    return (
        "; a volume becomes a depth over the basin's area [km2]: "
        f'(ds["{name}"] * {daily:.7g} / ds["area"]).assign_attrs(units="mm d-1")'
    )
