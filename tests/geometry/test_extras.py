"""Without an extra, the error says which one to install."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import xarray as xr

from xstefaland.geometry import basin_means, sample_attributes
from xstefaland.geometry.extras import needed


def test_names_all_that_is_missing() -> None:
    """Both libraries, pip's and conda's line."""
    with pytest.raises(ImportError, match=r"x needs no_a and no_b: `pip install") as e:
        needed("json no_a no_b", "basins", "x")
    assert "'xstefaland[basins] @ git+https://" in str(e.value)
    assert "conda install -c conda-forge no_a no_b" in str(e.value)


@pytest.mark.parametrize("library", ["geopandas", "exactextract"])
def test_means_without_the_extra(
    grid: Callable[..., xr.Dataset], monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    """Each library that means over basins need."""
    geopandas = pytest.importorskip("geopandas")
    shapely = pytest.importorskip("shapely")
    shapes = geopandas.GeoSeries([shapely.box(5, 48, 6, 49)], crs="EPSG:4326")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"{library}: .*xstefaland\[basins\]"):
        basin_means(grid(), shapes)


def test_files_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rasters in files need rioxarray."""
    geopandas = pytest.importorskip("geopandas")
    shapely = pytest.importorskip("shapely")
    sites = geopandas.GeoSeries([shapely.Point(5, 48)], crs="EPSG:4326")
    monkeypatch.setitem(sys.modules, "rioxarray", None)
    with pytest.raises(ImportError, match=r"rioxarray: .*xstefaland\[grids\]"):
        sample_attributes({"elevation": "dem.tif"}, sites)
