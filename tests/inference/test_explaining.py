"""Explanations are differences of predictions, one for each hidden group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland.errors import InputError
from xstefaland.testing import example_grid, example_points, tiny_head, tiny_weights


@pytest.fixture(scope="module")
def options() -> dict[str, Any]:
    """Tiny weights and a head on them."""
    weights = tiny_weights(window=40, stride=15)
    return {"weights": weights, "head": tiny_head(weights)}


def test_hiding_equals_leaving_out(options: dict[str, Any]) -> None:
    """The change is that of a prediction from a Dataset that lacks the input."""
    ds = example_points(3, 90)
    change = xstefaland.explain(ds, "streamflow", **options)
    full = xstefaland.predict(ds, "streamflow", **options)
    for name, dropped in (
        ("shortwave_radiation", ["shortwave_radiation"]),
        ("topography", ["elevation", "slope"]),
        ("soil", ["clay"]),
    ):
        less = xstefaland.predict(ds.drop_vars(dropped), "streamflow", **options)
        np.testing.assert_allclose(
            change.sel(hidden=name).values, (less - full).values, atol=1e-5
        )
    assert float(abs(change).max()) > 1e-3


def test_one_by_one(options: dict[str, Any]) -> None:
    """by="variable" takes the attributes of a group apart; what is absent is not."""
    ds = example_points(2, 60).drop_vars("clay")
    change = xstefaland.explain(ds, "streamflow", by="variable", **options)
    assert change.hidden.values.tolist() == [
        "shortwave_radiation",
        "elevation",
        "slope",
        "frac_forest",
    ]


def test_labels(options: dict[str, Any]) -> None:
    """Dims and coordinates of the answer, units of the target, who made it."""
    grid = example_grid(days=60)
    change = xstefaland.explain(grid, "streamflow", **options)
    assert change.dims == ("time", "lat", "lon", "hidden")
    assert change.name == "streamflow_change"
    assert change.attrs["units"] == "mm d-1"
    assert change.attrs["head"] == "tiny-head"
    assert "explain('streamflow', by='group')" in change.attrs["history"]
    for name in grid.coords:
        xr.testing.assert_identical(
            change[name].reset_coords(drop=True), grid[name].reset_coords(drop=True)
        )
    assert np.isnan(change.isel(lat=-1, lon=-1)).all()


def test_lazy(options: dict[str, Any], no_compute: Any) -> None:
    """Lazy in, lazy out, with the same values."""
    ds = example_points(4, 60)
    with no_compute():
        lazy = xstefaland.explain(ds.chunk(site=2), "streamflow", **options)
    eager = xstefaland.explain(ds, "streamflow", **options)
    assert lazy.chunksizes["site"] == (2, 2)
    np.testing.assert_allclose(lazy, eager, atol=1e-5)


def test_the_last_of_a_required_choice_stays() -> None:
    """With one temperature of two left to the model the other may go."""
    forcing = ("precipitation", "temperature", "shortwave_radiation")
    weights = tiny_weights(window=40, stride=15, forcing=forcing)
    head = tiny_head(
        weights, required=[("precipitation",), ("temperature", "shortwave_radiation")]
    )
    ds = example_points(2, 60)
    change = xstefaland.explain(ds, "streamflow", head=head, weights=weights)
    assert change.attrs["not_hidden"] == "precipitation"
    assert change.hidden.values[:2].tolist() == ["temperature", "shortwave_radiation"]


def test_physics_keeps_its_weather() -> None:
    """HBV cannot do without potential evapotranspiration."""
    ds = example_points(1, 400)
    change = xstefaland.explain(ds, "recharge")
    assert change.attrs["not_hidden"] == (
        "precipitation, temperature, potential_evapotranspiration"
    )
    assert np.isfinite(change).all()


def test_wrong_arguments(options: dict[str, Any]) -> None:
    """Both problems in one message; and where nothing can be hidden."""
    ds = example_points(1, 60)
    with pytest.raises(InputError, match=r"target=\['a'\].*by='day'"):
        xstefaland.explain(ds, ["a"], by="day", **options)  # type: ignore[arg-type]
    bare = ds[["precipitation", "temperature"]]
    with pytest.raises(InputError, match="besides precipitation, temperature"):
        xstefaland.explain(bare, "streamflow", **options)
