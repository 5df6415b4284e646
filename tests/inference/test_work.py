"""Work: a worker's cores while a task computes, the process's own setting after it."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from xstefaland.inference import work
from xstefaland.inference.loaded import Loaded


@pytest.fixture
def place() -> Loaded:
    """A model in place; which one plays no part."""
    return Loaded(torch.nn.Identity(), threading.RLock())


def test_threads_are_set_and_restored() -> None:
    """Inside the block PyTorch has the number asked for, after it the one before."""
    before = torch.get_num_threads()
    with work.torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with work.torch_threads(None):
        assert torch.get_num_threads() == before


def test_threads_are_restored_after_an_error() -> None:
    """A task that fails leaves nothing behind for the next one."""
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), work.torch_threads(before + 2):
        _ = 1 / 0
    assert torch.get_num_threads() == before


def test_outside_of_workers_nothing_is_set(place: Loaded) -> None:
    """A plain process keeps what PyTorch or the user chose."""
    assert work.threads_of_worker() is None
    before = torch.get_num_threads()
    with work.at_work(place):
        assert torch.get_num_threads() == before


def test_a_task_takes_the_threads_of_its_worker(
    place: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of three threads computes on three, whatever OMP_NUM_THREADS says."""
    distributed = pytest.importorskip("distributed")
    worker = SimpleNamespace(state=SimpleNamespace(nthreads=3))
    monkeypatch.setattr(distributed, "get_worker", lambda: worker)
    before = torch.get_num_threads()
    with work.at_work(place):
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == before


def test_one_task_at_a_time(place: Loaded) -> None:
    """The device is held while a task works, and free after it, even if it failed."""

    def free() -> bool:
        found: list[bool] = []

        def look() -> None:
            found.append(place.lock.acquire(blocking=False))
            if found[0]:
                place.lock.release()

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        return found[0]

    def fail() -> None:
        with work.at_work(place):
            assert not free()
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        fail()
    assert free()


def test_memory_is_given_back(place: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each task the C library is asked to return what is free."""
    asked: list[int] = []

    def trim(keep: int) -> int:
        asked.append(keep)
        return 1

    finder: Any = lambda: trim  # noqa: E731
    monkeypatch.setattr(work, "_malloc_trim", finder)
    with work.at_work(place):
        assert asked == []
    assert asked == [0]
    monkeypatch.setattr(work, "_malloc_trim", lambda: None)
    with work.at_work(place):
        pass
    assert asked == [0]
