"""Basin polygons: whether they can be used, and how they lie on a grid's axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xstefaland.errors import InputError, join_problems, warn
from xstefaland.geometry.extras import needed

if TYPE_CHECKING:
    import geopandas as gpd
    import pyproj

Shapes = npt.NDArray[np.object_]
POLYGONS = ("Polygon", "MultiPolygon")
SHOWN = 5  # names in a message


def checked(sites: Any, kinds: Sequence[str] = POLYGONS) -> gpd.GeoSeries:
    """Return geometries that can be used, repaired where that is possible.

    Parameters
    ----------
    sites : geopandas.GeoDataFrame or geopandas.GeoSeries
        One geometry per site; the index names the sites.
    kinds : sequence of str
        Kinds of geometries that are possible.

    Returns
    -------
    geopandas.GeoSeries
        The same in valid form. Polygons that cross themselves are repaired, and a
        warning says by how much that changes their area.

    Raises
    ------
    InputError
        With all that is wrong: no CRS, names twice, empty geometries, other kinds.

    Examples
    --------
    >>> import geopandas, shapely
    >>> crossed = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     shapes = checked(geopandas.GeoSeries([crossed], crs="EPSG:4326"))
    >>> shapes.iloc[0].geom_type, shapes.iloc[0].area
    ('MultiPolygon', 2.0)
    """
    (geopandas,) = needed("geopandas", "basins", "reading polygons and points")
    if not isinstance(sites, geopandas.GeoSeries | geopandas.GeoDataFrame):
        raise InputError(
            f"basins and sites are a GeoDataFrame or a GeoSeries, not a "
            f"{type(sites).__name__}; read them, for example "
            'geopandas.read_file("basins.gpkg").set_index("name")'
        )
    series = sites.geometry
    problems = _problems(series, kinds)
    if problems:
        raise InputError(join_problems("the geometries cannot be used", problems))
    return _repaired(_unwrapped(series) if series.crs.is_geographic else series)


def _problems(series: gpd.GeoSeries, kinds: Sequence[str]) -> list[str]:
    """All that is wrong with geometries and cannot be mended."""
    problems = []
    if not len(series):
        problems.append("there is none; check how they were selected")
    if series.crs is None:
        problems.append(
            'they have no CRS; state it, for example basins.set_crs("EPSG:4326")'
        )
    if series.index.nlevels > 1:
        problems.append(
            "their index has several levels; one name per site is needed: "
            "basins.index = basins.index.map(str)"
        )
    if not series.index.is_unique:
        twice = series.index[series.index.duplicated()].unique()
        problems.append(
            f"{few(twice)} is there more than once; join the parts: "
            f'basins.dissolve("{series.index.name or "name"}")'
        )
    empty = series.isna() | series.is_empty
    if empty.any():
        problems.append(
            f"{few(series.index[empty])} is empty; leave it out: "
            "basins[~(basins.geometry.isna() | basins.geometry.is_empty)]"
        )
    other = ~series.geom_type.isin(kinds) & ~empty
    if other.any():
        problems.append(
            f"{few(series.index[other])} is a {series.geom_type[other].iloc[0]}; "
            f"{' or '.join(kinds)} is needed"
        )
    return problems


def _repaired(series: gpd.GeoSeries) -> gpd.GeoSeries:
    """Put valid polygons in place of those that cross themselves, with a warning."""
    import shapely

    wrong = ~series.is_valid
    if not wrong.any():
        return series
    mended = [_polygonal(shapely.make_valid(shape)) for shape in series[wrong]]
    flat = [name for name, s in zip(series.index[wrong], mended, strict=True) if not s]
    if flat:
        raise InputError(
            f"the geometries cannot be used: {few(flat)} has no area; leave it out: "
            f"basins.drop({flat!r})"
        )
    before = shapely.area(series[wrong].values)
    change = np.abs(shapely.area(mended) / np.where(before, before, np.nan) - 1)
    worst = "" if np.isnan(change).any() else f" (area: {change.max():.1%} at most)"
    warn(
        f"polygons that cross themselves were repaired{worst}: "
        f"{few(series.index[wrong])}; look at them: "
        "basins[~basins.geometry.is_valid].plot()"
    )
    out = series.copy()
    out[wrong] = mended
    return out


def _polygonal(shape: Any) -> Any:
    """Take the polygons of a shape, not the lines and points that a repair leaves."""
    import shapely

    parts = shapely.get_parts(shape)
    parts = [shapely.get_parts(part) for part in parts]
    kept = [p for part in parts for p in part if p.geom_type in POLYGONS and p.area]
    return shapely.union_all(kept) if kept else None


def on_axes(series: gpd.GeoSeries, crs: pyproj.CRS) -> Shapes:
    """Bring geometries to the CRS of a grid, in one piece where they cross 180.

    Parameters
    ----------
    series : geopandas.GeoSeries
        Result of :func:`checked`.
    crs : pyproj.CRS
        That of the grid.

    Returns
    -------
    ndarray of shapely geometries
        In a CRS in degrees, a ring whose longitude jumps (179 to -179) goes on
        beyond 180.

    Raises
    ------
    InputError
        For geometries that the CRS cannot express, and for rings round a pole.
    """
    import geopandas
    import shapely

    shapes = np.asarray(series.to_crs(crs).values, dtype=object)
    beyond = ~np.isfinite(shapely.bounds(shapes)).all(axis=1)
    if beyond.any():
        raise InputError(
            f"{few(series.index[beyond])} lies beyond the grid's CRS ({crs.name}); "
            "leave it out, or bring the grid to another CRS"
        )
    if crs.is_projected:
        return shapes
    again = geopandas.GeoSeries(shapes, series.index, crs=crs)
    return np.asarray(_unwrapped(again).values, dtype=object)


def _unwrapped(series: gpd.GeoSeries) -> gpd.GeoSeries:
    """Join rings that jump at 180 degrees."""
    import shapely

    west, _, east, _ = shapely.bounds(series.values).T
    wide = east - west >= 180
    whole = {name: unwrapped(shape) for name, shape in series[wide].items()}
    polar = [name for name, shape in whole.items() if shape is None]
    if polar:
        raise InputError(
            f"{few(polar)} goes round a pole, which axes in degrees cannot express; "
            "bring polygons and grid to a polar projection, for example "
            'basins.to_crs("EPSG:3995") and grid.rio.reproject("EPSG:3995")'
        )
    out = series.copy()
    out[wide] = list(whole.values())
    return out


def unwrapped(shape: Any) -> Any:
    """Return a shape whose rings do not jump at 180 degrees, or None round a pole.

    Examples
    --------
    >>> import shapely
    >>> wrapped = shapely.Polygon([(179, 0), (-179, 0), (-179, 1), (179, 1)])
    >>> unwrapped(wrapped).bounds
    (179.0, 0.0, 181.0, 1.0)
    """
    import shapely

    polar = False

    def straightened(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Undo a ring's jumps; if it ends a turn away, it goes round a pole."""
        nonlocal polar
        jump = np.diff(points[:, 0])
        turned = (np.abs(jump) > 180) & (np.abs(jump) < 360)
        turns = np.concatenate([[0], np.cumsum(turned * -np.sign(jump))])
        polar |= bool(turns[-1])
        return np.asarray(points + np.stack([360 * turns, 0 * turns], axis=1))

    rings = [
        [straightened(shapely.get_coordinates(r)) for r in (p.exterior, *p.interiors)]
        for p in shapely.get_parts(shape)
        if p.geom_type == "Polygon"
    ]
    if polar:
        return None
    if not rings:
        return shape
    parts = [shapely.Polygon(outer, _inside(outer, holes)) for outer, *holes in rings]
    return shapely.MultiPolygon(parts) if len(parts) > 1 else parts[0]


def _inside(
    outer: npt.NDArray[np.float64], holes: list[npt.NDArray[np.float64]]
) -> list[npt.NDArray[np.float64]]:
    """Holes on the same turn round the Earth as the ring that they lie in."""
    low, high = outer[:, 0].min(), outer[:, 0].max()
    turns = [
        next((t for t in (0, 360, -360) if low <= h[0, 0] + t <= high), 0)
        for h in holes
    ]
    return [h + np.array([t, 0]) for h, t in zip(holes, turns, strict=True)]


def few(names: Any) -> str:
    """Write names, a few of them where there are many.

    Examples
    --------
    >>> few(["a", "b"]), few(range(9))
    ("'a', 'b'", '0, 1, 2, 3, 4 and 4 more')
    """
    names = [n.item() if isinstance(n, np.generic) else n for n in names]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(repr, names[:SHOWN])) + more
