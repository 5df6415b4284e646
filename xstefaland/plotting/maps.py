"""Maps of sites and grids: values, scores, embeddings as colours."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xstefaland import metrics
from xstefaland.errors import InputError
from xstefaland.plotting.coastlines import draw_coastlines, projection
from xstefaland.plotting.colours import EMBEDDING, embedding_colours
from xstefaland.plotting.drawing import label, new_axes
from xstefaland.plotting.series import after_spinup, middle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = {
    "latitude": ("latitude", "lat", "gauge_lat", "y"),
    "longitude": ("longitude", "lon", "gauge_lon", "x"),
}
UNITS = {"latitude": "degrees_north", "longitude": "degrees_east"}

# How a score is shown: those with a best value of 1, and those around 0.
_SHARE = {"vmin": 0.0, "vmax": 1.0, "cmap": "viridis"}
_SIGNED = {"cmap": "RdBu", "centre": 0.0}
SCALES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("nse", "kge", "kge_2012", "corr", "spearman", "r2"), _SHARE),
    **dict.fromkeys(("bias", "pbias", "fhv", "flv", "flv_log", "fms"), _SIGNED),
}


def map(
    values: xr.DataArray,
    *,
    ax: Axes | None = None,
    cmap: str = "viridis",
    vmin: float | None = None,
    vmax: float | None = None,
    coastlines: bool = True,
    **style: Any,
) -> Axes:
    """Draw one value of each site, or a grid, at its place.

    Parameters
    ----------
    values : xarray.DataArray
        One dim of sites with coordinates of latitude and longitude, or a grid.
    ax : matplotlib Axes, optional
        Where to draw; of cartopy too. Default: a new figure in degrees.
    cmap : str
        Name of a colour map.
    vmin, vmax : float, optional
        Ends of the colours; default: the 2nd and the 98th percentile, with arrows at
        the bar where values lie beyond.
    coastlines : bool
        Draw coastlines, where cartopy is installed and has them at hand.
    **style
        For matplotlib's ``scatter`` (sites) or ``pcolormesh`` (grids).

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        Where the array says no places, or has more than one value for each.

    Examples
    --------
    >>> from xstefaland.testing import example_points
    >>> ax = map(example_points().elevation, coastlines=False)
    >>> ax.get_xlabel()
    'longitude [°E]'
    """
    x, y = _places(values)
    values = values.compute()
    if values.dtype == bool:
        values = values.astype(np.float32, keep_attrs=True)
    low, high = _ends(values, vmin, vmax)
    ax = new_axes(ax, (7, 4.5))
    style = {"cmap": cmap, "vmin": low, "vmax": high, **projection(ax), **style}
    artist = _draw(ax, values, x, y, style)
    bar = ax.figure.colorbar(
        artist, ax=ax, extend=_beyond(values, low, high), shrink=0.85
    )
    bar.set_label(label(values))
    _dress(ax, x, y, coastlines)
    return ax


def skill_map(
    predicted: xr.DataArray,
    observed: xr.DataArray,
    score: str = "nse",
    *,
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Draw a score of each site on a map, with its median in the title.

    Parameters
    ----------
    predicted, observed : xarray.DataArray
        As in :func:`xstefaland.plotting.hydrograph`. The first ``spinup_days`` of
        the record are left out, where a month or more is left.
    score : str
        One of :mod:`xstefaland.metrics`.
    ax, **style
        As in :func:`map`. Efficiencies and correlations are shown from 0 to 1, scores
        with a sign around 0.

    Returns
    -------
    matplotlib.axes.Axes
    """
    late = after_spinup(middle(predicted))
    values = metrics.scores(observed, late, names=[score])[score].compute()
    scale = dict(SCALES.get(score, {}))
    if scale.pop("centre", None) is not None:
        reach = _ends(abs(values), None, None)[1]
        scale |= {"vmin": -reach, "vmax": reach}
    ax = map(values, ax=ax, **{**scale, **style})
    known = int(values.notnull().sum())
    median = float(values.median())
    ax.set_title(f"median {median:.2f}, {known} sites", loc="left", fontsize="medium")
    return ax


def embedding_rgb(
    embedding: xr.DataArray,
    *,
    ax: Axes | None = None,
    sample: int = 5000,
    coastlines: bool = True,
    **style: Any,
) -> Axes:
    """Draw embeddings as colours on a map: alike places look alike.

    Parameters
    ----------
    embedding : xarray.DataArray
        One vector a place: dim `embedding` and those of the sites or grid.
    sample
        As in :func:`embedding_colours`.
    ax, coastlines, **style
        As in :func:`map`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        As :func:`embedding_colours` and :func:`map`.
    """
    x, y = _places(embedding, beside=EMBEDDING)
    colours = embedding_colours(embedding, sample).compute()
    ax = new_axes(ax, (6, 4.5))
    _draw(ax, colours, x, y, {**projection(ax), **style})
    _dress(ax, x, y, coastlines)
    return ax


def _places(values: xr.DataArray, beside: str = "") -> tuple[Any, Any]:
    """Coordinates along x and y; an error where there are none, or dims besides."""
    x, y = (_coordinate(values, name) for name in ("longitude", "latitude"))
    if x is None or y is None:
        have = ", ".join(_names(values)) or "none"
        raise InputError(
            f"no latitude and longitude among the coordinates ({have}); add them, for "
            'example .assign_coords(latitude=("site", ...), longitude=("site", ...))'
        )
    extra = [d for d in values.dims if d not in {*x.dims, *y.dims, beside}]
    if extra:
        raise InputError(
            f"a map has one value a place, but there is the dim {str(extra[0])!r}; "
            f"take for example .mean({str(extra[0])!r}) or .isel({extra[0]}=0)"
        )
    if x.ndim == 1 and x.dims != y.dims:
        x = _over_the_date_line(x)
    return x, y if x.ndim == 1 else y.transpose(*x.dims)


def _over_the_date_line(x: xr.DataArray) -> xr.DataArray:
    """Let longitudes of a grid go on where they jump by a turn, such as 179, -180."""
    values = x.values.astype(float)
    on = np.unwrap(values, period=360)
    jumps = not _monotonic(values) and _monotonic(on) and (abs(values) <= 360).all()
    return x.copy(data=on - 360 * np.round(on.mean() / 360)) if jumps else x


def _in_order(values: NDArray[Any]) -> NDArray[np.intp]:
    """Return positions of coordinates that go one way: their own, if they do."""
    return np.arange(len(values)) if _monotonic(values) else np.argsort(values)


def _monotonic(values: NDArray[Any]) -> bool:
    """Tell whether all steps go one way."""
    steps = np.diff(values)
    return bool((steps > 0).all() or (steps < 0).all())


def _names(values: xr.DataArray) -> list[str]:
    """List the coordinates of an array."""
    return [str(name) for name in values.coords]


def _coordinate(values: xr.DataArray, name: str) -> xr.DataArray | None:
    """Find a coordinate by standard name or units, then by its own name."""
    numbers: list[xr.DataArray] = [
        coord
        for coord in values.coords.values()
        if coord.ndim and coord.dtype.kind in "fiu"
    ]
    for coord in numbers:
        said = coord.attrs.get("standard_name"), coord.attrs.get("units")
        if said[0] == name or (said[0] is None and said[1] == UNITS[name]):
            return coord
    by_name: dict[str, xr.DataArray] = {
        str(coord.name).lower(): coord for coord in numbers
    }
    return next((by_name[n] for n in NAMES[name] if n in by_name), None)


def _draw(ax: Axes, values: Any, x: Any, y: Any, style: dict[str, Any]) -> Any:
    """Draw points, or cells, in numbers or in colours (last dim `rgb`)."""
    dims: list[Hashable] = [*y.dims, *(d for d in x.dims if d not in y.dims)]
    array = values.transpose(*dims, ...).values
    if len(dims) == 1:
        size = float(np.clip(4000 / max(len(array), 1), 6, 60))
        there = np.isfinite(array if array.ndim == 1 else array[:, 0])
        style = {"s": size, "linewidths": 0.3, "edgecolors": "0.3", **style}
        return ax.scatter(x.values[there], y.values[there], c=array[there], **style)
    if array.ndim > 2:  # NaN colours are see-through
        alpha = np.isfinite(array[..., :1]).astype(array.dtype)
        array = np.concatenate([np.nan_to_num(array), alpha], axis=-1)
    if x.ndim > 1:
        return ax.pcolormesh(x.values, y.values, array, shading="nearest", **style)
    rows, columns = (_in_order(each.values) for each in (y, x))
    east, north = x.values[columns].astype(float), y.values[rows].astype(float)
    edges = _edges(east, north), _edges(north, east)
    return ax.pcolormesh(*edges, array[rows][:, columns], **style)


def _edges(centres: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Edges of cells between their centres; a single cell is as wide as it is high."""
    if len(centres) == 1:
        width = np.diff(others).mean() if len(others) > 1 else 1.0
        return np.asarray(centres[0] + np.array([-width, width]) / 2)
    between = (centres[1:] + centres[:-1]) / 2
    first, last = 2 * centres[0] - between[0], 2 * centres[-1] - between[-1]
    return np.concatenate([[first], between, [last]])


def _ends(values: xr.DataArray, low: float | None, high: float | None) -> Any:
    """Return the ends of the colours: those given, else percentiles."""
    finite = values.values[np.isfinite(values.values)]
    found = np.quantile(finite, [0.02, 0.98]) if finite.size else (0.0, 1.0)
    return (
        float(found[0]) if low is None else low,
        float(found[1]) if high is None else high,
    )


def _beyond(values: xr.DataArray, low: float, high: float) -> str:
    """Tell at which ends of the colours values lie beyond them."""
    below, above = bool((values < low).any()), bool((values > high).any())
    return {(1, 1): "both", (1, 0): "min", (0, 1): "max"}.get((below, above), "neither")


def _dress(ax: Any, x: xr.DataArray, y: xr.DataArray, coastlines: bool) -> None:
    """Name the axes, set their proportion, and draw coastlines if they are degrees."""
    degrees = str(x.name).lower() != "x" and bool((abs(y) <= 90).all())
    plain = not hasattr(ax, "projection")
    if plain and degrees:
        ax.set(xlabel="longitude [°E]", ylabel="latitude [°N]")
        middle_latitude = float(np.clip(abs(y.mean()), 0, 75))
        ax.set_aspect(1 / np.cos(np.deg2rad(middle_latitude)))
    elif plain:
        ax.set(xlabel=label(x), ylabel=label(y), aspect="equal")
    if coastlines and degrees:
        draw_coastlines(ax)
