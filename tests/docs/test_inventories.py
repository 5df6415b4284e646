"""Lists of other manuals' pages are fetched once, or missed without a network."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


class Quiet(SimpleHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def inventories(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, which is no part of the package."""
    monkeypatch.syspath_prepend(DOCS)
    monkeypatch.delenv("XSTEFALAND_OFFLINE", raising=False)
    return importlib.import_module("inventories")


@pytest.fixture
def manual(tmp_path: Path) -> Iterator[str]:
    """Address of a manual on this machine."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "objects.inv").write_bytes(b"pages")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_answers_is_kept(
    inventories: ModuleType, manual: str, tmp_path: Path
) -> None:
    """A second build asks for nothing; the first silence ends the asking."""
    folder, nobody = tmp_path / "kept", "http://127.0.0.1:1/"
    manuals = {"here": manual, "gone": nobody, "never asked": manual}
    found = inventories.fetched(folder, manuals)
    assert found == {"here": (manual, str(folder / "here.inv"))}
    assert (folder / "here.inv").read_bytes() == b"pages"
    assert inventories.fetched(folder, {"here": nobody}).keys() == {"here"}


def test_offline_asks_for_nothing(
    inventories: ModuleType,
    manual: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the package itself does."""
    monkeypatch.setenv("XSTEFALAND_OFFLINE", "1")
    assert inventories.fetched(tmp_path / "kept", {"here": manual}) == {}
