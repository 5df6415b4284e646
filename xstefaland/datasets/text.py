"""Tables in text files: read fast, and where that fails, say in which line and why."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError, join_problems

_SHOWN = 20  # problems in a message


@dataclass(frozen=True)
class Layout:
    """How the lines of a text file are made.

    Attributes
    ----------
    numbers : tuple of str
        Columns to read as numbers.
    text : tuple of str
        Columns to read as text.
    date : tuple of str
        The column that holds the day, or those of year, month and day.
    date_format : str
        Of a single column.
    separator : str or None
        Between fields; None: white space.
    names : tuple of str or None
        Names of all columns; None: the first line has them.
    skip : int
        Lines above the table.
    missing : tuple of float
        Numbers that mean missing.
    plain_names : bool
        Read ``Tmax(C)`` as ``tmax``.
    """

    numbers: tuple[str, ...]
    text: tuple[str, ...] = ()
    date: tuple[str, ...] = ()
    date_format: str = "%Y-%m-%d"
    separator: str | None = None
    names: tuple[str, ...] | None = None
    skip: int = 0
    missing: tuple[float, ...] = ()
    plain_names: bool = False


class _Unreadable(Exception):
    """What is wrong with one file, one text per line of it."""

    def __init__(self, file: Path, problems: Mapping[int, str]) -> None:
        self.problems = [
            f"'{file}', line {number}: {text}" for number, text in problems.items()
        ]


def read_tables(files: Mapping[str, Path], layout: Layout) -> dict[str, pd.DataFrame]:
    """Read text files of one layout.

    Parameters
    ----------
    files : mapping of str to Path
        By whatever key the tables shall have.
    layout : Layout
        How they are made.

    Returns
    -------
    dict of str to pandas.DataFrame
        Columns `layout.numbers` (float) and `layout.text`; index ``time`` where the
        layout has dates. Days that a file lacks are not added.

    Raises
    ------
    InputError
        Names every line that cannot be read, in every file, with the reason.
    """
    return read_groups([(files, layout)])[0]


def read_groups(
    groups: Sequence[tuple[Mapping[str, Path], Layout]],
) -> list[dict[str, pd.DataFrame]]:
    """Read text files of several layouts, to name all problems of an archive at once.

    Parameters
    ----------
    groups : sequence of (files, layout)
        As for :func:`read_tables`.

    Returns
    -------
    list of dict
        As :func:`read_tables` returns them.

    Raises
    ------
    InputError
        As :func:`read_tables` does.
    """
    tables: list[dict[str, pd.DataFrame]] = []
    problems: list[str] = []
    for files, layout in groups:
        tables.append({})
        for key, file in files.items():
            try:
                tables[-1][key] = _read(file, layout)
            except _Unreadable as err:
                problems += err.problems
    if problems:
        more = len(problems) - _SHOWN
        shown = problems[:_SHOWN] + ([f"and {more} more"] if more > 0 else [])
        raise InputError(join_problems("cannot read text files", shown))
    return tables


def _read(file: Path, layout: Layout) -> pd.DataFrame:
    """Read one file, or raise what is wrong with it."""
    lines = _lines(file)[layout.skip :]
    first = layout.skip + 1  # number of the first line of the table
    if layout.names is None:
        if not lines:
            raise _Unreadable(file, {first: "the file ends before its table begins"})
        names, lines, first = _header(lines[0], layout), lines[1:], first + 1
        needed = (*layout.numbers, *layout.text, *layout.date)
        lacking = [name for name in needed if name not in names]
        if lacking:
            raise _Unreadable(file, {first - 1: f"no column {', '.join(lacking)}"})
    else:
        names = list(layout.names)
    _check_widths(file, lines, len(names), first, layout)
    table = _table(file, lines, names, first, layout)
    return _dated(file, table, first, layout) if layout.date else table


def _lines(file: Path) -> list[str]:
    """Lines of a file without empty ones at its end."""
    try:
        raw = file.read_bytes()
        content = gzip.decompress(raw) if file.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as err:
        raise _Unreadable(file, {1: f"cannot be opened ({err})"}) from err
    try:
        text = content.decode("utf-8-sig").rstrip()
    except UnicodeDecodeError as err:
        line = content[: err.start].count(b"\n") + 1
        raise _Unreadable(file, {line: f"not UTF-8 text ({err.reason})"}) from err
    return text.replace("\r\n", "\n").split("\n") if text else []


def _split(lines: list[str], layout: Layout) -> Iterator[list[str]]:
    """Fields of each line."""
    if layout.separator is None:
        return (line.split() for line in lines)
    comma = layout.separator
    return (
        next(csv.reader([line], delimiter=comma)) if '"' in line else line.split(comma)
        for line in lines
    )


def _header(line: str, layout: Layout) -> list[str]:
    """Names of the columns."""
    names = [name.strip() for name in next(_split([line], layout))]
    if layout.plain_names:
        return [name.lower().partition("(")[0] for name in names]
    return names


def _check_widths(
    file: Path, lines: list[str], width: int, first: int, layout: Layout
) -> None:
    """Refuse lines with too many or too few fields, such as the end of a download."""
    wrong = {
        first + row: f"{len(fields)} fields, the table has {width}"
        for row, fields in enumerate(_split(lines, layout))
        if len(fields) != width
    }
    if wrong:
        raise _Unreadable(file, wrong)


def _table(
    file: Path, lines: list[str], names: list[str], first: int, layout: Layout
) -> pd.DataFrame:
    """Turn lines of the right width into a table."""
    words = dict.fromkeys((*layout.text, *layout.date), str)
    kinds: dict[str, type] = {**words, **dict.fromkeys(layout.numbers, float)}
    if not lines:
        return pd.DataFrame(
            {name: pd.Series(dtype=kind) for name, kind in kinds.items()}
        )
    try:
        table = _frame(lines, names, kinds, layout)
    except ValueError as err:
        cells = _frame(lines, names, dict.fromkeys(kinds, str), layout)
        raise _Unreadable(file, _bad_cells(cells, first, layout)) from err
    numbers = table[list(layout.numbers)]
    table[numbers.columns] = numbers.mask(numbers.isin(layout.missing))
    return table


def _frame(
    lines: list[str], names: list[str], kinds: dict[str, type], layout: Layout
) -> pd.DataFrame:
    """Parse the columns that are wanted, with pandas."""
    return pd.read_csv(
        io.StringIO("\n".join(lines)),
        sep=layout.separator or r"\s+",
        header=None,
        names=names,
        usecols=list(kinds),
        dtype=kinds,
    )


def _bad_cells(cells: pd.DataFrame, first: int, layout: Layout) -> dict[int, str]:
    """Find the fields that are no numbers; the last one of a line is named."""
    wrong: dict[int, str] = {}
    for name in layout.numbers:
        bad = pd.to_numeric(cells[name], errors="coerce").isna() & cells[name].notna()
        for row in np.flatnonzero(bad):
            text = cells[name].iloc[row]
            wrong[first + int(row)] = f"{text!r} in column {name} is not a number"
    return dict(sorted(wrong.items()))


def _dated(file: Path, table: pd.DataFrame, first: int, layout: Layout) -> pd.DataFrame:
    """Make the days the index."""
    parts = table[list(layout.date)]
    if len(layout.date) == 1:
        text = parts[layout.date[0]]
        days = pd.to_datetime(text, format=layout.date_format, errors="coerce")
    else:
        names = dict(zip(layout.date, ("year", "month", "day"), strict=True))
        numbers = parts.apply(pd.to_numeric, errors="coerce").rename(columns=names)
        days = pd.to_datetime(numbers, errors="coerce")
    reasons = {
        "is no day": days.isna(),
        "stands there twice": days.duplicated() & days.notna(),
    }
    wrong = {
        first + int(row): f"{' '.join(parts.iloc[row].fillna(''))!r} {reason}"
        for reason, bad in reasons.items()
        for row in np.flatnonzero(bad)
    }
    if wrong:
        raise _Unreadable(file, dict(sorted(wrong.items())))
    rest = table.drop(columns=list(layout.date))
    return rest.set_index(pd.DatetimeIndex(days, name="time").as_unit("ns"))


def stack(tables: Mapping[str, pd.DataFrame], dim: str) -> xr.Dataset:
    """Put daily tables of several sites side by side.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        By site id, numbers by day; records may start and end on different days.
    dim : str
        Name of the site dimension.

    Returns
    -------
    xarray.Dataset
        ``(dim, time)``, float32, on every day that any table has; NaN elsewhere.

    Examples
    --------
    >>> days = pd.date_range("2000-01-01", periods=3, name="time")
    >>> one = pd.DataFrame({"prcp": [1.0, 2.0]}, days[:2])
    >>> two = pd.DataFrame({"prcp": [3.0]}, days[2:])
    >>> stack({"a": one, "b": two}, "basin").prcp.values
    array([[ 1.,  2., nan],
           [nan, nan,  3.]], dtype=float32)
    """
    days = pd.DatetimeIndex(
        np.unique(np.concatenate([table.index.values for table in tables.values()])),
        name="time",
    )
    names = dict.fromkeys(name for table in tables.values() for name in table.columns)
    data = {
        name: np.full((len(tables), len(days)), np.nan, np.float32) for name in names
    }
    for row, table in enumerate(tables.values()):
        where = days.get_indexer(table.index)
        for name in table.columns:
            data[name][row, where] = table[name].to_numpy(np.float32)
    sites = np.array(list(tables), dtype=np.str_)
    return xr.Dataset(
        {name: ((dim, "time"), values) for name, values in data.items()},
        {dim: sites, "time": days},
    )
