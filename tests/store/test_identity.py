"""What makes two inputs the same: more than the values that are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.store.identity import data_identity, sample, weights_identity
from xstefaland.store.manifest import differences
from xstefaland.testing import example_points, tiny_head, tiny_weights
from xstefaland.weights import save

Run = Callable[..., Any]


def test_sites_at_another_place_are_another_run(run: Run, tmp_path: Path) -> None:
    """Their labels and weather are the same, their season and radiation are not."""
    ds, store = example_points(4, 60), tmp_path / "out.zarr"
    run(ds, store)
    with pytest.raises(InputError, match=r"data.latitude: .* then, .* now"):
        run(ds.assign_coords(latitude=-ds.latitude), store)
    assert run(ds.assign_coords(longitude=ds.longitude + 1), store).skipped == 1


def test_what_is_read_as_what() -> None:
    """The same two variables with their meanings swapped."""
    ds = xr.Dataset({name: ("site", [1.0, 2.0]) for name in "ab"})
    north = xr.Variable("site", np.array([np.nan, 5.0]))
    warmest = {"temperature_max": "a", "temperature_min": "b"}
    swapped = {"temperature_max": "b", "temperature_min": "a"}
    then, now = (
        data_identity(ds, read, ("site",), north) for read in (warmest, swapped)
    )
    assert differences(then, now) == [
        "read.temperature_max: 'a' then, 'b' now",
        "read.temperature_min: 'b' then, 'a' now",
    ]
    assert then["latitude"] == [[0.0, 0.0], [5.0, 1.0], [5.0, 1.0]]


def test_weights_of_one_name_hide_none(tmp_path: Path) -> None:
    """A head that is called like its encoder; others are written by their own names."""
    encoder = tiny_weights()
    head = tiny_head(encoder)
    assert weights_identity([encoder, head]) == {
        "tiny": encoder.sha256,
        "tiny-head": head.sha256,
    }
    card = replace(head.card, name="tiny")
    named = save(tmp_path / "head.safetensors", head.tensors(), card)
    both = weights_identity([encoder, named])["tiny"]
    assert encoder.sha256 in both
    assert named.sha256 in both
    assert both == weights_identity([named, encoder, encoder])["tiny"]


@pytest.mark.parametrize(
    "changed", [slice(700, 760), slice(500, 560), slice(0, 30)], ids=str
)
def test_a_record_that_was_revised_anywhere_is_another_input(
    run: Run, tmp_path: Path, changed: slice
) -> None:
    """Preliminary days at the end, and weeks amid the record, at all cells."""
    ds = example_points(3, 760)
    run(ds, tmp_path / "out.zarr")
    revised = ds.copy(deep=True)
    revised["precipitation"][{"time": changed}] *= 1.01
    with pytest.raises(InputError, match=r"precipitation.values: .* then, .* now"):
        run(revised, tmp_path / "out.zarr")


def test_days_are_spread_over_a_long_record() -> None:
    """Forty years: a thousand days of them, and the last year by itself."""
    days = xr.Dataset({"rain": ("time", np.arange(14_610.0))})
    (spread, last, *_) = sample(days, ["rain"], ())["rain"] or []
    assert spread == [pytest.approx(14_609 / 2, abs=14), 1044]
    assert last == [14_610 - 183.5, 366]
