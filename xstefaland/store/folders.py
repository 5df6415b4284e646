"""Where a run writes: a local folder, or an address that fsspec knows.

A *folder* holds small files by name. It writes a file whole or not at all, and where it
can, creates one only if nobody else has: that is what claims are made of.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from xstefaland.errors import InputError

Options = Mapping[str, Any] | None


class Folder(Protocol):
    """A folder of small files, none of which is ever half written."""

    shared: bool
    """Whether files can be created exclusively, so that coordinators can share it."""

    root: str
    """Path or address of the folder."""

    def read(self, name: str) -> bytes | None:
        """Return a file's content, None where there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one; tell whether it was written."""

    def remove(self, name: str) -> None:
        """Remove a file or folder, if it is there."""

    def names(self, folder: str = "") -> list[str]:
        """Names in a folder; none where there is no folder."""


class LocalFolder:
    """A folder of a local or network file system.

    Parameters
    ----------
    path : Path
        The folder; made with the first file.
    """

    shared = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = str(path)

    def read(self, name: str) -> bytes | None:
        """Return a file's content, None where there is none."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write beside the file, then rename: a reader sees the old or the new one."""
        part = self._part(name, content)
        os.replace(part, self.path / name)

    def create(self, name: str, content: bytes) -> bool:
        """Link a written file to its name, which fails where the name is taken."""
        part = self._part(name, content)
        try:
            os.link(part, self.path / name)
        except FileExistsError:
            return False
        finally:
            part.unlink(missing_ok=True)
        return True

    def remove(self, name: str) -> None:
        """Remove a file or folder, if it is there."""
        path = self.path / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def names(self, folder: str = "") -> list[str]:
        """Names in a folder, unfinished files left out."""
        try:
            found = os.listdir(self.path / folder)
        except FileNotFoundError:
            return []
        return sorted(name for name in found if not name.endswith(".part"))

    def _part(self, name: str, content: bytes) -> Path:
        """Write a file under a name that nobody else uses."""
        part = self.path / f"{name}.{uuid.uuid4().hex}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(content)
        except OSError:  # a full disk
            part.unlink(missing_ok=True)
            raise
        return part


class RemoteFolder:
    """A folder of an object store: an object is put whole, and the last one holds.

    Parameters
    ----------
    url : str
        The folder's address, such as ``s3://bucket/run``.
    options : mapping, optional
        For the file system (``storage_options``).
    """

    shared = False

    def __init__(self, url: str, options: Options = None) -> None:
        from fsspec.core import url_to_fs

        self._files, self.root = url_to_fs(
            url, use_listings_cache=False, **options or {}
        )

    def read(self, name: str) -> bytes | None:
        """Return an object's content, None where there is none."""
        try:
            return bytes(self._files.cat_file(self._path(name)))
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Put one object."""
        self._files.pipe_file(self._path(name), content)

    def create(self, name: str, content: bytes) -> bool:
        """Put an object unless there is one; another coordinator is not kept out."""
        if self._files.exists(self._path(name)):
            return False
        self.write(name, content)
        return True

    def remove(self, name: str) -> None:
        """Remove an object or everything below a name, if it is there."""
        path = self._path(name)
        if self._files.exists(path):
            self._files.rm(path, recursive=True)

    def names(self, folder: str = "") -> list[str]:
        """Names in a folder."""
        path = self._path(folder)
        try:
            found = self._files.ls(path, detail=False)
        except FileNotFoundError:
            return []
        names = [str(each).rstrip("/").rsplit("/", 1)[-1] for each in found]
        return sorted(name for name in names if name)

    def _path(self, name: str) -> str:
        """Address of an object, or of the folder itself for an empty name."""
        return f"{self.root}/{name}".rstrip("/")


def is_local(store: str | os.PathLike[str]) -> bool:
    """Tell a path from an address."""
    text = os.fspath(store)
    return "://" not in text or text.startswith(("file://", "local://"))


def address(store: object) -> str:
    """Return a store's absolute path or address as text.

    Raises
    ------
    InputError
        For what is neither path nor text.

    Examples
    --------
    >>> address("s3://bucket/flow.zarr/")
    's3://bucket/flow.zarr'
    """
    if not isinstance(store, str | os.PathLike) or not os.fspath(store):
        raise InputError(
            f"store={store!r} is not possible; pass the path or address of a Zarr "
            "store, such as 'flow.zarr' or 's3://bucket/flow.zarr'."
        )
    text = os.fspath(store)
    if not is_local(text):
        return text.rstrip("/")
    text = text.split("://", 1)[-1]
    return str(Path(text).expanduser().absolute())


def refuse_file(store: str) -> None:
    """Refuse a path at which, or above which, a file lies, before anything is done.

    Raises
    ------
    InputError
        With the file.
    """
    if not is_local(store):
        return
    path = Path(store)
    for each in (path, Path(f"{store}.run"), *path.parents):
        if each.exists() and not each.is_dir():
            raise InputError(
                f"store='{store}' is not possible: '{each}' is a file, and a Zarr "
                f"store is a folder. Choose another path, such as "
                f"'{each.with_suffix('')}-answer.zarr', or remove the file."
            )


def open_folder(store: str, options: Options = None) -> Folder:
    """Return the folder at a path or address that :func:`address` made."""
    return LocalFolder(Path(store)) if is_local(store) else RemoteFolder(store, options)
