"""Coastlines on any Axes in degrees, where cartopy is installed."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xstefaland.errors import warn
from xstefaland.weights.cache import is_offline


def projection(ax: Any) -> dict[str, Any]:
    """Return what Axes of cartopy need to place degrees; nothing for others."""
    if not hasattr(ax, "projection"):
        return {}
    import cartopy.crs as ccrs

    return {"transform": ccrs.PlateCarree()}


def draw_coastlines(ax: Any) -> None:
    """Draw Natural Earth's coastlines within the present limits, if cartopy has them.

    Cartopy downloads them once; not when the package is set offline.
    """
    lines = _coastlines(is_offline())
    if not lines:
        return
    from matplotlib.collections import LineCollection

    limits = ax.get_xlim(), ax.get_ylim()
    style: dict[str, Any] = {"colors": "0.45", "linewidths": 0.6, "zorder": 0.5}
    ax.add_collection(LineCollection(lines, **style, **projection(ax)))
    ax.set(xlim=limits[0], ylim=limits[1])


@cache
def _coastlines(offline: bool) -> list[NDArray[np.float64]]:
    """Lines ``(point, 2)`` [degrees], none without cartopy or its data; asked once."""
    try:
        from cartopy import config
        from cartopy.io import Downloader, shapereader
    except ImportError:
        return []
    wanted = {"resolution": "110m", "category": "physical", "name": "coastline"}
    source = Downloader.from_config(("shapefiles", "natural_earth", *wanted.values()))
    places = {**wanted, "config": config}
    known = source.pre_downloaded_path(places), source.target_path(places)
    paths = [path for path in known if path is not None and path.exists()]
    if not paths and offline:
        return []
    try:
        path = next(iter(paths), None) or shapereader.natural_earth(**wanted)
    except OSError as error:
        warn(f"no coastlines, cartopy could not fetch them ({error})")
        return []
    shapes = shapereader.Reader(path).geometries()
    return [np.asarray(line.coords) for shape in shapes for line in _lines(shape)]


def _lines(shape: Any) -> list[Any]:
    """Lines of a shape that is one, or a collection of them."""
    return list(shape.geoms) if hasattr(shape, "geoms") else [shape]
