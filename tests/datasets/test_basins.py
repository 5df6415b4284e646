"""CAMELS-GB, CAMELS-CH, MOPEX, AEMET, the Delaware, ERA5-Land: one file each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland import datasets
from xstefaland.errors import InputError

# reader, file, sites, days, first day, site dim here and in the file, one site
ARCHIVES = {
    "camels_gb": (
        "camels_gb2.nc", 516, 11688, "1990-10-01", "basin", "site", "camelsgb_22006"
    ),
    "camels_ch": (
        "camels_ch.nc", 198, 14610, "1981-01-01", "basin", "site", "camelsch_2102"
    ),
    "mopex": (
        "mopex_us.nc", 386, 8766, "1980-01-01", "basin", "site", "mopex_01048000"
    ),
    "aemet": (
        "aemet_spain.nc", 66, 11596, "1981-01-01", "station", "site", "aemet_0016A"
    ),
    "delaware": (
        "drb_hru_forcing.nc", 765, 731, "1979-01-01", "hru", "hru", "5309"
    ),
    "delaware_gauges": (
        "drb_hru_forcing.nc", 168, 731, "1979-01-01", "basin", "gage", "01411500"
    ),
}  # fmt: skip
WEATHER = [name for name in ARCHIVES if name != "delaware_gauges"]


@pytest.mark.parametrize("reader", ARCHIVES)
def test_sizes(
    reader: str, real_data: Path, described: Callable[[xr.Dataset], None]
) -> None:
    """All sites and days are there, each with a position."""
    file, sites, days, start, dim, _, _ = ARCHIVES[reader]
    ds = getattr(datasets, reader)(real_data, chunks={})
    described(ds)
    assert dict(ds.sizes) == {dim: sites, "time": days}
    assert pd.Timestamp(ds.time.values[0]) == pd.Timestamp(start)
    assert ds[dim].dtype.kind == "U"
    assert ds[dim].to_index().is_unique
    assert ds.latitude.notnull().all()
    assert ds.longitude.notnull().all()
    assert file in ds.attrs["history"]


@pytest.mark.parametrize("reader", WEATHER)
def test_ready(
    reader: str, real_data: Path, ready: Callable[[xr.Dataset, str], None]
) -> None:
    """The Dataset is taken as it is, and its target is no input."""
    *_, dim, _, site = ARCHIVES[reader]
    ds = getattr(datasets, reader)(real_data, [site])
    assert ds[dim].values.tolist() == [site]
    ready(ds, "streamflow")


@pytest.mark.parametrize("reader", ARCHIVES)
def test_values_are_those_of_the_file(
    reader: str,
    real_data: Path,
    stored: Callable[..., float],
    place: Callable[..., int],
) -> None:
    """Every daily variable that is not computed, on two days."""
    file, *_, there, site = ARCHIVES[reader]
    ds = getattr(datasets, reader)(real_data, [site])
    row = place(file, there, site)
    compared = 0
    for variable in ds.values():
        column = variable.attrs["original_name"]
        if "time" not in variable.dims or not column.isidentifier():
            continue
        for day in (5, 433):
            expected = stored(file, column, row, day)
            np.testing.assert_allclose(
                variable[0, day], expected, rtol=1e-6, atol=1e-5, err_msg=column
            )
            compared += np.isfinite(expected)
        with xr.open_dataset(real_data / file) as raw:
            units = raw[column].attrs["units"].replace("%", "percent")
        assert variable.attrs["units"] == units
    assert compared >= 4 or reader == "delaware_gauges"


@pytest.mark.parametrize("reader", ARCHIVES)
def test_lazy_equals_eager(
    reader: str,
    real_data: Path,
    no_compute: Callable[[], AbstractContextManager[None]],
) -> None:
    """The same numbers from dask arrays, and building them computes nothing."""
    site = ARCHIVES[reader][-1]
    read = getattr(datasets, reader)
    with no_compute():
        lazy = read(real_data, [site], chunks={})
    assert all(each.chunks for each in lazy.values() if "time" in each.dims)
    xr.testing.assert_identical(lazy.compute(), read(real_data, [site]))


@pytest.mark.parametrize("reader", [*ARCHIVES, "era5land"])
def test_errors(reader: str, real_data: Path, tmp_path: Path) -> None:
    """Unknown sites, an empty folder, a file of another archive, no NetCDF."""
    read = getattr(datasets, reader)
    if reader != "era5land":
        with pytest.raises(InputError, match=r"no .* 'nowhere' among"):
            read(real_data, ["nowhere"])
    with pytest.raises(InputError, match=rf"it is empty\..*{reader}\(path\) reads"):
        read(tmp_path)
    with pytest.raises(InputError, match="it lacks"):
        read(real_data / "caravan_100d.nc")
    broken = tmp_path / "broken.nc"
    broken.write_text("no data")
    with pytest.raises(InputError, match=r"broken\.nc' cannot be opened as NetCDF"):
        read(broken)


def test_grid(real_data: Path, ready: Callable[[xr.Dataset, str], None]) -> None:
    """ERA5-Land keeps its grid, lazily too."""
    ds = datasets.era5land(real_data)
    ready(ds, "streamflow")
    assert ds.precipitation.dims == ("time", "latitude", "longitude")
    assert dict(ds.sizes) == {"time": 365, "latitude": 30, "longitude": 30}
    with xr.open_dataset(real_data / "grid_era5land_quebec.nc") as raw:
        np.testing.assert_array_equal(ds.temperature_max, raw.tmax)
    lazy = datasets.era5land(real_data, chunks={})
    assert lazy.precipitation.chunks
    xr.testing.assert_identical(lazy.compute(), ds)


def test_swiss_traps(real_data: Path) -> None:
    """Model output is no target; snow is; foreign basins lack temperature."""
    ds = datasets.camels_ch(real_data)
    read = {each.attrs["original_name"] for each in ds.values()}
    assert "et_prevah" not in read
    with xr.open_dataset(real_data / "camels_ch.nc") as raw:
        assert int((raw.srad_prevah > 490).sum()) == 17
    assert int(ds.shortwave_radiation.isnull().sum()) == 17
    assert "PREVAH" in ds.shortwave_radiation.attrs["comment"]
    for name, units in (("slope", "degree"), ("bulk_density", "g cm-3")):
        assert ds[name].attrs["units"] == units
    assert "standard_name" not in ds.snow_water_equivalent.attrs
    assert 0.4 < float(ds.snow_water_equivalent.notnull().mean()) < 0.6
    lacking = ds.temperature_max.isnull().all("time")
    assert int(lacking.sum()) == 46
    assert "CH" not in ds.country.values[lacking]
    total = ds.sand + ds.silt + ds.clay
    np.testing.assert_allclose(total, 100, atol=2.5)
    assert float(ds.frac_forest.max()) <= 100.01


def test_snow_is_no_input(real_data: Path) -> None:
    """Observed snow is a target: the package does not find it as weather."""
    ds = datasets.camels_ch(real_data, ["camelsch_2016"])
    report = ds.stefaland.check("streamflow")
    assert "snow_water_equivalent" not in set(report.table["found as"])


def test_gauge_numbers(real_data: Path) -> None:
    """The number of the network, for leak control, and the country beside it."""
    for reader, first, country in (
        ("camels_gb", "21003", "GB"),
        ("camels_ch", "2016", "CH"),
        ("mopex", "01048000", "US"),
        ("delaware_gauges", "01411456", "US"),
    ):
        ds = getattr(datasets, reader)(real_data, chunks={})
        assert ds.gauge.values[0] == first
        assert ds.country.values[0] == country


def test_delaware_converts(real_data: Path, stored: Callable[..., float]) -> None:
    """Discharge becomes a depth; aspect its cosine."""
    gauges = datasets.delaware_gauges(real_data)
    day = int(np.flatnonzero(gauges.streamflow[1].notnull())[3])
    discharge = stored("drb_hru_forcing.nc", "discharge", 1, day)
    area = stored("drb_hru_forcing.nc", "drainage_area", 1)
    expected = discharge * 86.4 / area
    assert gauges.streamflow[1, day] == pytest.approx(expected, rel=1e-5)
    units = datasets.delaware(real_data, ["5309"])
    angle = stored("drb_hru_forcing.nc", "static_aspect", 2)
    cosine = np.cos(angle * np.pi / 180)
    assert units.aspect_cosine.item() == pytest.approx(cosine, abs=1e-6)
    assert units.area.attrs["units"] == "acre"


TIMES = "CAMELS_GB_hydromet_timeseries_{}_19701001-20150930.csv"
HEADER = (
    "date,precipitation,pet,temperature,discharge_spec,discharge_vol,peti,humidity,"
    "shortwave_rad,longwave_rad,windspeed"
)


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """Two basins in the layout of CAMELS-GB v1."""

    def write(name: str, lines: Sequence[str]) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("\n".join(lines))

    for gauge, flow in (("1001", "2.5"), ("10002", "NaN")):
        row = f"1970-10-01,4.0,0.5,9.5,{flow},1.2,0.6,6.5,80.1,310.2,4.4"
        later = "1970-10-02,0.0,0.7,10.5,2.0,1.0,0.8,6.0,90.0,300.0,3.0"
        write(f"timeseries/{TIMES.format(gauge)}", [HEADER, row, later])
    for part, header, values in (
        (
            "topographic",
            "gauge_id,gauge_name,gauge_lat,gauge_lon,area,dpsbar,elev_mean",
            'Wick at "Tarroul",58.5,-3.3,161.9,22.4,53',
        ),
        ("soil", "gauge_id,sand_perc,silt_perc,clay_perc,organic_perc", "40,35,20,5"),
        (
            "landcover",
            "gauge_id,grass_perc,crop_perc,urban_perc,inwater_perc",
            "1,2,3,4",
        ),
    ):
        rows = [f"{gauge},{values}" for gauge in ("1001", "10002")]
        write(f"CAMELS_GB_{part}_attributes.csv", [header, *rows])
    return tmp_path


def test_version_1_of_camels_gb(
    version_1: Path, described: Callable[[xr.Dataset], None]
) -> None:
    """The CSV layout, under the ids of Caravan and of version 2."""
    ds = datasets.camels_gb(version_1, ["camelsgb_1001", "camelsgb_10002"])
    described(ds)
    assert ds.gauge.values.tolist() == ["1001", "10002"]
    first = ds.isel(basin=0, time=0)
    assert first.precipitation == 4
    assert first.specific_humidity == 6.5
    assert ds.specific_humidity.attrs["units"] == "g kg-1"
    assert first.longwave_radiation == pytest.approx(310.2)
    assert ds.streamflow.isnull().values.tolist() == [[False, False], [True, False]]
    assert ds.clay.values.tolist() == [20, 20]
    assert ds.elevation.values.tolist() == [53, 53]
    assert ds.latitude.values.tolist() == [58.5, 58.5]
    assert datasets.camels_gb(version_1, chunks={}).precipitation.chunks


def test_version_1_errors(version_1: Path) -> None:
    """A folder without basins, a table that is not there."""
    (version_1 / "CAMELS_GB_soil_attributes.csv").unlink()
    with pytest.raises(InputError, match=r"soil_attributes\.csv', line 1: cannot be"):
        datasets.camels_gb(version_1)
    for file in (version_1 / "timeseries").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="CAMELS_GB_hydromet_timeseries_"):
        datasets.camels_gb(version_1)
