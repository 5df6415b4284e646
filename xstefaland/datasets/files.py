"""Where an archive's files are, which sites are wanted, and what a reader hands out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.datasets.columns import describe_position
from xstefaland.errors import InputError, join_problems

Chunks = Mapping[Any, Any] | str | int | None

_SHOWN = 10  # names in a message


@dataclass(frozen=True)
class Archive:
    """What a reader says about its archive.

    Attributes
    ----------
    reader : str
        Name of the function in :mod:`xstefaland.datasets`.
    title : str
        For the Dataset's attribute.
    source : str
        Who observed or computed the data.
    licence : str
        Terms of use as found.
    references : str
        What to cite.
    layouts : tuple of str
        What `path` may be, for messages.
    """

    reader: str
    title: str
    source: str
    licence: str
    references: str
    layouts: tuple[str, ...]


def find(path: str | Path, name: str, archive: Archive) -> Path:
    """Find a file, given itself or the folder that holds it.

    Parameters
    ----------
    path : path-like
        The file (under whatever name) or a folder.
    name : str
        Name of the file in a folder.
    archive : Archive
        What is looked for.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        When there is none: says what is there and what is known.
    """
    path = Path(path)
    file = path if path.is_file() else path / name
    if not file.is_file():
        raise unknown_layout(path, archive)
    return file


def unknown_layout(path: str | Path, archive: Archive) -> InputError:
    """Make the error for a path that no layout fits.

    Parameters
    ----------
    path : path-like
        What the user gave.
    archive : Archive
        Whose layouts are known.

    Returns
    -------
    InputError
        Says what was found there, and what is known.
    """
    path = Path(path)
    if path.is_dir():
        names = sorted(each.name for each in path.iterdir())
        found = f"it holds {_listed(names)}" if names else "it is empty"
    else:
        found = "it is a file" if path.exists() else "there is nothing of that name"
    known = "; or ".join(archive.layouts)
    return InputError(
        f"'{path}' is not {archive.title}: {found}. "
        f"xstefaland.datasets.{archive.reader}(path) reads {known}."
    )


def _listed(names: Sequence[str]) -> str:
    """Write out some names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(str(name)) for name in names[:_SHOWN]) + more


def choose(known: Iterable[str], sites: Sequence[str] | None, what: str) -> list[str]:
    """Choose sites by id.

    Parameters
    ----------
    known : iterable of str
        Ids that the archive has.
    sites : sequence of str or None
        Ids that are wanted; None: all.
    what : str
        Word for a site, for the message.

    Returns
    -------
    list of str
        In the order of `sites`.

    Raises
    ------
    InputError
        For unknown ids (all of them, with the nearest known ones), ids given twice, or
        a single string.

    Examples
    --------
    >>> choose(["01013500", "01022500"], ["01022500"], "basin")
    ['01022500']
    >>> choose(["01013500", "01022500"], ["1022500"], "basin")
    Traceback (most recent call last):
        ...
    xstefaland.errors.InputError: cannot choose sites: no basin '1022500' among 2; ...
    """
    everything = [str(each) for each in known]
    if sites is None:
        return everything
    if isinstance(sites, str):
        raise InputError(f"sites={sites!r} is one string; pass a list: [{sites!r}]")
    wanted = [str(each) for each in sites]
    unknown = sorted(set(wanted) - set(everything))
    twice = sorted({each for each in wanted if wanted.count(each) > 1})
    problems = [
        f"no {what} {each!r} among {len(everything)}; {_nearest(each, everything)}"
        for each in unknown
    ]
    problems += [f"{what} {each!r} is given twice; once is enough" for each in twice]
    if problems:
        raise InputError(join_problems("cannot choose sites", problems))
    return wanted


def _nearest(name: str, known: Sequence[str]) -> str:
    """Point at ids that look like the one given, or at the first ones."""
    near = difflib.get_close_matches(name, known, n=3)
    return f"the nearest are {_listed(near)}" if near else f"ids: {_listed(known)}"


@contextmanager
def netcdf(
    file: Path, archive: Archive, needed: Iterable[str], chunks: Chunks
) -> Iterator[xr.Dataset]:
    """Open a NetCDF file; it is closed again unless its arrays stay lazy.

    Parameters
    ----------
    file : Path
        The file.
    archive : Archive
        What it should be.
    needed : iterable of str
        Variables and dims without which it is something else.
    chunks : mapping, str, int or None
        Not None: daily variables are dask arrays in the file's own chunks.

    Yields
    ------
    xarray.Dataset
        With the archive's own names; nothing is loaded.

    Raises
    ------
    InputError
        When the file cannot be opened or lacks something.
    """
    raw = _open(file)
    try:
        have = {str(name) for name in (*raw.variables, *raw.dims)}
        lacking = sorted(set(needed) - have)
        if lacking:
            known = "; or ".join(archive.layouts)
            raise InputError(
                f"'{file}' is not {archive.title}: it lacks {_listed(lacking)}. "
                f"xstefaland.datasets.{archive.reader}(path) reads {known}."
            )
        yield raw if chunks is None else raw.assign(_lazy(file, raw))
    finally:
        if chunks is None:
            raw.close()


def _open(file: Path, **keywords: Any) -> xr.Dataset:
    """Open a file, with an error that names it."""
    try:
        return xr.open_dataset(file, **keywords)
    except (OSError, ValueError) as err:
        raise InputError(
            f"'{file}' cannot be opened as NetCDF ({type(err).__name__}: {err}); if no "
            "library for NetCDF is installed: pip install netCDF4"
        ) from err


def _lazy(file: Path, raw: xr.Dataset) -> dict[str, xr.DataArray]:
    """Daily variables as dask arrays; what is small stays out of the graph."""
    lazy = _open(file, chunks={})
    return {str(name): lazy[name] for name in raw.data_vars if lazy[name].ndim > 1}


def join(parts: Sequence[xr.Dataset], dim: str, order: Sequence[str]) -> xr.Dataset:
    """Put sites together whose records, or whose variables, differ.

    Parameters
    ----------
    parts : sequence of xarray.Dataset
        ``(dim, time)``.
    dim : str
        The site dimension.
    order : sequence of str
        Ids in the order that is wanted.

    Returns
    -------
    xarray.Dataset
        On every day of any part; NaN where a part has no such day or variable.
    """
    ds = xr.concat(
        parts,
        dim,
        data_vars="all",
        coords="different",
        compat="equals",
        join="outer",
        combine_attrs="drop_conflicts",
    )
    ds = ds.sel({dim: list(order)}).transpose(dim, ...)
    return ds.chunk(time=-1) if ds.chunks else ds  # as the parts were


def label(ds: xr.Dataset, dim: str, **words: Any) -> xr.Dataset:
    """Add coordinates of text.

    Parameters
    ----------
    ds : xarray.Dataset
        With `dim`.
    dim : str
        The site dimension.
    **words : str or array-like of str
        One text for all sites, or one for each; anything missing becomes "".

    Returns
    -------
    xarray.Dataset
        With the coordinates.

    Examples
    --------
    >>> ds = xr.Dataset(coords={"basin": ["a", "b"]})
    >>> label(ds, "basin", product="daymet")["product"].values
    array(['daymet', 'daymet'], dtype='<U6')
    """
    number = ds.sizes[dim]
    columns = {
        name: texts([given] * number if isinstance(given, str) else given)
        for name, given in words.items()
    }
    return ds.assign_coords({name: (dim, column) for name, column in columns.items()})


def numbers(ids: Iterable[str]) -> list[str]:
    """Gauge numbers of ids that begin with their archive.

    Parameters
    ----------
    ids : iterable of str
        Such as ``camelsgb_21003``.

    Returns
    -------
    list of str
        What follows the first ``_``.

    Examples
    --------
    >>> numbers(["camelsgb_21003"])
    ['21003']
    """
    return [str(each).partition("_")[2] for each in ids]


def finish(
    ds: xr.Dataset, archive: Archive, files: str | Path, chunks: Chunks
) -> xr.Dataset:
    """Add what every Dataset of the readers has, and load or chunk it.

    Parameters
    ----------
    ds : xarray.Dataset
        With ``latitude`` and ``longitude``.
    archive : Archive
        Title, licence and citation.
    files : path-like
        What was read, for ``history``.
    chunks : mapping, str, int or None
        None: all is loaded. Else dask arrays, in these chunks if any are given.

    Returns
    -------
    xarray.Dataset
        The same values without encodings, with attributes of the archive.
    """
    ds = describe_position(ds.drop_encoding())
    ds.attrs = {
        "Conventions": "CF-1.11",
        "title": archive.title,
        "source": archive.source,
        "license": archive.licence,
        "references": archive.references,
        "history": f"read from '{Path(files).name}' by xstefaland.datasets."
        f"{archive.reader} (xstefaland {version('xstefaland')})",
    }
    if chunks is None:
        return ds.load()
    for variable in ds.variables.values():
        if "time" not in variable.dims:
            variable.load()
    daily = {n: ds[n].chunk(chunks) for n in ds.data_vars if "time" in ds[n].dims}
    return ds.assign(daily)


def texts(values: Any) -> np.ndarray[Any, np.dtype[np.str_]]:
    """Text as an array of fixed width, so that it can be written to any format.

    Parameters
    ----------
    values : array-like
        Text; anything missing becomes "".

    Returns
    -------
    numpy.ndarray
        Of dtype ``<U``.

    Examples
    --------
    >>> texts(["a", None, float("nan")])
    array(['a', '', ''], dtype='<U1')
    """
    known = [None if pd.isna(each) else each for each in np.asarray(values, object)]
    return np.array(["" if v is None else str(v) for v in known], dtype=np.str_)
