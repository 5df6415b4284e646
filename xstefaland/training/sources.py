"""The archives that the bundled weights are pretrained on: a table, nothing else.

Products of one archive are sources of their own: they define the day differently and
have different variables, so a record never mixes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import xarray as xr

from xstefaland import datasets


@dataclass(frozen=True)
class Source:
    """One archive, or one product of it.

    Attributes
    ----------
    name : str
        Name of its shard, and the beginning of the ids of its sites.
    read : callable
        Reader of :mod:`xstefaland.datasets`: folder of the files to Dataset.
    weight : float
        Its share of the windows in training, in proportion to the other weights.
    files : tuple of str
        Files that are read.
    """

    name: str
    read: Callable[[Path], xr.Dataset]
    weight: float
    files: tuple[str, ...]


_CAMELS_US = "camels_us.nc"

# A weight is about the square root of the observed site-years, divided by ten, so that
# large archives count more and small ones are not lost. Delaware has less than that:
# its 765 units are one basin. Caravan has twice that: its records are of one season,
# but most places and attributes of the world are there.
SOURCES = (
    Source(
        "camels-era5land",
        partial(datasets.camels_us, product="era5land"),
        13.0,
        (_CAMELS_US,),
    ),
    Source(
        "camels-daymet",
        partial(datasets.camels_us, product="daymet"),
        6.0,
        (_CAMELS_US,),
    ),
    Source(
        "camels-nldas",
        partial(datasets.camels_us, product="nldas"),
        2.0,
        (_CAMELS_US,),
    ),
    Source(
        "camels-maurer",
        partial(datasets.camels_us, product="maurer_extended"),
        7.5,
        ("camels_us_maurer.nc", _CAMELS_US),
    ),
    Source("camels-gb", datasets.camels_gb, 13.0, ("camels_gb2.nc",)),
    Source("camels-ch", datasets.camels_ch, 8.0, ("camels_ch.nc",)),
    Source("mopex", datasets.mopex, 9.5, ("mopex_us.nc",)),
    Source(
        "caravan",
        datasets.caravan,
        8.0,
        ("caravan_100d.nc", "caravan_attributes.parquet"),
    ),
    Source("uscrn", datasets.uscrn, 5.5, ("uscrn_soil_moisture.nc",)),
    Source("delaware", datasets.delaware, 1.5, ("drb_hru_forcing.nc",)),
    Source("aemet", datasets.aemet, 4.5, ("aemet_spain.nc",)),
)
"""Archives of the bundled weights."""
