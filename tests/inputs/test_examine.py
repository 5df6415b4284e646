"""A check finds everything wrong at once, says how to fix it, and computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from xstefaland import set_options
from xstefaland.errors import InputError
from xstefaland.inputs.examine import examine
from xstefaland.inputs.hints import Hints
from xstefaland.inputs.report import Report
from xstefaland.inputs.requirements import Requirements, VariableSpec


def check(ds: xr.Dataset, requirements: Requirements, **hints: Any) -> Report:
    """What an examination reports."""
    return examine(ds, requirements, Hints(**hints)).report


RAIN = VariableSpec("precipitation", "mm d-1")
WARM = VariableSpec("temperature", "degC")


def row(report: Report, name: str) -> tuple[str, str, str]:
    """What the report says on one variable: found as, how, units."""
    line = report.table.set_index("name").loc[name]
    return str(line["found as"]), str(line["how"]), str(line["units"])


def problem(report: Report) -> str:
    """The only problem."""
    assert len(report.problems) == 1, report.problems
    assert not report.ok
    return report.problems[0]


def test_good_dataset(basins: xr.Dataset, requirements: Requirements) -> None:
    """What was found, derived and assumed, what is missing and what was not used."""
    report = check(basins, requirements)
    assert report.ok
    assert report.warnings == []
    assert row(report, "precipitation") == ("pr", "alias", "kg m-2 s-1 -> mm d-1")
    assert row(report, "elevation") == ("elev_mean", "alias", "m (assumed)")
    assert row(report, "p_mean")[1] == "derived"
    assert row(report, "shortwave_radiation") == ("", "missing", "W m-2")
    pet = row(report, "potential_evapotranspiration")
    assert pet == (
        "temperature, latitude: Oudin (2005)",
        "derived",
        "mm d-1",
    )
    assert set(report.ignored) == {"streamflow", "name"}
    assert report.facts["Sites"] == "4 (basin)"
    assert report.facts["Latitude"] == "gauge_lat"
    assert report.helpful.startswith("temperature_max [degC]; temperature_min [degC]")
    assert "attributes of soil (sand, silt, clay)" in report.helpful


def test_everything_wrong_at_once(requirements: Requirements) -> None:
    """One report with every problem, not only the first."""
    time = pd.DatetimeIndex(["2000-01-02", "2000-01-01"])
    dims, shape = ("time", "lat", "lon", "level"), (2, 0, 4, 3)
    ds = xr.Dataset(
        {
            "pr": (dims, np.ones(shape)),
            "tas": (dims, np.full(shape, "a")),
            "hurs": (dims, np.ones(shape), {"units": "K"}),
            "sp": (dims, np.ones(shape)),
            "ps": (dims, np.ones(shape)),
        },
        coords={"time": time},
    ).chunk({"time": 1})
    report = check(ds, requirements, rename={"x": "clay"}, units={"y": "m"})
    text = "\n".join(report.problems)
    for part in (
        "no variable 'x'",
        "no variable 'y'",
        "time is not sorted",
        "'lat' has length 0",
        'ds.chunk({"time": -1})',
        "no units stated for 'pr', 'tas'",
        '"tas" holds text where numbers belong',
        "units 'K' cannot be converted to 'percent'",
        "'sp' and 'ps' could all be it",
    ):
        assert part in text
    assert len(report.problems) == 9
    assert "9 problems" in str(report)


def test_missing_units(basins: xr.Dataset, requirements: Requirements) -> None:
    """One problem for all forcings without units, and the call fixes it."""
    bare = basins.assign(pr=basins["pr"] * 86400, tas=basins["tas"] - 273.15)
    bare["pr"].attrs, bare["tas"].attrs = {}, {}
    text = problem(check(bare, requirements))
    assert text == (
        "no units stated for 'pr', 'tas'; say which, for example "
        'units={"pr": "mm d-1", "tas": "degC"}'
    )
    units = eval(text[text.index("units=") + 6 :])
    report = check(bare, requirements, units=units)
    assert report.ok
    assert row(report, "precipitation") == ("pr", "alias", "mm d-1")


def test_units_override_the_stated_ones(
    basins: xr.Dataset, requirements: Requirements
) -> None:
    """Wrong units are corrected without touching the data."""
    report = check(basins, requirements, units={"tas": "kelvin"})
    assert row(report, "temperature")[2] == "kelvin -> degC"


def test_daily_amounts_are_reported(
    basins: xr.Dataset, requirements: Requirements
) -> None:
    """An amount is taken per day, and the report says so."""
    basins["pr"] = (basins["pr"] * 86400).assign_attrs(units="mm")
    report = check(basins, requirements)
    assert row(report, "precipitation")[2] == "mm -> mm d-1 (taken as amount per day)"


def test_required_input_missing(basins: xr.Dataset, requirements: Requirements) -> None:
    """The error names the alternatives, what there is, and rename."""
    report = check(basins.drop_vars("tas"), requirements)
    text = problem(report)
    assert report.missing == [text]
    assert text.startswith(
        "required input missing: temperature or temperature_max or temperature_min; "
        "the Dataset has 'pr', 'elev_mean', 'streamflow', 'name'"
    )
    assert 'rename={"<its name>": "temperature"}' in text


def test_required_input_derived(basins: xr.Dataset, requirements: Requirements) -> None:
    """Minimum and maximum stand in for the mean."""
    ds = basins.rename(tas="tasmax").assign(tasmin=basins["tas"] - 5)
    report = check(ds, requirements)
    assert report.ok
    assert row(report, "temperature")[1] == "derived"


def test_ambiguous_required_input(
    basins: xr.Dataset, requirements: Requirements
) -> None:
    """Two candidates are reported as such, not as missing too; rename settles it."""
    ds = basins.assign(tp=basins["pr"])
    assert "'pr' and 'tp' could all be it" in problem(check(ds, requirements))
    assert check(ds, requirements, rename={"tp": "precipitation"}).ok


def test_no_forcing(requirements: Requirements) -> None:
    """Nothing known: what the model knows and what the Dataset has."""
    time = pd.date_range("2000-01-01", periods=2)
    ds = xr.Dataset({"rain_a": ("time", [1.0, 2.0])}, coords={"time": time})
    text = problem(check(ds, requirements))
    assert text.startswith("no forcing found: the model knows precipitation, ")
    assert 'rename={"rain_a": "precipitation"}' in text


def test_no_time(basins: xr.Dataset, requirements: Requirements) -> None:
    """Another name of the time dimension is recognised."""
    text = problem(check(basins.rename(time="valid_time"), requirements))
    assert text.endswith('ds.rename({"valid_time": "time"})')
    text = problem(check(basins[["elev_mean"]], requirements))
    assert text.startswith("no dimension 'time' (the Dataset has 'basin')")


def test_hourly(basins: xr.Dataset, requirements: Requirements) -> None:
    """Rates are averaged, amounts summed, extremes kept."""
    hours = pd.date_range("2000-01-01", periods=basins.sizes["time"], freq="h")
    ds = basins.assign_coords(time=hours).rename(tas="tasmax")
    text = problem(check(ds, requirements))
    assert 'ds[["pr"]].resample(time="D").mean(' in text
    assert 'ds[["tasmax"]].resample(time="D").max(' in text
    ds["pr"] = ds["pr"].assign_attrs(units="mm")
    ds["ssrd"] = ds["pr"].assign_attrs(units="J m**-2")
    text = problem(check(ds, requirements))
    assert 'ds[["pr", "ssrd"]].resample(time="D").sum(' in text


def test_time_in_chunks(basins: xr.Dataset, requirements: Requirements) -> None:
    """Never silently rechunked."""
    report = check(basins.chunk({"time": 500}), requirements)
    assert problem(report).startswith("'pr', 'tas': in several chunks along time")
    assert check(basins.chunk({"time": -1, "basin": 2}), requirements).ok


def test_extra_dimension(basins: xr.Dataset, requirements: Requirements) -> None:
    """A dimension that only some forcings have, and one too many for all."""
    level = basins["tas"].expand_dims(level=[1000, 850])
    text = problem(check(basins.assign(tas=level), requirements))
    assert "'level' is one of 'tas' but not of 'pr'" in text
    assert "ds.isel(level=0, drop=True)" in text


def test_ensembles_are_sites(basins: xr.Dataset, requirements: Requirements) -> None:
    """As many site dimensions as there are."""
    wide = basins.expand_dims(scenario=["a", "b"], member=[0, 1, 2])
    report = check(wide, requirements)
    assert report.ok
    assert report.facts["Sites"] == "2 x 3 x 4 (scenario, member, basin)"


def test_attribute_with_layers(basins: xr.Dataset, requirements: Requirements) -> None:
    """An attribute on depth layers needs a choice."""
    clay = xr.DataArray(np.ones((3, 4)), dims=("depth", "basin"))
    text = problem(check(basins.assign(clay=clay), requirements))
    assert 'ds["clay"] = ds["clay"].isel(depth=0, drop=True)' in text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.array(["1", "2", "3", "4"]), "holds text where numbers belong (dtype <U1)"),
        (np.array(["1", None, "3", "4"], object), "holds objects or text"),
        (np.array([1, 2, 3, 4], "m8[ns]"), 'ds["clay"] / np.timedelta64(1, "D")'),
    ],
)
def test_no_numbers(
    basins: xr.Dataset, requirements: Requirements, values: np.ndarray, text: str
) -> None:
    """Strings, objects and durations where numbers belong."""
    report = check(basins.assign(clay=("basin", values)), requirements)
    assert text in problem(report)


def test_nothing_finite(basins: xr.Dataset, requirements: Requirements) -> None:
    """A required forcing without a value is a problem, another input a warning."""
    report = check(basins.assign(pr=basins["pr"] * np.nan), requirements)
    assert problem(report).startswith("precipitation: 'pr' holds not a single finite")
    report = check(basins.assign(elev_mean=basins["elev_mean"] * np.nan), requirements)
    assert report.ok
    assert report.warnings[0].startswith("elevation: 'elev_mean' holds not a single")


def test_validation_option(basins: xr.Dataset, requirements: Requirements) -> None:
    """Implausible values warn by default, may raise, may be ignored."""
    ds = basins.assign(tas=basins["tas"].assign_attrs(units="degC"))
    expected = 'are these K? Then pass units={"tas": "K"}'
    report = check(ds, requirements)
    assert report.ok
    assert expected in report.warnings[0]
    with set_options(validation="raise"):
        assert expected in problem(check(ds, requirements))
    with set_options(validation="ignore"):
        assert check(ds, requirements).warnings == []
    assert check(ds, requirements, units={"tas": "K"}).warnings == []


def test_unknown_latitude(basins: xr.Dataset, requirements: Requirements) -> None:
    """Without latitude PET is missing, and the report says why."""
    report = check(basins.drop_vars("gauge_lat"), requirements)
    assert report.ok
    assert "latitude of the sites is unknown" in report.warnings[0]
    assert report.facts["Latitude"] == "unknown, so no PET from it"
    pet = row(report, "potential_evapotranspiration")
    assert pet[:2] == ("could be derived with latitude", "missing")
    assert row(report, "aridity")[1] == "missing"
    assert row(report, "p_mean")[1] == "derived"


def test_projected_latitude(basins: xr.Dataset, requirements: Requirements) -> None:
    """Metres in a coordinate called lat are noticed."""
    ds = basins.assign_coords(gauge_lat=("basin", [4e6, 5e6, 45, 46]))
    report = check(ds, requirements)
    assert report.ok
    assert "'gauge_lat' has values beyond the poles" in report.warnings[0]


def test_short_records(basins: xr.Dataset, requirements: Requirements) -> None:
    """Climate attributes need three complete years."""
    report = check(basins.isel(time=slice(0, 730)), requirements)
    found, how, _ = row(report, "p_mean")
    assert (found, how) == ("needs 3 complete years, the record has 2.0", "missing")


def test_gaps_are_reported(basins: xr.Dataset, requirements: Requirements) -> None:
    """Missing days are no problem."""
    report = check(basins.drop_isel(time=[5, 6, 7]), requirements)
    assert report.ok
    assert report.facts["Days"].endswith("1458 days, 3 missing days are inserted")


def test_hidden_variables(basins: xr.Dataset) -> None:
    """A masked variable is not read, not even its units."""
    clay = VariableSpec("clay", "percent", group="soil")
    ds = basins.assign(clay_frac=("basin", [1.0, 2, 3, 4], {"units": "nonsense"}))
    weights = Requirements((RAIN,), (clay,), masked=frozenset({"clay"}))
    report = check(ds, weights)
    assert report.ok
    assert row(report, "clay")[1] == "hidden"
    assert "clay_frac" in report.ignored


def test_variables_taken_as_they_are(basins: xr.Dataset) -> None:
    """Without units: exact name only, no conversion, no check, no derivation."""
    names = ("P", "temperature", "pr")
    weights = Requirements(tuple(VariableSpec(name, None) for name in names))
    ds = basins.assign(P=basins["pr"].assign_attrs(units="nonsense"))
    report = check(ds, weights)
    assert report.ok
    assert row(report, "P") == ("P", "name", "as they are")
    assert row(report, "temperature")[1] == "missing"
    assert row(report, "pr") == ("pr", "name", "as they are")


def test_static_dataset() -> None:
    """A head that needs no forcing takes a Dataset without time."""
    elevation = VariableSpec("elevation", "m", group="topography")
    ds = xr.Dataset({"dem": (("y", "x"), np.ones((2, 3)))})
    assert not check(ds, Requirements((RAIN,), (elevation,))).ok
    report = check(ds, Requirements((RAIN,), (elevation,), static=True))
    assert report.ok
    assert report.facts["Sites"] == "2 x 3 (y, x)"


def test_nothing_is_computed(
    basins: xr.Dataset,
    requirements: Requirements,
    no_compute: Callable[[], AbstractContextManager[None]],
) -> None:
    """Not of dask arrays, whatever their chunks."""
    with no_compute():
        report = check(basins.chunk({"basin": 1}), requirements)
    assert report.ok
    assert report.facts["Data"] == "lazy, chunks: 4 along basin"


def test_nothing_is_read_from_files(
    basins: xr.Dataset, requirements: Requirements, tmp_path: Path
) -> None:
    """Not of an opened file either."""
    path = tmp_path / "basins.nc"
    basins.to_netcdf(path)
    with xr.open_dataset(path) as ds:
        assert check(ds, requirements).ok
        assert not ds["pr"].variable._in_memory


def test_only_datasets(requirements: Requirements) -> None:
    """A DataArray is refused with the way out."""
    with pytest.raises(InputError, match=r"DataArray was passed.*\.to_dataset"):
        check(xr.DataArray([1.0]), requirements)  # type: ignore[arg-type]


def test_real_files(real_data: Path, requirements: Requirements) -> None:
    """Real files of five sources are understood without help."""
    expected = {
        "uscrn_soil_moisture.nc": ("prcp", "tavg", "srad", "rh_avg"),
        "drb_hru_forcing.nc": ("prcp", "temperature_max, temperature_min", "", ""),
        "grid_era5land_quebec.nc": ("prcp", "temperature_max, temperature_min", "", ""),
    }
    for file, sources in expected.items():
        with xr.open_dataset(real_data / file) as ds:
            report = check(ds, requirements)
        assert report.ok, report
        names = ("precipitation", "temperature", "shortwave_radiation")
        for name, source in zip((*names, "relative_humidity"), sources, strict=True):
            assert row(report, name)[0].startswith(source)
        assert row(report, "potential_evapotranspiration")[1] == "derived"


def test_caravan(real_data: Path, requirements: Requirements) -> None:
    """Caravan's names, its kPa, and its unusable potential evaporation."""
    with xr.open_dataset(real_data / "caravan_100d.nc") as file:
        ds = file.isel(basin=slice(0, 50)).rename(day="time")
    ds = ds.assign_coords(time=pd.date_range("1981-01-01", periods=100))
    report = check(ds, requirements)
    assert report.ok, report
    assert row(report, "surface_pressure")[2] == "kPa -> Pa"
    assert row(report, "relative_humidity")[1] == "derived"
    assert row(report, "potential_evapotranspiration")[1] == "derived"
    assert "several times too high" in report.ignored["potential_evaporation_sum"]


NAMES = st.sampled_from(
    ["pr", "tp", "tas", "precipitation", "elev", "time", "lat", "y", "geometry", 3]
)
DIMS = st.lists(
    st.sampled_from(["time", "basin", "lat", "y", "x", 7]), unique=True, max_size=4
)
DTYPES = st.sampled_from(["f4", "i2", "i8", "?", "U3", "O", "M8[ns]", "m8[ns]", "c8"])
UNITS = st.sampled_from([{}, {"units": "mm"}, {"units": "((("}, {"units": 1}])


@given(st.lists(st.tuples(NAMES, DIMS, DTYPES, UNITS), max_size=5), st.integers(0, 2))
def test_any_dataset_can_be_checked(
    requirements: Requirements,
    variables: list[tuple[Hashable, list[Hashable], str, dict[str, Any]]],
    size: int,
) -> None:
    """A check raises nothing, whatever it is given, and can be shown."""
    used = {dim for _, dims, _, _ in variables for dim in dims}
    ds = xr.Dataset()
    for name, dims, dtype, attrs in variables:
        if name not in used or dims == [name]:
            values = np.zeros((size,) * len(dims), dtype=dtype)
            ds = ds.assign({name: (dims, values, attrs)})
    report = check(ds, requirements)
    assert str(report)
    assert report._repr_html_()
    assert not report.ok or "pr" in ds or "tp" in ds or "precipitation" in ds


def test_stacked_grid(basins: xr.Dataset, requirements: Requirements) -> None:
    """A stacked dimension keeps its latitudes as levels of the index."""
    ds = basins[["pr", "tas"]].assign_coords(basin=[40.0, 50, 60, 65])
    ds = ds.drop_vars("gauge_lat").rename(basin="lat").expand_dims(lon=[1.0, 2.0])
    report = check(ds.stack(site=("lat", "lon")), requirements)
    assert report.ok
    assert report.facts["Latitude"] == "lat"
    assert report.facts["Sites"] == "8 (site)"


def test_a_missing_input_says_from_what_it_could_be_derived() -> None:
    """Potential evapotranspiration is wanted, and only the latitude is lacking."""
    time = pd.date_range("2000-01-01", periods=30)
    ds = xr.Dataset(
        {"tas": ("time", np.full(30, 8.0), {"units": "degC"})}, coords={"time": time}
    )
    pet = VariableSpec("potential_evapotranspiration", "mm d-1")
    asked = Requirements(
        forcing=(WARM, pet),
        attributes=(),
        required=(("potential_evapotranspiration",),),
    )
    assert "it could be derived with latitude" in problem(check(ds, asked))
    assert check(ds.assign_coords(lat=47.0), asked).ok


def test_nothing_but_fill_values(
    basins: xr.Dataset, requirements: Requirements
) -> None:
    """A required forcing of 1e20 everywhere is no forcing."""
    filled = xr.full_like(basins["pr"], 1e20)
    text = problem(check(basins.assign(pr=filled), requirements))
    assert "not a single finite value but fill values" in text


def test_a_latitude_that_is_none(
    basins: xr.Dataset, requirements: Requirements
) -> None:
    """Text or a wrong dimension: said, not dropped without a word."""
    text = basins.assign_coords(gauge_lat=("basin", ["45 N"] * 4))
    assert "'gauge_lat' holds <U4 values" in check(text, requirements).warnings[0]
    bare = basins.drop_vars("gauge_lat")
    other = bare.assign_coords(lat=("time", np.full(basins.sizes["time"], 45.0)))
    assert "'lat' has the dims ('time',)" in check(other, requirements).warnings[0]
