"""The time axis of a Dataset: daily, sorted, unique, of the standard calendar."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

_STANDARD = ("standard", "gregorian", "proleptic_gregorian")


def read_days(ds: xr.Dataset) -> pd.DatetimeIndex | str:
    """Days of the record, or what is wrong with its time axis.

    Stamps may lie anywhere within their day (CMIP and ERA5 use noon).

    Parameters
    ----------
    ds : xarray.Dataset
        Data with a dimension `time`.

    Returns
    -------
    pandas.DatetimeIndex or str
        One day per time step, without hours; or the problem and the call that fixes
        it. An empty problem means that days are repeated within a day: the data are
        sub-daily, see :func:`resample_call`.

    Examples
    --------
    >>> ds = xr.Dataset(coords={"time": pd.date_range("2000-01-01T12", periods=2)})
    >>> read_days(ds)[-1]
    Timestamp('2000-01-02 00:00:00')
    """
    if "time" not in ds.coords:
        return (
            "the dimension 'time' has no dates; add them, for example ds.assign_coords("
            f'time=pd.date_range("2000-01-01", periods={ds.sizes["time"]}))'
        )
    times = ds["time"].variable
    if not times.size:
        return "the dimension 'time' has length 0; check the selection of dates"
    if times.dtype.kind != "M":
        return _not_dates(ds)
    index = pd.DatetimeIndex(times.values)
    if index.hasnans:
        return 'time has missing dates; drop them: ds.sel(time=ds["time"].notnull())'
    if not index.is_monotonic_increasing:
        return 'time is not sorted; sort it: ds.sortby("time")'
    if not index.is_unique:
        first = index[index.duplicated()][0]
        return f'time has {first} twice; keep one: ds.drop_duplicates("time")'
    return _daily(index.as_unit("ns").floor("D"))


def _daily(days: pd.DatetimeIndex) -> pd.DatetimeIndex | str:
    if not days.is_unique:
        return ""
    steps = np.diff(days.values).astype("m8[D]").astype(int)
    if steps.size and steps.min() > 1:
        return (
            f"time is not daily, its smallest step is {steps.min()} days; the model "
            "needs daily data"
        )
    return days


def _not_dates(ds: xr.Dataset) -> str:
    times = ds["time"]
    calendar = getattr(ds.indexes.get("time"), "calendar", None)
    if calendar is None:
        return (
            f"time holds {times.dtype} values, not dates; decode them, for example "
            'ds.assign_coords(time=pd.to_datetime(ds["time"].values))'
        )
    align = ', align_on="year"' if calendar == "360_day" else ""
    call = f'ds.convert_calendar("standard"{align}, use_cftime=False)'
    if calendar in _STANDARD:
        return f"time holds cftime objects, not datetime64; convert them: {call}"
    return (
        f"the calendar is {calendar!r}; the model was trained on real days of the "
        f"standard calendar, and missing days are fine: {call}"
    )


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
