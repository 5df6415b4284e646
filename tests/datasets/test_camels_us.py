"""CAMELS-US: text as published and NetCDF, one product for each basin."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xstefaland.datasets import camels_us
from xstefaland.errors import InputError

FILE = "camels_us.nc"
LEAKS = {"q_mean", "runoff_ratio", "baseflow_index", "q5", "q95", "slope_fdc"}


@pytest.fixture
def published(real_data: Path) -> Path:
    """The text files as published, of four basins."""
    return real_data / "raw" / "camels_us"


@pytest.fixture
def own(published: Path, tmp_path: Path) -> Path:
    """A copy of two basins' text files, to be damaged."""
    for file in published.rglob("*.txt"):
        if file.name[:8] not in ("01547700", "02064000", "03015500"):
            target = tmp_path / file.relative_to(published)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    for file in (published / "basin_mean_forcing/daymet").glob("03015500*"):
        shutil.copyfile(file, tmp_path / "basin_mean_forcing/daymet" / file.name)
    return tmp_path


def test_one_product_for_each_basin(
    real_data: Path, ready: Callable[[xr.Dataset, str], None]
) -> None:
    """Daymet goes before ERA5-Land before NLDAS; what a product lacks is missing."""
    basins = ["12144000", "01435000", "10259000"]
    ds = camels_us(real_data, basins)
    ready(ds, "streamflow")
    assert ds.basin.values.tolist() == basins
    assert ds["product"].values.tolist() == ["era5land", "daymet", "nldas"]
    given = ds.notnull().any("time")
    assert given.temperature_max.values.tolist() == [False, True, False]
    assert given.shortwave_radiation.values.tolist() == [False, True, False]
    assert given.vapour_pressure.values.tolist() == [False, True, True]
    assert given.streamflow.all()
    assert given.temperature.all()


def test_all_basins_with_forcing(real_data: Path) -> None:
    """518 basins; ERA5-Land begins in 1981, the others in 1980."""
    ds = camels_us(real_data, chunks={})
    counts = ds["product"].to_series().value_counts().to_dict()
    assert counts == {"era5land": 404, "daymet": 111, "nldas": 3}
    assert str(ds.time.values[0])[:10] == "1980-01-01"
    assert (ds.gauge == ds.basin).all()
    assert ds.basin.values.tolist() == sorted(ds.basin.values)
    early = ds.isel(basin=np.flatnonzero(ds["product"] == "era5land")[:5])
    assert early.streamflow.sel(time="1980").isnull().all()
    assert early.precipitation.sel(time=slice("1981", None)).notnull().all()


def test_values_are_those_of_the_file(
    real_data: Path, stored: Callable[..., float], place: Callable[..., int]
) -> None:
    """Numbers read with netCDF4, unpacked and converted by hand."""
    daymet, era5 = (place(FILE, "basin", each) for each in ("01435000", "12144000"))
    ds = camels_us(real_data, ["12144000", "01435000"])
    day = 7123
    one = ds.isel(basin=1, time=day)
    high, low = (stored(FILE, f"t{e}_daymet", daymet, day) for e in ("max", "min"))
    assert one.temperature_max == pytest.approx(high, abs=1e-4)
    assert one.temperature == pytest.approx((high + low) / 2, abs=1e-4)
    light = stored(FILE, "srad_daymet", daymet, day)
    length = stored(FILE, "dayl_daymet", daymet, day)
    assert one.shortwave_radiation == pytest.approx(light * length / 86400, rel=1e-5)
    assert length < 80000  # else the next line would say nothing
    assert one.shortwave_radiation < 0.95 * light
    other = ds.isel(basin=0, time=day)
    rain = stored(FILE, "prcp_era5land", era5, day)
    assert other.precipitation == pytest.approx(rain, abs=1e-4)
    assert other.temperature == pytest.approx(
        stored(FILE, "tmean_era5land", era5, day), abs=1e-4
    )
    flow = stored(FILE, "streamflow", era5, day)
    assert other.streamflow == pytest.approx(flow, rel=1e-6)
    assert other.clay == pytest.approx(stored(FILE, "clay_frac", era5), rel=1e-6)


def test_radiation_is_the_mean_of_the_whole_day(real_data: Path) -> None:
    """At 42 degrees north, in summer and winter [W m-2]."""
    ds = camels_us(real_data, ["01435000"], product="daymet").isel(basin=0)
    months = ds.shortwave_radiation.groupby("time.month").mean()
    assert 40 < months.sel(month=12) < 90
    assert 200 < months.sel(month=6) < 300


def test_lazy_equals_eager(
    real_data: Path, no_compute: Callable[[], AbstractContextManager[None]]
) -> None:
    """The same numbers from dask arrays, and building them computes nothing."""
    basins = ["12144000", "01435000", "10259000"]
    with no_compute():
        lazy = camels_us(real_data, basins, chunks={})
        fine = camels_us(real_data, basins, chunks={"basin": 1, "time": 5000})
    assert lazy.precipitation.chunks is not None
    assert len(lazy.chunksizes["time"]) == 1
    assert fine.chunksizes["time"] == (5000, 5000, 2784)
    assert lazy.elevation.chunks is None
    xr.testing.assert_identical(lazy.compute(), camels_us(real_data, basins))


def test_a_product_by_name(
    real_data: Path, ready: Callable[[xr.Dataset, str], None]
) -> None:
    """01435000 has ERA5-Land too; Maurer's forcing has a file of its own."""
    era5 = camels_us(real_data, ["01435000"], product="era5land")
    assert era5["product"].item() == "era5land"
    assert "temperature_max" not in era5
    assert str(era5.time.values[0])[:10] == "1981-01-01"
    maurer = camels_us(real_data, ["01013500"], product="maurer_extended")
    ready(maurer, "streamflow")
    assert (maurer.temperature_max - maurer.temperature_min).mean() > 5
    june = maurer.shortwave_radiation.sel(time=maurer.time.dt.month == 6).mean()
    assert 150 < june < 300
    assert maurer.elevation.item() == pytest.approx(250.31, abs=0.01)
    file = camels_us(real_data / "camels_us_maurer.nc")
    assert file.sizes["basin"] == 189
    assert set(file["product"].values) == {"maurer_extended"}


def test_maurer_values_are_those_of_the_file(
    real_data: Path, stored: Callable[..., float]
) -> None:
    """Its radiation is the mean of the day already."""
    ds = camels_us(real_data, product="maurer_extended", chunks={})
    one = ds.isel(basin=3, time=200).compute()
    for name, column in (("shortwave_radiation", "srad"), ("vapour_pressure", "vp")):
        expected = stored("camels_us_maurer.nc", column, 3, 200)
        assert one[name] == pytest.approx(expected, rel=1e-6)


def test_text_equals_netcdf(published: Path, real_data: Path) -> None:
    """The text files of Daymet basins hold the numbers of the NetCDF file."""
    text = camels_us(published, product="daymet")
    netcdf = camels_us(real_data, text.basin.values)
    basins = netcdf.basin.values[netcdf["product"].values == "daymet"]
    assert basins.size
    text = text.sel(basin=basins)
    netcdf = netcdf.sel(basin=basins, time=text.time)
    assert set(text.data_vars) == set(netcdf.data_vars)
    for name, variable in text.data_vars.items():
        both = variable.notnull() & netcdf[name].notnull()
        assert both.any(), name
        np.testing.assert_allclose(
            variable.where(both), netcdf[name].where(both), rtol=2e-3, atol=2e-2
        )
        units = netcdf[name].attrs["units"]
        assert variable.attrs["units"] == units


@pytest.mark.parametrize("product", ["daymet", "maurer", "maurer_extended", "nldas"])
def test_text_is_ready(
    published: Path, product: str, ready: Callable[[xr.Dataset, str], None]
) -> None:
    """Each product is taken as it is; extremes only where they are real."""
    ds = camels_us(published, ["03015500"], product=product)
    ready(ds, "streamflow")
    assert ds["product"].item() == product
    assert ("temperature_max" in ds) == (product in ("daymet", "maurer_extended"))
    if "temperature_max" in ds:
        assert (ds.temperature_max - ds.temperature_min).mean() > 5
    assert ds.streamflow.notnull().sum() == 1096


def test_text_values(published: Path) -> None:
    """The second day of 01022500, by hand: 272 ft3 s-1 from 573.6 km2."""
    ds = camels_us(published, ["01022500"], product="daymet")
    day = ds.sel(basin="01022500", time="2000-01-02")
    assert day.temperature_max == pytest.approx(4.81)
    assert day.temperature == pytest.approx((4.81 - 8.61) / 2, abs=1e-5)
    assert day.shortwave_radiation == pytest.approx(200.48 * 31302.05 / 86400, 1e-5)
    flow = 272 * 0.3048**3 * 86400 / 573.6e6 * 1000
    assert day.streamflow == pytest.approx(flow, rel=1e-6)
    assert ds.area.item() == pytest.approx(573.6)
    assert ds.name.item() == "Narraguagus River at Cherryfield, Maine"


def test_text_takes_the_best_product(own: Path) -> None:
    """A basin without Daymet gets Maurer's extended forcing; products do not mix."""
    for file in (own / "basin_mean_forcing/daymet").glob("01022500*"):
        file.unlink()
    ds = camels_us(own)
    found = dict(zip(ds.basin.values, ds["product"].values, strict=True))
    assert found == {"01022500": "maurer_extended", "03015500": "daymet"}
    with pytest.raises(InputError, match="'01022500' has no forcing of daymet"):
        camels_us(own, ["01022500"], product="daymet")


def test_missing_flow_is_missing(own: Path) -> None:
    """-999 is no flow, and a gauge without a file has none either."""
    file = own / "usgs_streamflow/01022500_streamflow_qc.txt"
    text = file.read_text().replace("   255.00 A:e", "  -999.00 M", 1)
    file.write_text(text)
    ds = camels_us(own)
    flow = ds.streamflow.sel(basin="01022500", time=slice("2000", "2002"))
    assert flow.isnull().sum() == 1
    assert ds.streamflow.sel(basin="03015500").isnull().all()


def test_unreadable_lines_are_named(own: Path) -> None:
    """Every line that cannot be read, in every file, with the reason."""
    first = own / "basin_mean_forcing/daymet/01022500_lump_cida_forcing_leap.txt"
    lines = first.read_text().splitlines()
    lines[9] = lines[9].replace("2000 01 06", "2000 13 06")
    first.write_text("\n".join(lines))
    second = own / "basin_mean_forcing/daymet/03015500_lump_cida_forcing_leap.txt"
    lines = second.read_text().splitlines()
    lines[20] = lines[20][: len(lines[20]) // 2]
    second.write_text("\n".join(lines))
    flow = own / "usgs_streamflow/01022500_streamflow_qc.txt"
    flow.write_text(flow.read_text().replace("272.00", "Ice", 1))
    with pytest.raises(InputError) as error:
        camels_us(own, product="daymet")
    message = str(error.value)
    assert "01022500_streamflow_qc.txt', line 2: 'Ice' in column flow" in message
    assert re.search(r"01022500_lump.*line 10: '2000 13 06' is no day", message)
    assert re.search(r"03015500_lump.*line 21: \d fields, the table has 11", message)


def test_nothing_gives_streamflow_away(real_data: Path, published: Path) -> None:
    """Nothing but the target itself is computed from streamflow."""
    for ds in (camels_us(real_data, ["01435000"]), camels_us(published)):
        assert not LEAKS & {each.attrs.get("original_name") for each in ds.values()}
        assert not LEAKS & set(ds.variables)


def test_errors(real_data: Path, tmp_path: Path) -> None:
    """What was passed, what is known, what to do."""
    with pytest.raises(
        InputError, match=r"'1435000' among 671; the nearest are .*'01435000'"
    ):
        camels_us(real_data, ["1435000"])
    with pytest.raises(InputError, match="product='prism' is unknown; known: daymet"):
        camels_us(real_data, product="prism")
    with pytest.raises(InputError, match=r"02055100.*no forcing here") as error:
        camels_us(real_data, ["02055100"])
    assert 'product="maurer_extended"' in str(error.value)
    with pytest.raises(
        InputError, match=r"it is empty.*reads a folder with basin_mean"
    ):
        camels_us(tmp_path)
    with pytest.raises(InputError, match="is not CAMELS-US: it lacks 'basin'"):
        camels_us(real_data / "aemet_spain.nc")
