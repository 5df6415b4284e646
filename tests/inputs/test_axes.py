"""The time axis: what is accepted, what is refused, and calls that really fix it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland.inputs.axes import days_of, every_day, resample_call


def read_days(ds: xr.Dataset) -> pd.DatetimeIndex | str:
    """The days, or the first problem."""
    days, problems = days_of(ds, {})
    return problems[0] if problems else days


def series(time: Any) -> xr.Dataset:
    """Precipitation on a time axis."""
    values = ("time", np.ones(len(time)), {"units": "mm"})
    return xr.Dataset({"pr": values}, coords={"time": time})


@pytest.mark.parametrize(
    "time",
    [
        pd.date_range("2000-01-01", periods=5),
        pd.date_range("2000-01-01T12", periods=5),
        pd.date_range("2000-01-01", periods=5).delete([1, 2]),
        pd.date_range("2000-01-01", periods=1),
        pd.DatetimeIndex(["2000-01-01T00", "2000-01-02T12", "2000-01-03T06"]),
    ],
    ids=["midnight", "noon", "gap", "one day", "any hour"],
)
def test_daily_axes(time: pd.DatetimeIndex) -> None:
    """Daily data of any hour, with or without gaps."""
    days = read_days(series(time))
    assert isinstance(days, pd.DatetimeIndex)
    assert days.equals(pd.DatetimeIndex(time).floor("D"))


def test_coarse_datetimes() -> None:
    """Dates of second resolution are dates."""
    days = read_days(series(np.array(["2000-01-01", "2000-01-02"], dtype="M8[s]")))
    assert list(days) == list(pd.date_range("2000-01-01", periods=2))


def cftime_axis(calendar: str) -> Any:
    """Two years of days."""
    return xr.date_range("2000-01-01", periods=720, calendar=calendar, use_cftime=True)


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (cftime_axis("noleap"), "the calendar is 'noleap'"),
        (cftime_axis("360_day"), "the calendar is '360_day'"),
        (cftime_axis("standard"), "time holds cftime objects"),
        (["2000-01-01", "2000-01-02"], "time holds <U10 values, not dates"),
        (pd.DatetimeIndex(["2000-01-02", "2000-01-01"]), "time is not sorted"),
        (
            pd.DatetimeIndex(["2000-01-01", "2000-01-01", "2000-01-02"]),
            "time has 2000-01-01 00:00:00 twice",
        ),
        (pd.DatetimeIndex(["2000-01-01", "NaT"]), "time has missing dates"),
    ],
    ids=["noleap", "360_day", "cftime", "text", "unsorted", "twice", "NaT"],
)
def test_the_call_fixes_the_axis(time: Any, text: str) -> None:
    """Each problem names a call after which the axis is accepted."""
    ds = series(time)
    problem = read_days(ds)
    assert isinstance(problem, str)
    assert problem.startswith(text)
    call = problem[problem.index("ds.") :]
    fixed = eval(call, {"ds": ds, "pd": pd})
    assert isinstance(read_days(fixed), pd.DatetimeIndex)


def test_no_dates() -> None:
    """A dimension without coordinate gets one."""
    ds = series(pd.date_range("2000-01-01", periods=3)).drop_vars("time")
    problem = read_days(ds)
    assert isinstance(problem, str)
    fixed = eval(problem[problem.index("ds.") :], {"ds": ds, "pd": pd})
    assert isinstance(read_days(fixed), pd.DatetimeIndex)


def test_empty_axis() -> None:
    """No time step at all."""
    problem = read_days(series(pd.DatetimeIndex([])))
    assert str(problem).startswith("the dimension 'time' has length 0")


def test_monthly_data() -> None:
    """Coarser data are refused."""
    problem = read_days(series(pd.date_range("2000-01-01", periods=24, freq="MS")))
    assert str(problem).startswith("time is not daily, its usual step is 31 days")


def test_hourly_data_become_daily() -> None:
    """The call sums amounts, averages the rest and keeps units."""
    time = pd.date_range("2000-01-01", periods=72, freq="h")
    ds = series(time).assign(tas=("time", np.arange(72.0), {"units": "K"}))
    assert str(read_days(ds)).startswith("time has several steps a day")
    call = resample_call({"pr": "sum", "tas": "mean"})
    daily = eval(call, {"ds": ds, "xr": xr})
    assert daily["pr"].values.tolist() == [24, 24, 24]
    assert daily["tas"].values.tolist() == [11.5, 35.5, 59.5]
    assert daily["tas"].attrs == {"units": "K"}
    assert isinstance(read_days(daily), pd.DatetimeIndex)


def test_every_day() -> None:
    """Gaps are filled, nothing is added outside."""
    days = pd.DatetimeIndex(["2000-02-27", "2000-03-02"])
    assert list(every_day(days).day) == [27, 28, 29, 1, 2]
    assert len(every_day(days[:0])) == 0
