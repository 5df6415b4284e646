"""Tables in text files: what is read, and what is said where one cannot be read."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xstefaland.datasets.text import Layout, read_tables, stack
from xstefaland.errors import InputError

SPACES = Layout(
    ("rain", "warm"), date=("y", "m", "d"), names=("y", "m", "d", "rain", "warm"),
    missing=(-999.0,),
)  # fmt: skip
COMMAS = Layout(("rain",), ("name",), date=("date",), separator=",")


def read(path: Path, layout: Layout, text: str | bytes) -> pd.DataFrame:
    """Write a file and read it."""
    if isinstance(text, str):
        text = text.encode()
    path.write_bytes(text)
    return read_tables({"a": path}, layout)["a"]


def test_white_space(tmp_path: Path) -> None:
    """Missing codes become NaN in every column; empty lines at the end are none."""
    text = "2000 1 1 0.5 -999\n2000  01\t03 -999.00 -99.9\n\n\n"
    table = read(tmp_path / "a.txt", SPACES, text)
    assert table.index.tolist() == [
        pd.Timestamp("2000-01-01"), pd.Timestamp("2000-01-03")
    ]  # fmt: skip
    np.testing.assert_array_equal(table, [[0.5, np.nan], [np.nan, -99.9]])
    assert table.index.dtype == "datetime64[ns]"  # as NetCDF files give it


def test_commas(tmp_path: Path) -> None:
    """Quotes, a byte order mark, Windows line ends, empty fields, other columns."""
    text = '\ufeffname,x,date,rain\r\n"a, b",,2000-01-01,1.5\r\nc,9,2000-01-02,\r\n'
    table = read(tmp_path / "a.csv", COMMAS, text)
    assert table["name"].tolist() == ["a, b", "c"]
    np.testing.assert_array_equal(table["rain"], [1.5, np.nan])
    assert "x" not in table


def test_packed(tmp_path: Path) -> None:
    """A gzip file is read as what is in it."""
    packed = gzip.compress(b"name,date,rain\na,2000-01-01,2\n")
    assert read(tmp_path / "a.csv.gz", COMMAS, packed)["rain"].tolist() == [2]


def test_a_table_without_rows(tmp_path: Path) -> None:
    """A header alone is a table without days."""
    assert read(tmp_path / "a.csv", COMMAS, "name,date,rain\n").empty


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: the file ends before its table begins"),
        ("name,date\na,2000-01-01\n", "line 1: no column rain"),
        ("name,date,rain\na,2000-01-01\n", "line 2: 2 fields, the table has 3"),
        ("name,date,rain\na,2000-01-01,1,2\n", "line 2: 4 fields, the table has 3"),
        ("name,date,rain\n\na,2000-01-01,1\n", "line 2: 1 fields"),
        ("name,date,rain\na,2000-02-30,1\n", "line 2: '2000-02-30' is no day"),
        ("name,date,rain\na,01.02.2000,1\n", "line 2: '01.02.2000' is no day"),
        ("name,date,rain\na,,1\n", "line 2: '' is no day"),
        (
            "name,date,rain\na,2000-01-01,1\na,2000-01-01,1\n",
            "line 3: '2000-01-01' stands there twice",
        ),
        (
            "name,date,rain\na,2000-01-01,1\na,2000-01-02,trace\n",
            "line 3: 'trace' in column rain is not a number",
        ),
    ],
)
def test_reasons(tmp_path: Path, text: str, reason: str) -> None:
    """Each way in which a file can be wrong has its line and reason."""
    with pytest.raises(InputError) as error:
        read(tmp_path / "a.csv", COMMAS, text)
    assert f"{tmp_path / 'a.csv'}', {reason}" in str(error.value)


def test_all_problems_at_once(tmp_path: Path) -> None:
    """Of many problems twenty are shown and the rest counted."""
    for name in ("a", "b"):
        rows = [f"x,2000-01-{day:02},bad" for day in range(1, 16)]
        (tmp_path / name).write_text("\n".join(["name,date,rain", *rows]))
    files = {name: tmp_path / name for name in ("a", "b", "nowhere")}
    with pytest.raises(InputError) as error:
        read_tables(files, COMMAS)
    message = str(error.value)
    assert "a', line 2: 'bad'" in message
    assert "b', line 6: 'bad'" in message
    assert "21. and 11 more" in message


def test_stack_keeps_gaps() -> None:
    """A day that no site has stays missing."""
    days = pd.DatetimeIndex(["2000-01-01", "2000-01-04"], name="time")
    one = pd.DataFrame({"rain": [1.0, 2.0]}, days)
    two = pd.DataFrame({"warm": [5.0]}, days[1:])
    ds = stack({"b": one, "a": two}, "basin")
    assert ds.time.to_index().tolist() == days.tolist()
    assert ds.basin.values.tolist() == ["b", "a"]
    np.testing.assert_array_equal(ds.rain, [[1, 2], [np.nan, np.nan]])
    np.testing.assert_array_equal(ds.warm, [[np.nan, np.nan], [np.nan, 5]])
    assert ds.rain.dtype == np.float32
