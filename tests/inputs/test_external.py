"""Embeddings of others: which vector a day has."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.inputs.external import aligned


def test_a_day_has_the_last_vector_whatever_their_order() -> None:
    """The newest first, as some archives list years, is the same as the oldest."""
    days = pd.date_range("2018-12-31", periods=367)
    ds = xr.Dataset({"rain": ("time", np.zeros(367))}, {"time": days})
    years = pd.to_datetime(["2020-01-01", "2019-01-01", "2018-01-01"])
    found = aligned(
        ds, xr.DataArray([[3.0], [2.0], [1.0]], {"time": years}, ("time", "e"))
    )
    assert found.values.ravel().tolist() == [1.0] + [2.0] * 365 + [3.0]
