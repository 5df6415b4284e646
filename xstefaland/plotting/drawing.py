"""What all pictures share: matplotlib on demand, labels, colours, one panel a site."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import product
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xstefaland.errors import InputError, pip_install

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, told apart by colour-blind readers
OBSERVED, PREDICTED, OTHER = "#333333", "#0072B2", "#D55E00"
MOST = 24  # panels in one figure
COLUMNS = 2
PANEL = (5.6, 2.1)  # [inch]
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def pyplot() -> Any:
    """Import matplotlib.

    Raises
    ------
    ImportError
        With the commands that install it.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"xstefaland.plotting needs matplotlib: `{pip_install('plot')}` or "
            "`conda install -c conda-forge matplotlib`."
        ) from error
    return plt


def new_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the user's Axes, or those of a new figure."""
    if ax is not None:
        return ax
    axes: Axes = pyplot().subplots(figsize=size, layout="constrained")[1]
    return axes


def label(array: xr.DataArray) -> str:
    """Return the name and units of an array as a label.

    Examples
    --------
    >>> attrs = {"long_name": "Streamflow per basin area", "units": "mm d-1"}
    >>> label(xr.DataArray(0.0, attrs=attrs))
    'Streamflow per basin area [mm d⁻¹]'
    """
    names = ("long_name", "standard_name")
    known = [str(array.attrs[name]) for name in names if array.attrs.get(name)]
    own = "value" if array.name is None else str(array.name)
    text = (known or [own])[0].replace("_", " ")
    units = str(array.attrs.get("units", ""))
    return f"{text} [{pretty(units)}]" if units not in ("", "1") else text


def pretty(units: str) -> str:
    """Write CF units with raised exponents.

    Examples
    --------
    >>> pretty("m3 m-3"), pretty("kg m-2 s-1"), pretty("degC"), pretty("percent")
    ('m³ m⁻³', 'kg m⁻² s⁻¹', '°C', '%')
    """
    plain = {"degC": "°C", "percent": "%"}
    return plain.get(units) or " ".join(_raised(word) for word in units.split())


def _raised(word: str) -> str:
    """Raise the exponent of one unit; a number by itself stays."""
    stem = word.rstrip("-0123456789")
    if not stem.isalpha():
        return word
    return stem + word[len(stem) :].translate(SUPERSCRIPTS)


def one_by_one(
    array: xr.DataArray, keep: Sequence[str]
) -> Iterator[tuple[str, dict[Hashable, int]]]:
    """Yield a title and the position of every site.

    Parameters
    ----------
    array : xarray.DataArray
        Any dims.
    keep : sequence of str
        Dims that are not sites.

    Yields
    ------
    title : str
        Label of the site and its name, where a coordinate has one.
    where : dict
        For ``isel``.

    Examples
    --------
    >>> array = xr.DataArray([[1.0], [2.0]], {"site": ["a", "b"]}, ("site", "time"))
    >>> [title for title, _ in one_by_one(array, ["time"])]
    ['a', 'b']
    """
    dims = [dim for dim in array.dims if dim not in keep]
    for numbers in product(*(range(array.sizes[dim]) for dim in dims)):
        where = dict(zip(dims, numbers, strict=True))
        yield ", ".join(_title(array, dim, where[dim]) for dim in dims), where


def _title(array: xr.DataArray, dim: Hashable, number: int) -> str:
    """Label of a site, and its name where a coordinate called so has one."""
    if dim not in array.coords:
        return f"{dim} {number}"
    value = array[dim][number].item()
    text = f"{value:g}" if isinstance(value, float) else str(value)
    texts = [
        coord
        for name, coord in array.coords.items()
        if coord.dims == (dim,) and name != dim and "name" in str(name).lower()
    ]
    return f"{text}, {texts[0][number].item()}" if texts else text


def panels(
    array: xr.DataArray, keep: Sequence[str], ax: Axes | Sequence[Axes] | None
) -> Axes | NDArray[np.object_]:
    """Return one Axes per site, or a single one for an array without site dims.

    Raises
    ------
    InputError
        When there are more sites than fit into a figure, or than `ax` has Axes.
    """
    dims = [dim for dim in array.dims if dim not in keep]
    count = int(np.prod([array.sizes[dim] for dim in dims], dtype=int))
    if ax is None and count > MOST:
        raise InputError(
            f"{count} sites are too many for one figure of at most {MOST}; choose "
            f"some, for example .isel({dims[0]}=slice({MOST // 2}))"
        )
    if ax is None:
        return _new_panels(count) if dims else new_axes(None, (8, 3))
    given = np.ravel(np.asarray(ax, dtype=object))
    if len(given) < count:
        raise InputError(
            f"ax= has {len(given)} Axes for {count} sites; pass one each, or choose "
            "sites with .isel(...)"
        )
    return given[:count] if dims else given[0]


def _new_panels(count: int) -> NDArray[np.object_]:
    """Make a figure of panels in rows; those left over stay empty."""
    columns = min(COLUMNS, count)
    rows = ceil(count / columns)
    size = (PANEL[0] * columns, PANEL[1] * rows + 0.4)
    _, axes = pyplot().subplots(
        rows, columns, figsize=size, squeeze=False, layout="constrained"
    )
    for spare in axes.flat[count:]:
        spare.set_axis_off()
    return np.ravel(axes)[:count]
