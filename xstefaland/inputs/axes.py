"""Dimensions, days, calendars and chunks of the forcing: what is wrong, and the call.

A time axis is daily, sorted, unique and of the standard calendar. Days may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

FIRST, LAST = 1678, 2261  # years that dates in nanoseconds can hold
LONGEST_GAP = 7305  # [d] twenty years without a day: rather a wrong date
MANY_STEPS = 20  # fewer may well be daily data with many gaps
OWN_NAMES = {"embedding", "quantile", "year", "variable", "attribute", "once"}
"""Dimensions of answers, and of the arrays inside."""

STANDARD_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")


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
        All dimensions they have besides `time`, as many as there are: the members of
        an ensemble are sites too.

    Returns
    -------
    list of str
        Dimensions that are no sites (the versions of ERA5), that only some of the
        forcings have, and those of length 0.
    """
    if "expver" in dims:
        first, last = _versions(ds)
        return [
            "the dimension 'expver' holds ERA5 and its preliminary ERA5T for different "
            f"days; join them: ds.sel(expver={first}).combine_first("
            f"ds.sel(expver={last})).drop_vars('expver', errors='ignore')"
        ]
    problems = [
        _uneven(ds, forcing, dim)
        for dim in dims
        if not all(dim in ds[name].dims for name in forcing)
    ]
    problems += [
        f"the dimension {dim!r} has a name that answers use; rename it: "
        f'ds.rename({{"{dim}": "site"}})'
        for dim in dims
        if dim in OWN_NAMES
    ]
    problems += [
        f"the dimension {dim!r} has length 0: there is no site; check how the Dataset "
        "was selected"
        for dim in dims
        if ds.sizes[dim] == 0
    ]
    return problems


def _versions(ds: xr.Dataset) -> tuple[str, str]:
    """Labels of the final and of the preliminary data of ERA5, as code."""
    if "expver" not in ds.coords:
        return "1", "5"
    labels = np.atleast_1d(ds["expver"].values).tolist()
    return repr(labels[0]), repr(labels[-1])


def _uneven(ds: xr.Dataset, forcing: Sequence[str], dim: str) -> str:
    """Say which forcings lack a dimension that others have, and what to do."""
    having = [name for name in forcing if dim in ds[name].dims]
    lacking = [name for name in forcing if dim not in ds[name].dims]
    return (
        f"the dimension {dim!r} is one of {', '.join(map(repr, having))} but not of "
        f"{', '.join(map(repr, lacking))}; choose one entry of it, for example "
        f"ds.isel({dim}=0, drop=True), or bring all forcings to the same sites"
    )


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
    split = [n for n in forcing if len(_chunks(ds[n].variable).get("time", ())) > 1]
    if not split:
        return []
    names = ", ".join(map(repr, split))
    return [
        f"{names}: in several chunks along time, but the model reads whole records; "
        'rechunk: ds.chunk({"time": -1})'
    ]


def _chunks(variable: xr.Variable) -> dict[str, tuple[int, ...]]:
    """Chunks of the variable alone: its coordinates may be chunked in another way."""
    return {str(dim): sizes for dim, sizes in variable.chunksizes.items()}


def days_of(
    ds: xr.Dataset, methods: Mapping[str, str]
) -> tuple[pd.DatetimeIndex, list[str]]:
    """Days of the record and the problems of its time axis.

    Stamps may lie anywhere within their day (CMIP and ERA5 use noon).

    Parameters
    ----------
    ds : xarray.Dataset
        Data with the dimension `time`.
    methods : mapping of str to str
        Forcing by name in the Dataset to how daily values come from hourly ones.

    Returns
    -------
    tuple
        One day per time step, without hours (none where the axis is unusable), and
        all problems with the calls that fix them.

    Examples
    --------
    >>> ds = xr.Dataset(coords={"time": pd.date_range("2000-01-01T12", periods=2)})
    >>> days, problems = days_of(ds, {})
    >>> days[-1], problems
    (Timestamp('2000-01-02 00:00:00'), [])
    """
    nothing = pd.DatetimeIndex([], name="time")
    problem = _no_dates(ds)
    if problem:
        return nothing, [problem]
    index = pd.DatetimeIndex(ds["time"].variable.values)
    problems = _order_problems(index)
    stamps = pd.DatetimeIndex(index.dropna().unique().sort_values())
    if len(stamps) and not (stamps[0].year >= FIRST and stamps[-1].year <= LAST):
        return nothing, [
            f"time holds dates from {stamps[0].year} to {stamps[-1].year}, only "
            f"{FIRST} to {LAST} are possible; shift them by whole years"
        ]
    days = stamps.as_unit("ns").floor("D").rename("time")
    if not days.is_unique:
        call = resample_call(methods) if methods else 'ds.resample(time="D").mean()'
        problems.append(f"time has several steps a day; make daily data: {call}")
    else:
        problems += _step_problems(stamps, days)
    return (nothing, problems) if problems else (days, [])


def _no_dates(ds: xr.Dataset) -> str:
    """Why the time axis holds no dates at all, or an empty string."""
    if "time" not in ds.coords:
        return (
            "the dimension 'time' has no dates; add them, for example ds.assign_coords("
            f'time=pd.date_range("2000-01-01", periods={ds.sizes["time"]}))'
        )
    times = ds["time"].variable
    if not times.size:
        return "the dimension 'time' has length 0; check the selection of dates"
    if times.dtype.kind == "M":
        return ""
    calendar = getattr(ds.indexes.get("time"), "calendar", None)
    if calendar is not None:
        return _other_calendar(calendar)
    starts = [n for n, v in ds.variables.items() if n != "time" and v.dtype.kind == "M"]
    if starts and ds[starts[0]].ndim == 1:
        return _own_starts(str(starts[0]), str(ds[starts[0]].dims[0]))
    units = str(times.attrs.get("units", ""))
    if " since " in units:
        return f"time is not decoded ({units}); decode it: xr.decode_cf(ds)"
    if times.dtype.kind in "OUST":
        return (
            f"time holds {times.dtype} values, not dates; decode them, for example "
            'ds.assign_coords(time=pd.to_datetime(ds["time"].values))'
        )
    return (
        f"time holds {times.dtype} values, not dates; say which day is the first: "
        'ds.assign_coords(time=pd.date_range("2000-01-01", '
        f"periods={times.size}))"
    )


def _own_starts(name: str, dim: str) -> str:
    """Say how records that start on different days get one time axis (Caravan)."""
    return (
        f"time counts the days from each site's own {name!r}; give all one axis: "
        "xr.concat([one.assign_coords(time=pd.Timestamp(first) + "
        'pd.to_timedelta(one["time"].values, "D")) for first, one in '
        f'ds.groupby("{name}")], "{dim}", join="outer"); '
        "xstefaland.datasets.caravan(path) does so for Caravan"
    )


def _other_calendar(calendar: str) -> str:
    """Say how cftime becomes datetime64; years of 360 days are stretched."""
    align = ', align_on="year"' if calendar == "360_day" else ""
    call = f'ds.convert_calendar("standard"{align}, use_cftime=False)'
    if calendar in STANDARD_CALENDARS:
        return f"time holds cftime objects, not datetime64; convert them: {call}"
    return (
        f"the calendar is {calendar!r}; the model was trained on real days of the "
        f"standard calendar, and missing days are fine: {call}"
    )


def _order_problems(index: pd.DatetimeIndex) -> list[str]:
    """Dates that are missing, out of order or twice: each with its call."""
    problems = []
    if index.hasnans:
        problems.append(
            'time has missing dates; drop them: ds.sel(time=ds["time"].notnull())'
        )
        index = pd.DatetimeIndex(index.dropna())
    if not index.is_monotonic_increasing:
        problems.append('time is not sorted; sort it: ds.sortby("time")')
    if not index.is_unique:
        first = index[index.duplicated()][0]
        problems.append(f'time has {first} twice; keep one: ds.drop_duplicates("time")')
    return problems


def _step_problems(stamps: pd.DatetimeIndex, days: pd.DatetimeIndex) -> list[str]:
    """Say when steps are not those of daily data with gaps."""
    if len(days) < 2:
        return []
    steps = np.diff(days.values).astype("m8[D]").astype(int)
    widest = int(steps.argmax())
    if steps[widest] > max(LONGEST_GAP, len(days)):
        before, after = (f"{days[widest + i]:%Y-%m-%d}" for i in (0, 1))
        return [
            f"time has nothing for {steps[widest]} days between {before} and {after}; "
            "if a date is wrong, leave it out, for example "
            f'ds.sel(time=slice("{after}", None))'
        ]
    exact = pd.Series(np.diff(stamps.values) / np.timedelta64(1, "D"))
    usual = float(exact.mode().iloc[0])
    regular = len(exact) > 3 and (exact == usual).mean() > 0.8
    few = len(steps) < MANY_STEPS and bool((steps == 1).any())
    # Every 36 hours; or every week, whether some pair is a day apart or not.
    if (regular and usual % 1 != 0) or (not few and (steps == 1).mean() < 0.5):
        step = usual if regular else float(np.median(steps))
        return [
            f"time is not daily, its usual step is {step:g} days; the model needs "
            "daily data, of which days may be missing"
        ]
    return []


def resample_call(how: Mapping[str, str]) -> str:
    """Write the call that makes daily data out of hourly ones.

    Parameters
    ----------
    how : mapping of str to str
        Name in the Dataset to `"sum"`, `"mean"`, `"max"` or `"min"`.

    Returns
    -------
    str
        A Python expression in `ds` and `xr`.

    Examples
    --------
    >>> print(resample_call({"t2m": "mean"}))
    ds[["t2m"]].resample(time="D").mean(keep_attrs=True)
    """
    calls = []
    for method in dict.fromkeys(how.values()):
        names = ", ".join(f'"{name}"' for name, m in how.items() if m == method)
        options = (
            "min_count=1, keep_attrs=True" if method == "sum" else "keep_attrs=True"
        )
        calls.append(f'ds[[{names}]].resample(time="D").{method}({options})')
    return calls[0] if len(calls) == 1 else f"xr.merge([{', '.join(calls)}])"


def every_day(days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """All days from the first to the last, with those that a record leaves out.

    Examples
    --------
    >>> len(every_day(pd.DatetimeIndex(["2000-01-01", "2000-01-04"])))
    4
    """
    if not len(days):
        return days
    return pd.date_range(days[0], days[-1], freq="D", name="time")
