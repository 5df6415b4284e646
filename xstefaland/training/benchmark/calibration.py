"""HBV as a modeller runs it: one calibrated parameter set for each region.

Sites to train on are clustered into regions by position. In each one a single set of
HBV's parameters is searched (differential evolution, a fixed budget) that gives the
best mean NSE over its sites. A site held out has the set of the nearest site.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xstefaland import splits
from xstefaland.errors import InputError
from xstefaland.model.hbv import PHYSICAL, ROUTING, simulate_lean
from xstefaland.model.physics import FLUXES
from xstefaland.model.process import CARRIED, SPINUP_DAYS, WEATHER
from xstefaland.model.season import fill_by_season
from xstefaland.splits.places import points_on_sphere
from xstefaland.training.benchmark.work import Work
from xstefaland.training.fitting import Predicted
from xstefaland.training.tasks import Floats, Records, Task

Sites = list[tuple[Records, int]]
PARAMETERS = len(PHYSICAL) + len(ROUTING)
EDGE = 0.01
"""Distance kept from the parameters' bounds, as a share of their range."""
AT_ONCE = 4096
"""Site and parameter set pairs that are simulated together."""


@dataclass(frozen=True)
class RegionalHbv:
    """HBV with one parameter set a region.

    Parameters
    ----------
    regions : int
        Number of regions; fewer where there are few sites.
    sites : int
        Sites of a region that are calibrated on at most, drawn.
    years : int
        Last years of each record that are calibrated on, after one of spin-up.
    population, generations : int
        Of the differential evolution: sets at once, and rounds.
    """

    regions: int = 10
    sites: int = 40
    years: int = 5
    population: int = 48
    generations: int = 25

    def run(self, work: Work) -> Predicted:
        """Calibrate on the training sites; simulate those held out."""
        task = work.task
        _require(task)
        groups = self._grouped(task)
        found = []
        for number, group in enumerate(groups):

            def tell(share: float, number: int = number) -> None:
                work.progress((number + share) / len(groups))

            found.append(self._calibrated(task, group, work.settings.seed, tell))
        return _simulated(task, groups, np.stack(found))

    def _grouped(self, task: Task) -> list[Sites]:
        """Cluster the training sites; one region where positions are not known."""
        every = [
            (records, int(row))
            for records in task.records
            for row in records.rows("train")
            if _varies(records.observed[row, _scored(records, self.years)])
        ]
        if not every:
            raise InputError(
                f"no training site has observations in its last {self.years} years; "
                "leave out 'hbv-regional'"
            )
        there = np.flatnonzero(np.isfinite(_positions(every)).all(1))
        known = [every[number] for number in there]
        count = min(self.regions, len(known) // 3)
        if count < 2:
            return [every]
        latitude, longitude = _positions(known).T
        label = splits.spatial_blocks(latitude, longitude, folds=count).values
        parts = [np.flatnonzero(label == k) for k in range(count)]
        return [[known[i] for i in part] for part in parts if len(part)]

    def _calibrated(
        self, task: Task, group: Sites, seed: int, tell: Callable[[float], object]
    ) -> NDArray[np.float64]:
        """Search the set of one region, as shares of the parameters' ranges."""
        from scipy.optimize import differential_evolution

        rng = np.random.default_rng(seed)
        chosen = [group[i] for i in rng.permutation(len(group))[: self.sites]]
        batches = [_calibration(task, part, self.years) for part in _together(chosen)]
        rounds = 0

        def costs(shares: NDArray[np.float64]) -> NDArray[np.float64]:
            """One minus the mean NSE over sites, of each set (a column) of a round."""
            nonlocal rounds
            rounds += 1
            tell(min(1.0, rounds / (self.generations + 1)))
            scores = [_efficiencies(task, *batch, shares.T) for batch in batches]
            return np.asarray(1 - np.concatenate(scores, 1).mean(1))

        result = differential_evolution(
            costs,
            [(EDGE, 1 - EDGE)] * PARAMETERS,
            popsize=max(1, self.population // PARAMETERS),
            maxiter=self.generations,
            init="sobol",
            vectorized=True,
            updating="deferred",
            polish=False,
            rng=seed,
        )
        return np.asarray(result.x)


def _require(task: Task) -> None:
    """Refuse targets and weather that HBV does not have."""
    if task.target.name not in FLUXES or task.static:
        raise InputError(
            f"HBV has no daily {task.target.name!r}; leave out 'hbv-regional'"
        )
    lacking = [name for name in WEATHER if name not in task.known_forcing]
    if lacking:
        raise InputError(f"HBV needs the forcing {lacking}; leave out 'hbv-regional'")


def _scored(records: Records, years: int) -> slice:
    """Return the days that a calibration scores, which follow those of spin-up."""
    count = min(len(records.dates), years * 365 + SPINUP_DAYS)
    return slice(min(SPINUP_DAYS, count // 2) - count, None)


def _varies(observed: Floats) -> bool:
    """Tell whether a site has observations of which an NSE can be said."""
    there = observed[np.isfinite(observed)]
    return there.size > 0 and bool(np.ptp(there) > 0)


def _positions(sites: Sites) -> NDArray[np.float64]:
    """Latitude and longitude ``(site, 2)``."""
    rows = [records.sites[["lat", "lon"]].iloc[row] for records, row in sites]
    return np.array(rows, np.float64).reshape(-1, 2)


def _together(sites: Sites) -> list[tuple[Records, NDArray[np.int64]]]:
    """Group sites by their records, which share days."""
    rows: dict[str, list[int]] = {}
    known = {records.name: records for records, _ in sites}
    for records, row in sites:
        rows.setdefault(records.name, []).append(row)
    return [(known[name], np.array(each)) for name, each in rows.items()]


def _calibration(
    task: Task, part: tuple[Records, NDArray[np.int64]], years: int
) -> tuple[Tensor, Floats]:
    """Weather ``(day, site, 3)`` and observations of the last years."""
    records, rows = part
    days = slice(-min(len(records.dates), years * 365 + SPINUP_DAYS), None)
    return _weather(task, records, rows, days), records.observed[rows, days]


def _weather(
    task: Task, records: Records, rows: NDArray[np.int64], days: slice = slice(None)
) -> Tensor:
    """Weather without gaps, as heads of HBV get it ``(day, site, 3)``."""
    columns = [task.forcing_names.index(name) for name in WEATHER]
    given = torch.from_numpy(records.forcing[rows][:, days][..., columns])
    filled: Tensor = fill_by_season(given, carried=CARRIED)
    return filled.transpose(0, 1).contiguous()


def _logits(shares: NDArray[np.float64]) -> Tensor:
    """Turn shares of the parameters' ranges into what HBV takes."""
    return torch.from_numpy(np.log(shares / (1 - shares)).astype(np.float32))


def _efficiencies(
    task: Task, weather: Tensor, observed: Floats, shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """NSE of each set at each site ``(set, site)``, not below -1."""
    warm = min(SPINUP_DAYS, weather.shape[0] // 2)
    truth = observed[:, warm:].astype(np.float64)
    spread = truth - np.nanmean(truth, 1, keepdims=True)
    total = np.nansum(spread**2, 1)
    step = max(1, AT_ONCE // weather.shape[1])
    scores = []
    for first in range(0, len(shares), step):
        flow = _run(task, weather, _logits(shares[first : first + step]), warm)
        error = np.nansum((flow - truth) ** 2, -1)
        scores.append(1 - error / np.maximum(total, 1e-9))
    return np.asarray(np.clip(np.concatenate(scores), -1, 1))


def _run(task: Task, weather: Tensor, logits: Tensor, warm: int) -> NDArray[np.float64]:
    """Simulate every set at every site ``(set, site, day)`` after `warm` days."""
    sets, sites = len(logits), weather.shape[1]
    fluxes = simulate_lean(
        weather.repeat(1, sets, 1),
        logits.repeat_interleave(sites, 0),
        components=1,
        dynamic=(),
    )
    values = getattr(fluxes, FLUXES[task.target.name])[warm:]
    return np.asarray(values.T.numpy().reshape(sets, sites, -1))


def _simulated(
    task: Task, groups: Sequence[Sites], sets: NDArray[np.float64]
) -> Predicted:
    """Simulate whole records of the sites held out, spun up, within limits."""
    near = _Nearest(groups)
    results = []
    for records in task.records:
        rows = records.rows("held out")
        if not len(rows):
            continue
        weather = _weather(task, records, rows)
        own = near([(records, int(row)) for row in rows])
        logits = _logits(sets[own])
        options: dict[str, Any] = {"components": 1, "dynamic": ()}
        spun = simulate_lean(weather[:SPINUP_DAYS], logits, **options).states
        fluxes = simulate_lean(weather, logits, initial_states=spun, **options)
        flow = getattr(fluxes, FLUXES[task.target.name]).T.numpy()
        limited = np.clip(flow, task.target.minimum, task.target.maximum)
        results.append((records, rows, limited[..., None].astype(np.float32)))
    return results


class _Nearest:
    """The region of the training site that is nearest on the globe."""

    def __init__(self, groups: Sequence[Sites]) -> None:
        counts = [len(group) for group in groups]
        self.region = np.repeat(np.arange(len(groups)), counts)
        self.points = _on_sphere([site for group in groups for site in group])

    def __call__(self, sites: Sites) -> NDArray[np.int64]:
        """Region of each site; the first one where a position is not known."""
        along = np.nan_to_num(_on_sphere(sites) @ self.points.T, nan=-2.0)
        return np.asarray(self.region[along.argmax(1)], np.int64)


def _on_sphere(sites: Sites) -> NDArray[np.float64]:
    """Points of the unit sphere ``(site, 3)``."""
    return points_on_sphere(*_positions(sites).T)[0]
