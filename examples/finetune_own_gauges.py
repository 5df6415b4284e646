"""Finetune a head on twenty sites of one's own, and see what it is worth.

``python examples/finetune_own_gauges.py --data ../shared/data`` takes flow at British
gauges (CAMELS-GB), of which the bundled heads saw none, as if they were a user's own:
local names, discharge in m3 s-1. ``--target soil_temperature`` (USCRN) and ``--target
snow_water_equivalent`` (CAMELS-CH) have no bundled head of their own. A head is trained
on twenty sites, cross-validated beside an LSTM, and tried on four more.

What it makes lies in ``finetune-output``: the weights, scores by site, a picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt
import matplotlib.ticker
import numpy as np
import pandas as pd
import pictures
import xarray as xr

import xstefaland
from xstefaland import datasets, metrics
from xstefaland.training import Finetuning, finetune

SPINUP = 365  # days that are not scored
MORE = 4  # sites that the head is tried on in the end
SHOWN = 730  # days of the picture


@dataclass(frozen=True)
class Own:
    """A user's data.

    Attributes
    ----------
    ds : xarray.Dataset
        Weather, attributes and observations.
    observed : str
        Name of the observed variable.
    rename, units : dict of str to str
        What the Dataset does not say itself.
    """

    ds: xr.Dataset
    observed: str
    rename: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)


def streamflow(folder: Path, number: int) -> Own:
    """British gauges in a layout of one's own: discharge, no standard names."""
    ds = datasets.camels_gb(folder).sel(time=slice("2001-10-01", "2015-09-30"))
    ds = spread(ds, "streamflow", number).rename(basin="gauge_id")
    local = xr.Dataset(
        {
            "P": ds.precipitation.drop_attrs(),
            "T_air": ds.temperature.drop_attrs(),
            "Q": (ds.streamflow * ds.area / 86.4).drop_attrs(),
            **{name: ds[name] for name in ("area", "elevation", "slope")},
        },
        attrs=ds.attrs,
    )
    depth = local.Q * 86.4 / local.area  # from m3 s-1 and km2
    local["flow"] = depth.drop_attrs().assign_attrs(units="mm d-1")
    rename = {"P": "precipitation", "T_air": "temperature"}
    units = {"P": "mm d-1", "T_air": "degC"}
    return Own(local.drop_vars("Q"), "flow", rename, units)


def soil_temperature(folder: Path, number: int) -> Own:
    """Soil temperature at 5 cm at climate stations."""
    ds = datasets.uscrn(folder).sel(time=slice("2012-01-01", "2019-12-31"))
    return Own(spread(ds, "soil_temperature", number), "soil_temperature")


def snow_water_equivalent(folder: Path, number: int) -> Own:
    """Water in the snow of Swiss basins that have some every winter."""
    ds = datasets.camels_ch(folder).sel(time=slice("2000-10-01", "2014-09-30"))
    ds = ds.drop_vars("streamflow").isel(basin=snowy(ds))
    return Own(spread(ds, "snow_water_equivalent", number), "snow_water_equivalent")


def snowy(ds: xr.Dataset) -> np.ndarray:
    """Basins with 5 mm of snow on average, and an observed temperature."""
    some = ds.snow_water_equivalent.mean("time") > 5
    return np.flatnonzero(some & ds.temperature_max.notnull().any("time"))


def spread(ds: xr.Dataset, observed: str, number: int) -> xr.Dataset:
    """Choose sites from wet to dry, of those with nine tenths of the observations."""
    (dim,) = set(ds[observed].dims) - {"time"}
    weather = ds.precipitation.notnull().mean("time") > 0.9
    full = weather & (ds[observed].notnull().mean("time") > 0.9)
    ds = ds.isel({dim: np.flatnonzero(full)})
    order = np.argsort(-ds.precipitation.mean("time").values, kind="stable")
    ranks = ((np.arange(number) + 0.5) / number * len(order)).astype(int)
    return ds.isel({dim: np.sort(order[ranks])})


TARGETS = {
    "streamflow": streamflow,
    "soil_temperature": soil_temperature,
    "snow_water_equivalent": snow_water_equivalent,
}


def split(own: Own) -> tuple[list[str], list[str]]:
    """Labels of the sites to train on, and of the last few, drawn at random."""
    (dim,) = set(own.ds[own.observed].dims) - {"time"}
    labels = np.random.default_rng(1).permutation(own.ds[dim].values)
    return sorted(labels[:-MORE].tolist()), sorted(labels[-MORE:].tolist())


def predict(own: Own, target: str, sites: list[str], head: object) -> xr.Dataset:
    """Predict sites that the head never saw, beside what was observed there."""
    (dim,) = set(own.ds[own.observed].dims) - {"time"}
    ds = own.ds.sel({dim: sites})
    inputs = ds.drop_vars(own.observed)
    answer = xstefaland.predict(
        inputs, target, head=head, rename=own.rename, units=own.units
    )
    both = {"predicted": answer, "observed": ds[own.observed]}
    return xr.Dataset(both).rename({dim: "site"})


def scores(both: xr.Dataset) -> pd.DataFrame:
    """Score every site after the first year."""
    late = both.isel(time=slice(SPINUP, None))
    names = ("nse", "kge", "rmse")
    table = {n: getattr(metrics, n)(late.observed, late.predicted) for n in names}
    return xr.Dataset(table).to_dataframe()[list(names)]


def draw(path: Path, both: xr.Dataset, table: pd.DataFrame) -> None:
    """Draw the last two years of each site, predicted beside observed."""
    late, attrs = both.isel(time=slice(-SHOWN, None)), both.predicted.attrs
    title = f"{attrs['long_name']} [{attrs['units']}] at sites that no head saw"
    with plt.rc_context(pictures.STYLE):
        figure, axes = plt.subplots(
            len(both.site), 1, figsize=(9, 1.9 * len(both.site)), sharex=True, dpi=120
        )
        for axis, site in zip(axes, both.site.values, strict=True):
            one = late.sel(site=site)
            axis.plot(one.time, one.observed, color=pictures.OBSERVED, lw=1.0)
            axis.plot(one.time, one.predicted, color=pictures.PREDICTED, lw=1.0)
            axis.set_title(f"{site}, NSE {table.nse[site]:.2f}")
            axis.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
        axes[0].legend(
            ["observed", "predicted"], loc="lower right", bbox_to_anchor=(1, 1), ncols=2
        )
        figure.suptitle(title, fontsize=11)
        figure.savefig(path)
        plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of archives")
    parser.add_argument("--target", choices=TARGETS, default="streamflow")
    parser.add_argument("--sites", type=int, default=20)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=Finetuning.updates)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("finetune-output"))
    given = parser.parse_args(arguments)
    own = TARGETS[given.target](given.data, given.sites + MORE)
    sites, more = split(own)
    folder = given.output / f"{given.target}-{given.seed}"
    head = finetune(
        own.ds,
        given.target,
        own.observed,
        sites=sites,
        folds=given.folds,
        settings=Finetuning(updates=given.updates, seed=given.seed),
        rename=own.rename,
        units=own.units,
        folder=folder,
    )
    both = predict(own, given.target, more, head)
    table = scores(both)
    print(f"\nSites that were not used at all:\n{table.round(2).to_string()}")
    table.to_csv(folder / "more-sites.csv")
    draw(folder / f"{given.target}.png", both, table)
    print(f"Picture: {folder / f'{given.target}.png'}")


if __name__ == "__main__":
    main()
