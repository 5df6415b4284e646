"""The synthetic examples are accepted, reproducible and marked as synthetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland.testing import (
    example_gauges,
    example_grid,
    example_points,
    tiny_encoder,
    tiny_head,
    tiny_weights,
)


@pytest.mark.parametrize("make", [example_points, example_gauges, example_grid])
def test_examples_are_reproducible(make: object) -> None:
    """A seed gives one weather, another seed another, both say they are synthetic."""
    assert callable(make)
    first, again, other = make(), make(), make(seed=1)
    xr.testing.assert_identical(first, again)
    assert not np.array_equal(first.temperature, other.temperature)
    assert "synthetic" in first.attrs["title"]


@pytest.mark.parametrize(
    "ds", [example_points(), example_grid()], ids=["points", "grid"]
)
def test_examples_have_no_problem(ds: xr.Dataset) -> None:
    """All variables of the tiny weights are found by name, latitude too."""
    report = xstefaland.check(ds, weights=tiny_weights())
    assert report.ok
    assert not report.warnings
    assert set(report.table["how"]) == {"name"}


def test_gauges_keep_the_water() -> None:
    """Flow and soil are physical, follow the rain, and have a gap each."""
    ds = example_gauges(sites=5, days=1461)
    weather = example_points(sites=5, days=1461)
    xr.testing.assert_identical(ds.drop_vars(["streamflow", "soil_moisture"]), weather)
    share = ds.streamflow.mean("time") / ds.precipitation.mean("time")
    assert ((share > 0.2) & (share < 0.9)).all()
    assert bool((ds.soil_moisture.min() > 0) & (ds.soil_moisture.max() < 0.5))
    for name in ("streamflow", "soil_moisture"):
        assert (ds[name].isnull().sum("time") == 60).all()
        assert "synthetic" in ds[name].attrs["comment"]
    wet = ds.precipitation > ds.precipitation.quantile(0.95, "time")
    assert (ds.streamflow.where(wet).mean() > ds.streamflow.mean()).item()


def test_tiny_files_load(tmp_path: Path) -> None:
    """What is written opens again by path, the same for the same seed."""
    encoder = tiny_weights(tmp_path / "encoder.safetensors")
    head = tiny_head(encoder, path=tmp_path / "head.safetensors")
    opened = xstefaland.weights.load(tmp_path / "encoder.safetensors")
    assert opened == encoder == tiny_weights()
    assert xstefaland.weights.load(head.path).card == head.card
    state = tiny_encoder().state_dict()
    for name, tensor in opened.tensors().items():
        np.testing.assert_array_equal(tensor, state[name])


def test_tiny_head_says_what_it_gives() -> None:
    """Its card agrees with its network: levels, time, what it needs."""
    head = tiny_head(
        tiny_weights(), quantiles=(0.1, 0.9), static=True, required=[["clay", "sand"]]
    )
    assert head.card.quantiles == (0.1, 0.9)
    assert head.card.static
    assert head.card.required == (("clay", "sand"),)
    assert not tiny_head(tiny_weights()).card.static


def test_files_without_a_path_keep_out_of_each_others_way() -> None:
    """Not even where one was deleted, so that there are as many as before."""
    first, second = tiny_weights(seed=1), tiny_weights(seed=2)
    kept = second.path.read_bytes()
    first.path.unlink()
    assert tiny_weights(seed=3).path != second.path
    assert second.path.read_bytes() == kept


def test_tiny_weights_leave_the_random_state_alone() -> None:
    """Making them draws no number from the user's generator."""
    import torch

    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    tiny_head(tiny_weights(seed=5))
    assert torch.equal(torch.rand(1), expected)
