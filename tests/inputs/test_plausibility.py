"""Values that cannot be meant as labelled are noticed, and only those."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstefaland.inputs.plausibility import implausible, in_catalogue_units, sample
from xstefaland.inputs.requirements import VariableSpec

RNG = np.random.default_rng(0)
KELVIN = RNG.normal(285, 8, 1000)
RAIN = np.where(RNG.random(1000) < 0.4, RNG.gamma(1, 8, 1000), 0)
VARIABLES = {
    "temperature": VariableSpec(
        "temperature", "degC", mean=10, std=11, minimum=-50, maximum=40
    ),
    "precipitation": VariableSpec(
        "precipitation",
        "mm d-1",
        mean=0.6,
        std=0.9,
        transform="log1p",
        minimum=0,
        maximum=300,
    ),
    "relative_humidity": VariableSpec(
        "relative_humidity", "percent", mean=70, std=18, minimum=3, maximum=100
    ),
    "surface_pressure": VariableSpec(
        "surface_pressure", "Pa", mean=94000, std=6000, minimum=52000, maximum=104000
    ),
    "shortwave_radiation": VariableSpec(
        "shortwave_radiation", "W m-2", mean=170, std=95, minimum=0, maximum=420
    ),
    "elevation": VariableSpec(
        "elevation", "m", mean=600, std=700, minimum=2, maximum=4500
    ),
    "high_prec_freq": VariableSpec(
        "high_prec_freq", "d yr-1", mean=20, std=4, minimum=7.9, maximum=33
    ),
    "frac_forest": VariableSpec(
        "frac_forest", "1", mean=0.5, std=0.3, minimum=0, maximum=1
    ),
}


@pytest.mark.parametrize(
    ("name", "values", "label", "likely"),
    [
        ("temperature", KELVIN, "degC", "K"),
        ("precipitation", RAIN / 86400, "mm d-1", "kg m-2 s-1"),
        ("precipitation", RAIN / 1000, "mm d-1", "m d-1"),
        ("relative_humidity", RNG.uniform(30, 100, 100), "1", "percent"),
        ("surface_pressure", RNG.normal(950, 20, 100), "Pa", "hPa"),
        ("surface_pressure", RNG.normal(95, 2, 100), "Pa", "kPa"),
        ("shortwave_radiation", RNG.uniform(2e6, 3e7, 100), "W m-2", "J m-2 d-1"),
        ("frac_forest", RNG.uniform(5, 100, 10), "1", "percent"),
        ("high_prec_freq", RNG.uniform(0.03, 0.08, 10), "d yr-1", "1"),  # Caravan
    ],
)
def test_likely_mistakes(
    name: str, values: np.ndarray, label: str, likely: str
) -> None:
    """The warning names the variable, its units and the call that corrects them."""
    text = implausible(values, VARIABLES[name], source="x", units=label)
    assert text is not None
    assert text.startswith(f"{name}: 'x' (median")
    assert text.endswith(f'are these {likely}? Then pass units={{"x": "{likely}"}}')
    assert implausible(values, VARIABLES[name], units=likely) is None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("temperature", KELVIN - 273.15),
        ("temperature", np.array([-45.0, -44.0])),
        ("precipitation", RAIN),
        ("precipitation", np.zeros(365)),
        ("precipitation", np.array([250.0])),
        ("elevation", np.array([4900.0])),
        ("surface_pressure", np.full(10, 55000.0)),
        ("temperature", np.full(10, np.nan)),
    ],
)
def test_extremes_are_no_mistake(name: str, values: np.ndarray) -> None:
    """Deserts, high mountains, cold spells and gaps are left alone."""
    assert implausible(values, VARIABLES[name]) is None


def test_far_from_training() -> None:
    """Possible values that the model never saw, without a unit that explains them."""
    variable = VariableSpec(
        "wind_speed", "m s-1", mean=3, std=1.5, minimum=0, maximum=20
    )
    text = implausible(np.full(100, 45.0), variable)
    assert text is not None
    assert "in m s-1 is far from the values seen in training" in text
    assert "check the units 'm s-1'" in text


def test_single_outliers_are_tolerated() -> None:
    """One impossible value among many is left to the model's scaling."""
    values = np.append(np.full(1000, 200.0), 1200.0)
    assert implausible(values, VARIABLES["shortwave_radiation"]) is None


@pytest.mark.parametrize(
    "variable", [VariableSpec("temperature", None), VariableSpec("mine", "degC")]
)
def test_values_taken_as_they_are(variable: VariableSpec) -> None:
    """No range is known outside the catalogue, or without units."""
    assert implausible(np.array([1e9]), variable) is None


def test_catalogue_ranges_alone() -> None:
    """Without training statistics the valid range still counts."""
    variable = in_catalogue_units("temperature")
    assert implausible(KELVIN, variable) is not None
    assert implausible(KELVIN - 273.15, variable) is None


@given(st.tuples(st.integers(1, 3000), st.integers(1, 80), st.integers(1, 80)))
def test_samples_are_small_and_not_empty(shape: tuple[int, int, int]) -> None:
    """At most about 100 000 values, taken without copying."""
    values = np.broadcast_to(np.float32(0), shape)
    part = sample(values)
    assert 0 < part.size <= 150_000
    assert part.base is not None


YEARS = 4 * 365
SEASON = 12 + 10 * np.sin(2 * np.pi * np.arange(YEARS) / 365) + RNG.normal(0, 3, YEARS)
SHOWERS = np.where(RNG.random(YEARS) < 0.4, RNG.gamma(0.8, 9, YEARS), 0)
CLOUDS = RNG.uniform(0.6, 1, YEARS)
SUN = 180 + 110 * np.sin(2 * np.pi * np.arange(YEARS) / 365) * CLOUDS


@pytest.mark.parametrize(
    ("name", "values", "label", "likely"),
    [
        ("temperature", SEASON * 1.8 + 32, "degC", "degF"),
        ("precipitation", SHOWERS * 30, "mm d-1", "mm month-1"),
        ("precipitation", SHOWERS / 25.4, "mm d-1", "inch d-1"),
        ("precipitation", SHOWERS * 10, "mm d-1", "0.1 mm d-1"),
        ("precipitation", SHOWERS / 1000, "mm d-1", "m d-1"),
        ("precipitation", SHOWERS / 24, "mm", "mm h-1"),
        ("precipitation", SHOWERS / 24000, "m", "m h-1"),
        ("shortwave_radiation", SUN * 86400 / 24, "J m-2", "J m-2 h-1"),
    ],
)
def test_likely_mistakes_of_a_record(
    name: str, values: np.ndarray, label: str, likely: str
) -> None:
    """A year or more tells by its mean, rain by its wettest day."""
    text = implausible(values, VARIABLES[name], source="x", units=label)
    assert text is not None
    options = text[text.index("are these") : text.index("?")]
    assert likely in options.removeprefix("are these ").split(" or ")
    assert implausible(values, VARIABLES[name], units=likely) is None


@pytest.mark.parametrize(
    ("values", "label"),
    [
        (SHOWERS, "m"),
        (SHOWERS, "kg m-2 s-1"),
        (np.append(SHOWERS, np.full(300, -9999.0)), "m"),
    ],
)
def test_millimetres_under_another_label(values: np.ndarray, label: str) -> None:
    """Wet days are beyond the range of the wrong label, and still tell of the right."""
    text = implausible(values, VARIABLES["precipitation"], source="x", units=label)
    assert text is not None
    assert "mm d-1" in text[text.index("are these") : text.index("?")]
    assert 'units={"x": "mm d-1"}' in text


def test_no_single_call_where_several_fit() -> None:
    """Inches labelled mm could be hourly means as well: nobody is told which."""
    text = implausible(
        SHOWERS / 25.4, VARIABLES["precipitation"], source="x", units="mm"
    )
    assert text is not None
    assert "Then pass" not in text
    for unit in ("mm h-1", "inch d-1"):
        assert f'units={{"x": "{unit}"}}' in text


def test_a_known_fill_is_no_mistaken_unit() -> None:
    """One height of three, or all of them, were not known."""
    some = np.array([-9999.0, 500.0, 900.0])
    assert implausible(some, VARIABLES["elevation"]) is None
    assert implausible(np.full(3, -9999.0), VARIABLES["elevation"]) is None
    packed = np.full(3, -99.9, np.float32)
    assert implausible(packed, VARIABLES["precipitation"]) is None


def test_a_leaf_area_is_no_percentage() -> None:
    """Its units are 1, and it is no share of anything."""
    text = implausible(np.full(9, 40.0), in_catalogue_units("lai_max"))
    assert text is not None
    assert "percent" not in text


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("precipitation", np.where(np.arange(YEARS) % 400 == 0, 12.0, 0.0)),  # desert
        ("precipitation", SHOWERS * 3.5),  # a rainforest, 10 mm a day
        ("precipitation", np.zeros(YEARS)),
        ("temperature", SEASON + 16),
        ("shortwave_radiation", np.maximum(SUN - 110, 0)),  # polar
    ],
)
def test_extreme_climates_are_no_mistake(name: str, values: np.ndarray) -> None:
    """Deserts, rainforests and polar nights."""
    assert implausible(values, VARIABLES[name]) is None
