"""Tables of points: soil profiles and landslides."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr

from xstefaland.datasets import landslides, landslides_ecuador, soil_profiles
from xstefaland.errors import InputError

Described = Callable[[xr.Dataset], None]


def test_soil_profiles(real_data: Path, described: Described) -> None:
    """Texture of 14 863 profiles, and one of them by hand."""
    ds = soil_profiles(real_data)
    described(ds)
    assert dict(ds.sizes) == {"profile": 14863}
    total = ds.sand + ds.silt + ds.clay
    assert float(abs(total - 100).max()) <= 5.01
    one = soil_profiles(real_data, ["86FN890001"]).squeeze()
    assert one.clay == pytest.approx(76.1667)
    assert one.organic_carbon == pytest.approx(11.0267)
    assert one.bulk_density == pytest.approx(1.6296)
    assert one.latitude == pytest.approx(37.0667)
    assert one.source == "afsp"
    assert ds.bulk_density.attrs["units"] == "t m-3"
    assert int(ds.bulk_density.notnull().sum()) == 2253


def test_landslides(real_data: Path, described: Described) -> None:
    """Where, when and how exactly is known."""
    ds = landslides(real_data)
    described(ds)
    assert dict(ds.sizes) == {"event": 11032}
    counts = ds.location_accuracy.to_series().value_counts().to_dict()
    assert counts == {
        5: 3178, 1: 2185, 25: 1470, 10: 1434, 0: 1386, 50: 794, 100: 25, 250: 16
    }  # fmt: skip
    one = landslides(real_data, ["956"]).squeeze()
    assert one.date == np.datetime64("2009-01-02")
    assert one.latitude == pytest.approx(45.42)
    assert one.trigger == "downpour"
    assert one.country == "US"
    assert (ds.landslide == 1).all()


def test_ecuador_terrain(real_data: Path, described: Described) -> None:
    """500 slides among 751 points; the first one by hand."""
    ds = landslides_ecuador(real_data)
    described(ds)
    assert dict(ds.sizes) == {"point": 751}
    assert int(ds.landslide.sum()) == 500
    broken = ds.isnull().sum()
    assert (broken.slope, broken.horizontal_curvature) == (1, 2)
    assert broken.vertical_curvature == 3
    assert broken.elevation == 0
    first = ds.isel(point=0)
    assert first.elevation == pytest.approx(1911.52)
    assert first.slope == pytest.approx(25.5642, abs=1e-4)
    assert first.distance_to_road == 300
    # zone 17 south: 3 degrees west of the central meridian are about 334 km
    assert first.longitude == pytest.approx(-81 + (712882.5 - 5e5) / 111320, abs=0.02)
    assert first.latitude == pytest.approx((9560002.5 - 1e7) / 110574, abs=0.02)


def test_ecuador_points(real_data: Path, described: Described) -> None:
    """175 slides among 1 535 points, with the terrain of the raster's cells."""
    ds = landslides_ecuador(real_data, table="points")
    described(ds)
    assert dict(ds.sizes) == {"point": 1535}
    assert int(ds.landslide.sum()) == 175
    with rasterio.open(real_data / "rasters" / "ta.tif") as raster:
        for point in (0, 700):
            one = ds.isel(point=point)
            row, column = raster.index(one.x.item(), one.y.item())
            slope, elevation = (raster.read(band)[row, column] for band in (1, 4))
            assert one.slope == pytest.approx(slope)
            assert one.elevation == pytest.approx(elevation)
    assert 1500 < float(ds.elevation.min()) < float(ds.elevation.max()) < 3500


def test_errors(real_data: Path, tmp_path: Path) -> None:
    """Unknown ids, tables and folders; a raster that is not there."""
    with pytest.raises(
        InputError, match="no profile '86FN89' among 14863; the nearest"
    ):
        soil_profiles(real_data, ["86FN89"])
    with pytest.raises(InputError, match="event '956' is given twice"):
        landslides(real_data, ["956", "956"])
    with pytest.raises(InputError, match="table='raster' is unknown; known: terrain"):
        landslides_ecuador(real_data, table="raster")
    for read in (soil_profiles, landslides, landslides_ecuador):
        with pytest.raises(InputError, match="it is empty"):
            read(tmp_path)
    name = "landslides_ecuador_points.csv"
    shutil.copyfile(real_data / name, tmp_path / name)
    with pytest.raises(InputError, match=r"rasters/ta\.tif"):
        landslides_ecuador(tmp_path, table="points")


def test_damaged_archive(real_data: Path, tmp_path: Path) -> None:
    """A download that was cut off is named."""
    name = "soil_topsoil_0_30cm.csv.gz"
    (tmp_path / name).write_bytes((real_data / name).read_bytes()[:5000])
    with pytest.raises(InputError, match=r"csv\.gz', line 1: cannot be opened"):
        soil_profiles(tmp_path)


def test_a_line_with_a_comma_in_quotes(tmp_path: Path) -> None:
    """Quoted text may hold the separator, and names beyond ASCII are kept."""
    columns = (
        "event_id,date,lat,lon,location_accuracy,landslide_category,landslide_trigger,"
        "landslide_size,landslide_setting,fatality_count,injury_count,country_name"
    )
    line = '7,2010-01-01,1.5,2.5,exact,mudslide,"rain, heavy",small,,,,Réunion'
    (tmp_path / "landslides.csv").write_text(f"{columns}\n{line}\n", encoding="utf-8")
    ds = landslides(tmp_path)
    assert ds.trigger.item() == "rain, heavy"
    assert ds.country.item() == "Réunion"
    assert ds.setting.item() == ""
    assert ds.location_accuracy.item() == 0
    assert ds.fatalities.isnull().item()
    assert pd.Timestamp(ds.date.item()) == pd.Timestamp("2010-01-01")
