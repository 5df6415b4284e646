"""Sites: chosen, put together, labelled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland.datasets.sites import choose, join, label, select
from xstefaland.errors import InputError


def part(sites: list[str], start: str, **variables: float) -> xr.Dataset:
    """Three days at some sites, each variable a constant."""
    days = pd.date_range(start, periods=3)
    data = {
        name: (("basin", "time"), np.full((len(sites), 3), value, np.float32))
        for name, value in variables.items()
    }
    ds = xr.Dataset(data, {"basin": sites, "time": days})
    return ds.assign({name: ds[name].assign_attrs(original_name=name) for name in data})


def test_select_keeps_the_order() -> None:
    """Sites come in the order in which they were asked for, under the new name."""
    raw = xr.Dataset({"x": ("site", [1, 2, 3])}, {"site": ["a", "b", "c"]})
    ds = select(raw, "site", ["c", "a"], "basin")
    assert ds.basin.values.tolist() == ["c", "a"]
    assert ds.x.values.tolist() == [3, 1]
    assert select(raw, "site", None, "site").equals(raw)


def test_choose_names_all_problems() -> None:
    """Unknown ids and ids given twice, in one error."""
    with pytest.raises(InputError) as error:
        choose(["0101", "0202"], ["0101", "0101", "101", "zz"], "gauge")
    message = str(error.value)
    assert "no gauge '101' among 2; the nearest are '0101'" in message
    assert "no gauge 'zz' among 2; ids: '0101', '0202'" in message
    assert "gauge '0101' is given twice" in message


def test_no_sites_are_an_error() -> None:
    """An empty list is a mistake somewhere."""
    with pytest.raises(InputError, match="sites is empty"):
        choose(["a", "b"], [], "gauge")


def test_choose_names_every_unknown_id() -> None:
    """However many there are."""
    wanted = [f"x{number}" for number in range(200)]
    with pytest.raises(InputError) as error:
        choose(["a", "b"], wanted, "gauge")
    assert all(repr(each) in str(error.value) for each in wanted)


@pytest.mark.parametrize("lazy", [False, True])
def test_join(lazy: bool) -> None:
    """Records and variables that differ are NaN where a site lacks them."""
    parts = [
        part(["b", "d"], "2000-01-01", rain=1, warm=2),
        part(["a"], "2000-01-02", rain=3),
    ]
    if lazy:
        parts = [each.chunk(basin=1) for each in parts]
    ds = join(parts, "basin", ["a", "b", "d"])
    assert bool(ds.chunks) == lazy
    if lazy:
        assert ds.chunksizes["time"] == (4,)
    nan = np.nan
    np.testing.assert_array_equal(
        ds.rain, [[nan, 3, 3, 3], [1, 1, 1, nan], [1, 1, 1, nan]]
    )
    assert ds.warm.isel(basin=0).isnull().all()
    assert ds.rain.dtype == ds.warm.dtype == np.float32
    assert ds.rain.dims == ("basin", "time")


def test_join_says_all_origins() -> None:
    """A variable of two products bears both of its names."""
    parts = [part(["a"], "2000-01-01", warm=1), part(["b"], "2000-01-01", warm=2)]
    parts[1].warm.attrs["original_name"] = "tmean"
    ds = join(parts, "basin", ["b", "a"])
    assert ds.warm.attrs == {"original_name": "warm or tmean"}
    assert ds.warm.values[:, 0].tolist() == [2, 1]


def test_label() -> None:
    """Text coordinates of fixed width; what is missing is empty."""
    ds = xr.Dataset(coords={"basin": ["a", "b"]})
    ds = label(ds, "basin", country="CH", name=pd.Series(["x", None]))
    assert ds.country.values.tolist() == ["CH", "CH"]
    assert ds["name"].values.tolist() == ["x", ""]
    assert ds["name"].dtype.kind == "U"
