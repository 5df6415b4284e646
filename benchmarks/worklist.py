"""A queue of jobs in a text file: one at a time, each in a process of its own.

``FOLDER/queue.txt`` has a job on each line and may be edited while it is worked on.
Done jobs are skipped, stopped ones go on where their checkpoint was written, failed
ones are noted in ``FOLDER/failed.txt`` and left until their line there is deleted.
``queue.log`` says when each job began and how it ended, ``jobs.log`` what it printed.

Several processes may work on one queue: a job is held by a lock on a file in
``FOLDER/claims``, which ends with the process that does it, however that ends.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NO_SPACE = 75  # exit status of a job that may be tried again when there is room
ALLOCATION = {  # glibc keeps freed memory: a fifth less time in page faults
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**28),
}


@dataclass(frozen=True)
class Worklist:
    """A queue and how its jobs are run.

    Parameters
    ----------
    folder : Path
        Where it is kept.
    command : sequence of str
        Words behind ``python``; ``--job LINE`` follows.
    done : callable
        Tells of a line whether its job is done.
    """

    folder: Path
    command: Sequence[str]
    done: Callable[[str], bool]

    def add(self, jobs: Iterable[str]) -> list[str]:
        """Put jobs that are not there behind the others; return all lines."""
        path = self.folder / "queue.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        lines += [job for job in dict.fromkeys(jobs) if job not in lines]
        path.write_text("\n".join(lines) + "\n")
        return lines

    def jobs(self) -> list[str]:
        """All jobs, in order; lines that begin with # are none."""
        lines = (self.folder / "queue.txt").read_text().splitlines()
        return [line for line in lines if line.strip() and line[0] != "#"]

    def pending(self) -> list[str]:
        """Jobs that are neither done nor failed, in order."""
        failed = self.folder / "failed.txt"
        bad = set(failed.read_text().splitlines()) if failed.exists() else set()
        return [job for job in self.jobs() if job not in bad and not self.done(job)]

    def work(
        self,
        most: int | None = None,
        only: str = "",
        before: Callable[[list[str]], object] = len,
    ) -> None:
        """Run jobs until none is left, or so many were run.

        Parameters
        ----------
        most : int, optional
            Jobs to run at most.
        only : str
            Words that a job's line must hold.
        before : callable
            Called with all pending jobs before each one.
        """
        count = 0
        while most is None or count < most:
            left = self.pending()
            before(left)
            if not any(self._try(job) for job in left if only in job):
                return
            count += 1

    def _try(self, job: str) -> bool:
        """Do a job, unless another process is at it or has done it meanwhile."""
        name = hashlib.sha256(job.encode()).hexdigest()[:16]
        path = self.folder / "claims" / name
        path.parent.mkdir(exist_ok=True)
        with path.open("w") as claim:
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if job not in self.pending():
                return False
            self._run_apart(job, claim.fileno())
        return True

    def _run_apart(self, job: str, claim: int) -> None:
        """Run a job in a process of its own; stop where it was stopped from outside."""
        self._note(f"start {job}")
        with (self.folder / "jobs.log").open("a") as log:
            done = subprocess.run(
                [sys.executable, *self.command, "--job", job],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                check=False,
                env=os.environ | ALLOCATION,
                pass_fds=[claim],  # held as long as the job lives
            )
        self._note(f"end {done.returncode} {job}")
        if done.returncode == NO_SPACE:
            raise SystemExit(
                f"the disk is full: see the end of {self.folder / 'jobs.log'}"
            )
        if done.returncode > 0:
            with (self.folder / "failed.txt").open("a") as file:
                file.write(f"{job}\n")
        elif done.returncode < 0:
            raise SystemExit(f"{job} was stopped; the same command goes on with it")

    def _note(self, text: str) -> None:
        line = f"{datetime.now():%m-%d %H:%M:%S} load {os.getloadavg()[0]:.1f} {text}"
        print(line, flush=True)
        with (self.folder / "queue.log").open("a") as file:
            file.write(f"{line}\n")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process is here, and keep others out meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def stop_here() -> None:
    """End this process as one that was stopped: its job goes on another time."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTERM)
