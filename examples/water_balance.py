"""Check that the physics head closes the water balance and draw what it predicts.

``python examples/water_balance.py --data ../shared/data`` predicts all fluxes and
storages of HBV 1.1 on the CAMELS basins that no training step saw, lazily, and checks,
per basin and over whole water years, P = Q + ET + dS; it sets evapotranspiration beside
Budyko's curve and the observed runoff ratio, and draws one snowy basin.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.dates import ConciseDateFormatter
from pictures import GREEN, OBSERVED, PREDICTED, SNOW, STYLE

import xstefaland

STORES = [
    "snow_water_equivalent",
    "soil_water",
    "upper_zone_storage",
    "lower_zone_storage",
]
TARGETS = ["streamflow", "evapotranspiration", "recharge", "baseflow", *STORES]


def held_out(folder: Path) -> xr.Dataset:
    """Read the basins that neither the head nor its encoder was trained on."""
    ds = xstefaland.datasets.camels_us(folder, chunks={})
    known = ds.stefaland.unseen(TARGETS, head="resconn-hbv").left_out
    return ds.isel(basin=known.values).sel(time=slice("1989-10-01", "2008-09-30"))


def balance(ds: xr.Dataset, fluxes: xr.Dataset) -> pd.DataFrame:
    """Sum up the terms per basin after the first year [mm per year]."""
    (dim,) = set(ds.precipitation.dims) - {"time"}
    kept = slice(365, None)
    years = (ds.sizes["time"] - 365) / 365.25
    storage = sum(fluxes[name] for name in STORES)
    change = storage.isel(time=-1) - storage.isel(time=364)
    terms = xr.Dataset(
        {
            "P": ds.precipitation.isel(time=kept).sum("time") / years,
            "Q": fluxes.streamflow.isel(time=kept).sum("time") / years,
            "ET": fluxes.evapotranspiration.isel(time=kept).sum("time") / years,
            "dS": change / years,
            "PET": potential(ds).isel(time=kept).sum("time") / years,
            "Q_observed": ds.streamflow.isel(time=kept).mean("time") * 365.25,
        }
    )
    table = terms.to_dataframe()[list(terms.data_vars)].rename_axis(dim)
    return table.assign(residual=table.P - table.Q - table.ET - table.dS)


def potential(ds: xr.Dataset) -> xr.DataArray:
    """Compute the potential evapotranspiration that the head derives for itself."""
    from xstefaland.inputs.formulas.pet import oudin

    day = ds.time.dt.dayofyear.values
    mean = ds.temperature
    if "temperature_max" in ds:
        mean = mean.fillna((ds.temperature_max + ds.temperature_min) / 2)
    values = oudin(mean.transpose(..., "time").values, ds.latitude.values, day)
    return mean.transpose(..., "time").copy(data=values)


def budyko(aridity: np.ndarray) -> np.ndarray:
    """Share of precipitation that evaporates (Budyko, 1974)."""
    wet = aridity * np.tanh(1 / aridity) * (1 - np.exp(-aridity))
    return np.asarray(np.sqrt(wet))


def draw(path: Path, ds: xr.Dataset, fluxes: xr.Dataset, table: pd.DataFrame) -> None:
    """Draw balance, aridity curve, and two years of the snowiest basin."""
    (dim,) = set(ds.precipitation.dims) - {"time"}
    snowy = fluxes.snow_water_equivalent.mean("time").argmax(dim).item()
    one = {dim: snowy, "time": slice(-730, None)}
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(2, 2, figsize=(10, 6.4))
        out = table.Q + table.ET + table.dS
        axes[0, 0].plot([0, 3500], [0, 3500], color="0.7", lw=1)
        axes[0, 0].scatter(table.P, out, s=14, color=PREDICTED)
        axes[0, 0].set(
            title="Annual balance per held-out basin",
            xlabel="P [mm a$^{-1}$]",
            ylabel="Q + ET + dS [mm a$^{-1}$]",
        )
        aridity = np.linspace(0.1, max(4.0, (table.PET / table.P).max()), 200)
        axes[0, 1].plot(aridity, budyko(aridity), color="0.5", lw=1, label="Budyko")
        axes[0, 1].scatter(
            table.PET / table.P, table.ET / table.P, s=14, color=PREDICTED,
            label="ET / P, predicted",
        )  # fmt: skip
        axes[0, 1].scatter(
            table.PET / table.P, 1 - table.Q_observed / table.P, s=14, marker="x",
            color=OBSERVED, lw=0.8, label="1 - Q / P, observed",
        )  # fmt: skip
        axes[0, 1].set(
            title="Evaporated share of precipitation", xlabel="PET / P",
            ylim=(-0.3, 1.15),
        )  # fmt: skip
        axes[0, 1].legend(loc="lower right")
        name = f"Basin {ds[dim].values[snowy]}"
        flow = axes[1, 0]
        flow.plot(ds.time[-730:], ds.streamflow.isel(one), color=OBSERVED, lw=0.9)
        flow.plot(ds.time[-730:], fluxes.streamflow.isel(one), color=PREDICTED, lw=0.9)
        flow.legend(["observed", "predicted"])
        flow.set(title=f"{name}: streamflow", ylabel="mm d$^{-1}$")
        snow = axes[1, 1]
        series = fluxes.snow_water_equivalent.isel(one)
        snow.fill_between(ds.time[-730:], series, color=SNOW, alpha=0.6)
        snow.set(title=f"{name}: snow water equivalent, ET", ylabel="SWE [mm]")
        right = snow.twinx()
        et = fluxes.evapotranspiration.isel(one).rolling(time=7, center=True).mean()
        right.plot(ds.time[-730:], et, color=GREEN, lw=0.9)
        right.set_ylabel("ET, 7-day mean [mm d$^{-1}$]", color=GREEN)
        right.grid(visible=False)
        for axis in (flow, snow):
            axis.xaxis.set_major_formatter(
                ConciseDateFormatter(axis.xaxis.get_major_locator())
            )
        figure.savefig(path, dpi=130)


def main() -> None:
    """Predict, sum up, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("demo-output"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    ds = held_out(arguments.data)
    (dim,) = set(ds.precipitation.dims) - {"time"}
    lazy = ds.chunk({dim: 8, "time": -1})
    fluxes = lazy.stefaland.predict(TARGETS, head="resconn-hbv").compute()
    table = balance(ds, fluxes)
    table.round(2).to_csv(arguments.out / "water_balance.csv")
    print(table.describe().loc[["min", "50%", "max"]].round(1).to_string())
    share = table.ET / table.PET
    curve = budyko((table.PET / table.P).to_numpy())
    print(
        f"\n{len(table)} basins; largest |P - Q - ET - dS| "
        f"{table.residual.abs().max():.2f} mm a-1; ET / PET {share.min():.2f} to "
        f"{share.max():.2f}; ET / P against Budyko: mean difference "
        f"{(table.ET / table.P - curve).mean():+.3f}, correlation "
        f"{np.corrcoef(table.ET / table.P, curve)[0, 1]:.2f}"
    )
    draw(arguments.out / "water_balance.png", ds, fluxes, table)
    print(f"wrote {arguments.out / 'water_balance.png'} and water_balance.csv")


if __name__ == "__main__":
    main()
