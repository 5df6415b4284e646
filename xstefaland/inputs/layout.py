"""Dimensions, dates and chunks of the forcing: what does not fit, and the call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr

from xstefaland.inputs.timeaxis import read_days, resample_call

_SPATIAL = frozenset(
    ("lat", "lon", "latitude", "longitude", "x", "y", "rlat", "rlon", "site", "basin")
)


def no_time(ds: xr.Dataset) -> str:
    """Say that there is no dimension `time`, and which one it may be.

    Examples
    --------
    >>> dates = pd.date_range("2000-01-01", periods=2)
    >>> print(no_time(xr.Dataset(coords={"valid_time": dates})))
    no dimension 'time'; rename yours: ds.rename({"valid_time": "time"})
    """
    dates = [str(n) for n, v in ds.coords.items() if v.dtype.kind == "M" and v.ndim]
    dates += [str(name) for name in ds.dims if str(name).lower() in ("day", "date")]
    if dates:
        return (
            f'no dimension \'time\'; rename yours: ds.rename({{"{dates[0]}": "time"}})'
        )
    have = ", ".join(repr(str(dim)) for dim in ds.dims) or "none"
    return f"no dimension 'time' (the Dataset has {have}); daily forcing is needed"


def dimension_problems(
    ds: xr.Dataset, forcing: Sequence[str], dims: Sequence[str]
) -> list[str]:
    """Problems of the site dimensions.

    Parameters
    ----------
    ds : xarray.Dataset
        Data.
    forcing : sequence of str
        Forcing variables, by name in the Dataset.
    dims : sequence of str
        All dimensions they have besides `time`.

    Returns
    -------
    list of str
        More than two site dimensions, dimensions that only some of the forcings have,
        and dimensions of length 0.
    """
    shared = [d for d in dims if all(d in ds[name].dims for name in forcing)]
    uneven = [dim for dim in dims if dim not in shared]
    problems = [_uneven(ds, forcing, dim) for dim in uneven]
    if not uneven and len(dims) > 2:
        extra = _extra(ds, dims)
        call = ", ".join(f"{dim}=0" for dim in extra)
        problems.append(
            f"the forcing has {len(dims)} dimensions besides time "
            f"({', '.join(dims)}), at most two can be sites; choose one entry of the "
            f"others, for example ds.isel({call}, drop=True)"
        )
    for dim in dims:
        if ds.sizes[dim] == 0:
            problems.append(
                f"the dimension {dim!r} has length 0: there is no site; check how the "
                "Dataset was selected"
            )
    return problems


def _uneven(ds: xr.Dataset, forcing: Sequence[str], dim: str) -> str:
    having = [name for name in forcing if dim in ds[name].dims]
    lacking = [name for name in forcing if dim not in ds[name].dims]
    return (
        f"the dimension {dim!r} is one of {', '.join(map(repr, having))} but not of "
        f"{', '.join(map(repr, lacking))}; choose one entry of it, for example "
        f"ds.isel({dim}=0, drop=True), or bring all forcings to the same sites"
    )


def _extra(ds: xr.Dataset, dims: Sequence[str]) -> list[str]:
    """Dimensions that are the least likely to be sites, all but two."""
    order = sorted(dims, key=lambda dim: (dim.lower() not in _SPATIAL, -ds.sizes[dim]))
    return [dim for dim in dims if dim in order[2:]]


def attribute_problems(
    ds: xr.Dataset, attributes: Mapping[str, str], dims: Sequence[str]
) -> list[str]:
    """Problems of attributes with dimensions that are not sites.

    Parameters
    ----------
    ds : xarray.Dataset
        Data.
    attributes : mapping of str to str
        Canonical name to name in the Dataset.
    dims : sequence of str
        Site dimensions.
    """
    problems = []
    for name, source in attributes.items():
        extra = [str(dim) for dim in ds[source].dims if dim not in dims]
        if extra:
            call = ", ".join(f"{dim}=0" for dim in extra)
            problems.append(
                f"{name}: {source!r} has the dimension {extra[0]!r} besides the sites; "
                f'choose one entry, for example ds["{source}"] = '
                f'ds["{source}"].isel({call}, drop=True)'
            )
    return problems


def chunk_problems(ds: xr.Dataset, forcing: Sequence[str]) -> list[str]:
    """Say when a forcing is in several chunks along time."""
    split = [n for n in forcing if len(ds[n].chunksizes.get("time", ())) > 1]
    if not split:
        return []
    names = ", ".join(map(repr, split))
    return [
        f"{names}: in several chunks along time, but the model reads whole records; "
        'rechunk: ds.chunk({"time": -1})'
    ]


def time_axis(
    ds: xr.Dataset, methods: Mapping[str, str]
) -> tuple[pd.DatetimeIndex, list[str]]:
    """Days of the record and the problems of its time axis.

    Parameters
    ----------
    ds : xarray.Dataset
        Data with the dimension `time`.
    methods : mapping of str to str
        Forcing by name in the Dataset to how daily values come from hourly ones.

    Returns
    -------
    tuple
        The days (none where the axis is unusable) and a list with at most one problem.
    """
    days = read_days(ds)
    nothing = pd.DatetimeIndex([], name="time")
    if isinstance(days, pd.DatetimeIndex):
        return days.rename("time"), []
    if days:
        return nothing, [days]
    call = resample_call(methods) if methods else 'ds.resample(time="D").mean()'
    return nothing, [f"time has several steps a day; make daily data: {call}"]
