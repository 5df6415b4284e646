"""Where an archive's files are, how NetCDF is opened, and what a reader hands out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from xstefaland.datasets.columns import describe_position
from xstefaland.errors import InputError

Chunks = Mapping[Any, Any] | str | int | None

_DAYS = {"time", "day", "date"}  # what archives call the dimension
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
        found = f"it holds {listed(names)}" if names else "it is empty"
    else:
        found = "it is a file" if path.exists() else "there is nothing of that name"
    return _other(path, archive, found)


def _other(path: Path, archive: Archive, reason: str) -> InputError:
    """Make the error for what is not the archive."""
    known = "; or ".join(archive.layouts)
    return InputError(
        f"'{path}' is not {archive.title}: {reason}. "
        f"xstefaland.datasets.{archive.reader}(path) reads {known}."
    )


def listed(names: Sequence[str]) -> str:
    """Write out some names, and how many more there are.

    Parameters
    ----------
    names : sequence of str
        Any number of them.

    Returns
    -------
    str
        The first ten.

    Examples
    --------
    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(str(name)) for name in names[:_SHOWN]) + more


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
        With the archive's own names; nothing daily is loaded.

    Raises
    ------
    InputError
        When the file cannot be opened or lacks something.
    """
    with _open(file) as raw:
        have = {str(name) for name in (*raw.variables, *raw.dims)}
        lacking = sorted(set(needed) - have)
        if lacking:
            raise _other(file, archive, f"it lacks {listed(lacking)}")
        if chunks is None:
            yield raw
            return
        # What is small is loaded now, and this handle closed: two on one file, one of
        # which is closed while threads read the other, is more than HDF5 can bear.
        daily = [str(n) for n in raw.data_vars if _DAYS & {*raw[n].dims}]
        small = raw.drop_vars(daily).load()
    lazy = _open(file, chunks={})
    yield small.assign({name: lazy[name].variable for name in daily})


def _open(file: Path, **keywords: Any) -> xr.Dataset:
    """Open a file, with an error that names it."""
    try:
        return xr.open_dataset(file, **keywords)
    except (OSError, ValueError, RuntimeError) as err:
        raise InputError(
            f"'{file}' cannot be opened as NetCDF ({type(err).__name__}: {err}); if no "
            "library for NetCDF is installed: pip install netCDF4"
        ) from err


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
    daily = {n: ds[n].chunk(chunks) for n in ds.data_vars if "time" in ds[n].dims}
    return ds.assign(daily)
