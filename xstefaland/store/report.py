"""What a run did: regions, failures, time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from xstefaland.errors import RunError

SHOWN = 20
"""Failed regions that the text of an error names."""


@dataclass(frozen=True)
class FailedRegion:
    """A region that could not be written.

    Parameters
    ----------
    number : int
        Its number.
    name : str
        Where it lies.
    error : Exception
        Why it failed.
    """

    number: int
    name: str
    error: Exception

    def __str__(self) -> str:
        """Say which and why, on one line."""
        lines = str(self.error).strip().splitlines() or [""]
        return f"region {self.name}: {type(self.error).__name__}: {lines[0]}"


@dataclass(frozen=True)
class RunReport:
    """What a run did.

    Attributes
    ----------
    store : str
        Path or address of the Zarr store.
    regions : int
        Regions of the whole.
    written : int
        Those that this call wrote.
    skipped : int
        Those that an earlier call or another coordinator wrote.
    failed : tuple of FailedRegion
        Those that failed in this call.
    sites : int
        Sites of the regions written.
    seconds : float
        Time that the call took.
    clipped : int
        Values of these regions that lay beyond the range of `dtype` and are stored as
        its end.

    Examples
    --------
    >>> report = RunReport(
    ...     "flow.zarr", regions=4, written=3, skipped=1, sites=96, seconds=48.0
    ... )
    >>> print(report)
    flow.zarr: complete. 4 regions: 3 written, 1 there before, 0 failed, 0 left;
    96 sites in 48 s (2 sites/s)
    """

    store: str
    regions: int
    written: int = 0
    skipped: int = 0
    failed: tuple[FailedRegion, ...] = ()
    sites: int = 0
    seconds: float = 0.0
    clipped: int = 0
    storage_options: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def left(self) -> int:
        """Regions that were not tried."""
        return self.regions - self.written - self.skipped - len(self.failed)

    @property
    def complete(self) -> bool:
        """Whether every region is in the store."""
        return self.written + self.skipped == self.regions

    def open(self) -> xr.Dataset:
        """Open the store lazily.

        Returns
        -------
        xarray.Dataset
            As :func:`xarray.open_zarr` returns it, with the CRS among the coordinates
            and `embedding` among the data variables: having a dim of its own name, it
            is read as a coordinate.
        """
        options = dict(self.storage_options) if self.storage_options else None
        ds: xr.Dataset = xr.open_zarr(
            self.store,
            storage_options=options,
            consolidated=self.complete,
            decode_coords="all",
        )
        named = [n for n, v in ds.coords.items() if n in v.dims and v.ndim > 1]
        return ds.reset_coords(named)

    def __str__(self) -> str:
        """Say it in one or two lines."""
        rate = f" ({self.sites / self.seconds:.2g} sites/s)" if self.sites else ""
        state = "complete" if self.complete else "not complete"
        return (
            f"{self.store}: {state}. {self.regions} regions: {self.written} written, "
            f"{self.skipped} there before, {len(self.failed)} failed, {self.left} left;"
            f" {self.sites} sites in {self.seconds:.0f} s{rate}{self._beyond}"
        )

    @property
    def _beyond(self) -> str:
        """Say how many values were cut off, where any were."""
        if not self.clipped:
            return ""
        return (
            f"; {self.clipped} values lay beyond the range of the type that they are "
            "stored as, and became its end: see dtype="
        )


def run_error(report: RunReport, advice: str) -> RunError:
    """Return the error that names the regions of a run that failed."""
    lines = [str(report), *(f"  {each}" for each in report.failed[:SHOWN])]
    more = len(report.failed) - SHOWN
    lines += [f"  and {more} more: see the error's report.failed"] * (more > 0)
    return RunError("\n".join([*lines, advice]), report)
