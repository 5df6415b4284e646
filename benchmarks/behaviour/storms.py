"""Experiments with rain in time: it ends, one storm in a dry spell, a flood."""

from __future__ import annotations

import xarray as xr

from behaviour.answers import Answers
from behaviour.experiment import Experiment
from behaviour.measures import (
    after_july,
    largest_difference,
    mean,
)
from behaviour.rain import POROSITY
from behaviour.scenarios import FLOOD, STORM, turning_day

IN_SPELL = f"{STORM:g} mm in a dry July"
FLOODED = f"{FLOOD:g} mm in a day"


def _past_stays(a: Answers) -> xr.DataArray:
    days = slice(turning_day(a.sites))
    return largest_difference(a("dry after").isel(time=days), a().isel(time=days))


def _flow_recedes(a: Answers) -> xr.DataArray:
    rise = after_july(a, a("dry after"), 10, 10_000).diff("time")
    return (rise <= 0.01 * mean(a())).mean("time")


def _soil_dries(a: Answers) -> xr.DataArray:
    rise = after_july(a, a("dry after"), 2, 10_000).diff("time")
    warm = (a.sites["temperature"] > 5).sel(time=rise.time)
    return (rise <= 0.001).where(warm).mean("time")


def _storm(a: Answers, start: int, end: int) -> xr.DataArray:
    """Take what the storm adds, on the days from start up to end after it."""
    return after_july(a, a("storm") - a("dry spell"), start, end)


def _nothing_before_a_storm(a: Answers) -> xr.DataArray:
    before = abs(_storm(a, -200, 0)).max("time")
    return before / abs(_storm(a, 0, 30)).max("time")


def _flood_not_negative(a: Answers) -> xr.DataArray:
    x = a("flood")
    return x.min("time").where(x.notnull().all("time"))


EXPERIMENTS = [
    Experiment(
        "no rain after 15 July",
        "largest change before, in standard deviations",
        "invariance",
        "flow soil embedding",
        measure=_past_stays,
        most=0.01,
        expected="What will fall cannot change what was: nothing moves before the day.",
    ),
    Experiment(
        "no rain after 15 July",
        "share of days, from the tenth on, on which flow does not rise",
        "direction",
        "flow",
        measure=_flow_recedes,
        least=0.9,
        expected=(
            "Nothing feeds the flow any more: it falls day by day (rises below 1 "
            "% of the mean do not count)."
        ),
    ),
    Experiment(
        "no rain after 15 July",
        "flow of the last 90 days over the long-term mean",
        "size",
        "flow",
        measure=lambda a: (
            a("dry after").isel(time=slice(-90, None)).mean("time") / mean(a())
        ),
        most=0.1,
        expected="A year and more without rain leaves little of the flow.",
    ),
    Experiment(
        "no rain after 15 July",
        "share of days above 5 degC on which soil does not get wetter",
        "direction",
        "soil",
        measure=_soil_dries,
        least=0.9,
        expected=(
            "Unfrozen soil without rain loses water day by day (rises below "
            "0.001 m3 m-3 do not count)."
        ),
    ),
    Experiment(
        IN_SPELL,
        "largest rise within 5 days, mm d-1",
        "direction",
        "flow",
        measure=lambda a: _storm(a, 0, 6).max("time"),
        least=0.001,
        expected="A storm raises the flow within days.",
    ),
    Experiment(
        IN_SPELL,
        "rise after 20 days over the largest",
        "direction",
        "flow",
        measure=lambda a: _storm(a, 20, 21).mean("time") / _storm(a, 0, 6).max("time"),
        most=0.5,
        expected=(
            "A flood passes: most of the rise is over after three weeks without rain."
        ),
    ),
    Experiment(
        IN_SPELL,
        "added flow of 30 days, mm",
        "size",
        "flow",
        measure=lambda a: _storm(a, 0, 30).sum("time"),
        least=0,
        most=STORM,
        expected="No more water runs off than fell.",
    ),
    Experiment(
        IN_SPELL,
        "largest rise within 2 days, m3 m-3",
        "direction",
        "soil",
        measure=lambda a: _storm(a, 0, 3).max("time"),
        least=0.001,
        expected="Rain wets the soil on the day or the next.",
    ),
    Experiment(
        IN_SPELL,
        "largest rise within 2 days, m3 m-3",
        "size",
        "soil",
        measure=lambda a: _storm(a, 0, 3).max("time"),
        least=0.05,
        expected=(
            "50 mm fill the upper 10 cm after a month without rain: by 0.05 at "
            "the least."
        ),
    ),
    Experiment(
        IN_SPELL,
        "rise after 20 days over the largest",
        "direction",
        "soil",
        measure=lambda a: _storm(a, 20, 21).mean("time") / _storm(a, 0, 3).max("time"),
        most=0.5,
        expected="Twenty days of July sun take most of what the upper soil got.",
    ),
    Experiment(
        IN_SPELL,
        "largest change before it over the largest after it",
        "invariance",
        "flow soil",
        measure=_nothing_before_a_storm,
        most=0.01,
        expected="Neither river nor soil knows of a storm to come.",
    ),
    Experiment(
        FLOODED,
        "lowest value",
        "range",
        "flow soil",
        measure=_flood_not_negative,
        least=0,
        expected="Extremes give numbers, and none below zero.",
    ),
    Experiment(
        FLOODED,
        "highest flow, mm d-1",
        "size",
        "flow",
        measure=lambda a: after_july(a, a("flood"), 0, 10).max("time"),
        least=10,
        most=FLOOD,
        expected=(
            "So much rain overruns any soil, and no more runs off in a day than fell."
        ),
    ),
    Experiment(
        FLOODED,
        "added flow of a year, mm",
        "size",
        "flow",
        measure=lambda a: after_july(a, a("flood") - a(), 0, 365).sum("time"),
        least=0,
        most=FLOOD,
        expected="No more water runs off than fell.",
    ),
    Experiment(
        FLOODED,
        "highest value, m3 m-3",
        "range",
        "soil",
        measure=lambda a: a("flood").max("time"),
        most=POROSITY,
        expected="Soil holds no more water than it has pores.",
    ),
]
