"""Frozen answers of the weights that ship with the package.

``python tests/golden/bundled/make.py`` computes them and writes ``answers.npz`` beside
this file. Remake them only when other weights are shipped, or when an answer was meant
to change: say so in the commit.

Two Datasets, both within what any rule on input leaves untouched (ordinary weather,
more than three full years). ``full``: everything that `example_points` gives.
``hidden``: no radiation, no soil or vegetation, gaps in the weather and on the time
axis, climate attributes given. HBV is asked for ``full`` only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import xstefaland
from xstefaland.testing import example_points

FILE = Path(__file__).with_name("answers.npz")
FLUXES = [
    "streamflow",
    "surface_runoff",
    "interflow",
    "baseflow",
    "evapotranspiration",
    "snow_water_equivalent",
    "recharge",
    "percolation",
    "capillary_rise",
    "soil_water",
    "upper_zone_storage",
    "lower_zone_storage",
]
CLIMATE = {  # per site, within the range of real basins
    "p_mean": ([2.1, 1.4, 3.3], "mm d-1"),
    "pet_mean": ([2.4, 3.0, 1.7], "mm d-1"),
    "aridity": ([1.14, 2.14, 0.52], "1"),
    "p_seasonality": ([-0.4, 0.2, 0.6], "1"),
    "frac_snow": ([0.12, 0.05, 0.31], "1"),
    "high_prec_freq": ([20.0, 24.0, 16.0], "d yr-1"),
    "high_prec_dur": ([1.3, 1.2, 1.5], "d"),
    "low_prec_freq": ([230.0, 270.0, 200.0], "d yr-1"),
    "low_prec_dur": ([4.1, 6.0, 3.2], "d"),
    "temperature_mean": ([11.0, 14.0, 6.5], "degC"),
    "temperature_range": ([22.0, 19.0, 24.0], "degC"),
}
EVERY_DAY, EVERY_COLUMN = slice(5, None, 20), slice(3, None, 16)
GAP = slice(500, 520)


def full() -> xr.Dataset:
    """Return three sites with everything there."""
    return example_points(sites=3, seed=11)


def hidden() -> xr.Dataset:
    """Return the same sites with much of it missing."""
    ds = full().drop_vars(["shortwave_radiation", "clay", "frac_forest"])
    ds = ds.assign({n: ("site", v, {"units": u}) for n, (v, u) in CLIMATE.items()})
    ds["precipitation"][1, GAP] = np.nan
    ds["temperature"][2, 700:708] = np.nan
    ds["temperature"][0, 0] = np.nan
    return ds.drop_isel(time=range(300, 312))


def answers(**how: Any) -> dict[str, np.ndarray]:
    """Compute everything that is frozen; `how` is passed to every call."""
    out = {}
    for name, ds in (("full", full()), ("hidden", hidden())):
        daily = xstefaland.embed(ds, **how).transpose("site", "time", "embedding")
        out[f"{name}/embedding"] = daily.values[:, EVERY_DAY, EVERY_COLUMN]
        out[f"{name}/mean"] = daily.mean(("time", "embedding")).values
        for pool in ("static", "mean"):
            out[f"{name}/{pool}-pool"] = xstefaland.embed(ds, pool=pool, **how).values
        for target in ("streamflow", "soil_moisture"):
            values = xstefaland.predict(ds, target, **how).values
            out[f"{name}/{target}"] = values[:, EVERY_DAY]
            out[f"{name}/{target}-mean"] = values.mean(1)
    balance = xstefaland.predict(full(), FLUXES, head="resconn-hbv", **how)
    for target in FLUXES:
        out[f"full/hbv-{target}"] = balance[target].values[:, EVERY_DAY]
        out[f"full/hbv-{target}-mean"] = balance[target].values.mean(1)
    filled = xstefaland.reconstruct(hidden(), **how)
    out["hidden/filled-precipitation"] = filled.precipitation.values[1, 480:520]
    out["hidden/filled-temperature"] = filled.temperature.values[2, 680:700]
    return out


if __name__ == "__main__":
    np.savez_compressed(FILE, **answers(device="cpu", precision="float32"))
