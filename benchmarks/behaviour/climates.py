"""Experiments at sites made by formula: desert, humid tropics, 78 degrees north."""

from __future__ import annotations

import numpy as np
import xarray as xr

from behaviour.answers import Answers
from behaviour.experiment import MORE, Experiment
from behaviour.measures import mean, runoff_ratio, settled
from behaviour.rain import POROSITY

DESERT, TROPICS, POLAR = "desert, 25 N", "humid tropics, 3 N", "78 N"
MOST_FLOW = 500.0
SNOW = "snow_water_equivalent"


def _months(x: xr.DataArray) -> xr.DataArray:
    """Mean of each month of the year, but for the first year's days."""
    return settled(x).groupby("time.month").mean()


def _tropical_season(a: Answers) -> xr.DataArray:
    flow = _months(a()).sel(site=["tropics"])
    rain = _months(a.weather()["precipitation"]).sel(site="tropics")
    wet = rain > rain.median()
    return flow.where(wet).mean("month") / flow.where(~wet).mean("month")


def _polar_winter(a: Answers) -> xr.DataArray:
    flow = _months(a()).sel(site=["78 N"])
    return flow.sel(month=[11, 12, 1, 2, 3, 4]).sum("month") / flow.sum("month")


def _polar_snow(a: Answers) -> xr.DataArray:
    snow = _months(a.all()[SNOW]).sel(site=["78 N"])
    return snow.sel(month=9, drop=True) / snow.sel(month=4, drop=True)


def _polar_soil(a: Answers) -> xr.DataArray:
    soil = _months(a()).sel(site=["78 N"])
    return soil.sel(month=7, drop=True) / soil.sel(month=3, drop=True)


def _constant(a: Answers) -> xr.DataArray:
    x = a().sel(site=["constant"]).isel(time=slice(-730, None))
    return x.std("time") / np.maximum(x.mean("time"), 1e-6)


EXPERIMENTS = [
    Experiment(
        "all synthetic sites",
        "lowest value",
        "range",
        "flow soil",
        measure=lambda a: a().min("time").where(a().notnull().all("time")),
        least=0,
        places="synthetic",
        expected="Every climate gets numbers, and none below zero.",
    ),
    Experiment(
        "all synthetic sites",
        "highest flow, mm d-1",
        "range",
        "flow",
        measure=lambda a: a().max("time"),
        most=MOST_FLOW,
        places="synthetic",
        expected="No basin of any size has had more on a day.",
    ),
    Experiment(
        "all synthetic sites",
        "highest value, m3 m-3",
        "range",
        "soil",
        measure=lambda a: a().max("time"),
        most=POROSITY,
        places="synthetic",
        expected="Soil holds no more water than it has pores.",
    ),
    Experiment(
        DESERT,
        "flow over rain",
        "size",
        "flow",
        measure=lambda a: runoff_ratio(a).sel(site=["desert"]),
        least=0,
        most=0.2,
        places="synthetic",
        expected=(
            "Where the air could take twenty times the rain, nearly all of it "
            "evaporates."
        ),
    ),
    Experiment(
        DESERT,
        "mean, m3 m-3",
        "size",
        "soil",
        measure=lambda a: mean(a()).sel(site=["desert"]),
        most=0.12,
        places="synthetic",
        expected=(
            "The soil of a desert is dry nearly always: what it keeps is below 0.12."
        ),
    ),
    Experiment(
        TROPICS,
        "flow over rain",
        "size",
        "flow",
        measure=lambda a: runoff_ratio(a).sel(site=["tropics"]),
        least=0.25,
        most=0.85,
        places="synthetic",
        expected=(
            "With half as much again of rain as the air can take, about half flows off."
        ),
    ),
    Experiment(
        TROPICS,
        "flow of the wet half of the year over the dry half's",
        "direction",
        "flow",
        measure=_tropical_season,
        least=1.2,
        places="synthetic",
        expected="Without winter or snow, flow follows the rainy season.",
    ),
    Experiment(
        TROPICS,
        "mean, m3 m-3",
        "size",
        "soil",
        measure=lambda a: mean(a()).sel(site=["tropics"]),
        least=0.2,
        most=0.6,
        places="synthetic",
        expected="With rain on every other day, the soil stays near what it can hold.",
    ),
    Experiment(
        TROPICS,
        "most snow, mm",
        "range",
        "balance",
        measure=lambda a: a.all()[SNOW].max("time").sel(site=["tropics"]),
        most=0.001,
        places="synthetic",
        expected="No snow at 26 degC.",
    ),
    Experiment(
        POLAR,
        "flow of November to April over that of the year",
        "direction",
        "flow",
        measure=_polar_winter,
        most=0.1,
        places="synthetic",
        expected="Half a year of frost on frozen ground: hardly anything flows.",
    ),
    Experiment(
        POLAR,
        "month with most flow",
        "direction",
        "flow",
        measure=lambda a: _months(a()).sel(site=["78 N"]).idxmax("month"),
        least=5,
        most=9,
        places="synthetic",
        expected="Flow comes with the melt and the rain of the short summer.",
    ),
    Experiment(
        POLAR,
        "flow over rain",
        "size",
        "flow",
        measure=lambda a: runoff_ratio(a).sel(site=["78 N"]),
        least=0.5,
        most=1,
        places="synthetic",
        expected="The air can take less than half of what falls.",
    ),
    Experiment(
        POLAR,
        "snow of September over that of April",
        "direction",
        "balance",
        measure=_polar_snow,
        most=0.5,
        places="synthetic",
        expected="At 5 degC in July most of the winter's snow melts.",
    ),
    Experiment(
        POLAR,
        "mean of July over that of March",
        "direction",
        "soil",
        measure=_polar_soil,
        least=MORE,
        places="synthetic",
        expected="Frozen soil has hardly any liquid water, thawed soil has.",
    ),
    Experiment(
        "constant weather",
        "standard deviation of the last two years over their mean",
        "invariance",
        "flow soil",
        measure=_constant,
        most=0.02,
        places="synthetic",
        expected=(
            "On the equator, with the same weather every day, nothing changes "
            "after spin-up."
        ),
    ),
]
