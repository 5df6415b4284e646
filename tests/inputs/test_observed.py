"""Observations: units, limits, gaps, and what would tell a model the answer."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.inputs.examine import examine
from xstefaland.inputs.hints import Hints
from xstefaland.inputs.observed import (
    inputs_that_tell,
    observation_problems,
    observations,
)
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.testing import example_grid, example_points

RAIN = VariableSpec("precipitation", "mm d-1")
WARMTH = VariableSpec("temperature", "degC")
ASKED = Requirements((RAIN, WARMTH))
FLOW = VariableSpec("streamflow", "mm d-1", minimum=0.0)


def measured(
    values: object, units: str | None = "mm d-1", **attrs: object
) -> xr.Dataset:
    """Two sites, three days of weather, and some observed values."""
    ds = example_points(2, 3)
    if units is not None:
        attrs["units"] = units
    array = np.broadcast_to(np.asarray(values), (2, 3)).copy()
    return ds.assign(q=(("site", "time"), array, attrs))


def read(ds: xr.Dataset, wanted: VariableSpec = FLOW, **more: object) -> np.ndarray:
    """Values of the variable q, by site and day."""
    found = examine(ds.drop_vars("q"), ASKED)
    return observations(ds, "q", wanted, found, **more).values


@pytest.mark.parametrize(
    ("units", "wanted", "value", "expected"),
    [
        ("mm", FLOW, 2.0, 2.0),
        ("kg m-2 s-1", FLOW, 1e-4, 8.64),
        ("m/day", FLOW, 0.002, 2.0),
        ("K", VariableSpec("soil_temperature", "degC"), 283.15, 10.0),
        ("%", VariableSpec("soil_moisture", "m3 m-3"), 25.0, 0.25),
        ("cm", VariableSpec("snow_depth", "m"), 40.0, 0.4),
    ],
)
def test_units_become_those_of_the_target(units, wanted, value, expected):
    """An amount of a day is a rate; Kelvin have an offset; percent are hundredths."""
    np.testing.assert_allclose(
        read(measured(value, units), wanted), expected, rtol=1e-6
    )


@pytest.mark.parametrize("units", ["m3 s-1", "cfs", "ML/d", "l/s"])
def test_a_volume_is_refused_with_the_way_to_a_depth(units: str):
    """A discharge needs the basin's area: what the message says gives the depth."""
    ds = measured(2.0, units)
    with pytest.raises(InputError, match=r"'q'.*a volume becomes a depth") as error:
        read(ds)
    call = str(error.value).split("[km2]: ")[1]
    done = eval(call, {"ds": ds.assign(area=50.0)})
    daily = {"m3 s-1": 86400, "cfs": 86400 * 0.3048**3, "ML/d": 1e3, "l/s": 86.4}
    expected = 2 * daily[units] / 50e6 * 1000
    np.testing.assert_allclose(read(ds.assign(q=done)), expected, rtol=1e-6)


def test_units_must_be_stated_or_given():
    """Nothing is guessed; `units=` goes before what the Dataset says."""
    with pytest.raises(InputError, match=r"units=\{'q': 'mm d-1'\}"):
        read(measured(1.0, None))
    assert read(measured(1.0, "furlong"), units="m d-1")[0, 0] == 1000


def test_observations_beyond_the_limits_are_missing_and_told():
    """Moisture in percent that is labelled as a share is noticed."""
    moisture = VariableSpec("soil_moisture", "m3 m-3", minimum=0.0, maximum=0.65)
    with pytest.warns(UserWarning, match=r"66.67% .* \(such as 25\) .* 0.65 m3 m-3"):
        values = read(measured([0.2, 25.0, 30.0], "1"), moisture)
    np.testing.assert_array_equal(values[0], np.float32([0.2, np.nan, np.nan]))


@pytest.mark.parametrize("fill", [-9999.0, 1e20, np.inf])
def test_fill_values_are_missing_where_there_are_no_limits(fill):
    """No number that stands for missing is ever an observation."""
    warmth = VariableSpec("soil_temperature", "degC")
    values = read(measured([-5.0, fill, 5.0], "degC"), warmth)
    np.testing.assert_array_equal(np.isnan(values[1]), [False, True, False])


def test_a_fill_that_the_file_names_is_missing():
    """An attribute missing_value is heeded."""
    values = read(measured([1.0, 77.0, 2.0], missing_value=77.0))
    assert np.isnan(values[:, 1]).all()


def test_days_that_the_axis_leaves_out_are_missing():
    """The answer has every day from the first to the last."""
    ds = example_points(2, 9)
    ds["q"] = xr.ones_like(ds.precipitation).assign_attrs(units="mm d-1")
    values = read(ds.isel(time=[0, 1, 2, 3, 5, 6, 7, 8]))
    np.testing.assert_array_equal(np.isnan(values), [np.arange(9) == 4] * 2)


def test_everything_that_is_wrong_is_listed():
    """Text without units: two problems; without time it would be a static target."""
    ds = example_points(2, 3).assign(q=("site", ["a", "b"]))
    problems = "\n".join(observation_problems(ds, "q", FLOW))
    assert "text" in problems
    assert "dimension 'time'" not in problems
    assert "states no units" in problems


def test_a_name_that_is_not_there():
    """The message says what there is."""
    (problem,) = observation_problems(example_points(2, 3), "flow", FLOW)
    assert "observed='flow'" in problem
    assert "'elevation'" in problem


def test_packed_values_are_refused():
    """A scale factor that was not applied would scale the target."""
    (problem,) = observation_problems(measured(1.0, scale_factor=0.1), "q", FLOW)
    assert "xr.decode_cf" in problem


def test_a_dimension_that_the_weather_has_not():
    """One entry must be chosen."""
    ds = measured(1.0)
    ds["q"] = ds["q"].expand_dims(sensor=3)
    with pytest.raises(InputError, match=r"isel\(sensor=0, drop=True\)"):
        read(ds)


def test_grids_keep_the_order_of_the_weather():
    """Dims are the forcing's, whatever the order of the observations'."""
    ds = example_grid(2, 3, 4)
    q = ds.precipitation.transpose("lon", "time", "lat").assign_attrs(units="mm d-1")
    out = observations(ds.assign(q=q), "q", FLOW, examine(ds, ASKED))
    assert out.dims == ("lat", "lon", "time")
    np.testing.assert_array_equal(
        out.values, ds.precipitation.transpose("lat", "lon", "time")
    )


def test_a_single_site_and_one_observation_for_all():
    """No site dim at all; and a series without site dims counts for every site."""
    ds = measured([1.0, 2.0, 3.0])
    one = ds.isel(site=0, drop=True)
    np.testing.assert_array_equal(read(one), [1, 2, 3])
    shared = ds.assign(q=one.q)
    np.testing.assert_array_equal(read(shared), [[1, 2, 3]] * 2)


@pytest.mark.parametrize(
    ("name", "hints", "telling"),
    [
        ("swe", Hints(), {"snow_depth_water_equivalent"}),
        ("depth", Hints(), set()),
        ("depth", Hints({"depth": "snow_depth_water_equivalent"}),
         {"snow_depth_water_equivalent"}),
        ("relative_humidity", Hints(), {"relative_humidity", "vapour_pressure"}),
        ("temperature", Hints(), {"temperature", "vapour_pressure"}),
    ],
)  # fmt: skip
def test_inputs_that_tell_the_answer(name, hints, telling):
    """By alias, by `rename`, and what would be derived from the observed variable."""
    snow = VariableSpec("snow_depth_water_equivalent", "mm")
    humid = VariableSpec("relative_humidity", "percent")
    vapour = VariableSpec("vapour_pressure", "Pa")
    asked = Requirements((RAIN, WARMTH, snow, humid, vapour))
    ds = example_points(2, 3)
    share = xr.full_like(ds.precipitation, 50.0).assign_attrs(units="percent")
    depth = xr.full_like(ds.precipitation, 9.0).assign_attrs(units="mm")
    ds = ds.assign(relative_humidity=share)
    ds[name] = ds.get(name, depth)
    assert inputs_that_tell(ds, name, asked, hints) == telling
