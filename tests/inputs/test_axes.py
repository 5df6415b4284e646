"""The time axis: what is accepted, what is refused, and calls that really fix it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland.inputs.axes import (
    chunk_problems,
    days_of,
    dimension_problems,
    every_day,
    resample_call,
)


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


@pytest.mark.parametrize(
    ("time", "step"),
    [
        (pd.date_range("2000-01-01", periods=200, freq="36h"), "1.5 days"),
        (pd.date_range("2000-01-01", periods=50, freq="7D"), "7 days"),
        (
            pd.date_range("2000-01-01", periods=50, freq="7D").insert(
                1, pd.Timestamp("2000-01-02")
            ),
            "7 days",
        ),
    ],
    ids=["36 hours", "weekly", "weekly and one pair"],
)
def test_other_steps_are_not_daily(time: pd.DatetimeIndex, step: str) -> None:
    """One pair of neighbouring days does not make an axis daily."""
    assert f"its usual step is {step}" in str(read_days(series(time)))


def test_a_season_a_year_is_daily_with_gaps() -> None:
    """Long gaps are gaps."""
    days = pd.date_range("2000-01-01", "2009-12-31")
    summer = days[days.month.isin([6, 7, 8])]
    assert isinstance(read_days(series(summer)), pd.DatetimeIndex)


def test_unsorted_and_doubled_are_both_told() -> None:
    """All problems of the axis at once."""
    time = pd.DatetimeIndex(["2000-01-03", "2000-01-01", "2000-01-01", "2000-01-02"])
    _, problems = days_of(series(time), {})
    assert [text.split(";")[0] for text in problems] == [
        "time is not sorted",
        "time has 2000-01-01 00:00:00 twice",
    ]


def test_days_from_each_sites_own_start() -> None:
    """Caravan's layout: the call gives all records one axis of dates."""
    starts = pd.DatetimeIndex(["2000-01-01", "2000-01-02", "2000-01-01"])
    ds = xr.Dataset(
        {"pr": (("basin", "time"), np.arange(9.0).reshape(3, 3))},
        coords={"time": [0, 1, 2], "basin": list("abc"), "start": ("basin", starts)},
    )
    problem = str(read_days(ds))
    assert "from each site's own 'start'" in problem
    call = problem[problem.index("xr.concat") : problem.index("; xstefaland")]
    fixed = eval(call, {"ds": ds, "xr": xr, "pd": pd})
    assert isinstance(read_days(fixed), pd.DatetimeIndex)
    late = fixed["pr"].sel(basin="b")
    assert np.isnan(late.sel(time="2000-01-01").item())
    assert late.sel(time="2000-01-04").item() == 5


def test_counted_days_are_not_dates_of_1970() -> None:
    """Numbers without units: the user has to say the first day."""
    problem = str(read_days(series(np.arange(5))))
    assert "say which day is the first" in problem
    assert "to_datetime" not in problem
    counted = series(np.arange(5))
    counted["time"].attrs["units"] = "days since 2001-01-01"
    fixed = eval("xr.decode_cf(ds)", {"xr": xr, "ds": counted})
    assert "xr.decode_cf(ds)" in str(read_days(counted))
    assert read_days(fixed)[0] == pd.Timestamp("2001-01-01")


def test_versions_of_era5_are_joined() -> None:
    """`expver` is no site, and the call loses no day."""
    days = pd.date_range("2000-01-01", periods=4)
    values = np.array([[1.0, 2, np.nan, np.nan], [np.nan, np.nan, 3, 4]])
    ds = xr.Dataset(
        {"tp": (("expver", "time"), values, {"units": "mm"})},
        coords={"time": days, "expver": [1, 5]},
    )
    (problem,) = dimension_problems(ds, ["tp"], ["expver"])
    fixed = eval(problem[problem.index("ds.sel") :], {"ds": ds})
    assert fixed["tp"].values.tolist() == [1, 2, 3, 4]
    assert fixed["tp"].dims == ("time",)


def test_chunks_of_coordinates_do_not_matter() -> None:
    """A store whose latitude is chunked unlike the data."""
    ds = series(pd.date_range("2000-01-01", periods=6)).expand_dims(site=4)
    ds = ds.assign_coords(latitude=("site", np.arange(4.0)))
    ds = ds.chunk(site=2, time=-1)
    ds["latitude"] = ds["latitude"].chunk(site=3)
    assert chunk_problems(ds, ["pr"]) == []
    assert "'pr'" in chunk_problems(ds.chunk(time=3), ["pr"])[0]


def test_a_stray_date_is_told() -> None:
    """A century without a day is rather a wrong date than a gap."""
    days = pd.date_range("2000-01-01", periods=400)
    time = days.insert(0, pd.Timestamp("1900-01-01"))
    problem = str(read_days(series(time)))
    assert "between 1900-01-01 and 2000-01-01" in problem
    fixed = eval(problem[problem.index("ds.sel") :], {"ds": series(time)})
    assert len(read_days(fixed)) == 400
