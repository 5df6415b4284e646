"""Places for the demo: any archive that a folder holds in its published layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

import xstefaland
from xstefaland import datasets
from xstefaland.errors import InputError

RIVERS = ("camels_us", "camels_gb", "camels_ch", "mopex", "caravan")
SOILS = ("uscrn",)
WEATHER = ("aemet",)
# Years in which most basins and stations were measured; of others the last ones.
PERIODS = {
    "camels_us": slice("1997-10-01", "2008-09-30"),
    "uscrn": slice("2013-01-01", "2019-12-31"),
}
LAST = 4018  # [d] eleven years
ENOUGH = 1095  # [d] fewer days of the period: take the last ones there are
MEASURED = {"streamflow": 0.0, "soil_moisture": 0.6}  # share of days, to be chosen


def read(folder: Path, number: int) -> tuple[xr.Dataset, xr.Dataset, list[str]]:
    """Read some basins and some stations, or weather alone for both.

    Parameters
    ----------
    folder : Path
        Holds one archive or several, as they are published.
    number : int
        Places of each kind.

    Returns
    -------
    basins, stations : xarray.Dataset
        The same one where the folder has but one kind.
    notes : list of str
        What was found, a line each.
    """
    rivers = _first(folder, RIVERS)
    soils = _first(folder, SOILS)
    either = rivers or soils or _first(folder, WEATHER)
    if either is None:
        known = ", ".join((*RIVERS, *SOILS, *WEATHER))
        raise SystemExit(
            f"'{folder}' holds no archive that is known ({known}), or not as it is "
            "published; xstefaland.datasets.<name>(folder) says what is missing."
        )
    notes: list[str] = []
    basins = _places(*(rivers or either), "streamflow", number, notes)
    stations = _places(*(soils or either), "soil_moisture", number, notes)
    return basins, stations, notes


def _first(folder: Path, readers: tuple[str, ...]) -> tuple[str, xr.Dataset] | None:
    """Read lazily with the first reader that knows the folder."""
    for reader in readers:
        try:
            return reader, getattr(datasets, reader)(folder, chunks={})
        except InputError:
            continue
    return None


def _places(
    reader: str, ds: xr.Dataset, target: str, number: int, notes: list[str]
) -> xr.Dataset:
    """Choose places that no training step saw, where there are any, wet to dry."""
    (site,) = set(ds.precipitation.dims) - {"time"}
    unseen = xstefaland.unseen(ds, target).unseen.values
    kind = "unseen in training" if unseen.any() else "any: none is known as unseen"
    ds = period(ds.isel({site: unseen}) if unseen.any() else ds, reader)
    if target in ds:
        share = ds[target].notnull().mean("time").values
        enough = share > MEASURED[target]
        ds = ds.isel({site: enough if enough.any() else share > 0})
    seen = "measured" if target in ds else "not measured"
    notes.append(f"{target}: {reader}, {seen}, {ds.sizes[site]} places ({kind})")
    return spread(ds, number).load()


def period(ds: xr.Dataset, reader: str) -> xr.Dataset:
    """Cut a record to the years of its archive, else to its last ones."""
    cut = ds.sel(time=PERIODS[reader]) if reader in PERIODS else ds.isel(time=[])
    return cut if cut.sizes["time"] >= ENOUGH else ds.isel(time=slice(-LAST, None))


def spread(ds: xr.Dataset, number: int) -> xr.Dataset:
    """Choose sites from wet to dry: the middle one of each of `number` classes."""
    rain = ds.precipitation.mean("time").compute()
    (dim,) = rain.dims
    ranks = np.argsort(-rain.values, kind="stable")
    middles = ((np.arange(number) + 0.5) / number * len(ranks)).astype(int)
    chosen = ds.isel({dim: ranks[np.unique(middles)]})
    return chosen[[name for name in ds.data_vars if chosen[name].notnull().any()]]
