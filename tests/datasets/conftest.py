"""What the tests of the readers share: numbers read by another route."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland.inputs.leaks import forbidden
from xstefaland.inputs.quantities import Variable
from xstefaland.inputs.units import conversion
from xstefaland.inputs.variables import CATALOGUE

Number = Callable[..., float]


@pytest.fixture
def stored(real_data: Path) -> Number:
    """One number of a NetCDF file, unpacked by hand from what is stored."""

    def read(file: str, variable: str, *index: int) -> float:
        with netCDF4.Dataset(real_data / file) as opened:
            opened.set_auto_maskandscale(False)
            column = opened.variables[variable]
            value = column[index]
            if value == getattr(column, "_FillValue", None):
                return np.nan
            scale = getattr(column, "scale_factor", 1.0)
            return float(value * scale + getattr(column, "add_offset", 0.0))

    return read


@pytest.fixture
def place(real_data: Path) -> Callable[[str, str, str], int]:
    """Position of a site id in a NetCDF file."""

    def find(file: str, dim: str, site: str) -> int:
        with netCDF4.Dataset(real_data / file) as opened:
            return [str(each) for each in opened.variables[dim][:]].index(site)

    return find


def _is_plausible(values: xr.DataArray, known: Variable) -> None:
    """Hold values against the range of the catalogue, by the units they state."""
    if known.units == "USD" or values.isnull().all():  # USD: no physical unit
        return
    daily = known.kind == "forcing"
    converted = conversion(values.attrs["units"], known.units, daily=daily)(values)
    low, high = known.valid_range
    assert np.nanmin(converted) >= low - 1e-3, known.name
    assert np.nanmax(converted) <= high + 1e-3, known.name


def _is_described(ds: xr.Dataset) -> None:
    """What every reader promises of its Dataset."""
    for name, variable in ds.data_vars.items():
        assert variable.attrs["units"], name
        assert variable.attrs["original_name"], name
        assert variable.attrs["long_name"], name
        assert variable.dtype == np.float32, name
        if name in CATALOGUE and name != "soil_temperature":  # observed, by depth
            _is_plausible(variable, CATALOGUE[str(name)])
        if "cell_methods" in variable.attrs:
            assert CATALOGUE[str(name)].kind == "forcing"
    assert ds.latitude.attrs["units"] == "degrees_north"
    assert ds.longitude.attrs["units"] == "degrees_east"
    for name in ("title", "source", "license", "references", "history"):
        assert ds.attrs[name], name
    assert not [each for each in ds.variables if ds[each].encoding]


@pytest.fixture
def described() -> Callable[[xr.Dataset], None]:
    """Check attributes, types and encodings of a reader's Dataset."""
    return _is_described


@pytest.fixture
def ready() -> Callable[[xr.Dataset, str], None]:
    """Check that the package takes a Dataset as it is, and the target is no input."""

    def check(ds: xr.Dataset, target: str) -> None:
        _is_described(ds)
        report = xstefaland.check(ds, target)
        assert report.ok, report
        used = set(report.table["found as"])
        assert not {str(n) for n in ds.data_vars if forbidden(str(n))} & used
        assert "precipitation" in used
        assert not [text for text in report.warnings if "units" in text], report

    return check
