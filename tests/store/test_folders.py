"""Files that are whole or absent, in folders and in object stores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from xstefaland.errors import InputError
from xstefaland.store.folders import (
    LocalFolder,
    RemoteFolder,
    address,
    is_local,
    open_folder,
)


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A folder of either sort, empty."""
    if request.param == "local":
        return LocalFolder(tmp_path / "run")
    return RemoteFolder(f"memory://{tmp_path}/run")


def test_files_are_read_written_and_removed(folder: Any) -> None:
    """The plain round trip, in a folder of the folder too."""
    assert folder.read("done/1") is None
    assert folder.names("done") == []
    folder.write("done/1", b"first")
    folder.write("done/1", b"second")
    folder.write("done/0", b"")
    assert folder.read("done/1") == b"second"
    assert folder.names("done") == ["0", "1"]
    assert folder.names() == ["done"]
    folder.remove("done/0")
    folder.remove("done/0")
    assert folder.names("done") == ["1"]
    folder.remove("done")
    assert folder.names() == []


def test_a_file_is_created_once(folder: Any) -> None:
    """The second to create a name is told so, and changes nothing."""
    assert folder.create("claim", b"mine")
    assert not folder.create("claim", b"theirs")
    assert folder.read("claim") == b"mine"
    assert folder.names() == ["claim"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk loses the new content, not the old one, and leaves no rest."""
    folder = LocalFolder(tmp_path)
    folder.write("plan", b"old")
    write_bytes = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        write_bytes(path, content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        folder.write("plan", b"new")
    assert folder.read("plan") == b"old"
    assert os.listdir(tmp_path) == ["plan"]


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths become absolute, so that workers elsewhere mean the same; URLs stay."""
    monkeypatch.chdir(tmp_path)
    assert address("out.zarr") == str(tmp_path / "out.zarr")
    assert address(f"file://{tmp_path}/out.zarr") == str(tmp_path / "out.zarr")
    assert address("s3://bucket/out.zarr/") == "s3://bucket/out.zarr"
    assert is_local("out.zarr")
    assert not is_local("s3://bucket/out.zarr")
    assert isinstance(open_folder(address("out.zarr")), LocalFolder)


@pytest.mark.parametrize("wrong", ["", None, 3])
def test_what_is_no_address_is_refused(wrong: Any) -> None:
    """With an example of what is."""
    with pytest.raises(InputError, match=r"flow\.zarr"):
        address(wrong)
