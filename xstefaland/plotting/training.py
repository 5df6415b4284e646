"""A map of where weights were trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.geometry.sites import find_latitude, latitude, longitude, site_dims
from xstefaland.plotting.coastlines import draw_coastlines, projection
from xstefaland.plotting.drawing import OTHER, PREDICTED, new_axes
from xstefaland.weights import WeightsLike, load

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARGIN = 4.0  # [degrees] around the cells
SQUARE = ((0, 0), (1, 0), (1, 1), (0, 1))  # a cell, from its south-west corner


def training_places(
    weights: WeightsLike,
    sites: xr.Dataset | None = None,
    *,
    ax: Axes | None = None,
    coastlines: bool = True,
) -> Axes:
    """Draw the one-degree cells in which weights were trained.

    Parameters
    ----------
    weights : str, path or Weights
        A head or an encoder.
    sites : xarray.Dataset, optional
        Sites of your own, drawn as points; with latitude and longitude.
    ax : matplotlib Axes, optional
        Where to draw; of cartopy too. Default: a new figure in degrees.
    coastlines : bool
        Draw coastlines, where cartopy is installed and has them at hand.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        For weights that record no places, or sites without positions.

    See Also
    --------
    xstefaland.unseen : The same as a table, with distances.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from xstefaland.testing import tiny_weights
    >>> from xstefaland.weights import Places, save
    >>> tiny = tiny_weights()
    >>> card = replace(tiny.card, places=Places.of([47.2, 47.9], [8.1, 8.7]))
    >>> ax = training_places(save(tiny.path, tiny.tensors(), card), coastlines=False)
    >>> ax.get_title(loc="left")
    'tiny: 2 places in 1 cells'
    """
    opened = load(weights)
    places = opened.card.places
    if places is None or not places.cells:
        raise InputError(
            f"'{opened.name}' records no places of its training (weights before card "
            "format 3 do not); xstefaland.unseen(ds, ...) asks it by the ids of sites"
        )
    from matplotlib.collections import PolyCollection

    corners = places.corners()[:, ::-1]  # east, north
    shapes = corners[:, None] + np.array(SQUARE)
    ax = new_axes(ax, (8, 4.2))
    style: dict[str, Any] = {"color": PREDICTED, "linewidths": 0.4, **projection(ax)}
    ax.add_collection(PolyCollection(shapes, zorder=2, label="training", **style))
    ends = [corners.min(0), corners.max(0) + 1]
    if sites is not None:
        points = _positions(sites)
        style = {"s": 18, "color": OTHER, "label": "your sites", **projection(ax)}
        ax.scatter(points[:, 0], points[:, 1], zorder=3, **style)
        ax.legend(frameon=False, fontsize="small")
        ends += [points.min(0), points.max(0)]
    _frame(ax, np.min(ends, 0) - MARGIN, np.max(ends, 0) + MARGIN)
    title = f"{opened.name}: {places.count} places in {len(places.cells)} cells"
    ax.set_title(title, loc="left", fontsize="medium")
    if coastlines:
        draw_coastlines(ax)
    return ax


def _positions(sites: xr.Dataset) -> Any:
    """Longitude and latitude of each site ``(site, 2)`` [degrees]."""
    weather = [str(n) for n, v in sites.data_vars.items() if "time" in v.dims]
    dims = site_dims(sites, weather) if weather else tuple(map(str, sites.dims))
    both = longitude(sites, dims), latitude(sites, dims, find_latitude(sites, dims))
    points = np.stack([np.ravel(each.values) for each in both], -1)
    points[:, 0] = (points[:, 0] + 180) % 360 - 180
    known = points[np.isfinite(points).all(1)]
    if not len(known):
        raise InputError(
            "no site has a latitude and a longitude; add them, for example "
            '.assign_coords(latitude=("site", ...), longitude=("site", ...))'
        )
    return known


def _frame(ax: Any, low: Any, high: Any) -> None:
    """Set the limits and, on plain Axes, names and proportion."""
    west, south = np.maximum(low, (-180, -90))
    east, north = np.minimum(high, (180, 90))
    if hasattr(ax, "projection"):
        ax.set_extent((west, east, south, north), crs=projection(ax)["transform"])
        return
    middle = np.deg2rad(np.clip(abs(south + north) / 2, 0, 60))
    ax.set(xlim=(west, east), ylim=(south, north), aspect=1 / np.cos(middle))
    ax.set(xlabel="longitude [°E]", ylabel="latitude [°N]", axisbelow=True)
    ax.grid(alpha=0.3)
