"""What other manuals have pages on, so that their names become links.

The lists are fetched when the manual is first built, kept in ``_build``, and go without
saying where there is no network: the names stay plain then.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.request import urlopen

MANUALS = {
    "python": "https://docs.python.org/3/",
    "numpy": "https://numpy.org/doc/stable/",
    "pandas": "https://pandas.pydata.org/docs/",
    "xarray": "https://docs.xarray.dev/en/stable/",
    "dask": "https://docs.dask.org/en/stable/",
    "sklearn": "https://scikit-learn.org/stable/",
    "matplotlib": "https://matplotlib.org/stable/",
}
SECONDS = 5.0  # to wait for an answer


def fetched(
    folder: Path, manuals: Mapping[str, str] = MANUALS
) -> dict[str, tuple[str, str]]:
    """Fetch the inventories that are not here yet, as far as there is a network.

    Parameters
    ----------
    folder : Path
        Where they are kept.
    manuals : mapping
        Address of each manual by its name.

    Returns
    -------
    dict
        For Sphinx's ``intersphinx_mapping``: address and file of those at hand. With
        ``XSTEFALAND_OFFLINE`` set nothing is asked for, and nothing any more after
        the first that does not answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    online = not os.environ.get("XSTEFALAND_OFFLINE")
    for name, address in manuals.items():
        file = folder / f"{name}.inv"
        if online and not file.exists():
            online = _fetch(f"{address}objects.inv", file)
    files = {name: folder / f"{name}.inv" for name in manuals}
    return {n: (manuals[n], str(file)) for n, file in files.items() if file.exists()}


def _fetch(address: str, file: Path) -> bool:
    """Fetch one file whole; tell whether that could be done."""
    try:
        with urlopen(address, timeout=SECONDS) as answer:
            content: bytes = answer.read()
    except OSError as error:
        print(f"no links to other manuals: {address} does not answer ({error})")
        return False
    file.write_bytes(content)
    return True
