"""What geometries say about their sites: names, areas, centroids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xstefaland.geometry.polygons import Shapes, on_axes

if TYPE_CHECKING:
    import geopandas as gpd

EDGE = 0.1  # [degrees] along which a line of longitude and latitude is straight


def site_coordinates(series: gpd.GeoSeries, dim: str) -> dict[str, Any]:
    """Make coordinates of sites: names, outlines, areas, centroids.

    Parameters
    ----------
    series : geopandas.GeoSeries
        Valid geometries with a CRS.
    dim : str
        Name of their dimension.

    Returns
    -------
    dict
        For :meth:`xarray.Dataset.assign_coords`.
    """
    import pyproj

    geometries = np.asarray(series.values, dtype=object)
    whole = on_axes(series, pyproj.CRS("EPSG:4326"))
    longitude, latitude = centroids(whole)
    names = series.index.to_numpy()
    out: dict[str, Any] = {
        dim: names.astype(str) if names.dtype == object else names,
        "geometry": (dim, geometries, {"crs": series.crs.to_wkt()}),
        "latitude": (
            dim,
            latitude,
            {"units": "degrees_north", "standard_name": "latitude"},
        ),
        "longitude": (
            dim,
            longitude,
            {"units": "degrees_east", "standard_name": "longitude"},
        ),
    }
    if (series.geom_type != "Point").all():
        attrs = {"units": "km2", "long_name": "drainage area"}
        out["area"] = (dim, _areas(whole), attrs)
    return out


def centroids(shapes: Shapes) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return longitude and latitude of centroids, also across 180 degrees."""
    import shapely

    west, _, east, _ = shapely.bounds(shapes).T
    split = east - west > 180

    def joined(points: npt.NDArray[Any]) -> npt.NDArray[Any]:
        turned = 360.0 * (points[:, 0] < 0)
        return np.asarray(points + np.stack([turned, 0 * turned], axis=1))

    shapes = shapes.copy()
    shapes[split] = shapely.transform(shapes[split], joined)
    points = shapely.centroid(shapes)
    return (shapely.get_x(points) + 180) % 360 - 180, shapely.get_y(points)


def _areas(shapes: Shapes) -> npt.NDArray[np.float64]:
    """Return areas of polygons in longitude and latitude on the ellipsoid [km2]."""
    import pyproj
    import shapely
    from shapely.geometry.polygon import orient

    shapes = shapely.segmentize(shapes, EDGE)  # the ellipsoid joins corners otherwise
    measure = pyproj.Geod(ellps="WGS84").geometry_area_perimeter
    areas = [
        sum(measure(orient(part))[0] for part in shapely.get_parts(shape))
        for shape in shapes
    ]
    return np.array(areas) / 1e6
