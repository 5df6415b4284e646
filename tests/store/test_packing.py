"""Packed values: what is lost, and that nothing wraps or vanishes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.store.packing import MARGIN, Packing, check_packing, fitted

VALUES = np.array([0.0, -1.0, 1.26, np.nan, 50.0, -50.0], np.float32)


def test_bytes_round_to_a_step_and_stop_at_the_end() -> None:
    """Half a step is lost at most; what is beyond the range is its end, not missing."""
    packing = Packing("int8", 0.1)
    stored = packing.pack(VALUES)
    assert stored.dtype == np.int8
    np.testing.assert_array_equal(stored, [0, -10, 13, -128, 127, -127])


def test_half_precision_stops_at_its_end() -> None:
    """A flood of 1e6 is the largest number, not infinity."""
    stored = Packing("float16").pack(np.array([1e6, -1e6, np.nan, 0.1], np.float32))
    assert stored.dtype == np.float16
    assert np.isfinite(stored[:2]).all()
    assert np.isnan(stored[2])
    assert abs(stored[3] - 0.1) < 1e-4


def test_what_is_cut_off_is_counted() -> None:
    """Beyond the end of the range by more than rounding; missing is not beyond."""
    packing = Packing("int8", 0.1)
    assert packing.clipped(VALUES) == 2
    assert packing.clipped(np.array([12.74, -12.74, 12.76], np.float32)) == 1
    assert Packing("float16").clipped(np.array([1e6, 6e4, np.nan], np.float32)) == 1
    assert Packing().clipped(VALUES) == 0
    assert packing.clipped(np.arange(300)) == 0


def test_float32_and_integers_stay() -> None:
    """Nothing is touched that need not be."""
    assert Packing().pack(VALUES) is VALUES
    whole = np.arange(3)
    assert Packing("int8", 0.1).pack(whole) is whole


def test_the_range_covers_the_sample_with_a_margin() -> None:
    """The largest value of the sample lies well within a byte."""
    packing = fitted("int8", np.array([np.nan, -2.0, 1.0]))
    assert packing.scale * 127 == pytest.approx(2 * MARGIN)
    assert fitted("float16", None) == Packing("float16")


def test_a_range_needs_a_value() -> None:
    """All sea: there is nothing to fit."""
    with pytest.raises(InputError, match="float16"):
        fitted("int8", np.array([np.nan]))


def test_what_no_region_wrote_is_missing() -> None:
    """Zarr's own default is 0, which would be a flow."""
    values = xr.Variable("site", np.zeros(2, np.float32))
    for dtype in ("float32", "float16"):
        assert np.isnan(Packing(dtype).encoding(values, True)["fill_value"])  # type: ignore[arg-type]
    assert Packing("int8").encoding(values, True)["fill_value"] == -128
    assert Packing("int8").encoding(values, False)["dtype"] == np.float32


@pytest.mark.parametrize(
    ("dtype", "target", "text"),
    [("float64", "embedding", "use one of"), ("int8", "streamflow", "float16")],
)
def test_impossible_types_are_refused(dtype: str, target: str, text: str) -> None:
    """With those that are possible."""
    with pytest.raises(InputError, match=text):
        check_packing(dtype, target)
