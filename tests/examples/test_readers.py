"""The readers of examples/, on files as published."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import xarray as xr
from xstefaland.inputs.arrays import prepare
from xstefaland.inputs.checks import check

from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.testing import tiny_weights

FORCING = {
    "precipitation": ("mm d-1", 0.0, 400.0),
    "temperature": ("degC", -50.0, 45.0),
    "shortwave_radiation": ("W m-2", 0.0, 521.0),
    "relative_humidity": ("percent", 0.0, 100.0),
}
PLAIN = Requirements(
    forcing=tuple(
        VariableSpec(name, unit, minimum=low, maximum=high)
        for name, (unit, low, high) in FORCING.items()
    ),
    attributes=(),
)


def ready(ds: xr.Dataset) -> xr.DataArray:
    """The forcing in the units of the model, as inference gets it."""
    report = check(ds, PLAIN)
    assert report.ok, report
    assert not [text for text in report.warnings if "range" in text], report.warnings
    return prepare(ds, PLAIN).forcing


def test_camels_netcdf_takes_one_product_per_basin(
    readers: ModuleType, real_data: Path
) -> None:
    """Daymet goes before ERA5-Land, and what a product lacks is missing."""
    basins = ["12144000", "01435000", "10259000"]
    ds = readers.camels(real_data, basins)
    assert ds.basin.values.tolist() == basins
    assert ds["product"].values.tolist() == ["era5land", "daymet", "nldas"]
    given = ds[["temperature_max", "shortwave_radiation"]].notnull().any("time")
    assert given.temperature_max.values.tolist() == [False, True, False]
    assert given.shortwave_radiation.values.tolist() == [False, True, False]
    middle = ds.sel(time=slice("1990", "2000"))
    assert middle.temperature.isel(basin=[0, 1]).notnull().all()
    rain = ready(middle).sel(variable="precipitation")
    assert rain.isel(basin=[0, 1]).notnull().all()


def test_camels_radiation_is_the_mean_of_the_whole_day(
    readers: ModuleType, real_data: Path
) -> None:
    """No basin receives more than the top of the atmosphere does."""
    ds = readers.camels(real_data, ["01435000"]).isel(basin=0)
    noon_of_the_year = ds.shortwave_radiation.groupby("time.month").mean()
    assert 40 < noon_of_the_year.sel(month=12) < 90  # [W m-2] at 42 degrees north
    assert 200 < noon_of_the_year.sel(month=6) < 300


def test_camels_text_equals_netcdf(readers: ModuleType, real_data: Path) -> None:
    """The text files of Daymet basins hold the numbers of the NetCDF file."""
    text = readers.camels_text(real_data / "raw" / "camels_us", "daymet")
    netcdf = readers.camels(real_data, text.basin.values.tolist())
    basins = netcdf.basin.values[netcdf["product"].values == "daymet"]
    assert basins.size
    text = text.sel(basin=basins)
    netcdf = netcdf.sel(basin=basins, time=text.time)
    for name, variable in text.data_vars.items():
        both = variable.notnull() & netcdf[name].notnull()
        assert both.any(), name
        np.testing.assert_allclose(
            variable.where(both), netcdf[name].where(both), rtol=2e-3, atol=2e-2
        )
        assert variable.attrs == netcdf[name].attrs


@pytest.mark.parametrize("product", ["daymet", "maurer", "maurer_extended", "nldas"])
def test_camels_text_is_ready(
    readers: ModuleType, real_data: Path, product: str
) -> None:
    """Each product is taken without renaming; extremes only where they are real."""
    ds = readers.camels_text(real_data / "raw" / "camels_us", product, ["03015500"])
    forcing = ready(ds)
    assert forcing.notnull().all()
    assert ("temperature_max" in ds) == (product in ("daymet", "maurer_extended"))
    if "temperature_max" in ds:
        assert (ds.temperature_max - ds.temperature_min).mean() > 5
    assert ds.streamflow.notnull().sum() == 1096
    assert ds.streamflow.attrs["units"] == "mm d-1"


def test_no_reader_returns_what_streamflow_gives_away(
    readers: ModuleType, real_data: Path
) -> None:
    """Nothing but the target itself is computed from streamflow."""
    leaks = {"q_mean", "runoff_ratio", "baseflow_index", "q5", "q95", "slope_fdc"}
    for ds in (
        readers.camels(real_data, ["01435000"]),
        readers.camels_text(real_data / "raw" / "camels_us", basins=["03015500"]),
    ):
        assert not leaks & set(ds.variables)
        report = ds.stefaland.check(weights=tiny_weights())
        assert "streamflow" not in report.table["found as"].tolist()


def test_uscrn_netcdf_has_no_outliers(readers: ModuleType, real_data: Path) -> None:
    """Impossible radiation is missing, and units are converted on the way in."""
    ds = readers.uscrn(real_data)
    assert ds.sizes["station"] == 236
    assert float(ds.shortwave_radiation.max()) <= readers.LARGEST_RADIATION
    assert float(ds.shortwave_radiation.min()) >= 0
    with xr.open_dataset(real_data / "uscrn_soil_moisture.nc") as raw:
        assert float(raw.srad.max()) > 100  # there was something to drop
    radiation = ready(ds.isel(station=[0])).sel(variable="shortwave_radiation")
    inside = ds.shortwave_radiation.isel(station=[0]).values * 1e6 / 86400
    np.testing.assert_allclose(radiation.values.squeeze(), inside.squeeze(), rtol=1e-5)


def test_uscrn_text_equals_netcdf(readers: ModuleType, real_data: Path) -> None:
    """The daily01 files hold the numbers of the NetCDF file."""
    text = readers.uscrn_text(real_data / "raw" / "uscrn")
    assert text.sizes == {"station": 5, "time": 1096}
    assert text.latitude.dims == ("station",)
    netcdf = readers.uscrn(real_data)
    known = [s for s in text.station.values if s in netcdf.station.values]
    assert len(known) >= 3
    text, netcdf = (
        ds.sel(station=known, time=slice("2019", "2021")) for ds in (text, netcdf)
    )
    np.testing.assert_allclose(text.latitude, netcdf.latitude, atol=1e-4)
    for name in text.data_vars:
        both = text[name].notnull().values & netcdf[name].notnull().values
        assert both.sum() > 500, name
        np.testing.assert_allclose(
            text[name].values[both], netcdf[name].values[both], rtol=1e-5
        )


def test_uscrn_text_marks_what_is_missing(readers: ModuleType, real_data: Path) -> None:
    """-9999 and -99 become NaN, deep frost does not."""
    name = "AK_Utqiagvik_formerly_Barrow_4_ENE"
    ds = readers.uscrn_text(real_data / "raw" / "uscrn", [name])
    assert ds.station.values.tolist() == ["27516"]
    assert ds.soil_moisture.isnull().all()
    assert -50 < float(ds.temperature.min()) < -30
