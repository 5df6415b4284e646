"""A queue of jobs: what is done, failed or stopped, and what is left."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.worklist import NO_SPACE, Worklist, alone

JOB = """
import sys
import time
from pathlib import Path
from benchmarks.worklist import stop_here
folder, _, job = sys.argv[1:]
what, name = job.split()
seen = Path(folder, f"{name}.begun")
again = seen.exists()
seen.touch()
if what == "stop" and not again:
    stop_here()
if what == "fail":
    raise SystemExit("it failed")
while what == "hold" and not Path(folder, "go").exists():
    time.sleep(0.01)
if what == "full":
    raise SystemExit(75)
Path(folder, name).touch()
"""


@pytest.fixture
def queue(tmp_path: Path) -> Worklist:
    """Jobs that make a file, some after a stop, some never."""
    command = ["-c", JOB, str(tmp_path)]
    return Worklist(tmp_path, command, lambda job: (tmp_path / job.split()[1]).exists())


def test_jobs_are_done_in_order_and_once(queue: Worklist) -> None:
    """Comments are no jobs; a failed one is left; more may be added."""
    assert queue.add(["do a", "fail b", "do a"]) == ["do a", "fail b"]
    path = queue.folder / "queue.txt"
    path.write_text("# mine\n\n" + path.read_text())
    queue.add(["do c"])
    assert queue.jobs() == ["do a", "fail b", "do c"]
    left: list[list[str]] = []
    queue.work(before=left.append)
    assert left == [["do a", "fail b", "do c"], ["fail b", "do c"], ["do c"], []]
    assert queue.pending() == []
    assert (queue.folder / "failed.txt").read_text() == "fail b\n"
    assert "it failed" in (queue.folder / "jobs.log").read_text()
    assert (queue.folder / "queue.log").read_text().count("start") == 3
    (queue.folder / "failed.txt").unlink()
    assert queue.pending() == ["fail b"]


def test_some_jobs_alone(queue: Worklist) -> None:
    """So many, or those that hold some words."""
    queue.add(["do a", "do b", "do c"])
    queue.work(only="b")
    assert queue.pending() == ["do a", "do c"]
    queue.work(most=1)
    assert queue.pending() == ["do c"]


def test_a_stopped_job_goes_on(queue: Worklist) -> None:
    """It is not failed, and nothing behind it is begun."""
    queue.add(["stop a", "do b"])
    with pytest.raises(SystemExit, match="stop a was stopped; the same command"):
        queue.work()
    assert queue.pending() == ["stop a", "do b"]
    queue.work()
    assert queue.pending() == []


def test_two_processes_share_a_queue(queue: Worklist) -> None:
    """Each job is begun once; one that is held is passed over, and free afterwards."""
    names = [f"do {letter}" for letter in "abcdef"]
    queue.add(["hold x", *names])
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(queue.work)
        while not (queue.folder / "x.begun").exists():
            time.sleep(0.01)
        second = pool.submit(queue.work)
        second.result(60)
        assert queue.pending() == ["hold x"]
        (queue.folder / "go").touch()
        first.result(60)
    log = (queue.folder / "queue.log").read_text()
    assert [log.count(f"start {name}") for name in ["hold x", *names]] == [1] * 7
    assert queue.pending() == []


def test_what_is_shared_is_made_by_one_at_a_time(tmp_path: Path) -> None:
    """The second waits for the first."""
    order: list[str] = []

    def make(name: str) -> None:
        with alone(tmp_path / "making"):
            order.append(f"{name} begins")
            time.sleep(0.05)
            order.append(f"{name} ends")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, "abcd"))
    assert [line[0] for line in order[::2]] == [line[0] for line in order[1::2]]


def test_a_full_disk_stops_the_queue(queue: Worklist) -> None:
    """The job may be tried again."""
    assert NO_SPACE == 75
    queue.add(["full a"])
    with pytest.raises(SystemExit, match="the disk is full"):
        queue.work()
    assert queue.pending() == ["full a"]
