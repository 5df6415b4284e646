"""USCRN: climate reference stations of NOAA, with soil moisture and temperature."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.datasets.columns import DEPTHS, Column, at_depth, take
from xstefaland.datasets.files import Archive, Chunks, find, finish, netcdf
from xstefaland.datasets.sites import choose, label, select
from xstefaland.datasets.text import Layout, read_tables, stack

ARCHIVE = Archive(
    "uscrn",
    "USCRN and USRCRN",
    "NOAA NCEI, daily01",
    "US public domain",
    "Diamond et al. (2013), doi:10.1175/BAMS-D-12-00170.1; "
    "Bell et al. (2013), doi:10.1175/JHM-D-12-0146.1",
    (
        "a folder of daily01 text files CRND0103-<year>-<name>.txt, by year or not",
        "uscrn_soil_moisture.nc, or the folder that holds it",
    ),
)

_LARGEST_RADIATION = 45.0  # [MJ m-2 d-1]; no place on Earth receives more in a day
_NOT_NEGATIVE = (0.0, np.inf)

COLUMNS = (
    Column("precipitation", "prcp", "mm d-1", limits=_NOT_NEGATIVE),
    Column("temperature", "tavg", "degC"),
    Column("temperature_max", "tmax", "degC"),
    Column("temperature_min", "tmin", "degC"),
    # Sensors that fail give up to 104.
    Column(
        "shortwave_radiation", "srad", "MJ m-2 d-1", limits=(0.0, _LARGEST_RADIATION)
    ),
    Column("relative_humidity", "rh_avg", "percent", limits=(0.0, 100.0)),
    *(
        Column(
            at_depth("soil_moisture", depth),
            f"sm_{depth}cm",
            "m3 m-3",
            limits=(0.0, 1.0),
        )
        for depth in DEPTHS
    ),
    *(
        Column(at_depth("soil_temperature", depth), f"st_{depth}cm", "degC")
        for depth in DEPTHS
    ),
)
"""What is read, under the names of the NetCDF file."""

# The fields of a line of daily01, in order; what is read bears the names above.
_FIELDS = (
    "wban date version longitude latitude tmax tmin tmean tavg prcp srad surface_type "
    "surface_max surface_min surface_avg rh_max rh_min rh_avg "
    + " ".join(f"sm_{depth}cm" for depth in DEPTHS)
    + " "
    + " ".join(f"st_{depth}cm" for depth in DEPTHS)
)
_DAILY01 = Layout(
    ("longitude", "latitude", *(column.original for column in COLUMNS)),
    date=("date",),
    date_format="%Y%m%d",
    names=tuple(_FIELDS.split()),
    missing=(-9999.0,),  # and -99 in soil moisture, where the limits see to it
)
_NETCDF = "uscrn_soil_moisture.nc"
_FILES = "CRND0103-*.txt"


def uscrn(
    path: str | Path, sites: Sequence[str] | None = None, *, chunks: Chunks = None
) -> xr.Dataset:
    """Read USCRN stations: ``daily01`` text as NOAA publishes it, or NetCDF.

    Parameters
    ----------
    path : path-like
        A folder with ``CRND0103-<year>-<name>.txt`` files, in folders by year or not;
        or ``uscrn_soil_moisture.nc``, or the folder that holds it.
    sites : sequence of str, optional
        WBAN numbers such as ``"53877"``; default: all.
    chunks : mapping, str or int, optional
        As in :func:`xarray.open_dataset`: ``{}`` gives dask arrays; default: in memory.

    Returns
    -------
    xarray.Dataset
        Weather, ``soil_moisture`` at 5 cm [m3 m-3], ``soil_temperature`` at 5 cm
        [degC] and both at 10, 20, 50, 100 cm (``soil_moisture_10cm`` ...)
        ``(station, time)``, coordinates ``latitude``, ``longitude``, ``name``,
        ``product``. There are no attributes. Values that cannot be are NaN.

    Raises
    ------
    InputError
        For unknown sites, an unknown layout, or text that cannot be read.
    """
    files = _text_files(Path(path))
    if files:
        return finish(_text(files, sites), ARCHIVE, path, chunks)
    file = find(path, _NETCDF, ARCHIVE)
    needed = {"station", "time", *(column.original for column in COLUMNS)}
    with netcdf(file, ARCHIVE, needed, chunks) as raw:
        raw = select(raw, "station", sites, "station")
        raw = raw.rename(lat="latitude", lon="longitude")
        ds = label(take(raw, COLUMNS), "station", product="uscrn")
        return finish(ds, ARCHIVE, file, chunks)


def _text_files(path: Path) -> list[Path]:
    """Find daily01 files; a folder with the NetCDF file is read as that."""
    if path.is_file():
        return [path] if path.suffix == ".txt" else []
    return [] if (path / _NETCDF).is_file() else sorted(path.rglob(_FILES))


def _text(files: Sequence[Path], sites: Sequence[str] | None) -> xr.Dataset:
    """Read daily01 files; a station has one file a year."""
    of_station: dict[str, dict[str, Path]] = {}
    for file in files:
        of_station.setdefault(_wban(file), {})[file.name] = file
    wanted = choose(sorted(of_station), sites, "station")
    tables = read_tables(
        {name: file for each in wanted for name, file in of_station[each].items()},
        _DAILY01,
    )
    years = {each: pd.concat([tables[n] for n in of_station[each]]) for each in wanted}
    places = [years[each][["latitude", "longitude"]].iloc[-1] for each in wanted]
    names = [next(iter(of_station[each])).split("-", 2)[2] for each in wanted]
    ds = take(stack(years, "station"), COLUMNS).assign_coords(
        latitude=("station", [place["latitude"] for place in places]),
        longitude=("station", [place["longitude"] for place in places]),
    )
    names = [name.removesuffix(".txt") for name in names]
    return label(ds, "station", name=names, product="uscrn")


def _wban(file: Path) -> str:
    """Read the number of the station, the first field of each line."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        return lines.readline().partition(" ")[0].strip()
