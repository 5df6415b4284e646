"""The end of a run: one listing of all metadata, and nothing left that is not data."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from xstefaland.store.folders import LocalFolder, open_folder

if TYPE_CHECKING:
    from pathlib import Path

    from xstefaland.store.claims import Coordinator
    from xstefaland.store.manifest import Manifest


def close(
    store: str,
    storage_options: dict[str, object],
    manifest: Manifest,
    me: Coordinator,
    facts: Mapping[str, object],
) -> None:
    """Consolidate the metadata of a store whose regions are all done, once.

    Parameters
    ----------
    store : str
        Path or address.
    storage_options : dict
        For fsspec.
    manifest : Manifest
        Told when it is done.
    me : Coordinator
        Claims it, for others may be as far.
    facts : dict
        Kept in the manifest.
    """
    import zarr
    from zarr.errors import ZarrUserWarning

    while not manifest.finished:
        if not me.claim("finish"):
            time.sleep(0.1)
            continue
        with warnings.catch_warnings():
            # xarray writes and reads it; the specification is to follow.
            warnings.simplefilter("ignore", ZarrUserWarning)
            group = zarr.open_group(
                store, mode="r+", storage_options=storage_options or None
            )
            zarr.consolidate_metadata(group.store)
        where = open_folder(store, storage_options)
        if isinstance(where, LocalFolder):
            _tidy(where.path)
        manifest.finish(facts)
        me.release("finish")


def _tidy(folder: Path) -> None:
    """Remove what processes that were killed left half written."""
    for part in folder.rglob("*.partial"):
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
