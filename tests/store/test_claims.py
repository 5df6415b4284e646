"""Claims: one owner each, and none that outlives its owner."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from xstefaland.store import claims
from xstefaland.store.claims import STALE, Coordinator
from xstefaland.store.folders import LocalFolder, RemoteFolder


@pytest.fixture
def folder(tmp_path: Path) -> LocalFolder:
    """A folder that coordinators share."""
    return LocalFolder(tmp_path)


def test_one_owner(folder: LocalFolder) -> None:
    """A second coordinator gets what the first has released, and nothing else."""
    with Coordinator(folder) as first, Coordinator(folder) as second:
        assert first.claim("7")
        assert not second.claim("7")
        assert second.others() == [first.name]
        second.release("7")
        assert not second.claim("7")
        first.release("7")
        assert second.claim("7")
    assert folder.names("claims") == folder.names("alive") == []


def test_claims_end_with_the_block(folder: LocalFolder) -> None:
    """An error on the way gives everything back."""

    def fail() -> None:
        with Coordinator(folder) as first:
            first.claim("7")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with Coordinator(folder) as second:
        assert second.claim("7")


def test_a_killed_owner_loses_its_claims_at_once(folder: LocalFolder) -> None:
    """On the same machine its process is seen to be gone."""
    code = (
        "import os, signal; from pathlib import Path\n"
        "from xstefaland.store.claims import Coordinator\n"
        "from xstefaland.store.folders import LocalFolder\n"
        f"with Coordinator(LocalFolder(Path({str(folder.path)!r}))) as me:\n"
        "    assert me.claim('7')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    assert folder.names("claims") == ["7"]
    with Coordinator(folder) as me:
        assert me.others() == []
        assert me.claim("7")
        assert folder.read("claims/7") == me.name.encode()


def test_windows_is_sent_no_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """There 0 is Ctrl-C, which would end the owner: its silence alone decides."""
    sent: list[int] = []
    system = SimpleNamespace(name="nt", kill=lambda pid, _: sent.append(pid))
    monkeypatch.setattr(claims, "os", system)
    assert claims._runs(2**22 + 1)
    assert not sent


def _elsewhere(folder: LocalFolder, silent: float) -> str:
    """Write the sign of life of a coordinator on another machine."""
    folder.write("alive/far-1-x.json", b'{"host": "far", "pid": 1}')
    then = time.time() - silent
    os.utime(folder.path / "alive" / "far-1-x.json", (then, then))
    return "far-1-x"


def test_a_silent_owner_elsewhere_loses_its_claims(folder: LocalFolder) -> None:
    """Of another machine only the sign of life is seen."""
    with Coordinator(folder) as me:
        folder.write("claims/7", _elsewhere(folder, STALE / 2).encode())
        assert not me.claim("7")
        _elsewhere(folder, STALE * 2)
        assert me.claim("7")


def test_a_claim_without_owner_is_free(folder: LocalFolder) -> None:
    """The owner's sign of life was removed, its claim was not."""
    folder.write("claims/7", b"nobody")
    with Coordinator(folder) as me:
        assert me.claim("7")


def test_a_living_owner_keeps_what_it_took_over(
    folder: LocalFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who saw the dead owner first but acts last finds a living one."""
    folder.write("claims/7", b"dead")
    with Coordinator(folder) as quick, Coordinator(folder) as slow:
        take, paths = slow._take, []

        def sleep_before_the_right(path: str) -> bool:
            paths.append(path)
            if path.startswith("heirs/"):
                assert quick.claim("7")
            return take(path)

        monkeypatch.setattr(slow, "_take", sleep_before_the_right)
        assert not slow.claim("7")
        assert len(paths) == 2
        assert folder.read("claims/7") == quick.name.encode()
    assert folder.names("claims") == folder.names("heirs") == []


def test_an_heir_that_died_has_an_heir(folder: LocalFolder) -> None:
    """Killed between getting the right to follow and following, it blocks nobody."""
    folder.write("claims/7", b"dead")
    folder.write("heirs/7-dead", b"host-1-abcdefgh")
    with Coordinator(folder) as me:
        assert me.claim("7")
        assert folder.names("heirs") == []


def test_many_at_once_share_a_dead_owners_claims(folder: LocalFolder) -> None:
    """Each of 20 stale claims gets one owner of four that grasp at the same moment."""
    for number in range(20):
        folder.write(f"claims/{number}", b"dead")
    got: list[list[int]] = [[], [], [], []]
    barrier = threading.Barrier(4)

    def grasp(me: Coordinator, mine: list[int]) -> None:
        barrier.wait()
        mine += [number for number in range(20) if me.claim(str(number))]

    all_of_them = [Coordinator(folder) for _ in got]
    for me in all_of_them:
        me.__enter__()
    threads = [
        threading.Thread(target=grasp, args=pair)
        for pair in zip(all_of_them, got, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for me in all_of_them:
        me.__exit__(None, None, None)
    assert sorted(number for mine in got for number in mine) == list(range(20))


def test_signs_of_life_go_on(
    folder: LocalFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sign is touched again and again while the block lasts."""
    monkeypatch.setattr(claims, "BEAT", 0.01)
    with Coordinator(folder) as me:
        sign = folder.path / "alive" / f"{me.name}.json"
        os.utime(sign, (0, 0))
        deadline = time.monotonic() + 5
        while sign.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sign.stat().st_mtime > 0


def test_object_stores_have_one_coordinator(tmp_path: Path) -> None:
    """It claims without asking, and leaves no files."""
    folder = RemoteFolder(f"memory://{tmp_path}/run")
    with Coordinator(folder) as me:
        assert me.claim("7")
        assert me.others() == []
        me.release("7")
    assert folder.names() == []
