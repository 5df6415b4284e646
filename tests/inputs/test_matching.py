"""Variables are found by rename, name, alias and standard name, never guessed."""

from __future__ import annotations

from typing import Any

import pytest
import xarray as xr

from xstefaland.inputs.matching import Matcher
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.variables import CATALOGUE

DAILY = tuple(
    VariableSpec(n, v.units) for n, v in CATALOGUE.items() if v.kind == "forcing"
)
REQUIREMENTS = Requirements(DAILY)


def dataset(**variables: dict[str, Any]) -> xr.Dataset:
    """Forcings with the given attributes."""
    return xr.Dataset({name: ("time", [1.0], at) for name, at in variables.items()})


def found(ds: xr.Dataset, name: str, **options: Any) -> tuple[str, str] | None:
    """Name in the Dataset and how it was found."""
    match = Matcher(ds, REQUIREMENTS, **options).find(name)
    return (match.source, match.how) if match else None


@pytest.mark.parametrize(
    ("source", "attrs", "name", "how"),
    [
        ("precipitation", {}, "precipitation", "name"),
        ("tp", {}, "precipitation", "alias"),
        ("TP", {}, "precipitation", "alias"),
        ("sfcwind", {}, "wind_speed", "alias"),
        (
            "x",
            {"standard_name": "precipitation_flux"},
            "precipitation",
            "standard_name",
        ),
        ("x", {"standard_name": "air_temperature"}, "temperature", "standard_name"),
        (
            "x",
            {"standard_name": "air_temperature", "cell_methods": "time: mean"},
            "temperature",
            "standard_name",
        ),
        (
            "x",
            {"standard_name": "air_temperature", "cell_methods": "time: maximum"},
            "temperature_max",
            "standard_name",
        ),
    ],
)
def test_ways_to_match(source: str, attrs: dict[str, str], name: str, how: str) -> None:
    """Each way, and what it is called in the report."""
    assert found(dataset(**{source: attrs}), name) == (source, how)


def test_names_go_before_standard_names() -> None:
    """A variable that is called tasmax is not the mean, whatever its attributes."""
    ds = dataset(tasmax={"standard_name": "air_temperature"})
    assert found(ds, "temperature") is None
    assert found(ds, "temperature_max") == ("tasmax", "alias")


def test_other_statistics_are_no_match() -> None:
    """A standard deviation of precipitation is not precipitation."""
    spread = {"standard_name": "precipitation_flux", "cell_methods": "time: variance"}
    assert found(dataset(x=spread), "precipitation") is None


def test_rename_decides() -> None:
    """Rename goes before an alias and before the exact name."""
    ds = dataset(mine={}, tp={}, precipitation={})
    options = {"rename": {"mine": "precipitation"}}
    assert found(ds, "precipitation", **options) == ("mine", "rename")


def test_renamed_variables_are_nothing_else() -> None:
    """A variable given to one name by rename is no candidate for another."""
    ds = dataset(tas={})
    assert found(ds, "temperature", rename={"tas": "temperature_max"}) is None


def test_exact_names_win_over_aliases() -> None:
    """The name of the weights file or catalogue is not ambiguous."""
    assert found(dataset(precipitation={}, tp={}), "precipitation") == (
        "precipitation",
        "name",
    )


def test_names_of_a_weights_file_win() -> None:
    """Also where they are not in the catalogue, or forbidden in it."""
    rain = VariableSpec("precipitation", "mm d-1")
    weights = Requirements(
        (VariableSpec("P", None), VariableSpec("Runoff", None), rain)
    )
    matcher = Matcher(dataset(P={}, Runoff={}, tp={}), weights)
    assert [matcher.find(name) is not None for name in ("P", "Runoff")] == [True, True]


def test_variables_without_units_match_exactly_only() -> None:
    """No alias stands in for a variable that is taken as it is."""
    weights = Requirements((VariableSpec("precipitation", None),))
    assert Matcher(dataset(tp={}), weights).find("precipitation") is None


@pytest.mark.parametrize(
    "variables",
    [
        {"pr": {}, "tp": {}},
        {"pr": {}, "x": {"standard_name": "precipitation_flux"}},
        {
            "x": {"standard_name": "precipitation_flux"},
            "y": {"standard_name": "precipitation_flux"},
        },
    ],
)
def test_two_candidates_are_a_problem(variables: dict[str, dict[str, str]]) -> None:
    """Nothing is chosen; both are listed with the call that chooses."""
    matcher = Matcher(dataset(**variables), REQUIREMENTS)
    assert matcher.find("precipitation") is None
    first, second = variables
    assert matcher.problems == [
        f"precipitation: '{first}' and '{second}' could all be it; choose one, for "
        f'example rename={{"{first}": "precipitation"}}'
    ]


def test_case_decides_between_spellings() -> None:
    """With both pr and PR, the one spelled as the product spells it is meant."""
    assert found(dataset(pr={}, PR={}), "precipitation") == ("pr", "alias")


@pytest.mark.parametrize(
    ("rename", "text"),
    [
        ({"rain": "precipitation"}, "no variable 'rain'; did you mean 'rain_mm'"),
        ({"rain_mm": "precip_itation"}, "not a name the package knows; did you mean"),
        (
            {"precipitation": "rain_mm"},
            'goes first: rename={"rain_mm": "precipitation"}',
        ),
        (
            {"rain_mm": "precipitation", "other": "precipitation"},
            "'precipitation' is given to two variables",
        ),
    ],
)
def test_wrong_rename(rename: dict[str, str], text: str) -> None:
    """Mistakes in rename are problems that say how to write it."""
    problems = Matcher(dataset(rain_mm={}, other={}), REQUIREMENTS, rename).problems
    assert len(problems) == 1
    assert text in problems[0]


def test_shape_matters() -> None:
    """A forcing has time, an attribute has not, and lies on the sites."""
    ds = xr.Dataset(
        {
            "pet": ("basin", [1.0]),
            "elev": (("basin", "time"), [[1.0]]),
            "drainage_area": ("gage", [1.0]),
            "sand_frac": ("basin", [1.0]),
        }
    )
    matcher = Matcher(ds, REQUIREMENTS)
    matcher.site_dims = ("basin",)
    names = ("potential_evapotranspiration", "elevation", "area")
    assert [matcher.find(name) for name in names] == [None] * 3
    assert matcher.find("sand") is not None
    assert "no dimension 'time'" in matcher.why_ignored("pet")
    assert "dimension 'gage'" in matcher.why_ignored("drainage_area")


def test_why_ignored() -> None:
    """Every unused variable has a reason."""
    ds = xr.Dataset(
        {
            "tp": ("time", [1.0]),
            "precipitation": ("time", [1.0]),
            "streamflow": ("time", [1.0]),
            "name": ("basin", ["a"]),
            "good": ("basin", [True]),
            "hurs": ("time", [1.0]),
            "what": ("time", [1.0]),
        }
    )
    matcher = Matcher(ds, REQUIREMENTS)
    matcher.find("precipitation")
    assert {name: matcher.why_ignored(str(name)) for name in ds} == {
        "tp": "precipitation is taken from 'precipitation'",
        "precipitation": "precipitation is taken from 'precipitation'",
        "streamflow": "it is measured or computed from streamflow, which is a target",
        "name": "text",
        "good": "true or false",
        "hurs": "relative_humidity is not used by these weights",
        "what": "not a known name",
    }


def test_coordinates_can_be_attributes() -> None:
    """A non-index coordinate matches, an index or bounds do not."""
    ds = xr.Dataset(
        {"elev_bounds": ("basin", [1.0], {"standard_name": "surface_altitude"})},
        coords={
            "basin": [1],
            "elev": ("basin", [1.0], {"bounds": "elev_bounds"}),
            "area": ("area", [1.0]),
        },
    )
    assert found(ds, "elevation") == ("elev", "alias")
    assert found(ds, "area") is None


def test_variables_taken_as_they_are_need_their_shape() -> None:
    """A forcing of the weights file has time, an attribute has not."""
    weights = Requirements((VariableSpec("P", None),), (VariableSpec("A", None),))
    ds = xr.Dataset({"P": ("basin", [1.0]), "A": (("basin", "time"), [[1.0]])})
    matcher = Matcher(ds, weights)
    assert matcher.find("P") is matcher.find("A") is None
    assert matcher.why_ignored("P") == "looks like P, but it has no dimension 'time'"


def test_an_index_can_be_an_attribute_by_its_exact_name() -> None:
    """Weights that know `lat` as an attribute get the coordinate of a grid."""
    weights = Requirements((), (VariableSpec("lat", None),))
    ds = xr.Dataset(coords={"lat": [1.0, 2.0]})
    match = Matcher(ds, weights).find("lat")
    assert match is not None
    assert match.how == "name"


@pytest.mark.parametrize(
    ("source", "attrs", "name"),
    [
        ("air_temperature", {"cell_methods": "time: maximum"}, "temperature_max"),
        ("tas", {"cell_methods": "area: mean time: minimum"}, "temperature_min"),
        ("temperature", {"cell_methods": "time: maximum"}, "temperature_max"),
        ("tasmax", {"cell_methods": "time: maximum"}, "temperature_max"),
        ("avg_tprate", {}, "precipitation"),
        ("mtpr", {}, "precipitation"),
        ("rr", {}, "precipitation"),
        ("tg", {}, "temperature"),
        ("tx", {}, "temperature_max"),
        ("tn", {}, "temperature_min"),
        ("prcp_daymet", {}, "precipitation"),
        ("tmean_era5land", {}, "temperature"),
        ("temperature_ERA5_LAND", {}, "temperature"),
        ("precipitation_mswep", {}, "precipitation"),
    ],
)
def test_products_and_methods(source: str, attrs: dict[str, str], name: str) -> None:
    """Names of products with endings of theirs; what a method says goes first."""
    matcher = Matcher(dataset(**{source: attrs}), REQUIREMENTS)
    matched = [v.name for v in DAILY if matcher.find(v.name)]
    assert matched == [name]


def test_two_products_are_a_choice() -> None:
    """Precipitation of two products: none is taken without a word."""
    matcher = Matcher(dataset(prcp_daymet={}, prcp_nldas={}), REQUIREMENTS)
    assert matcher.find("precipitation") is None
    assert "'prcp_daymet' and 'prcp_nldas' could all be it" in matcher.problems[0]


@pytest.mark.parametrize(
    ("level", "attrs"),
    [
        ({"pressure_level": 850.0}, {}),
        ({"plev": ((), 85000.0, {"standard_name": "air_pressure"})}, {}),
        ({"height": ((), 100.0, {"standard_name": "height"})}, {}),
        ({}, {"GRIB_typeOfLevel": "isobaricInhPa"}),
    ],
)
def test_weather_aloft_is_not_that_at_the_ground(
    level: dict[str, Any], attrs: dict[str, str]
) -> None:
    """A scalar pressure level, or a height far above two metres."""
    air = {"standard_name": "air_temperature", "units": "K", **attrs}
    ds = dataset(t=air).assign_coords(level)
    matcher = Matcher(ds, REQUIREMENTS)
    assert matcher.find("temperature") is None
    assert "looks like temperature, but it lies" in matcher.why_ignored("t")


def test_two_metres_is_the_ground() -> None:
    """CMIP gives the height as a scalar coordinate."""
    ds = dataset(tas={}).assign_coords(height=((), 2.0, {"standard_name": "height"}))
    assert found(ds, "temperature") == ("tas", "alias")


def test_the_evapotranspiration_of_caravan_is_refused() -> None:
    """It comes from ERA5-Land's potential evaporation; CAMELS' own does not."""
    asked = Requirements((), (VariableSpec("p_mean", "mm d-1"),))
    values = {name: ("basin", [6.5]) for name in ("pet_mean", "aridity")}
    camels = Matcher(xr.Dataset(values), asked)
    assert camels.find("pet_mean") is not None
    caravan = xr.Dataset({**values, "moisture_index": ("basin", [0.1])})
    for name in ("pet_mean", "aridity"):
        matcher = Matcher(caravan, asked)
        assert matcher.find(name) is None
        assert "potential evaporation of ERA5" in matcher.why_ignored(name)


def test_radiation_of_daymet_is_a_mean_over_daylight() -> None:
    """Beside the length of the day, or when it says so itself."""
    ds = dataset(srad={"units": "W m-2"}, dayl={"units": "s"})
    assert found(ds, "shortwave_radiation") is None
    assert found(ds, "daylight_shortwave_radiation") == ("srad", "alias")
    said = {"long_name": "daylight average incident shortwave radiation"}
    assert found(dataset(srad=said), "daylight_shortwave_radiation") is not None
    assert found(dataset(srad={}), "shortwave_radiation") == ("srad", "alias")
