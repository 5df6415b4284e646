"""Every Dataset gives an answer or one of our errors, however odd it is.

Each oddity changes one thing of a good Dataset; hypothesis puts several together.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xstefaland
from xstefaland.errors import XStefalandError
from xstefaland.testing import example_grid, example_points

Oddity = Callable[[xr.Dataset], xr.Dataset]

UNITS: list[Any] = [
    "1.2.3 mm", "", " ", "mm/", "((", None, 5, "mm d-1 ", "°C", "mm**", "kg m-2 s-1",
    "degrees_north", "\n", "1e999 mm", "mm^-9999999", "dB", "2000 mm", "[mm]", "{}",
    "days since 2000-01-01", ["mm"], float("nan"), b"mm", "mm d-1 mm d-1 K", "None",
    "mm/day (24h)", "10^-3 m d-1", "1/0 mm", "mm % 3", "lambda", "m" * 3000, "mm d⁻¹",
    "K @ 273.15", "0 mm", "-1 mm d-1", "mm d-1.5", "nan mm", "inf mm d-1", "mm d-1e3",
    True, 3 + 4j, np.array([1, 2]), ("mm",),
]  # fmt: skip
DTYPES = ["f8", "f2", "g", "i1", "u8", "?", "O", "c8", "M8[ns]", "m8[ns]", "S3", "U5"]
FILLS = [np.nan, np.inf, 1e20, -9999.0, 3.4e38, 65535.0, 0.0]
NAMES = ["embedding", "year", "variable", "attribute", "once"]
TIMES: dict[str, Callable[[int], Any]] = {
    "duplicated": lambda n: pd.date_range("2000-01-01", periods=n)[np.arange(n) // 2],
    "hourly": lambda n: pd.date_range("2000-01-01", periods=n, freq="h"),
    "weekly": lambda n: pd.date_range("2000-01-01", periods=n, freq="7D"),
    "of 36 hours": lambda n: pd.date_range("2000-01-01", periods=n, freq="36h"),
    "none": lambda n: pd.DatetimeIndex([pd.NaT] * n),
    "text": lambda n: [str(day) for day in pd.date_range("2000-01-01", periods=n)],
    "integers": lambda n: np.arange(n),
    "fractions": lambda n: np.arange(n) / 7,
    "differences": lambda n: pd.timedelta_range("0D", periods=n),
    "periods": lambda n: pd.period_range("2000-01-01", periods=n, freq="D"),
    "zoned": lambda n: _objects(pd.date_range("2000", periods=n, tz="UTC")),
    "objects": lambda n: _objects(pd.date_range("2000-01-01", periods=n)),
    "of year 1": lambda n: np.datetime64("0001-01-01", "s") + _days(n),
    "of year 9990": lambda n: np.datetime64("9990-01-01", "s") + _days(n),
    "afternoons": lambda n: pd.date_range("2000-01-01T13:07", periods=n),
    "microseconds": lambda n: np.datetime64("2000-01-01", "us") + _days(n),
}


def _objects(days: pd.DatetimeIndex) -> Any:
    return np.array(days.to_pydatetime(), dtype=object)


def _days(count: int) -> Any:
    return np.arange(count).astype("m8[D]")


def site_dims(ds: xr.Dataset) -> list[str]:
    """Dims of the sites."""
    return [str(dim) for dim in ds.temperature.dims if dim != "time"]


def with_units(units: Any, name: str, ds: xr.Dataset) -> xr.Dataset:
    """Say other units."""
    return ds.assign({name: ds[name].assign_attrs(units=units)})


def with_dtype(dtype: str, name: str, ds: xr.Dataset) -> xr.Dataset:
    """Store a variable in another way."""
    values = ds[name].values
    if dtype[0] in "MmSU":
        values = values.astype("i8" if dtype[0] in "Mm" else "U9")
    return ds.assign({name: (ds[name].dims, values.astype(dtype), ds[name].attrs)})


def with_fill(value: float, name: str, ds: xr.Dataset) -> xr.Dataset:
    """Fill a variable with one value."""
    return ds.assign({name: ds[name].copy(data=np.full(ds[name].shape, value, "f4"))})


def with_time(make: Callable[[int], Any], ds: xr.Dataset) -> xr.Dataset:
    """Give the days other labels."""
    return ds.assign_coords(time=make(ds.sizes["time"]))


def with_calendar(calendar: str, ds: xr.Dataset) -> xr.Dataset:
    """Give the days labels of cftime."""
    days = xr.date_range(
        "2000-02-20", periods=ds.sizes["time"], calendar=calendar, use_cftime=True
    )
    return ds.assign_coords(time=days)


def with_attr(name: str, value: Any, ds: xr.Dataset) -> xr.Dataset:
    """Give the temperature an attribute."""
    return ds.assign(temperature=ds.temperature.assign_attrs({name: value}))


def with_dim_named(name: str, ds: xr.Dataset) -> xr.Dataset:
    """Name the first site dim like something of ours."""
    return ds.rename({site_dims(ds)[0]: name})


def with_scalar_named(name: str, ds: xr.Dataset) -> xr.Dataset:
    """Add a scalar coordinate named like something of ours."""
    return ds.assign_coords({name: 1})


def with_coord_named(name: str, ds: xr.Dataset) -> xr.Dataset:
    """Add a site coordinate named like something of ours."""
    dim = site_dims(ds)[0]
    return ds.assign_coords({name: (dim, np.arange(float(ds.sizes[dim])))})


def first(ds: xr.Dataset) -> str:
    """Name of the first site dim."""
    return site_dims(ds)[0]


SHAPES: dict[str, Oddity] = {
    "time reversed": lambda ds: ds.isel(time=slice(None, None, -1)),
    "time shuffled": lambda ds: ds.isel(time=[3, 0, *range(4, ds.sizes["time"])]),
    "time dropped": lambda ds: ds.drop_vars("time"),
    "time empty": lambda ds: ds.isel(time=slice(0)),
    "time of one day": lambda ds: ds.isel(time=slice(1)),
    "time scalar": lambda ds: ds.isel(time=0),
    "time renamed": lambda ds: ds.rename(time="when"),
    "no sites": lambda ds: ds.isel({first(ds): slice(0)}),
    "one place": lambda ds: ds.isel(dict.fromkeys(site_dims(ds), 0)),
    "sites twice": lambda ds: ds.isel({first(ds): [0, 0, 1]}),
    "sites without names": lambda ds: ds.drop_vars(first(ds)),
    "sites named NaN": lambda ds: ds.assign_coords(
        {first(ds): np.full(ds.sizes[first(ds)], np.nan)}
    ),
    "latitude dropped": lambda ds: ds.drop_vars("latitude"),
    "latitude scalar": lambda ds: ds.assign_coords(latitude=47.0),
    "latitude of time": lambda ds: ds.assign_coords(latitude=ds.time.dt.day * 1.0),
    "latitude elsewhere": lambda ds: ds.assign_coords(latitude=("z", [1.0, 2.0])),
    "latitude text": lambda ds: ds.assign_coords(latitude=ds.latitude.astype(str)),
    "one member": lambda ds: ds.expand_dims(member=1),
    "two members": lambda ds: ds.expand_dims(member=2),
    "members and levels": lambda ds: ds.expand_dims(member=2, level=1, expver=2),
    "members of one": lambda ds: ds.assign(
        temperature=ds.temperature.expand_dims(member=2)
    ),
    "stacked": lambda ds: ds.stack(point=site_dims(ds)),
    "stacked with time": lambda ds: ds.stack(point=["time", first(ds)]),
    "chunked": lambda ds: ds.chunk({first(ds): 1}),
    "chunked in time": lambda ds: ds.chunk(time=7),
    "chunked attribute": lambda ds: ds.assign(elevation=ds.elevation.chunk()),
    "chunked unevenly": lambda ds: ds.assign(
        temperature=ds.temperature.chunk({first(ds): 1}),
        precipitation=ds.precipitation.chunk({first(ds): 2}),
    ),
    "transposed": lambda ds: ds.transpose("time", ...),
    "transposed in part": lambda ds: ds.assign(temperature=ds.temperature.T),
    "big endian": lambda ds: ds.assign(temperature=ds.temperature.astype(">f4")),
    "nothing": lambda ds: xr.Dataset(),
    "coordinates only": lambda ds: ds.drop_vars(list(ds.data_vars)),
    "rain only": lambda ds: ds[["precipitation"]],
    "rain as coordinate": lambda ds: ds.set_coords("precipitation"),
    "rain without time": lambda ds: ds.assign(precipitation=ds.precipitation[..., 0]),
    "rain without sites": lambda ds: ds.assign(
        precipitation=ds.precipitation.isel(dict.fromkeys(site_dims(ds), 0), drop=True)
    ),
    "rain scalar": lambda ds: ds.assign(precipitation=3.0),
    "rain mixed": lambda ds: ds.assign(
        precipitation=ds.precipitation.astype(object).where(ds.precipitation > 1, "x")
    ),
    "elevation of time": lambda ds: ds.assign(elevation=ds.temperature),
    "elevation elsewhere": lambda ds: ds.assign(elevation=("nothing", np.zeros(0))),
    "elevation scalar": lambda ds: ds.assign(elevation=300.0),
    "elevation text": lambda ds: ds.assign(elevation=((), "high")),
    "elevation a mapping": lambda ds: ds.assign(elevation=((), {"a": 1})),
    "names not text": lambda ds: ds.assign({3: ds.clay, ("a", "b"): ds.clay}),
    "name None": lambda ds: ds.assign({None: ds.temperature}),
    "empty name": lambda ds: ds.assign({"": ds.temperature, "ü\n": ds.clay}),
    "aliases twice": lambda ds: ds.assign(pr=ds.precipitation, tp=ds.precipitation),
    "history no text": lambda ds: ds.assign_attrs(history=["a"]),
    "CRS nonsense": lambda ds: ds.assign_coords(
        spatial_ref=((), 0, {"crs_wkt": "nonsense"})
    ),
    "geometry nonsense": lambda ds: ds.assign_coords(
        geometry=(first(ds), np.array([object()] * ds.sizes[first(ds)]))
    ),
}
MADE: dict[str, Oddity] = {
    **{
        f"units {str(u)[:16]!r}": partial(with_units, u, "precipitation") for u in UNITS
    },
    **{
        f"latitude in {str(u)[:16]!r}": partial(with_units, u, "latitude")
        for u in (5, None, "m", "radians", ["mm"], np.array([1, 2]))
    },
    **{f"{d} temperature": partial(with_dtype, d, "temperature") for d in DTYPES},
    **{f"{d} elevation": partial(with_dtype, d, "elevation") for d in DTYPES[5:]},
    **{f"rain of {v}": partial(with_fill, v, "precipitation") for v in FILLS},
    **{f"elevation of {v}": partial(with_fill, v, "elevation") for v in FILLS[:3]},
    **{f"latitude of {v}": partial(with_fill, v, "latitude") for v in FILLS[:4]},
    **{f"time {name}": partial(with_time, make) for name, make in TIMES.items()},
    **{
        f"calendar {c}": partial(with_calendar, c)
        for c in ("noleap", "all_leap", "360_day", "julian", "standard")
    },
    **{
        f"{name} = {value!r}": partial(with_attr, name, value)
        for name in ("standard_name", "cell_methods", "grid_mapping", "long_name")
        for value in (3, ["a"], "nowhere")
    },
    **{f"dim named {name}": partial(with_dim_named, name) for name in NAMES},
    **{f"scalar named {name}": partial(with_scalar_named, name) for name in NAMES},
    **{f"coordinate named {name}": partial(with_coord_named, name) for name in NAMES},
}
ODDITIES = SHAPES | MADE


def ask_everything(ds: xr.Dataset, weights: Any, head: Any) -> int:
    """Ask all calls; return how many answered. Any other error comes through."""
    models: dict[str, Any] = {"weights": weights}
    answered = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = xstefaland.check(ds, weights=weights)
        assert str(report)
        assert report._repr_html_()
        assert repr(ds.stefaland)
        for call in (
            lambda: xstefaland.embed(ds, **models),
            lambda: xstefaland.embed(ds, pool="year", **models),
            lambda: xstefaland.predict(ds, "streamflow", head=head, **models),
            lambda: xstefaland.reconstruct(ds, add=True, **models),
        ):
            try:
                call().compute()
                answered += 1
            except XStefalandError:
                pass
    return answered


def points() -> xr.Dataset:
    """Three sites and twenty days."""
    return example_points(3, 20)


def grid() -> xr.Dataset:
    """A grid of six cells with a latitude of its own beside the axis."""
    return example_grid(2, 3, 20).assign_coords(latitude=45.0)


def test_the_good_ones_are_answered(weights: Any, head: Any) -> None:
    """Without oddities every call gives an answer."""
    assert ask_everything(points(), weights, head) == 4
    assert ask_everything(grid(), weights, head) == 4


@pytest.mark.parametrize("name", ODDITIES)
def test_an_odd_dataset_gives_an_answer_or_our_error(
    weights: Any, head: Any, name: str
) -> None:
    """One oddity at a time."""
    ask_everything(ODDITIES[name](points()), weights, head)


def odd(ds: xr.Dataset, names: list[str]) -> xr.Dataset:
    """Apply oddities one after the other; those that no longer can be are left out."""
    for name in names:
        try:
            ds = ODDITIES[name](ds)
        except Exception:  # xarray refuses to build such a Dataset: nothing to ask
            continue
    return ds


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    names=st.lists(
        st.sampled_from(sorted(ODDITIES)),
        min_size=2,
        max_size=4,
        unique=True,
    ),
    base=st.sampled_from([points, grid]),
)
def test_several_oddities_give_an_answer_or_our_error(
    weights: Any, head: Any, names: list[str], base: Callable[[], xr.Dataset]
) -> None:
    """Two to four at once, on sites and on a grid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = odd(base(), names)
    ask_everything(ds, weights, head)


ARGUMENTS = [
    {"rename": 3},
    {"rename": ["temperature"]},
    {"rename": {"temperature": 3}},
    {"rename": {3: "temperature"}},
    {"units": 3},
    {"weights": 3},
    {"weights": b"name"},
    {"units": {"temperature": 3}},
    {"units": {"nowhere": "K"}},
    {"rename": {"nowhere": "temperature"}},
    {"batch_size": "many"},
    {"device": 3},
    {"precision": "int8"},
    {"pool": ["mean"]},
    {"pool": 1.0},
]


@pytest.mark.parametrize("given", ARGUMENTS, ids=str)
def test_an_odd_argument_gives_our_error(weights: Any, given: dict[str, Any]) -> None:
    """Whatever is passed, the error is ours and quotes it."""
    with pytest.raises(XStefalandError):
        xstefaland.embed(points(), **{"weights": weights, **given})


@pytest.mark.parametrize(
    "given",
    [None, 3, "file.nc", {}, [], pd.DataFrame({"a": [1]}), np.zeros(3)],
    ids=str,
)
def test_what_is_no_dataset_is_refused(weights: Any, given: Any) -> None:
    """A DataArray, a table or a path is no Dataset, and the error says so."""
    for call in (xstefaland.embed, xstefaland.reconstruct):
        with pytest.raises(XStefalandError):
            call(given, weights=weights)
    with pytest.raises(XStefalandError):
        xstefaland.embed(points().temperature, weights=weights)
