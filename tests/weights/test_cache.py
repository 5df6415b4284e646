"""Fetching, against a real web server on loopback."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pooch
import pytest

from xstefaland import set_options
from xstefaland.errors import OfflineError, WeightsError
from xstefaland.weights import Weights, cache, registry
from xstefaland.weights.cache import fetch_entry


@pytest.fixture
def entry(table, encoder_file: Weights) -> registry.Entry:
    """A listed file that is not bundled."""
    return table.add(encoder_file, "base")


@pytest.fixture
def body(encoder_file: Weights) -> bytes:
    """The right content of that file."""
    return encoder_file.path.read_bytes()


URL = "/weights/v1/tiny-v1.safetensors"


def test_good_file(server, answer, entry, body, tmp_path: Path) -> None:
    """A good file lands in the version's folder of the cache and is fetched once."""
    server.put(URL, answer(body))
    path = fetch_entry(entry)
    assert path == tmp_path / "cache" / "v1" / "tiny-v1.safetensors"
    assert path.read_bytes() == body
    assert fetch_entry(entry) == path
    assert server.requests == [URL]


def test_wrong_hash(server, answer, entry, body) -> None:
    """A file with another content is refused and leaves nothing behind."""
    server.put(URL, answer(body[:-1] + b"?"))
    with pytest.raises(WeightsError, match=rf"{server.url}/v1/tiny.*does not match"):
        fetch_entry(entry, attempts=2, wait=0.01)
    assert len(server.requests) == 2
    assert list(cache.cached_path(entry).parent.iterdir()) == []


@pytest.mark.parametrize("honest", [True, False])
def test_truncated_file(server, answer, entry, body, honest: bool) -> None:
    """A transfer that breaks off is an error, whatever length was announced."""
    cut = body[: len(body) // 2]
    server.put(URL, answer(cut, claimed=len(body) if honest else None))
    with pytest.raises(WeightsError, match="Could not download"):
        fetch_entry(entry, attempts=1)
    assert list(cache.cached_path(entry).parent.iterdir()) == []


def test_retry_succeeds(server, answer, entry, body) -> None:
    """A server that fails twice and then works is no problem."""
    server.put(URL, answer(status=503), answer(body[:10]), answer(body))
    assert fetch_entry(entry, attempts=3, wait=0.01).read_bytes() == body
    assert len(server.requests) == 3


def test_not_found(server, entry) -> None:
    """404 is not tried again, and the message has address, hash and remedies."""
    with pytest.raises(WeightsError, match="404") as caught:
        fetch_entry(entry, wait=60.0)
    text = str(caught.value)
    assert f"{server.url}/v1/tiny-v1.safetensors" in text
    assert entry.sha256 in text
    assert "XSTEFALAND_WEIGHTS_URL" in text
    assert str(cache.cached_path(entry)) in text
    assert len(server.requests) == 1


def test_server_down(entry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port where nobody listens gives our error with the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setenv("XSTEFALAND_WEIGHTS_URL", address)
        with pytest.raises(WeightsError, match=rf"from {address}/v1/tiny.*By hand"):
            fetch_entry(entry, attempts=2, wait=0.01)


def test_damaged_cache_is_replaced(server, answer, entry, body) -> None:
    """A cached file with another content is fetched again."""
    server.put(URL, answer(body))
    path = cache.cached_path(entry)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    assert fetch_entry(entry).read_bytes() == body


def test_cached_file_needs_no_network_and_no_writing(
    server, entry, body, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only cache works: nothing is written, locked or asked for."""
    path = cache.cached_path(entry)
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    path.chmod(0o444)
    path.parent.chmod(0o555)

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(pooch.core, "make_local_storage", refuse)
    try:
        before = os.stat(path.parent).st_mtime_ns
        with set_options(offline=True):
            assert fetch_entry(entry) == path
        assert os.stat(path.parent).st_mtime_ns == before
    finally:
        path.parent.chmod(0o755)
    assert server.requests == []


def test_cache_that_cannot_be_written(server, answer, entry, body, tmp_path) -> None:
    """A cache folder that cannot be made is our error with the option to set."""
    server.put(URL, answer(body))
    obstacle = tmp_path / "file"
    obstacle.write_text("not a folder")
    with (
        set_options(cache_dir=obstacle / "cache"),
        pytest.raises(
            WeightsError, match=r"Cannot write.*cache_dir=.*XSTEFALAND_CACHE"
        ),
    ):
        fetch_entry(entry)


@pytest.mark.parametrize("way", ["option", "environment"])
def test_offline(server, entry, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Offline, a missing file is our error: file, address, hash, where to put it."""
    if way == "environment":
        monkeypatch.setenv("XSTEFALAND_OFFLINE", "1")
    with (
        set_options(offline=way == "option"),
        pytest.raises(OfflineError, match="set offline") as caught,
    ):
        fetch_entry(entry)
    for part in (entry.file, entry.sha256, server.url, str(cache.cached_path(entry))):
        assert part in str(caught.value)
    assert server.requests == []


def test_offline_with_damaged_cache(entry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline, a damaged file is named as such."""
    path = cache.cached_path(entry)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    monkeypatch.setenv("XSTEFALAND_OFFLINE", "yes")
    with pytest.raises(OfflineError, match="has another sha256"):
        fetch_entry(entry)


def test_option_wins_over_environment(tmp_path: Path, table) -> None:
    """`set_options(cache_dir=...)` decides, then XSTEFALAND_CACHE, at each call."""
    assert cache.cache_dir() == tmp_path / "cache"
    with set_options(cache_dir=tmp_path / "other"):
        assert cache.cache_dir() == tmp_path / "other"


def test_default_cache_is_the_systems(table, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without option and variable it is the operating system's cache folder."""
    monkeypatch.delenv("XSTEFALAND_CACHE")
    assert cache.cache_dir() == Path(pooch.os_cache("xstefaland"))


def test_default_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable the one constant is the address."""
    monkeypatch.delenv("XSTEFALAND_WEIGHTS_URL", raising=False)
    assert cache.base_url() == cache.BASE_URL


@pytest.mark.parametrize("style", ["path", "url"])
@pytest.mark.parametrize("layout", ["v1", ""])
def test_folder_as_source(
    entry, body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, style, layout
) -> None:
    """A folder is used in place, also offline, with or without version folders."""
    folder = tmp_path / "mirror"
    path = folder / layout / entry.file
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    address = folder.as_uri() if style == "url" else str(folder)
    monkeypatch.setenv("XSTEFALAND_WEIGHTS_URL", address)
    with set_options(offline=True):
        assert fetch_entry(entry) == path
    assert not (tmp_path / "cache").exists()


def test_folder_without_the_file(
    entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that lacks the file, or holds another one, says so."""
    monkeypatch.setenv("XSTEFALAND_WEIGHTS_URL", str(tmp_path / "mirror"))
    with pytest.raises(WeightsError, match=r"holds neither 'v1/tiny-v1.safetensors'"):
        fetch_entry(entry)
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / entry.file).write_bytes(b"other")
    with pytest.raises(
        WeightsError, match=rf"but weights 'tiny-v1' have {entry.sha256}"
    ):
        fetch_entry(entry)


def test_bundled_needs_neither_network_nor_cache(
    server, table, encoder_file: Weights, body, tmp_path: Path
) -> None:
    """A bundled file is used in place, offline and without a cache folder."""
    bundled = table.add(encoder_file, "base", bundled=True)
    (registry.BUNDLED / bundled.file).write_bytes(body)
    with set_options(offline=True, cache_dir="/nonexistent/folder"):
        assert fetch_entry(bundled) == registry.BUNDLED / bundled.file
    assert server.requests == []


def test_damaged_bundled_file(server, table, encoder_file: Weights) -> None:
    """A damaged bundled file is never replaced by a download: install again."""
    bundled = table.add(encoder_file, "base", bundled=True)
    (registry.BUNDLED / bundled.file).write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"missing or damaged.*--force-reinstall"):
        fetch_entry(bundled)
    assert server.requests == []


def test_unpublished(server, entry) -> None:
    """A listed file without hash is not asked for."""
    with pytest.raises(WeightsError, match="not published yet"):
        fetch_entry(replace(entry, sha256=None))
    assert server.requests == []


def test_no_attempts(server, entry) -> None:
    """Zero attempts is a wrong argument."""
    with pytest.raises(WeightsError, match="attempts=0"):
        fetch_entry(entry, attempts=0)
