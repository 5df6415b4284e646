"""Tables of vectors: labels, years, AlphaEarth's integers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xstefaland.datasets.vectors import (
    ALPHAEARTH,
    alphaearth,
    dequantised,
    vector_table,
)
from xstefaland.errors import InputError


def pixels(rows: int, seed: int = 0) -> pd.DataFrame:
    """Integers as the rasters have them."""
    drawn = np.random.default_rng(seed).integers(-127, 128, (rows, 64))
    return pd.DataFrame(drawn.astype(np.int8), columns=list(ALPHAEARTH))


def test_labels_stay_text(tmp_path):
    """Leading zeros are part of a gauge's number; all numbers are the vector."""
    frame = pd.DataFrame({"gauge": ["01", "1"], "a": [1.5, 2.5], "b": [3, 4]})
    frame.to_csv(tmp_path / "v.csv", index=False)
    frame.to_parquet(tmp_path / "v.parquet")
    for name in ("v.csv", "v.parquet"):
        columns = ["b", "a"]
        found = vector_table(tmp_path / name, "gauge", columns=columns)
        assert found.site.values.tolist() == ["01", "1"]
        assert found.values.tolist() == [[3.0, 1.5], [4.0, 2.5]]
        assert found.attrs["source"] == name
        every = vector_table(tmp_path / name, "gauge")
        assert every.embedding.values.tolist() == ["a", "b"]
    frame.set_index("gauge").to_parquet(tmp_path / "v.parquet")
    assert vector_table(tmp_path / "v.parquet", "gauge").identical(every)


def test_pixels_become_unit_vectors():
    """The stated map, masked ones missing; floats of Earth Engine give the same."""
    frame = pixels(4)
    frame.iloc[2] = -128
    raw = frame.to_numpy()
    found = alphaearth(frame.assign(id=list("abcd")), "id")
    assert found.dims == ("site", "embedding")
    assert bool(found[2].isnull().all())
    np.testing.assert_allclose((found**2).sum("embedding")[[0, 1, 3]], 1, rtol=1e-5)
    native = np.sign(raw[0]) * (raw[0].astype(float) / 127.5) ** 2
    ratio = found[0] / native
    np.testing.assert_allclose(ratio.where(native != 0).std(), 0, atol=1e-4)
    floats = pd.DataFrame(dequantised(raw), columns=frame.columns)
    again = alphaearth(floats.assign(id=list("abcd")), "id")
    np.testing.assert_allclose(again, found, rtol=1e-5)


def test_years_are_days():
    """A year counts from its first day; a year a site lacks is NaN."""
    frame = pixels(3).assign(id=["a", "a", "b"], year=[2019, 2018, 2019])
    found = alphaearth(frame, "id", year="year")
    assert found.dims == ("site", "time", "embedding")
    assert found.time.dt.year.values.tolist() == [2018, 2019]
    assert (found.time.dt.dayofyear == 1).all()
    assert bool(found.sel(site="b").isel(time=0).isnull().all())
    floats = frame.astype({"year": float})  # as a spreadsheet writes them
    assert alphaearth(floats, "id", year="year").identical(found)
    floats.loc[0, "year"] = np.nan
    with pytest.raises(InputError, match="'year' holds numbers that are no years"):
        alphaearth(floats, "id", year="year")


def test_what_is_wrong_is_said():
    """Columns, repeated rows, no file."""
    frame = pixels(2).assign(id=["a", "a"])
    with pytest.raises(InputError, match=r"several rows for \{'id': 'a'\}"):
        alphaearth(frame, "id")
    with pytest.raises(InputError, match=r"'A63' is missing"):
        alphaearth(frame.drop(columns="A63"), "id")
    with pytest.raises(InputError, match="'A00' holds no numbers"):
        alphaearth(frame.astype({"A00": str}), "id")
    with pytest.raises(InputError, match="no column holds numbers"):
        vector_table(pd.DataFrame({"id": ["a"]}), "id")
    with pytest.raises(InputError, match=r"no file 'nowhere\.csv'"):
        vector_table("nowhere.csv", "id")
