"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import dask
import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA_VARIABLE = "XSTEFALAND_TEST_DATA"

# The machine may be busy: how long one example takes says nothing.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real observations; a test that asks for it is skipped without one."""
    folder = Path(os.environ.get(DATA_VARIABLE) or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set {DATA_VARIABLE} to its folder")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test on real data that skips although their folder was named."""
    report = yield
    on_data = "real_data" in getattr(item, "fixturenames", ())
    excused = hasattr(report, "wasxfail") or item.get_closest_marker("gpu")
    if report.skipped and on_data and os.environ.get(DATA_VARIABLE) and not excused:
        report.outcome = "failed"
        report.longrepr = f"{DATA_VARIABLE} is set, yet skipped: {report.longrepr}"
    return report


@pytest.fixture
def no_compute() -> Callable[[], AbstractContextManager[None]]:
    """Inside ``with no_compute():`` computing a dask graph is an error."""

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError("a dask graph was computed")

    @contextmanager
    def block() -> Iterator[None]:
        with dask.config.set(scheduler=refuse):
            yield

    return block


@pytest.fixture
def peak_memory() -> Callable[[], int]:
    """A function that tells the most memory its process ever had [bytes].

    ``ru_maxrss`` does not: a new process starts with its parent's.
    """

    def peak() -> int:
        status = Path("/proc/self/status").read_text().splitlines()
        return next(int(x.split()[1]) * 1024 for x in status if x.startswith("VmHWM"))

    return peak
