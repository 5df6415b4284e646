"""Experiments with rain: more, less, none, one storm, and where the water goes."""

from __future__ import annotations

import numpy as np
import xarray as xr

from behaviour.answers import Answers
from behaviour.experiment import Experiment
from behaviour.measures import (
    after_july,
    largest_difference,
    last_year,
    mean,
    rank_correlation,
    runoff_ratio,
    settled,
    summer,
)
from behaviour.scenarios import FLOOD, PET, RAIN, STORM, turning_day
from behaviour.sites import oudin

BUDYKO_SCATTER = 0.25
POROSITY = 0.65
STORAGES = ("snow_water_equivalent", "soil_water")
STORAGES += ("upper_zone_storage", "lower_zone_storage")
FLOW_OF = "mean flow over that with the real rain"
SOIL_OF = "summer mean over that with the real rain"
MARGINAL = "mm of flow per mm of rain between x 0, 0.5, 1, 1.1, 2"
IN_SPELL = f"{STORM:g} mm in a dry July"
FLOODED = f"{FLOOD:g} mm in a day"


def _marginal(a: Answers) -> xr.DataArray:
    """Flow gained per mm of rain gained, between neighbouring amounts of rain."""
    steps = ["rain x 0", "rain x 0.5", "as it is", "rain x 1.1", "rain x 2"]
    flow = xr.concat([mean(a(name)) for name in steps], "step")
    rain = xr.concat([mean(a.weather(name)[RAIN]) for name in steps], "step")
    return flow.diff("step") / rain.diff("step")


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
    """What the storm adds, on the days from start up to end after it."""
    return after_july(a, a("storm") - a("dry spell"), start, end)


def _nothing_before_a_storm(a: Answers) -> xr.DataArray:
    before = abs(_storm(a, -200, 0)).max("time")
    return before / abs(_storm(a, 0, 30)).max("time")


def _flood_not_negative(a: Answers) -> xr.DataArray:
    x = a("flood")
    return x.min("time").where(x.notnull().all("time"))


def _near_budyko(a: Answers) -> xr.DataArray:
    ds = a.weather()
    dryness = mean(oudin(ds["temperature"], ds.latitude)) / mean(ds[RAIN])
    share = np.sqrt(dryness * np.tanh(1 / dryness) * (1 - np.exp(-dryness)))
    return abs(runoff_ratio(a) - (1 - share))


def _balance_closes(a: Answers) -> xr.DataArray:
    out, days = a.all(), slice(365, None)
    stored = sum(out[name] for name in STORAGES)
    change = stored.isel(time=-1) - stored.isel(time=364)
    rain = a.weather()[RAIN].isel(time=days).sum("time")
    lost = (out["streamflow"] + out["evapotranspiration"]).isel(time=days).sum("time")
    return (rain - lost - change) / rain


def _below_potential(a: Answers) -> xr.DataArray:
    potential = a.weather("PET x 1")[PET]
    return mean(a.all("PET x 1")["evapotranspiration"]) / mean(potential)


def _changes_with_rain(a: Answers) -> tuple[xr.DataArray, xr.DataArray]:
    """Daily change of soil moisture, and the rain of that day."""
    change = settled(a()).diff("time")
    ds = a.weather().sel(time=change.time)
    warm = ds["temperature"] > 5
    return change.where(warm), ds[RAIN].where(warm)


def _soil_falls_between_rains(a: Answers) -> xr.DataArray:
    change, rain = _changes_with_rain(a)
    dry = (rain == 0) & change.notnull()
    return (change < 0).where(dry).mean("time")


WATER = [
    Experiment(
        "rain x 0",
        FLOW_OF,
        "direction",
        "flow",
        measure=lambda a: mean(a("rain x 0")) / mean(a()),
        most=0.99,
        expected="Flow comes from rain: without any it falls.",
    ),
    Experiment(
        "rain x 0",
        "flow of the fourth year over its mean",
        "size",
        "flow",
        measure=lambda a: last_year(a("rain x 0")) / mean(a()),
        most=0.05,
        expected=(
            "After three years without rain the stores of a basin are as good as empty."
        ),
    ),
    Experiment(
        "rain x 0",
        SOIL_OF,
        "direction",
        "soil",
        measure=lambda a: summer(a("rain x 0")) / summer(a()),
        most=0.99,
        expected="Nothing wets a soil but rain: without any it is drier.",
    ),
    Experiment(
        "rain x 0",
        "mean of the fourth year, m3 m-3",
        "size",
        "soil",
        measure=lambda a: last_year(a("rain x 0")),
        most=0.10,
        expected=(
            "The upper 5 cm lose all water that air can take: what clay keeps is "
            "below 0.1."
        ),
    ),
    Experiment(
        "rain x 0, 2",
        "highest value, m3 m-3",
        "range",
        "soil",
        measure=lambda a: np.maximum(
            a("rain x 0").max("time"), a("rain x 2").max("time")
        ),
        most=POROSITY,
        expected="Soil holds no more water than it has pores, however much it rains.",
    ),
    Experiment(
        "rain x 0.5",
        FLOW_OF,
        "direction",
        "flow",
        measure=lambda a: mean(a("rain x 0.5")) / mean(a()),
        most=0.99,
        expected="Less rain, less flow.",
    ),
    Experiment(
        "rain x 0.5",
        FLOW_OF,
        "size",
        "flow",
        measure=lambda a: mean(a("rain x 0.5")) / mean(a()),
        least=0,
        most=0.5,
        expected=(
            "Evaporation takes a larger share of less rain: flow falls by more "
            "than half."
        ),
    ),
    Experiment(
        "rain x 2",
        FLOW_OF,
        "direction",
        "flow",
        measure=lambda a: mean(a("rain x 2")) / mean(a()),
        least=1.01,
        expected="More rain, more flow.",
    ),
    Experiment(
        "rain x 2",
        FLOW_OF,
        "size",
        "flow",
        measure=lambda a: mean(a("rain x 2")) / mean(a()),
        least=2,
        expected=(
            "Evaporation takes a smaller share of more rain: flow more than doubles."
        ),
    ),
    Experiment(
        "rain x 0.5",
        SOIL_OF,
        "direction",
        "soil",
        measure=lambda a: summer(a("rain x 0.5")) / summer(a()),
        most=0.99,
        expected="Less rain, drier soil.",
    ),
    Experiment(
        "rain x 2",
        SOIL_OF,
        "direction",
        "soil",
        measure=lambda a: summer(a("rain x 2")) / summer(a()),
        least=1.01,
        expected="More rain, wetter soil.",
    ),
    Experiment(
        "rain, step by step",
        f"smallest {MARGINAL}",
        "direction",
        "flow",
        measure=lambda a: _marginal(a).min("step"),
        least=0,
        expected="Each further mm of rain adds to the flow, everywhere.",
    ),
    Experiment(
        "rain, step by step",
        f"largest {MARGINAL}",
        "size",
        "flow",
        measure=lambda a: _marginal(a).max("step"),
        most=1,
        expected="A further mm of rain cannot give more than a mm of flow.",
    ),
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
        least=0.01,
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
    Experiment(
        "as it is",
        "flow over rain",
        "size",
        "flow",
        measure=lambda a: runoff_ratio(a),
        least=0,
        most=1,
        observable=True,
        expected="No more flows off in the long term than falls.",
    ),
    Experiment(
        "as it is",
        "distance of flow over rain from Budyko's curve",
        "size",
        "flow",
        measure=_near_budyko,
        most=BUDYKO_SCATTER,
        observable=True,
        expected=(
            "Rain and potential evapotranspiration fix the share that flows off "
            "within a quarter; basins scatter about the curve by a tenth."
        ),
    ),
    Experiment(
        "as it is",
        "mean of rain - flow - evapotranspiration - change of storage, over rain",
        "size",
        "balance",
        measure=_balance_closes,
        least=-0.01,
        most=0.01,
        expected=(
            "Water is neither made nor lost (1 % is in the routing, which is no "
            "output)."
        ),
    ),
    Experiment(
        "PET x 1, given",
        "evapotranspiration over the potential one",
        "size",
        "balance",
        measure=_below_potential,
        least=0,
        most=1,
        expected="No more evaporates than can.",
    ),
    Experiment(
        "as it is",
        "rank correlation of daily change with rain, above 5 degC",
        "direction",
        "soil",
        measure=lambda a: rank_correlation(*_changes_with_rain(a)),
        least=0.3,
        observable=True,
        expected="Soil gets wetter on wet days and drier on dry ones.",
    ),
    Experiment(
        "as it is",
        "share of dry days on which it falls, above 5 degC",
        "direction",
        "soil",
        measure=_soil_falls_between_rains,
        least=0.7,
        observable=True,
        expected=(
            "Between rains soil dries (the first dry day, still draining late "
            "rain, counts)."
        ),
    ),
]
