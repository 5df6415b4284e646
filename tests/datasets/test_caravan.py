"""Caravan: CSV and NetCDF as published, and the file of 100 days."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland.datasets import camels_ch, caravan, caravan_attributes
from xstefaland.errors import InputError

FILE = "caravan_100d.nc"
CSV = "timeseries/csv/camelsgb"


@pytest.fixture
def published(real_data: Path) -> Path:
    """CSV files as published."""
    return real_data / "raw" / "caravan"


@pytest.fixture
def own(published: Path, tmp_path: Path) -> Path:
    """A copy of the CSV files, to be changed."""
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    for folder in tmp_path.rglob("*"):
        folder.chmod(0o755)
    return tmp_path


def test_csv(published: Path, ready: Callable[[xr.Dataset, str], None]) -> None:
    """Five basins; numbers copied from the first line of one file."""
    ds = caravan(published)
    ready(ds, "streamflow")
    assert dict(ds.sizes) == {"basin": 5, "time": 100}
    first = ds.sel(basin="camelsgb_10002", time="1981-01-02")
    for name, value in {
        "precipitation": 7.32,
        "temperature": 7.8,
        "temperature_max": 9.44,
        "temperature_min": 1.59,
        "dewpoint_temperature": 5.74,
        "surface_pressure": 98.76,
        "net_shortwave_radiation": 3.59,
        "net_longwave_radiation": -16.05,
        "eastward_wind": 6.65,
        "northward_wind": 1.27,
        "snow_depth_water_equivalent": 0.54,
        "streamflow": 4.07,
        "area": 324.3123507633707,
        "p_mean": 2.366921076049002,
    }.items():
        assert first[name] == pytest.approx(value, rel=1e-6), name
    assert first["gauge"].item() == "10002"
    assert first["country"].item() == "GB"
    assert first["name"].item() == "Ugie at Inverugie"
    assert ds.surface_pressure.attrs["units"] == "kPa"


def test_attributes(published: Path) -> None:
    """HydroATLAS columns, read with pandas by their own names."""
    ds = caravan(published)
    folder = published / "attributes" / "camelsgb"
    file = folder / "attributes_hydroatlas_camelsgb.csv"
    table = pd.read_csv(file, index_col="gauge_id").loc[ds.basin.values]
    for name, column, units in (
        ("slope", "slp_dg_sav", "0.1 degree"),
        ("temperature_mean", "tmp_dc_syr", "0.1 degC"),
        ("frac_forest", "for_pc_sse", "percent"),
        ("human_footprint", "hft_ix_s09", "0.1"),
    ):
        np.testing.assert_allclose(ds[name], table[column], rtol=1e-6)
        assert ds[name].attrs["units"] == units
        assert ds[name].attrs["original_name"] == column


def test_hundred_days(
    real_data: Path,
    ready: Callable[[xr.Dataset, str], None],
    stored: Callable[..., float],
    place: Callable[..., int],
) -> None:
    """Basins that start a day later end a day later; missing days are NaN."""
    ds = caravan(real_data)
    ready(ds.isel(basin=slice(0, 40)), "streamflow")
    assert dict(ds.sizes) == {"basin": 6715, "time": 101}
    late = ds.precipitation.isel(time=0).isnull()
    assert int(late.sum()) == 922
    assert (ds.precipitation.isel(time=-1).isnull() == ~late).all()
    assert ds.precipitation.isel(time=slice(1, -1)).notnull().all()
    assert float(ds.streamflow.notnull().mean()) == pytest.approx(0.631, abs=1e-3)
    for basin, shift in (("camels_01022500", None), (str(ds.basin[late][0].item()), 1)):
        row = place(FILE, "basin", basin)
        column = stored(FILE, "temperature_2m_mean", row, 42)
        one = ds.temperature.sel(basin=basin).isel(time=42 + (shift or 0))
        assert one == pytest.approx(column, abs=1e-4)
    assert ds.country.sel(basin="camels_01022500") == "US"


def _as_netcdf(folder: Path) -> None:
    """Rewrite the CSV files in the NetCDF layout that Caravan publishes."""
    target = folder / "timeseries" / "netcdf" / "camelsgb"
    target.mkdir(parents=True)
    for file in sorted((folder / CSV).glob("*.csv")):
        table = pd.read_csv(file, parse_dates=["date"], index_col="date")
        xr.Dataset.from_dataframe(table).to_netcdf(target / f"{file.stem}.nc")


@pytest.mark.parametrize("chunks", [None, {}])
def test_netcdf_equals_csv(
    own: Path,
    chunks: dict[str, int] | None,
    no_compute: Callable[[], AbstractContextManager[None]],
) -> None:
    """Both layouts give the same Dataset, lazily too, whatever the records' starts."""
    file = own / CSV / "camelsgb_1001.csv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], *lines[10:]]))
    csv = caravan(own)
    assert csv.temperature.sel(basin="camelsgb_1001").isnull().sum() == 9
    _as_netcdf(own)
    if chunks is None:
        netcdf = caravan(own)
    else:
        with no_compute():
            netcdf = caravan(own, chunks=chunks)
        assert netcdf.temperature.chunks
        netcdf = netcdf.compute()
    xr.testing.assert_identical(netcdf, csv)


def test_what_leaks_or_is_unusable_is_left_out(published: Path) -> None:
    """Neither ERA5-Land's PET nor what came of it, nor soil water, nor runoff."""
    ds = caravan(published)
    read = {each.attrs["original_name"] for each in ds.values()}
    assert not [name for name in read if name.startswith(("volumetric", "potential"))]
    assert not read & {"pet_mean", "aridity", "moisture_index", "seasonality"}
    assert not [name for name in read if name.startswith(("dis_m3", "run_mm", "swc_"))]


def test_attributes_alone(real_data: Path, published: Path) -> None:
    """HydroATLAS beside another archive's weather; CSV and Parquet agree."""
    table = caravan_attributes(real_data)
    assert table.sizes == {"basin": 14711}
    assert int(table.sand.notnull().sum()) == 2832
    swiss = camels_ch(real_data, ["camelsch_2016", "camelsch_2018"])
    land = table.reset_coords(drop=True).reindex(basin=swiss.basin)
    both = swiss.merge(land, compat="override")
    assert both.sand.attrs["original_name"] == "static_sand_perc"
    assert both.karst_frac.notnull().all()
    csv = caravan_attributes(published)
    known = np.intersect1d(csv.basin, table.basin)
    assert known.size > 400
    for name in csv.data_vars:
        np.testing.assert_allclose(
            csv[name].sel(basin=known), table[name].sel(basin=known), rtol=1e-4
        )


def test_without_parquet(real_data: Path, tmp_path: Path) -> None:
    """The file of 100 days alone has positions and areas, no other attributes."""
    (tmp_path / FILE).symlink_to(real_data / FILE)
    ds = caravan(tmp_path, ["camels_01022500"])
    assert ds.latitude.item() == pytest.approx(44.60797, abs=1e-4)
    assert ds.area.item() == pytest.approx(619.1, abs=0.1)
    assert "sand" not in ds


def test_unreadable_csv_is_named(own: Path) -> None:
    """A text where a number should be, a day given twice, a column that is missing."""
    first, second = (own / CSV / f"camelsgb_{n}.csv" for n in ("10002", "10003"))
    first.write_text(first.read_text().replace(",0.54,", ",n.a.,", 1))
    lines = second.read_text().splitlines()
    second.write_text("\n".join([*lines, lines[-1]]))
    third = own / CSV / "camelsgb_1001.csv"
    third.write_text(third.read_text().replace("streamflow", "discharge", 1))
    with pytest.raises(InputError) as error:
        caravan(own)
    message = str(error.value)
    column = "snow_depth_water_equivalent_mean"
    assert f"line 2: 'n.a.' in column {column} is not a number" in message
    assert "line 102: '1981-04-11' stands there twice" in message
    assert "line 1: no column streamflow" in message
    assert "camelsgb_1001.csv" in message


def test_errors(real_data: Path, published: Path, tmp_path: Path) -> None:
    """Unknown basins and folders."""
    with pytest.raises(InputError, match=r"'camelsgb_10004'.*nearest are"):
        caravan(published, ["camelsgb_10004"])
    (tmp_path / "timeseries").mkdir()
    with pytest.raises(InputError, match=r"it holds 'timeseries'.*attributes/<source>"):
        caravan(tmp_path)
    with pytest.raises(InputError, match=r"caravan_attributes\.parquet"):
        caravan_attributes(tmp_path)
    wrong = real_data / "camels_ch.nc"
    with pytest.raises(InputError, match=r"it lacks 'basin', 'day', 'dewpoint"):
        caravan(wrong)
