"""A small model that obeys physics: it shows that every rule can be kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from behaviour.sites import oudin

SOIL, MELT, FAST, SLOW = 150.0, 3.0, 0.5, 0.04
UPPER, PORES, RESIDUAL = 40.0, 0.45, 0.03
FLUXES = ("streamflow", "evapotranspiration", "snow_water_equivalent", "soil_water")
FLUXES += ("upper_zone_storage", "lower_zone_storage", "soil_moisture")


@dataclass(frozen=True)
class Bucket:
    """Snow, soil and two stores, in the place of a head.

    A gap of temperature is filled from the days around, one of rain by its mean so far.
    Nothing in it was fitted to any observation.
    """

    label: str = "bucket"
    target: str = "streamflow"
    roles: frozenset[str] = frozenset({"flow", "balance"})
    window: int = 365
    stride: int = 183

    def predict(self, ds: xr.Dataset, **options: object) -> xr.Dataset:
        """Run the first year, and then all days; options mean nothing here."""
        ds = ds.compute()
        rain, warmth = ds["precipitation"], ds["temperature"]
        if rain.attrs["units"] == "kg m-2 s-1":
            rain, warmth = rain * 86400, warmth - 273.15
        warmth = warmth.interpolate_na("time")
        rain = rain.fillna(rain.rolling(time=365, min_periods=1).mean())
        pet = ds.get("potential_evapotranspiration", oudin(warmth, ds.latitude))
        weather = [x.transpose("site", "time").values for x in (rain, warmth, pet)]
        stores = np.zeros((5, rain.sizes["site"]))
        _run(stores, [x[:, :365] for x in weather])
        out = zip(FLUXES, _run(stores, weather), strict=True)
        return xr.Dataset({name: (("site", "time"), x) for name, x in out}, ds.coords)


MODEL = "bucket model"
BUCKETS = (
    Bucket(f"{MODEL}, streamflow"),
    Bucket(f"{MODEL}, soil moisture", "soil_moisture", frozenset({"soil"})),
)
"""The model asked for its flow, and for the moisture of the upper soil."""


def _run(stores: np.ndarray, weather: list[np.ndarray]) -> np.ndarray:
    """Go through the days; the stores are changed in place."""
    days = []
    for rain, warmth, pet in zip(*(x.T for x in weather), strict=True):
        cold = warmth < 0
        melt = np.minimum(stores[0], np.maximum(warmth, 0) * MELT)
        stores[0] += np.where(cold, rain, 0) - melt
        water = np.where(cold, 0, rain) + melt
        moisture = _upper(stores[4], water, pet, warmth)
        running = water * np.minimum(stores[1] / SOIL, 1) ** 2
        stores[1] += water - running
        over = np.maximum(stores[1] - SOIL, 0)
        stores[1] -= over
        wetness = np.minimum(stores[1] / (0.5 * SOIL), 1)
        evaporated = np.minimum(pet * wetness, stores[1])
        stores[1] -= evaporated
        stores[2] += 0.6 * running + over
        stores[3] += 0.4 * running
        flow = stores[2] * FAST + stores[3] * SLOW
        stores[2:4] *= np.array([[1 - FAST], [1 - SLOW]])
        days.append([flow, evaporated, *stores[:4].copy(), moisture])
    return np.moveaxis(np.array(days), 0, -1)


def _upper(
    store: np.ndarray, water: np.ndarray, pet: np.ndarray, warmth: np.ndarray
) -> np.ndarray:
    """Wet, drain and dry the uppermost soil; what is frozen is not measured."""
    store += water
    np.minimum(store, UPPER, out=store)
    store -= 0.4 * store * (store / UPPER) ** 3
    store -= np.minimum(0.7 * pet * store / UPPER, store)
    liquid = np.clip((warmth + 5) / 5, 0.3, 1)
    return RESIDUAL + (PORES - RESIDUAL) * store / UPPER * liquid
