"""USCRN: daily01 text as published and NetCDF."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xstefaland.datasets import uscrn
from xstefaland.errors import InputError

FILE = "uscrn_soil_moisture.nc"


@pytest.fixture
def published(real_data: Path) -> Path:
    """Text files of five stations, 2019 to 2021."""
    return real_data / "raw" / "uscrn"


def test_netcdf(
    real_data: Path,
    ready: Callable[[xr.Dataset, str], None],
    stored: Callable[..., float],
) -> None:
    """All stations and depths; impossible radiation is missing."""
    ds = uscrn(real_data)
    ready(ds.isel(station=slice(0, 10)), "soil_moisture")
    assert dict(ds.sizes) == {"station": 236, "time": 8546}
    assert int(ds.soil_moisture.notnull().sum()) == 470504
    assert float(ds.shortwave_radiation.max()) <= 45
    with xr.open_dataset(real_data / FILE) as raw:
        assert float(raw.srad.max()) > 100  # there was something to drop
        dropped = int(raw.srad.notnull().sum() - ds.shortwave_radiation.notnull().sum())
        assert dropped == int((raw.srad > 45).sum())
    deep = ds.soil_moisture_100cm.notnull() & ds.soil_temperature_20cm.notnull()
    station, day = (int(each[12345]) for each in np.nonzero(deep.values))
    one = ds.isel(station=station, time=day)
    for name, column in (
        ("soil_moisture", "sm_5cm"),
        ("soil_moisture_100cm", "sm_100cm"),
        ("soil_temperature", "st_5cm"),
        ("soil_temperature_20cm", "st_20cm"),
        ("temperature", "tavg"),
    ):
        expected = stored(FILE, column, station, day)
        np.testing.assert_allclose(one[name], expected, atol=1e-4)


def test_text_equals_netcdf(published: Path, real_data: Path) -> None:
    """The daily01 files hold the numbers of the NetCDF file."""
    text = uscrn(published)
    assert dict(text.sizes) == {"station": 5, "time": 1096}
    known = [s for s in text.station.values if s in uscrn_ids(real_data)]
    assert len(known) >= 3
    netcdf = uscrn(real_data, known).sel(time=slice("2019", "2021"))
    text = text.sel(station=known)
    np.testing.assert_allclose(text.latitude, netcdf.latitude, atol=1e-4)
    assert set(text.data_vars) == set(netcdf.data_vars)
    for name in text.data_vars:
        both = text[name].notnull().values & netcdf[name].notnull().values
        assert both.sum() > 500, name
        np.testing.assert_allclose(
            text[name].values[both], netcdf[name].values[both], rtol=1e-5, atol=1e-5
        )
        assert text[name].attrs == netcdf[name].attrs


def uscrn_ids(folder: Path) -> set[str]:
    """Stations of the NetCDF file."""
    with xr.open_dataset(folder / FILE) as ds:
        return {str(each) for each in ds.station.values}


def test_text_values(published: Path, ready: Callable[[xr.Dataset, str], None]) -> None:
    """The first line of Tucson 2019, by hand."""
    ds = uscrn(published, ["53131"])
    ready(ds, "soil_moisture")
    assert ds.name.item() == "AZ_Tucson_11_W"
    assert ds.latitude.item() == pytest.approx(32.24)
    assert ds.longitude.item() == pytest.approx(-111.17)
    first = ds.isel(station=0).sel(time="2019-01-01")
    for name, value in {
        "temperature_max": 7.9,
        "temperature_min": 0.1,
        "temperature": 3.5,
        "precipitation": 3.5,
        "shortwave_radiation": 11.18,
        "relative_humidity": 74.8,
        "soil_moisture": 0.138,
        "soil_moisture_10cm": 0.173,
        "soil_temperature": 6.7,
        "soil_temperature_10cm": 6.9,
    }.items():
        assert first[name] == pytest.approx(value, rel=1e-5), name
    for depth in ("_20cm", "_50cm", "_100cm"):  # -99.000 and -9999.0 in the file
        assert ds[f"soil_moisture{depth}"].isnull().all()
        assert ds[f"soil_temperature{depth}"].isnull().all()


def test_deep_frost_is_no_missing_value(published: Path) -> None:
    """-9999 and -99 become NaN, -40 degrees do not."""
    ds = uscrn(published, ["27516"])
    assert ds.name.item() == "AK_Utqiagvik_formerly_Barrow_4_ENE"
    assert ds.soil_moisture.isnull().all()
    assert -50 < float(ds.temperature.min()) < -30


def test_one_text_file(published: Path) -> None:
    """A path may be a single file."""
    file = published / "2020" / "CRND0103-2020-AZ_Tucson_11_W.txt"
    assert dict(uscrn(file).sizes) == {"station": 1, "time": 366}


def test_lazy_equals_eager(
    real_data: Path, no_compute: Callable[[], AbstractContextManager[None]]
) -> None:
    """The same numbers from dask arrays."""
    stations = ["53131", "03047"]
    with no_compute():
        lazy = uscrn(real_data, stations, chunks={})
    assert lazy.soil_moisture.chunks
    xr.testing.assert_identical(lazy.compute(), uscrn(real_data, stations))


def test_unreadable_lines_are_named(published: Path, tmp_path: Path) -> None:
    """Text for a number, a day twice, and a file that is no text."""
    for year in ("2019", "2020", "2021"):
        name = f"CRND0103-{year}-AZ_Tucson_11_W.txt"
        shutil.copyfile(published / year / name, tmp_path / name)
    first = tmp_path / "CRND0103-2019-AZ_Tucson_11_W.txt"
    text = first.read_text().replace("11.18", "11,18", 1)
    first.write_text(text.replace("20190105", "20190104", 1))
    last = tmp_path / "CRND0103-2021-AZ_Tucson_11_W.txt"
    last.write_bytes(last.read_bytes().replace(b"0.1", b"\xff\xfe\x00", 1))
    with pytest.raises(InputError) as error:
        uscrn(tmp_path)
    message = str(error.value)
    assert "2019-AZ_Tucson_11_W.txt', line 1: '11,18' in column srad" in message
    assert "2021-AZ_Tucson_11_W.txt', line 4: not UTF-8 text" in message
    first.write_text(text.replace("11,18", "11.18").replace("20190105", "20190104", 1))
    with pytest.raises(InputError, match="line 5: '20190104' stands there twice"):
        uscrn(first)


def test_errors(published: Path, tmp_path: Path) -> None:
    """Unknown stations and folders."""
    with pytest.raises(InputError, match="no station 'AZ_Tucson_11_W' among 5"):
        uscrn(published, ["AZ_Tucson_11_W"])
    with pytest.raises(InputError, match="is one string; pass a list"):
        uscrn(published, "53131")
    with pytest.raises(InputError, match=r"it is empty.*daily01 text files"):
        uscrn(tmp_path)
    with pytest.raises(InputError, match="there is nothing of that name"):
        uscrn(tmp_path / "nowhere")
