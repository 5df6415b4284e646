"""Observations of a target, read from the Dataset that holds the inputs too."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xstefaland.errors import InputError, join_problems
from xstefaland.inputs.axes import every_day
from xstefaland.inputs.examine import Examination
from xstefaland.inputs.readings import Reading
from xstefaland.inputs.requirements import VariableSpec
from xstefaland.inputs.units import Conversion, conversion, stated

Array = npt.NDArray[Any]


def observations(
    ds: xr.Dataset,
    name: str,
    wanted: VariableSpec,
    examination: Examination,
    *,
    units: str | None = None,
) -> xr.DataArray:
    """Take the observed series of a target, on the sites and days of the inputs.

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
        first to the last; NaN where there is no observation, or an impossible one.

    Raises
    ------
    InputError
        With everything that is wrong with the observations.
    """
    if name not in ds.variables:
        have = ", ".join(repr(str(each)) for each in ds.data_vars)
        raise InputError(
            f"observed={name!r}: the Dataset has no such variable; it has {have}"
        )
    array = ds[name]
    problems = _shape_problems(array, examination.site_dims)
    label = stated(units or array.attrs.get("units"))
    if label is None:
        problems.append(
            f"it states no units; say which, for example units={{{name!r}: "
            f"{wanted.units!r}}}"
        )
    change = Conversion()
    try:
        change = conversion(label or str(wanted.units), str(wanted.units), daily=True)
    except InputError as error:
        problems.append(f"{error}{_volume_hint(name, label)}")
    if problems:
        raise InputError(join_problems(f"observed={name!r} cannot be used", problems))
    low = -np.inf if wanted.minimum is None else wanted.minimum
    high = np.inf if wanted.maximum is None else wanted.maximum
    reading = Reading(wanted.name, name, wanted, change, label, wanted.units)
    order = (*examination.site_dims, "time")
    sizes = {dim: ds.sizes[dim] for dim in order}
    lacking = {dim: size for dim, size in sizes.items() if dim not in array.dims}
    raw = array.reset_coords(drop=True).expand_dims(lacking).transpose(*order)
    values = np.array(reading.values(raw.to_numpy()))
    values[(values < low) | (values > high)] = np.nan
    days = every_day(examination.days)
    out = np.full((*values.shape[:-1], len(days)), np.nan, np.float32)
    out[..., days.get_indexer(examination.days)] = values
    return xr.DataArray(out, dims=order, coords={"time": days}, name=wanted.name)


def _shape_problems(array: xr.DataArray, site_dims: tuple[str, ...]) -> list[str]:
    """Say what keeps a variable from being a daily series of the sites."""
    problems = []
    if array.dtype.kind not in "fiu":
        problems.append(f"it holds {array.dtype} values where numbers belong")
    if "time" not in array.dims:
        problems.append("it has no dimension 'time'")
    strange = [str(d) for d in array.dims if d not in (*site_dims, "time")]
    if strange:
        call = ", ".join(f"{dim}=0" for dim in strange)
        problems.append(
            f"it has the dimension {strange[0]!r}, which the forcing has not; choose "
            f'one entry: ds["{array.name}"].isel({call}, drop=True)'
        )
    return problems


def _volume_hint(name: str, label: str | None) -> str:
    """How a volume of water per time becomes a depth over the basin."""
    try:
        conversion(label or "", "m3 s-1")
    except InputError:
        return ""
    return (
        f"; a volume becomes a depth over the basin's area [km2]: "
        f'ds["{name}"] * 86.4 / ds["area"] is in mm d-1, if it is in m3 s-1'
    )
