"""Landslides: NASA's catalogue of events, and two benchmarks of susceptibility."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.datasets.columns import Column, take
from xstefaland.datasets.files import Archive, find, finish
from xstefaland.datasets.sites import choose, label, texts
from xstefaland.datasets.text import Layout, read_tables
from xstefaland.errors import InputError

EVENTS = Archive(
    "landslides",
    "NASA Global Landslide Catalog",
    "NASA Goddard Space Flight Center",
    "NASA open data",
    "Kirschbaum et al. (2010), doi:10.1007/s11069-009-9401-4; "
    "Kirschbaum et al. (2015), doi:10.1016/j.geomorph.2015.03.016",
    ("landslides.csv, or the folder that holds it",),
)
ECUADOR = Archive(
    "landslides_ecuador",
    "Landslides in the southern Ecuadorian Andes",
    "Muenchow et al. (2012); packages sperrorest and spDataLarge",
    "terrain: GPL; points and raster: CC0 / GPL-2",
    "Muenchow et al. (2012), doi:10.1016/j.geomorph.2011.10.029",
    (
        "the folder with landslides_ecuador_terrain.csv, or landslides_ecuador_points"
        ".csv and rasters/ta.tif",
    ),
)

EVENT_COLUMNS = (
    Column("landslide", "landslide", "1", "positives only: every row is an event"),
    Column(
        "location_accuracy",
        "location_accuracy",
        "km",
        "radius; 0 is exact, missing is unknown",
    ),
    Column("fatalities", "fatality_count", "1"),
    Column("injuries", "injury_count", "1"),
)
_EVENT_WORDS = {
    "landslide_category": "category",
    "landslide_trigger": "trigger",
    "landslide_size": "size",
    "landslide_setting": "setting",
    "country_name": "country",
}
_EVENTS_CSV = Layout(
    ("lat", "lon", "fatality_count", "injury_count"),
    ("event_id", "date", "location_accuracy", *_EVENT_WORDS),
    separator=",",
)

_LANDSLIDE = Column("landslide", "slide", "1", "1: slide, 0: none")
_CURVATURE = "the source states no units; those of SAGA are m-1"
# Three points lie where the terrain model is broken: a slope of 89.99 degrees and
# curvatures of 100 to 1 000, where 0.15 is the largest elsewhere.
TERRAIN_COLUMNS = (
    _LANDSLIDE,
    Column("elevation", "dem", "m"),
    Column("slope", "slope", "degree", limits=(0.0, 85.0)),
    Column("horizontal_curvature", "hcurv", "m-1", _CURVATURE, (-1.0, 1.0)),
    Column("vertical_curvature", "vcurv", "m-1", _CURVATURE, (-1.0, 1.0)),
    Column("contributing_area", "carea", "m2"),
    Column("contributing_slope", "cslope", "degree", "mean over the area above"),
    Column("distance_to_road", "distroad", "m", "at most 300"),
    Column("distance_to_deforestation", "distdeforest", "m", "at most 300"),
    Column("distance_to_old_slides", "distslidespast", "m", "at most 100"),
)
# Contributing area and slope stand for what lies above a point.
RASTER_COLUMNS = (
    _LANDSLIDE,
    Column("elevation", "elev", "m"),
    Column("slope", "slope", "degree"),
    Column("plan_curvature", "cplan", "m-1"),
    Column("profile_curvature", "cprof", "m-1"),
    Column("log10_contributing_area", "log10_carea", "1", "decimal logarithm of m2"),
)
_TABLES = {"terrain": TERRAIN_COLUMNS, "points": RASTER_COLUMNS}


def landslides(path: str | Path, sites: Sequence[str] | None = None) -> xr.Dataset:
    """Read NASA's catalogue: where and when landslides were reported.

    There are no places without landslides in it. Positions are exact for 1 386 events,
    within 1 km for 2 185, within 5 km for 3 178: see ``location_accuracy``.

    Parameters
    ----------
    path : path-like
        ``landslides.csv``, or the folder that holds it.
    sites : sequence of str, optional
        Numbers of events such as ``"684"``; default: all.

    Returns
    -------
    xarray.Dataset
        ``(event)``: ``landslide`` (1), ``location_accuracy`` [km], ``fatalities``,
        ``injuries``; coordinates ``latitude``, ``longitude``, ``date``, ``category``,
        ``trigger``, ``size``, ``setting``, ``country``.

    Raises
    ------
    InputError
        For unknown sites, or a path where there is no such file.
    """
    file = find(path, "landslides.csv", EVENTS)
    table = read_tables({"": file}, _EVENTS_CSV)[""].set_index("event_id")
    table = table.loc[choose(table.index, sites, "event")]
    accuracy = table["location_accuracy"].replace("exact", "0km")
    kilometres = pd.to_numeric(accuracy.str.removesuffix("km"), errors="coerce")
    table = table.assign(landslide=1.0, location_accuracy=kilometres)
    ds = _points(table, EVENT_COLUMNS, "event")
    ds = ds.assign_coords(
        latitude=("event", table["lat"].to_numpy()),
        longitude=("event", table["lon"].to_numpy()),
        date=("event", pd.to_datetime(table["date"]).to_numpy("datetime64[ns]")),
    )
    words = {new: table[old] for old, new in _EVENT_WORDS.items()}
    return finish(label(ds, "event", **words), EVENTS, file, None)


def landslides_ecuador(
    path: str | Path, sites: Sequence[str] | None = None, *, table: str = "terrain"
) -> xr.Dataset:
    """Read a benchmark of landslide susceptibility: slides, others and their terrain.

    Parameters
    ----------
    path : path-like
        The folder that holds the tables.
    sites : sequence of str, optional
        Numbers of rows such as ``"0"``; default: all.
    table : {"terrain", "points"}
        751 points with terrain and distances, or 1 535 points whose terrain is taken
        from the raster ``rasters/ta.tif``.

    Returns
    -------
    xarray.Dataset
        ``(point)``: ``landslide`` (1 or 0), ``elevation`` [m], ``slope`` [degree],
        curvatures and more; coordinates ``latitude``, ``longitude``, and ``x``, ``y``
        [m] in EPSG:32717.

    Raises
    ------
    InputError
        For unknown sites or tables, or a folder without the files.
    """
    if table not in _TABLES:
        raise InputError(f"table={table!r} is unknown; known: {', '.join(_TABLES)}")
    file = find(path, f"landslides_ecuador_{table}.csv", ECUADOR)
    given = TERRAIN_COLUMNS if table == "terrain" else (_LANDSLIDE,)
    layout = Layout(
        ("x", "y", "epsg", *(column.original for column in given)), separator=","
    )
    rows = read_tables({"": file}, layout)[""]
    rows.index = rows.index.astype(str)
    rows = rows.loc[choose(rows.index, sites, "point")]
    if table == "points":
        raster = find(file.parent, "rasters/ta.tif", ECUADOR)
        rows = rows.join(_sampled(raster, rows))
    ds = _points(rows, _TABLES[table], "point").assign_coords(_geographic(rows))
    return finish(ds, ECUADOR, file, None)


def _points(table: pd.DataFrame, columns: Sequence[Column], dim: str) -> xr.Dataset:
    """Turn rows into sites."""
    raw = {c.original: (dim, table[c.original].to_numpy(float)) for c in columns}
    return take(xr.Dataset(raw, {dim: texts(table.index)}), columns)


def _sampled(raster: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Values of the raster's bands in the cells where the points lie."""
    try:
        import rasterio  # type: ignore[import-untyped]
    except ImportError as err:
        raise ImportError(
            f"reading '{raster}' needs rasterio: `pip install rasterio` or "
            "`conda install rasterio`"
        ) from err
    with rasterio.open(raster) as opened:
        values = np.array(list(opened.sample(rows[["x", "y"]].to_numpy())))
        return pd.DataFrame(values, rows.index, columns=list(opened.descriptions))


def _geographic(rows: pd.DataFrame) -> dict[str, xr.Variable]:
    """Coordinates on the map and on the globe."""
    from pyproj import Transformer

    (code,) = rows["epsg"].astype(int).unique()
    to_globe = Transformer.from_crs(int(code), 4326, always_xy=True)
    longitude, latitude = to_globe.transform(rows["x"].to_numpy(), rows["y"].to_numpy())
    metres = {"units": "m", "comment": f"EPSG:{code}"}
    return {
        "latitude": xr.Variable("point", latitude),
        "longitude": xr.Variable("point", longitude),
        "x": xr.Variable(
            "point",
            rows["x"].to_numpy(),
            {"standard_name": "projection_x_coordinate", **metres},
        ),
        "y": xr.Variable(
            "point",
            rows["y"].to_numpy(),
            {"standard_name": "projection_y_coordinate", **metres},
        ),
    }
