"""Where the water goes: the balance of a basin, and soil between rains."""

from __future__ import annotations

import numpy as np
import xarray as xr

from behaviour.answers import Answers
from behaviour.experiment import Experiment
from behaviour.measures import (
    mean,
    rank_correlation,
    runoff_ratio,
    settled,
)
from behaviour.scenarios import PET, RAIN
from behaviour.sites import oudin

BUDYKO_SCATTER = 0.25
STORAGES = ("snow_water_equivalent", "soil_water")
STORAGES += ("upper_zone_storage", "lower_zone_storage")


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
    """Daily change of soil moisture, and the rain of that day and the one before.

    Rain late on a day shows in the next day's mean.
    """
    change = settled(a()).diff("time")
    rain = a.weather()[RAIN]
    warm = (a.weather()["temperature"] > 5).sel(time=change.time)
    recent = (rain + rain.shift(time=1)).sel(time=change.time)
    return change.where(warm), recent.where(warm)


def _soil_falls_between_rains(a: Answers) -> xr.DataArray:
    change, rain = _changes_with_rain(a)
    dry = (rain == 0) & change.notnull()
    return (change < 0).where(dry).mean("time")


def _filling(a: Answers) -> xr.DataArray:
    """Water that soil and groundwater gain in the last two years, over rain."""
    store = a.all()["soil_water"] + a.all()["lower_zone_storage"]
    gain = store.isel(time=-1) - store.isel(time=-731)
    rain = a.weather()[RAIN].isel(time=slice(-730, None)).sum("time")
    return (gain / rain).sel(site=["tropics", "78 N", "constant"])


EXPERIMENTS = [
    Experiment(
        "as it is",
        "flow over rain",
        "size",
        "flow",
        measure=runoff_ratio,
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
        "rank correlation of daily change with two days' rain, above 5 degC",
        "direction",
        "soil",
        measure=lambda a: rank_correlation(*_changes_with_rain(a)),
        least=0.2,
        observable=True,
        expected="Soil gets wetter on wet days and drier on dry ones.",
    ),
    Experiment(
        "as it is",
        "share of days after a dry one, and dry, on which it falls, above 5 degC",
        "direction",
        "soil",
        measure=_soil_falls_between_rains,
        least=0.7,
        observable=True,
        expected=(
            "Between rains soil dries; the noise of a sensor is all that raises it."
        ),
    ),
    Experiment(
        "tropics, 78 N, constant weather",
        "gain of soil and groundwater in two years, over rain",
        "size",
        "balance",
        measure=_filling,
        least=-0.1,
        most=0.1,
        places="synthetic",
        expected="In a climate that does not change, stores neither fill nor empty.",
    ),
]
