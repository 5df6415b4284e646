"""Topsoil of soil profiles: texture, carbon, acidity, density. No weather, no time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from xstefaland.datasets.columns import Column, take
from xstefaland.datasets.files import Archive, find, finish
from xstefaland.datasets.sites import choose, label, texts
from xstefaland.datasets.text import Layout, read_tables

ARCHIVE = Archive(
    "soil_profiles",
    "Topsoil (0-30 cm) of soil profiles",
    "AfSP (Africa), ISIS (the world), Edgeroi (Australia), as in the package GSIF",
    "open (GSIF)",
    "Leenaars et al. (2014), Africa Soil Profiles Database; ISRIC ISIS; "
    "Malone et al. (2009), doi:10.1016/j.geoderma.2009.10.007",
    ("soil_topsoil_0_30cm.csv.gz, or the folder that holds it",),
)

# Profiles whose texture sums to 100 +- 5 % only; there are no covariates.
COLUMNS = (
    Column("sand", "sand_pct", "percent"),
    Column("silt", "silt_pct", "percent"),
    Column("clay", "clay_pct", "percent"),
    Column("bulk_density", "bulk_density_t_m3", "t m-3"),
    Column("organic_carbon", "organic_carbon_g_kg", "g kg-1"),
    Column("ph", "ph_h2o", "1", "in water"),
    Column("thickness", "thickness_cm", "cm", "of soil that was described"),
)

_WORDS = {"dataset": "source", "source_db": "database", "wrb_group": "soil_group"}
_CSV = Layout(
    ("lat", "lon", *(column.original for column in COLUMNS)),
    ("profile_id", *_WORDS),
    separator=",",
)


def soil_profiles(path: str | Path, sites: Sequence[str] | None = None) -> xr.Dataset:
    """Read soil profiles.

    Parameters
    ----------
    path : path-like
        ``soil_topsoil_0_30cm.csv.gz``, or the folder that holds it.
    sites : sequence of str, optional
        Ids such as ``"86FN890001"``; default: all.

    Returns
    -------
    xarray.Dataset
        ``(profile)``: ``sand``, ``silt``, ``clay`` [percent], ``bulk_density``
        [t m-3], ``organic_carbon`` [g kg-1], ``ph``, ``thickness`` [cm]; coordinates
        ``latitude``, ``longitude``, ``source``, ``database``, ``soil_group`` (WRB).

    Raises
    ------
    InputError
        For unknown sites, or a path where there is no such file.
    """
    file = find(path, "soil_topsoil_0_30cm.csv.gz", ARCHIVE)
    table = read_tables({"": file}, _CSV)[""].set_index("profile_id")
    table = table.loc[choose(table.index, sites, "profile")]
    raw = xr.Dataset(
        {c.original: ("profile", table[c.original].to_numpy()) for c in COLUMNS},
        {
            "latitude": ("profile", table["lat"].to_numpy()),
            "longitude": ("profile", table["lon"].to_numpy()),
            "profile": texts(table.index),
        },
    )
    words = {new: table[old] for old, new in _WORDS.items()}
    return finish(label(take(raw, COLUMNS), "profile", **words), ARCHIVE, file, None)
