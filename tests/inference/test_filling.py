"""Reconstruction fills gaps, and only gaps, in the user's own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland.inference.filling import to_user_units
from xstefaland.inputs.readings import Reading
from xstefaland.inputs.requirements import VariableSpec
from xstefaland.inputs.units import conversion
from xstefaland.testing import example_grid, example_points

FORCING = ["precipitation", "temperature", "shortwave_radiation"]


@pytest.fixture
def gappy() -> xr.Dataset:
    """Points with gaps in forcing and attributes, own names and units."""
    ds = example_points(3, 90)
    rng = np.random.default_rng(3)
    for name in FORCING:
        ds[name] = ds[name].where(rng.random(ds[name].shape) > 0.3)
    ds["temperature"] = (ds.temperature + 273.15).astype("float64")
    ds["temperature"].attrs = {"units": "K", "instrument": "thermometer"}
    ds["clay"] = ds.clay.where(ds.site != "site001")
    return ds.rename(temperature="t2m")


def test_observed_values_stay_bit_for_bit(gappy: xr.Dataset, weights: Any) -> None:
    """Where there was a value it is the same, elsewhere there is one now."""
    filled = xstefaland.reconstruct(gappy, weights=weights)
    flags = [f"{name}_flag" for name in gappy.data_vars]
    assert list(filled.data_vars) == [*gappy.data_vars, *flags]
    for name, old in gappy.data_vars.items():
        new = filled[name]
        assert new.dtype == old.dtype
        assert new.dims == old.dims
        assert new.attrs == {**old.attrs, "ancillary_variables": f"{name}_flag"}
        known = old.notnull().values
        np.testing.assert_array_equal(new.values[known], old.values[known])
        assert np.isfinite(new).all()
    assert not np.isfinite(gappy.clay).all()


def without_flags(filled: xr.Dataset) -> set[str]:
    """Names of all variables but flags."""
    return {str(n) for n in filled.data_vars if not str(n).endswith("_flag")}


def test_flags_say_what_was_filled(gappy: xr.Dataset, weights: Any) -> None:
    """0 given, 1 reconstructed, 2 still missing: a site without weather."""
    gappy["t2m"].attrs["standard_name"] = "air_temperature"
    with xr.set_options(keep_attrs=True):
        gappy = gappy.where(gappy.site != "site002")
    filled = xstefaland.reconstruct(gappy, weights=weights)
    for name in (*FORCING[:1], "t2m", "clay"):
        flag = filled[f"{name}_flag"]
        assert flag.dtype == np.int8
        assert flag.dims == filled[name].dims
        assert flag.attrs["flag_meanings"].split() == [
            "given",
            "reconstructed",
            "missing",
        ]
        np.testing.assert_array_equal(flag == 0, gappy[name].notnull())
        np.testing.assert_array_equal(flag == 2, filled[name].isnull())
    assert set(np.unique(filled.t2m_flag)) == {0, 1, 2}
    assert filled.t2m_flag.attrs["standard_name"] == "air_temperature status_flag"


def test_numbers_that_say_missing_are_gaps(gappy: xr.Dataset, weights: Any) -> None:
    """As NaN is, to the value and to its flag; where nothing fills them they stay."""
    with xr.set_options(keep_attrs=True):
        gappy = gappy.where(gappy.site != "site002")
    expected = xstefaland.reconstruct(gappy, weights=weights)
    said = gappy.copy()
    said["precipitation"] = gappy.precipitation.fillna(-9999.0)
    said["precipitation"].attrs["_FillValue"] = -9999.0
    said["t2m"] = gappy.t2m.fillna(np.inf)
    filled = xstefaland.reconstruct(said.chunk(site=1), weights=weights)
    for name in ("precipitation", "t2m"):
        flag = filled[f"{name}_flag"]
        np.testing.assert_array_equal(flag, expected[f"{name}_flag"])
        same = expected[name].fillna(said[name])
        np.testing.assert_allclose(filled[name], same, rtol=1e-5)
        assert set(np.unique(flag)) == {0, 1, 2}


def test_flags_are_ancillary_in_a_file(
    gappy: xr.Dataset, weights: Any, tmp_path: Path
) -> None:
    """CF links the flag to its variable, and xarray finds it so."""
    filled = xstefaland.reconstruct(gappy, weights=weights)
    filled.to_netcdf(tmp_path / "filled.nc")
    with xr.open_dataset(tmp_path / "filled.nc") as again:
        assert again.t2m.attrs["ancillary_variables"] == "t2m_flag"
        np.testing.assert_array_equal(again.t2m_flag, filled.t2m_flag)


def test_gaps_are_in_the_users_units(gappy: xr.Dataset, weights: Any) -> None:
    """Kelvin stays Kelvin: the fill equals that of the Dataset in degC, converted."""
    celsius = gappy.assign(t2m=(gappy.t2m - 273.15).assign_attrs(units="degC"))
    a = xstefaland.reconstruct(gappy, weights=weights).t2m
    b = xstefaland.reconstruct(celsius, weights=weights).t2m
    np.testing.assert_allclose(a, b + 273.15, atol=1e-3)


@pytest.mark.parametrize(
    ("label", "units"),
    [
        ("mm", "mm d-1"),
        ("kg m-2 s-1", "mm d-1"),
        ("degF", "degC"),
        ("degree", "m km-1"),
    ],
)
def test_units_go_back(label: str, units: str) -> None:
    """Back and forth gives the same values, for scales, offsets and angles."""
    change = conversion(label, units, daily=True)
    reading = Reading("x", "x", VariableSpec("x", units), change, label, units)
    values = np.array([0.5, 1.0, 7.0])
    there = change(values)
    back = to_user_units(there, VariableSpec("x", units), reading, values.dtype)
    np.testing.assert_allclose(back, values, rtol=1e-12)


def test_a_difference_has_no_offset() -> None:
    """A range of 20 K is one of 20 degC; the way there takes it so too."""
    wanted = VariableSpec("temperature_range", "K")
    reading = Reading("temperature_range", "x", wanted, label="degC", units="degC")
    back = to_user_units(np.array([20.0]), wanted, reading, np.dtype(np.float64))
    assert back.tolist() == [20.0]


def test_lazy_equals_eager(weights: Any, same: Any) -> None:
    """A chunked grid is filled lazily, in its own dims, chunks and coordinates."""
    grid = example_grid(days=60)
    grid["temperature"] = grid.temperature.where(
        grid.temperature > float(grid.temperature.median())
    )
    eager = xstefaland.reconstruct(grid, weights=weights)
    chunked = grid.chunk(lat=2)
    lazy = xstefaland.reconstruct(chunked, weights=weights)
    assert lazy.temperature.dims == ("time", "lat", "lon")
    assert lazy.temperature.chunks == chunked.temperature.chunks
    assert lazy.temperature_flag.chunks == chunked.temperature.chunks
    for name in eager.data_vars:
        same(lazy[name], eager[name])
    for name in grid.coords:
        xr.testing.assert_identical(
            eager[name].reset_coords(drop=True), grid[name].reset_coords(drop=True)
        )
    assert set(eager.coords) == {*grid.coords, "fraction_missing", "values_rejected"}
    land = grid.elevation.notnull()
    assert bool(eager.temperature.where(land, 0).notnull().all())
    assert bool(eager.temperature.isel(lat=-1, lon=-1).isnull().all())


def test_gaps_in_the_time_axis_stay(gappy: xr.Dataset, weights: Any) -> None:
    """Days that are left out are not added."""
    cut = gappy.isel(time=np.r_[0:20, 33:90])
    filled = xstefaland.reconstruct(cut, weights=weights)
    xr.testing.assert_identical(filled.time, cut.time)
    assert np.isfinite(filled.precipitation).all()


def test_add_brings_what_is_missing(gappy: xr.Dataset, weights: Any) -> None:
    """Only on demand: variables that the model knows, with units."""
    less = gappy.drop_vars(["shortwave_radiation", "slope"])
    plain = xstefaland.reconstruct(less, weights=weights)
    assert without_flags(plain) == set(less.data_vars)
    more = xstefaland.reconstruct(less, weights=weights, add=True)
    assert without_flags(more) == {*less.data_vars, "shortwave_radiation", "slope"}
    assert bool((more.shortwave_radiation_flag == 1).all())
    assert more.shortwave_radiation.dims == ("site", "time")
    assert more.shortwave_radiation.attrs["units"] == "W m-2"
    assert more.slope.dims == ("site",)
    assert np.isfinite(more.slope).all()


def test_other_variables_are_left_out(gappy: xr.Dataset, weights: Any) -> None:
    """The answer holds what the model knows; integers stay as they are."""
    ds = gappy.assign(
        name=("site", ["a", "b", "c"]), elevation=gappy.elevation.astype(int)
    )
    ds["elevation"].attrs["units"] = "m"
    filled = xstefaland.reconstruct(ds, weights=weights)
    assert "name" not in filled
    assert "elevation_flag" not in filled
    xr.testing.assert_identical(
        filled.elevation.reset_coords(drop=True), ds.elevation.reset_coords(drop=True)
    )


def test_history_and_attributes(gappy: xr.Dataset, weights: Any) -> None:
    """The Dataset's own attributes stay, the newest history line is on top."""
    gappy.attrs["history"] = "measured"
    filled = xstefaland.reconstruct(gappy, weights=weights)
    first, last = filled.attrs["history"].splitlines()
    assert "reconstruct() with tiny" in first
    assert last == "measured"
    assert filled.attrs["title"] == gappy.attrs["title"]
    assert filled.attrs["weights_sha256"] == weights.sha256
