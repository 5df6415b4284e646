"""Prepared arrays: right values, lazy where the input is, the same for any layout."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from xstefaland import set_options
from xstefaland.errors import InputError, MissingVariableError
from xstefaland.inputs.chunk import Assembly, ChunkTask, ResultColumn, input_arrays
from xstefaland.inputs.days import Days
from xstefaland.inputs.formulas.climate import climate_indices
from xstefaland.inputs.formulas.pet import oudin
from xstefaland.inputs.hints import Hints
from xstefaland.inputs.prepare import Prepared, prepare
from xstefaland.inputs.readings import Reading
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.units import conversion

RAIN = VariableSpec("precipitation", "mm d-1")
WARM = VariableSpec("temperature", "degC")
PET = VariableSpec("potential_evapotranspiration", "mm d-1")
WET = VariableSpec("relative_humidity", "percent")
MOMENT = np.datetime64("2003-01-01")
SMALL = Requirements(
    (RAIN, WARM, WET, PET),
    (
        VariableSpec("elevation", "m", group="topography"),
        VariableSpec("aridity", "1", group="climate"),
        VariableSpec("clay", "percent", group="soil"),
    ),
    (("precipitation",),),
)


def values(prepared: Prepared, name: str) -> np.ndarray:
    """One forcing, site dims first."""
    return prepared.forcing.sel(variable=name).values


def assert_same(first: Prepared, second: Prepared) -> None:
    """All arrays and labels are identical."""
    for name in ("forcing", "attributes", "latitude"):
        xr.testing.assert_identical(getattr(first, name), getattr(second, name))
    assert first.time.equals(second.time)
    assert first.site_dims == second.site_dims


@pytest.fixture(scope="module")
def grid() -> xr.Dataset:
    """A 3 x 4 grid over 1100 days, time first, with some missing values."""
    rng = np.random.default_rng(1)
    time = pd.date_range("1999-07-01T12", periods=1100)
    shape = (1100, 3, 4)
    dims = ("time", "lat", "lon")
    rain = rng.gamma(0.5, 6, shape).astype(np.float32)
    rain[rng.random(shape) < 0.01] = np.nan
    return xr.Dataset(
        {
            "tp": (dims, rain / 1000, {"units": "m"}),
            "t2m": (dims, rng.normal(283, 8, shape), {"units": "K"}),
            "d2m": (dims, rng.normal(278, 6, shape), {"units": "K"}),
            "elevation": (("lat", "lon"), rng.uniform(0, 900, (3, 4))),
        },
        coords={"time": time, "lat": [40.0, 50, 60], "lon": [0.0, 1, 2, 3]},
    )


def test_layout(basins: xr.Dataset, requirements: Requirements) -> None:
    """Dims, dtype, order of variables, and NaN for what is missing."""
    prepared = prepare(basins, requirements)
    assert prepared.forcing.dims == ("basin", "time", "variable")
    assert prepared.attributes.dims == ("basin", "attribute")
    assert prepared.latitude.dims == ("basin",)
    assert prepared.site_dims == ("basin",)
    for array in (prepared.forcing, prepared.attributes, prepared.latitude):
        assert array.dtype == np.float32
        assert array.attrs == {}
    names = [variable.name for variable in requirements.forcing]
    assert prepared.forcing["variable"].values.tolist() == names
    assert np.isnan(values(prepared, "shortwave_radiation")).all()
    assert prepared.time.equals(basins.indexes["time"])
    assert prepared.examination.report.ok


def test_values(basins: xr.Dataset, requirements: Requirements) -> None:
    """Converted and derived values equal the plain formulas."""
    prepared = prepare(basins, requirements)
    rain, warm = basins["pr"].values * 86400, basins["tas"].values - 273.15
    dates = pd.DatetimeIndex(basins["time"].values)
    pet = oudin(warm, basins["gauge_lat"].values, dates.day_of_year)
    np.testing.assert_allclose(values(prepared, "precipitation"), rain, rtol=1e-6)
    np.testing.assert_allclose(values(prepared, "temperature"), warm, atol=1e-5)
    np.testing.assert_allclose(
        values(prepared, "potential_evapotranspiration"), pet, atol=1e-5
    )
    for name, expected in climate_indices(rain, warm, pet, dates).items():
        given = prepared.attributes.sel(attribute=name)
        np.testing.assert_allclose(given, expected, rtol=2e-4, err_msg=name)


def test_input_is_untouched(basins: xr.Dataset, requirements: Requirements) -> None:
    """Nothing is written into the user's arrays, infinities included."""
    basins["pr"].values[0, 0] = np.inf
    before = basins.copy(deep=True)
    prepared = prepare(basins, requirements)
    xr.testing.assert_identical(basins, before)
    assert np.isnan(values(prepared, "precipitation")[0, 0])
    same = basins.assign(
        pr=(basins["pr"] * 86400).astype("f4").assign_attrs(units="mm")
    )
    before = same.copy(deep=True)
    prepare(same, requirements).forcing[:] = 0
    xr.testing.assert_identical(same, before)


def test_lazy_equals_eager(
    grid: xr.Dataset, no_compute: Callable[[], AbstractContextManager[None]]
) -> None:
    """Identical values and labels, site chunks kept, nothing computed."""
    eager = prepare(grid, SMALL)
    with no_compute():
        lazy = prepare(grid.chunk({"lat": 2, "lon": 3, "time": -1}), SMALL)
    assert lazy.forcing.chunks == ((2, 1), (3, 1), (1100,), (4,))
    assert lazy.attributes.chunks == ((2, 1), (3, 1), (3,))
    assert lazy.latitude.chunks == ((2, 1), (3, 1))
    assert_same(eager, lazy)
    assert not np.isnan(eager.attributes.sel(attribute="aridity")).any()


@settings(max_examples=15)
@given(
    order=st.permutations(["time", "lat", "lon"]),
    chunks=st.tuples(st.integers(1, 3), st.integers(1, 4)),
    sites=st.permutations(range(4)),
    lazy=st.sampled_from([("tp", "t2m", "d2m"), ("tp",), ("d2m", "elevation")]),
)
def test_any_layout(
    grid: xr.Dataset,
    order: list[str],
    chunks: tuple[int, int],
    sites: list[int],
    lazy: tuple[str, ...],
) -> None:
    """Order of dims and sites, chunks, some variables lazy and others not."""
    ds = grid.isel(lon=sites).transpose(*order)
    size = dict(zip(("lat", "lon"), chunks, strict=True))
    ds = ds.assign(
        {n: ds[n].chunk({d: size.get(str(d), -1) for d in ds[n].dims}) for n in lazy}
    )
    result, expected = prepare(ds, SMALL), prepare(grid.isel(lon=sites), SMALL)
    dims = tuple(dim for dim in order if dim != "time")
    assert result.site_dims == dims
    for name in ("forcing", "attributes", "latitude"):
        one, other = getattr(result, name), getattr(expected, name)
        assert one.dims[:2] == dims
        xr.testing.assert_identical(one.compute().transpose(*other.dims), other)


def test_differently_chunked_variables(
    grid: xr.Dataset, no_compute: Callable[[], AbstractContextManager[None]]
) -> None:
    """Chunks of the variables are brought together."""
    ds = grid.assign(tp=grid["tp"].chunk(lat=1), t2m=grid["t2m"].chunk(lat=2, lon=2))
    with no_compute():
        lazy = prepare(ds, SMALL)
    np.testing.assert_array_equal(lazy.forcing, prepare(grid, SMALL).forcing)


def test_gaps_become_days(grid: xr.Dataset) -> None:
    """Left-out days come back as NaN, in every variable; the rest is unchanged."""
    full, gap = prepare(grid, SMALL), [3, 4, 5, 700]
    for ds in (
        grid.drop_isel(time=gap),
        grid.drop_isel(time=gap).chunk(lat=1, time=-1),
    ):
        result = prepare(ds, SMALL)
        assert result.forcing["time"].equals(full.forcing["time"])
        assert len(result.time) == 1096
        days = np.delete(np.arange(1100), gap)
        np.testing.assert_array_equal(
            result.forcing.values[..., days, :], full.forcing.values[..., days, :]
        )
        assert np.isnan(result.forcing.values[..., gap, :]).all()


def test_noon_stamps(grid: xr.Dataset) -> None:
    """Stamps at noon stand for their day."""
    prepared = prepare(grid, SMALL)
    assert prepared.time[0] == pd.Timestamp("1999-07-01")
    assert prepared.forcing.indexes["time"].equals(prepared.time)


def test_single_site(grid: xr.Dataset) -> None:
    """No site dims at all, scalar latitude and elevation."""
    one = grid.isel(lat=1, lon=2)
    prepared = prepare(one, SMALL)
    assert prepared.forcing.dims == ("time", "variable")
    assert prepared.attributes.dims == ("attribute",)
    assert prepared.latitude == 50
    whole = prepare(grid, SMALL)
    np.testing.assert_array_equal(prepared.forcing, whole.forcing[1, 2])
    np.testing.assert_allclose(prepared.attributes, whole.attributes[1, 2], rtol=1e-6)
    lazy = prepare(one.chunk(time=-1), SMALL)
    np.testing.assert_array_equal(lazy.forcing, prepared.forcing)


def test_constant_attribute(grid: xr.Dataset) -> None:
    """A scalar attribute holds for all sites."""
    prepared = prepare(grid.assign(clay=((), 21.0, {"units": "%"})), SMALL)
    assert (prepared.attributes.sel(attribute="clay") == 21).all()


def test_humidity_is_derived(grid: xr.Dataset) -> None:
    """From the dewpoint, within 0 and 100 percent."""
    wet = values(prepare(grid, SMALL), "relative_humidity")
    assert ((wet >= 0) & (wet <= 100)).all()
    saturated = (grid["d2m"] >= grid["t2m"]).transpose("lat", "lon", "time")
    np.testing.assert_array_equal(wet == 100, saturated)


def test_units_of_the_weights(basins: xr.Dataset) -> None:
    """A weights file may work in other units than the catalogue."""
    weights = Requirements(
        (VariableSpec("temperature", "K"), VariableSpec("precipitation", "m d-1")),
        (VariableSpec("temperature_range", "K"),),
    )
    prepared = prepare(basins, weights)
    np.testing.assert_allclose(
        values(prepared, "temperature"), basins["tas"], rtol=1e-6
    )
    rain = basins["pr"] * 86.4
    np.testing.assert_allclose(values(prepared, "precipitation"), rain, rtol=1e-5)
    spread = prepared.attributes.sel(attribute="temperature_range")
    assert ((spread > 10) & (spread < 30)).all()


def test_values_taken_as_they_are(basins: xr.Dataset) -> None:
    """Without units: no conversion, whatever the Dataset states, also of attributes."""
    weights = Requirements(
        (VariableSpec("tas", None), VariableSpec("mine", "m")),
        (VariableSpec("elev_mean", None), VariableSpec("gauge_lat", None)),
    )
    ds = basins.assign(mine=basins["pr"].assign_attrs(units="furlong"))
    prepared = prepare(ds, weights)
    np.testing.assert_array_equal(values(prepared, "tas"), ds["tas"].astype("f4"))
    np.testing.assert_array_equal(values(prepared, "mine"), ds["mine"].astype("f4"))
    np.testing.assert_array_equal(prepared.attributes[:, 0], ds["elev_mean"])


def test_masked_variables_are_hidden(basins: xr.Dataset) -> None:
    """NaN even when given."""
    weights = replace(SMALL, masked=frozenset({"elevation", "temperature"}))
    prepared = prepare(basins, weights)
    assert np.isnan(values(prepared, "temperature")).all()
    assert np.isnan(prepared.attributes.sel(attribute="elevation")).all()
    assert not np.isnan(values(prepared, "precipitation")).any()


@pytest.mark.parametrize("dims", [(), ("profile",), ("y", "x")])
def test_static(dims: tuple[str, ...]) -> None:
    """Without time: no days, attributes and latitude only."""
    weights = replace(SMALL, required=(), static=True)
    shape = (2, 3)[: len(dims)]
    ds = xr.Dataset(
        {"dem": (dims, np.ones(shape))}, coords={"lat": (dims, np.full(shape, 45.0))}
    )
    prepared = prepare(ds, weights)
    assert prepared.forcing.shape == (*shape, 0, 4)
    assert prepared.attributes.shape == (*shape, 3)
    assert (prepared.attributes.sel(attribute="elevation") == 1).all()
    assert (prepared.latitude == 45).all()
    assert len(prepared.time) == 0


def test_all_problems_in_one_error(grid: xr.Dataset) -> None:
    """One InputError that lists everything."""
    bad = grid.isel(time=[2, 1]).drop_vars("tp")
    bad["t2m"].attrs.clear()
    with pytest.raises(InputError, match=r"\(3 problems\)") as caught:
        prepare(bad, SMALL)
    for part in ("time is not sorted", "no units stated for 't2m'", "required input"):
        assert part in str(caught.value)


def test_only_missing(grid: xr.Dataset) -> None:
    """A missing required input alone is a KeyError too, and prints unquoted."""
    with pytest.raises(MissingVariableError, match=r"^the Dataset cannot be used: req"):
        prepare(grid.drop_vars("tp"), SMALL)


def test_warnings_are_issued(grid: xr.Dataset) -> None:
    """Suspicious values warn once they are used."""
    grid = grid.assign(t2m=grid["t2m"].assign_attrs(units="degC"))
    with pytest.warns(UserWarning, match="are these K"):
        prepare(grid, SMALL)


def test_values_in_files_are_checked(grid: xr.Dataset, tmp_path: Path) -> None:
    """What is read for the first time is checked before it is used."""
    path = tmp_path / "grid.nc"
    grid.assign(t2m=grid["t2m"].assign_attrs(units="degC")).to_netcdf(path)
    with xr.open_dataset(path) as ds, pytest.warns(UserWarning, match="are these K"):
        prepared = prepare(ds, SMALL)
    assert prepared.forcing.chunks is None


def test_empty_site_among_others(basins: xr.Dataset) -> None:
    """A site without data is NaN, and changes nothing for the others."""
    full = prepare(basins, SMALL)
    basins["pr"].values[1] = basins["tas"].values[1] = np.nan
    part = prepare(basins, SMALL)
    assert np.isnan(part.forcing[1]).all()
    np.testing.assert_array_equal(part.forcing[2], full.forcing[2])
    np.testing.assert_array_equal(part.attributes[2], full.attributes[2])


def test_blocks_travel() -> None:
    """What goes into a task graph can be pickled, and works afterwards."""
    days = Days.of(pd.DatetimeIndex(["2000-01-01", "2000-01-03"]))
    reading = Reading(
        "precipitation", "tp", RAIN, conversion("m", "mm d-1", daily=True)
    )
    columns = (ResultColumn("precipitation"), None)
    task = ChunkTask(Assembly((reading,), 1, (), days, columns), input_arrays, {})
    task = pickle.loads(pickle.dumps(task))
    assert task.__name__ == "input_arrays"
    forcing, attributes, latitude, rejected = task(np.array([[0.001, 0.002]]))
    assert rejected.tolist() == [0]
    assert attributes.shape == (1, 0)
    assert np.isnan(latitude).all()
    nan = np.nan
    np.testing.assert_allclose(forcing, [[[1, nan], [nan, nan], [2, nan]]])


def test_a_chunk_costs_few_tasks(grid: xr.Dataset) -> None:
    """The graph grows with the chunks, not with variables times operations."""
    few = prepare(grid.chunk(lat=3, lon=4, time=-1), SMALL).forcing
    many = prepare(grid.chunk(lat=1, lon=1, time=-1), SMALL).forcing
    added = len(dict(many.data.dask)) - len(dict(few.data.dask))
    # of four variables each is read and turned; elevation gains a dim; the rest is one
    # task for what is in memory, one for the inputs, two to take the forcing from them
    assert added / 11 <= 13


def lazily(ds: xr.Dataset, **chunks: int) -> xr.Dataset:
    """The same on dask arrays."""
    return ds.chunk({"time": -1, **chunks})


@pytest.mark.parametrize("lazy", [False, True])
def test_required_inputs_are_judged_by_site(basins: xr.Dataset, lazy: bool) -> None:
    """A site without any rain among others is NaN, in memory and in a chunk."""
    basins["pr"].values[2] = np.nan
    ds = lazily(basins, basin=1) if lazy else basins
    forcing = prepare(ds, SMALL).forcing.compute()
    assert np.isnan(forcing[2]).all()
    assert not np.isnan(forcing.sel(variable="temperature")[[0, 1, 3]]).any()


@pytest.mark.parametrize("lazy", [False, True])
def test_impossible_values_are_missing_and_counted(
    basins: xr.Dataset, lazy: bool
) -> None:
    """The same in memory and in a chunk, with one count a site."""
    basins["pr"].values[0, :5] = -9999
    basins["tas"].values[1, 7] = 1e20
    ds = lazily(basins, basin=2) if lazy else basins

    def run() -> tuple[xr.DataArray, xr.DataArray]:
        prepared = prepare(ds, SMALL)
        return prepared.forcing.compute(), prepared.rejected.compute()

    with pytest.warns(UserWarning, match="taken as missing"):
        forcing, rejected = run()
    assert np.isnan(forcing.sel(variable="precipitation")[0, :5]).all()
    assert np.isnan(forcing.sel(variable="temperature")[1, 7])
    assert rejected.values.tolist() == [5, 1, 0, 0]


def test_impossible_values_can_be_kept(basins: xr.Dataset) -> None:
    """A user who knows better says so; fills are no values even then."""
    basins["tas"].values[0, :2] = [400.0, 1e20]
    with set_options(out_of_range="keep", validation="ignore"):
        warm = prepare(basins, SMALL).forcing.sel(variable="temperature")
    np.testing.assert_allclose(warm[0, :2], [126.85, np.nan], rtol=1e-5)


def test_lazy_values_are_checked_where_they_are_computed(basins: xr.Dataset) -> None:
    """Kelvin labelled degC: one warning for all chunks, or an error when asked."""
    wrong = basins.assign(tas=basins["tas"].assign_attrs(units="degC"))
    prepared = prepare(lazily(wrong, basin=1), SMALL)
    with pytest.warns(UserWarning, match="are these K") as caught:
        prepared.forcing.compute()
    assert len(caught) == 1
    other = wrong.assign(tas=wrong["tas"] + 0.5)
    other["tas"].attrs = {"units": "degC"}
    with set_options(validation="raise"):
        prepared = prepare(lazily(other, basin=1), SMALL)
    with pytest.raises(InputError, match="are these K"):
        prepared.forcing.compute()


def test_climate_of_a_reference_period(basins: xr.Dataset) -> None:
    """Attributes come from the period alone, and the rest of the record is free."""
    period = slice("2000", "2002")
    hints = Hints(climate=period)
    part = prepare(basins.sel(time=period), SMALL).attributes
    whole = prepare(basins, SMALL, hints).attributes
    np.testing.assert_array_equal(part, whole)
    changed = basins.assign(pr=basins["pr"].where(basins["time"] < MOMENT, 0))
    np.testing.assert_array_equal(prepare(changed, SMALL, hints).attributes, whole)
    with pytest.raises(InputError, match=r"needs 3 complete years, climate= has 2\.0"):
        prepare(basins, SMALL, Hints(climate=slice("2000", "2001")))


def test_climate_from_a_table(basins: xr.Dataset) -> None:
    """Site by site, whatever their order; sites that it lacks have none."""
    table = xr.Dataset(
        {"aridity": ("basin", [2.0, 1.0, 0.5])}, coords={"basin": [13, 11, 14]}
    )
    got = prepare(basins, SMALL, Hints(climate=table)).attributes
    np.testing.assert_array_equal(got.sel(attribute="aridity"), [1, np.nan, 2, 0.5])
    none = prepare(basins, SMALL, Hints(climate="none")).attributes
    assert np.isnan(none.sel(attribute="aridity")).all()


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (xr.Dataset({"rain": ("basin", [1.0])}), "none of which is a climate"),
        (xr.Dataset({"aridity": ("gauge", [1.0])}), "'gauge' is none of the Dataset's"),
        (xr.Dataset({"aridity": ("basin", [1.0])}), "length 1 and no labels"),
    ],
)
def test_a_wrong_table_of_climate(
    basins: xr.Dataset, table: xr.Dataset, text: str
) -> None:
    """Each with what is needed."""
    with pytest.raises(InputError, match=text):
        prepare(basins, SMALL, Hints(climate=table))


@pytest.mark.parametrize(
    "latitude", ["where", 45.0, xr.DataArray([45.0] * 4, dims="basin")]
)
def test_latitude_is_given(basins: xr.Dataset, latitude: object) -> None:
    """By a name, a number or an array; without it PET is lost, and that is said."""
    bare = basins.drop_vars("gauge_lat")
    with pytest.warns(UserWarning, match=r"cannot be derived; pass latitude="):
        lost = prepare(bare, SMALL)
    assert np.isnan(values(lost, "potential_evapotranspiration")).all()
    ds = bare.assign_coords(where=("basin", [45.0] * 4))
    hints = Hints(latitude=latitude)  # type: ignore[arg-type]
    prepared = prepare(ds, SMALL, hints)
    assert (prepared.latitude == 45).all()
    assert not np.isnan(values(prepared, "potential_evapotranspiration")).any()


@pytest.mark.parametrize("latitude", ["nowhere", True, [45.0]])
def test_a_wrong_latitude(basins: xr.Dataset, latitude: object) -> None:
    """A name that is not there, or something else."""
    with pytest.raises(InputError, match="latitude="):
        prepare(basins, SMALL, Hints(latitude=latitude))  # type: ignore[arg-type]


def test_daymet_radiation_becomes_a_daily_mean(basins: xr.Dataset) -> None:
    """Times the length of the day, given or from the latitude."""
    asked = Requirements((VariableSpec("shortwave_radiation", "W m-2"),))
    light = xr.full_like(basins["tas"], 400.0).assign_attrs(units="W m-2")
    dayl = xr.full_like(basins["tas"], 43200.0).assign_attrs(units="s")
    ds = basins.assign(srad=light, dayl=dayl)
    assert (prepare(ds, asked).forcing == 200).all()
    said = ds.drop_vars("dayl")
    said["srad"].attrs["long_name"] = "daylight average radiation"
    got = prepare(said, asked).forcing
    assert 120 < got[1].min() < 160 < 240 < got[1].max() < 280  # 45 degrees north


def test_warnings_point_to_the_caller(basins: xr.Dataset) -> None:
    """Not into the package."""
    wrong = basins.assign(tas=basins["tas"].assign_attrs(units="degC"))
    with pytest.warns(UserWarning, match="are these K") as caught:
        prepare(wrong, SMALL)
    assert caught[0].filename == __file__


def test_derived_climate_stays_within_training(basins: xr.Dataset) -> None:
    """A desert of a few years is as dry as the driest place seen; given ones pass."""
    seen = VariableSpec("aridity", "1", group="climate", minimum=0.2, maximum=6.0)
    asked = Requirements((RAIN, WARM, PET), (seen,))
    dry = basins.assign(pr=basins["pr"] * 0.01)
    dry["pr"].attrs = basins["pr"].attrs
    given = dry.assign(aridity=("basin", [9.0] * 4, {"units": "1"}))
    with set_options(validation="ignore"):
        assert (prepare(dry, asked).attributes == 6).all()
        assert (prepare(given, asked).attributes == 9).all()
