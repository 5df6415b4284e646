"""The queue of pilots: one job at a time, each in a process of its own.

Run from the root of the repository, in a session of its own::

    setsid nohup python -m benchmarks.pilots.run --runs RUNS --data DATA &

Jobs are lines of ``RUNS/queue.txt``, which may be edited while the queue runs::

    encoder NAME SEED
    head TARGET SYSTEM ENCODER SEED

Finished jobs are skipped, stopped ones go on, failed ones are noted in
``RUNS/failed.txt`` and left until their line there is deleted. When all is done the
queue waits for more lines.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

PENDING_SECONDS = 20
ALLOCATION = {  # glibc keeps freed memory: a fifth less time in page faults
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**28),
}


def outcome(runs: Path, job: str) -> Path:
    """File that is there when a job is done."""
    kind, *rest = job.split()
    if kind == "encoder":
        return runs / "encoders" / "-".join(rest) / "done.json"
    return runs / "heads" / "-".join(rest) / "scores.csv"


def pending(runs: Path, queue: str) -> list[str]:
    """Jobs that are neither done nor failed, in order."""
    lines = (runs / queue).read_text().splitlines()
    failed = runs / "failed.txt"
    bad = set(failed.read_text().splitlines()) if failed.exists() else set()
    jobs = [x.strip() for x in lines if x.strip() and not x.startswith("#")]
    return [j for j in jobs if j not in bad and not outcome(runs, j).exists()]


def work(runs: Path, data: Path, queue: str) -> None:
    """Run jobs for ever."""
    while True:
        jobs = pending(runs, queue)
        if not jobs:
            time.sleep(PENDING_SECONDS)
            continue
        command = [sys.executable, "-m", "benchmarks.pilots.run", "--job", jobs[0]]
        command += ["--runs", str(runs), "--data", str(data)]
        _note(runs, f"start {jobs[0]}")
        with (runs / "jobs.log").open("a") as log:
            done = subprocess.run(command, stdout=log, stderr=log, check=False)
        _note(runs, f"end {done.returncode} {jobs[0]}")
        if done.returncode > 0:  # below 0: it was stopped from outside, and may go on
            with (runs / "failed.txt").open("a") as file:
                file.write(jobs[0] + "\n")


def _note(runs: Path, text: str) -> None:
    line = f"{datetime.now():%H:%M:%S} load {os.getloadavg()[0]:.1f} {text}\n"
    with (runs / "queue.log").open("a") as file:
        file.write(line)


def run_job(runs: Path, data: Path, job: str) -> None:
    """Do one job in this process."""
    import torch

    from benchmarks.pilots import encoders, heads

    torch.set_num_threads(1)
    kind, *rest = job.split()
    if kind == "encoder":
        encoders.train(runs, data, rest[0], int(rest[1]))
    else:
        target, system, encoder, seed = rest
        heads.run(runs, data, target, system, encoder, int(seed))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/pilots"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--queue", default="queue.txt")
    parser.add_argument("--job")
    arguments = parser.parse_args()
    if not ALLOCATION.keys() <= os.environ.keys():  # it is read when a process starts
        again = [sys.executable, "-m", "benchmarks.pilots.run", *sys.argv[1:]]
        os.execve(sys.executable, again, os.environ | ALLOCATION)
    if arguments.job:
        run_job(arguments.runs, arguments.data, arguments.job)
    else:
        work(arguments.runs, arguments.data, arguments.queue)


if __name__ == "__main__":
    main()
