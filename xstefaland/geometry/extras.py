"""Libraries that only some calls need, and what to say where one is missing."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from xstefaland.errors import pip_install


def needed(modules: str, extra: str, what: str) -> tuple[Any, ...]:
    """Import libraries of an extra.

    Parameters
    ----------
    modules : str
        Their names, separated by blanks.
    extra : str
        The extra of the package that brings them.
    what : str
        What needs them.

    Returns
    -------
    tuple of module
        In the order of the names.

    Raises
    ------
    ImportError
        With the lines that install them, when one is missing.

    Examples
    --------
    >>> import shapely
    >>> needed("shapely", "basins", "basin_means") == (shapely,)
    True
    """
    missing = [name for name in modules.split() if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"{what} needs {' and '.join(missing)}: `{pip_install(extra)}`"
            f" or `conda install -c conda-forge {' '.join(missing)}`"
        )
    return tuple(import_module(name) for name in modules.split())
