"""The catalogue is consistent data."""

from __future__ import annotations

import re

import pytest

from xstefaland.inputs.leaks import forbidden
from xstefaland.inputs.quantities import GROUPS, Variable
from xstefaland.inputs.units import conversion
from xstefaland.inputs.variables import ATTRIBUTES, CATALOGUE, FORCINGS, names_of

ALL = list(CATALOGUE.values())


def test_names_and_aliases_are_unique() -> None:
    """No name stands for two variables, whatever its case."""
    spelled = [
        a.lower() for v in ALL for a in {v.name.lower(), *map(str.lower, v.aliases)}
    ]
    assert len(spelled) == len(set(spelled))


def test_every_variable_is_in_the_catalogue() -> None:
    """No entry hides another one of the same name."""
    assert len(CATALOGUE) == len(FORCINGS) + len(ATTRIBUTES)
    assert names_of("forcing") == tuple(v.name for v in FORCINGS)


@pytest.mark.parametrize("variable", ALL, ids=lambda v: v.name)
def test_units_are_readable(variable: Variable) -> None:
    """Catalogue units, and those of its aliases, convert to catalogue units."""
    if variable.units != "USD":  # not a physical unit
        assert conversion(f" 1 {variable.units}", variable.units).scale == 1
    for alias, units in variable.alias_units:
        assert alias in map(str.lower, variable.aliases)
        forcing = variable.kind == "forcing"
        conversion(units, variable.units, daily=forcing, difference=variable.difference)
        assert variable.units_of_alias(alias) == units


@pytest.mark.parametrize("variable", ALL, ids=lambda v: v.name)
def test_entries_are_sensible(variable: Variable) -> None:
    """Ranges are ordered, groups known, standard names are CF-like, names allowed."""
    low, high = variable.valid_range
    assert low < high
    assert (variable.group in GROUPS) == (variable.kind == "attribute")
    assert all(re.fullmatch(r"[a-z0-9_]+", n) for n in variable.standard_names)
    assert not any(forbidden(n) for n in (variable.name, *variable.aliases))


def test_single_letters_are_no_aliases() -> None:
    """P, T or q mean different things in different files."""
    assert all(len(alias) > 1 for v in ALL for alias in v.aliases)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("pr", "precipitation"), ("tp", "precipitation"), ("prcp", "precipitation"),
        ("total_precipitation_sum", "precipitation"), ("tas", "temperature"),
        ("t2m", "temperature"), ("tavg", "temperature"), ("tair", "temperature"),
        ("tmmx", "temperature_max"), ("tasmin", "temperature_min"),
        ("ssrd", "shortwave_radiation"), ("swdown", "shortwave_radiation"),
        ("lwdown", "longwave_radiation"), ("spfh", "specific_humidity"),
        ("huss", "specific_humidity"), ("hurs", "relative_humidity"),
        ("d2m", "dewpoint_temperature"), ("vp", "vapour_pressure"),
        ("sfcWind", "wind_speed"), ("vs", "wind_speed"), ("sp", "surface_pressure"),
        ("et0", "potential_evapotranspiration"),
        ("pet", "potential_evapotranspiration"),
        ("elev_mean", "elevation"), ("clay_frac", "clay"), ("cly_pc_sav", "clay"),
        ("geol_porostiy", "geol_porosity"), ("ele_mt_sav", "elevation"),
    ],
)  # fmt: skip
def test_common_names_are_known(alias: str, name: str) -> None:
    """The names that common products use are aliases."""
    assert alias in CATALOGUE[name].aliases


def test_hydroatlas_columns_are_scaled() -> None:
    """HydroATLAS stores temperatures and slopes times ten."""
    temperature = CATALOGUE["temperature_mean"]
    assert conversion(temperature.units_of_alias("tmp_dc_syr"), "degC").scale == 0.1


@pytest.mark.parametrize(
    "name",
    [
        "streamflow", "discharge", "QObs", "q_mean", "q5", "runoff_ratio", "slope_fdc",
        "baseflow_index", "stream_elas", "hfd_mean", "high_q_freq", "low_q_dur",
        "zero_q_freq", "soil_moisture", "sm_5cm", "swvl1", "mrsos",
        "volumetric_soil_water_layer_1_mean", "pet_era5land", "dis_m3_pyr",
    ],
)  # fmt: skip
def test_leaking_names_are_forbidden(name: str) -> None:
    """What is measured or computed from a target is never an input."""
    assert forbidden(name)


@pytest.mark.parametrize("name", ["pr", "q", "area", "soil_depth", "slope", "smoke"])
def test_other_names_are_allowed(name: str) -> None:
    """Names that only resemble a forbidden one are not forbidden."""
    assert forbidden(name) is None
