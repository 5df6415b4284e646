"""Handing out regions: a few at a time, each with a graph of its own."""

from __future__ import annotations

import errno
import logging
import math
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from xstefaland.errors import InputError, RunError
from xstefaland.store.claims import Coordinator
from xstefaland.store.closing import close
from xstefaland.store.manifest import Manifest
from xstefaland.store.progress import Progress
from xstefaland.store.regions import Regions
from xstefaland.store.report import FailedRegion, RunReport, run_error
from xstefaland.store.source import ExaminedDataset
from xstefaland.store.writing import StoredVariable, write_region

HERE = 2
"""Regions at once without a cluster: one is read while another is computed."""

MOST = 512
"""Regions at once on a cluster: each holds a thread of this process, which waits."""

POLL = 0.5
"""Seconds between two looks at what other coordinators have done."""

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG)
"""Errors of the store, not of a region: the next one would fail too."""

logger = logging.getLogger("xstefaland")


@dataclass(frozen=True)
class RegionWriter:
    """All that is needed to write any region."""

    source: ExaminedDataset
    regions: Regions
    store: str
    storage_options: dict[str, Any]
    variables: tuple[StoredVariable, ...]

    def write(self, number: int) -> int:
        """Answer for a region and write it, where the scheduler in force computes."""
        return write_region(self.source, self.regions.slices(number), self.variables)


@dataclass
class _Tally:
    """What became of the regions so far."""

    written: int = 0
    skipped: int = 0
    sites: int = 0
    clipped: int = 0
    failed: list[FailedRegion] = field(default_factory=list)
    stopped: bool = False


def check_in_flight(in_flight: object) -> None:
    """Refuse anything but a number of regions, or None.

    Raises
    ------
    InputError
        For anything else.
    """
    if in_flight is None or (isinstance(in_flight, int) and in_flight >= 1):
        return
    raise InputError(
        f"in_flight={in_flight!r} is not possible; pass how many regions are worked on "
        "at once, 1 or more, or leave it out."
    )


def hand_out(
    writer: RegionWriter,
    manifest: Manifest,
    me: Coordinator,
    bar: Progress,
    in_flight: int | None,
    begun: float,
) -> RunReport:
    """Write all regions that nobody has written.

    Parameters
    ----------
    writer : RegionWriter
        How a region is written.
    manifest : Manifest
        Which are.
    me : Coordinator
        Who claims them.
    bar : Progress
        Where it is shown.
    in_flight : int, optional
        Regions at once.
    begun : float
        Monotonic time at which the call began [s].

    Raises
    ------
    RunError
        When some failed.
    """
    tally = _Tally()
    with closing(bar):
        if manifest.finished:
            tally.skipped = len(writer.regions)
        else:
            _hand_out(writer, manifest, me, bar, in_flight or _at_once(), tally)
    report = RunReport(
        store=writer.store,
        regions=len(writer.regions),
        written=tally.written,
        skipped=tally.skipped,
        failed=tuple(tally.failed),
        sites=tally.sites,
        clipped=tally.clipped,
        seconds=time.monotonic() - begun,
        storage_options=writer.storage_options,
    )
    if not report.complete:
        raise _failure(report, tally.stopped) from tally.failed[0].error
    facts = {"regions": report.regions, "sites": _sites(writer.regions)}
    close(writer.store, writer.storage_options, manifest, me, facts)
    return report


def _hand_out(
    writer: RegionWriter,
    manifest: Manifest,
    me: Coordinator,
    bar: Progress,
    at_once: int,
    tally: _Tally,
) -> None:
    """Hand out regions until all are done or have failed here."""
    turns = _turns(writer, manifest, me, tally, bar)
    running: dict[Future[int], int] = {}
    with ThreadPoolExecutor(at_once, thread_name_prefix="xstefaland") as pool:
        more = True
        while more or running:
            while more and not tally.stopped and len(running) < at_once:
                number = next(turns, None)
                if number is None:
                    more = False
                elif number >= 0:
                    task = pool.submit(
                        copy_context().run, _one, writer, manifest, number
                    )
                    running[task] = number
                else:  # the rest is claimed by others
                    break
            more = more and not tally.stopped
            if running:
                ended, _ = wait(running, POLL, FIRST_COMPLETED)
                for task in ended:
                    _settle(writer, running.pop(task), task, me, bar, tally)
            elif more:
                time.sleep(POLL)


def _turns(
    writer: RegionWriter,
    manifest: Manifest,
    me: Coordinator,
    tally: _Tally,
    bar: Progress,
) -> Iterator[int]:
    """Yield each region that is ours to write; -1 while others hold what is left."""
    done = manifest.done()
    tally.skipped += len(done)
    waiting = [number for number in range(len(writer.regions)) if number not in done]
    while waiting:
        held = []
        for number in waiting:
            try:
                mine = me.claim(_claim(number))
            except OSError as error:
                _fail(writer, number, error, bar, tally)
                return
            if not mine:
                held.append(number)
            elif manifest.folder.shared and manifest.is_done(number):
                me.release(_claim(number))
                tally.skipped += 1
                bar.skip()
            else:
                yield number
        waiting = held
        if waiting:
            yield -1


def _one(writer: RegionWriter, manifest: Manifest, number: int) -> int:
    """Write a region, then say so, in this order; return how much was cut off."""
    start = time.monotonic()
    clipped = writer.write(number)
    seconds = round(time.monotonic() - start, 3)
    sites = writer.regions.sites(number)
    manifest.set_done(number, {"sites": sites, "seconds": seconds, "clipped": clipped})
    return clipped


def _settle(
    writer: RegionWriter,
    number: int,
    task: Future[int],
    me: Coordinator,
    bar: Progress,
    tally: _Tally,
) -> None:
    """Count a region that ended."""
    error = task.exception()
    sites = writer.regions.sites(number)
    if error is None:
        tally.written += 1
        tally.sites += sites
        tally.clipped += task.result()
        bar.region(sites)
    elif not isinstance(error, Exception):  # an interrupt, an exit
        raise error
    else:
        _fail(writer, number, error, bar, tally)
    me.release(_claim(number))


def _sites(regions: Regions) -> int:
    """Count the sites of all regions together."""
    return math.prod(regions.sizes)


def _fail(
    writer: RegionWriter, number: int, error: Exception, bar: Progress, tally: _Tally
) -> None:
    """Count a region that failed; stop where no other could be written either."""
    failed = FailedRegion(number, writer.regions.name(number), error)
    tally.failed.append(failed)
    logger.warning("%s", failed)
    bar.region(0, failed=True)
    tally.stopped = tally.stopped or is_unwritable(error)


def is_unwritable(error: Exception) -> bool:
    """Tell whether an error is the store's: full, read-only, not allowed."""
    return isinstance(error, OSError) and error.errno in UNWRITABLE


def _failure(report: RunReport, stopped: bool) -> RunError:
    """Make the error of a run that is not complete, with what to do."""
    if stopped:
        return run_error(
            report,
            "The store cannot be written any more, so the run stopped. Make room or "
            "allow it, then make the same call again: it goes on where it was.",
        )
    return run_error(
        report, "Make the same call again: it tries what is not there yet."
    )


def _at_once() -> int:
    """Regions at once: enough for all threads of a cluster, where there is one."""
    if "distributed" not in sys.modules:
        return HERE
    from distributed import default_client

    try:
        client: Any = default_client()  # type: ignore[no-untyped-call]
    except ValueError:  # no client
        return HERE
    threads: dict[str, int] = client.nthreads()
    return max(HERE, min(MOST, sum(threads.values()) + len(threads)))


def _claim(number: int) -> str:
    """Name of a region's claim."""
    return f"{number:07d}"
