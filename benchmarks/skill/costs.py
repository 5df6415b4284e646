"""What the jobs cost, in core-hours: measured, or from short runs.

A short run (``xstefaland benchmark NAME --quick``) notes the processor's time of each
system, that of its training apart. Training goes with the number of updates; the rest
(embeddings, channels, predictions) with the length of all records. What is found from
them is written to ``benchmarks/results/skill_costs.csv``; pieces of the queue that are
done replace it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from statistics import mean

import pandas as pd

from benchmarks.weights.machine import machine
from xstefaland.training.benchmark import PROTOCOLS, SYSTEMS, Head, Protocol
from xstefaland.training.benchmark.calibration import RegionalHbv
from xstefaland.training.benchmark.pieces import COST, site_years
from xstefaland.training.benchmark.reading import read_tasks
from xstefaland.training.benchmark.writing import markdown

from .jobs import Encoding, Job, read_job
from .work import SkillRuns, any_encoder

TABLE = Path(__file__).parents[1] / "results" / "skill_costs.csv"
ENCODER_HOURS = 0.4
"""66 000 basin-years at the 165 000 an hour of one core that the long run made."""

CALIBRATED = RegionalHbv()


def pieces(folder: Path) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yield benchmark, system and cost of every piece in a folder of benchmarks."""
    for path in sorted(folder.glob(f"*/*/*/{COST}")):
        system = path.parent.name.split("-", 2)[2]  # seed0-fold0-<system>
        benchmark = path.relative_to(folder).parts[0].removesuffix("-quick")
        yield benchmark, system, json.loads(path.read_text())


def full_hours(
    protocol: Protocol, system: str, cost: dict[str, float], years: float
) -> float:
    """Core-hours of a fold at full size, from what a short run of it cost.

    Parameters
    ----------
    protocol : Protocol
        With the full number of updates.
    system : str
        A head is trained for so many updates, a table on as many rows, and HBV is
        calibrated in more regions.
    cost : dict
        As a piece notes it: seconds of the processor in all, and of the training.
    years : float
        Length of all records at full size [years].
    """
    longer = years / cost["site_years"]
    more = protocol.settings.updates / cost["updates"]
    if not isinstance(SYSTEMS[system], Head):
        regions = min(CALIBRATED.regions, longer)
        more = regions if isinstance(SYSTEMS[system], RegionalHbv) else 1.0
    rest = max(0.0, cost["processor"] - cost["training"])
    return (cost["training"] * more + rest * longer) / 3600


def write_table(data: Path, quick: Path) -> pd.DataFrame:
    """Extrapolate the costs of short runs and write them down.

    Parameters
    ----------
    data : Path
        Of the archives.
    quick : Path
        Folder of short runs, a folder for each benchmark.
    """
    rows = []
    for benchmark, system, cost in pieces(quick):
        protocol = PROTOCOLS[benchmark]
        if isinstance(protocol, Protocol):
            hours = full_hours(protocol, system, cost, _years(benchmark, data))
            entries = {"benchmark": benchmark, "system": system, "core_hours": hours}
            short = {k: cost[k] for k in ("processor", "training", "updates")}
            rows.append(entries | short | {"site_years": cost["site_years"]})
    table = pd.DataFrame(rows).groupby(["benchmark", "system"], sort=False).mean()
    table.reset_index().round(3).to_csv(TABLE, index=False)
    wide = table["core_hours"].unstack("benchmark").reset_index()
    when = f"{datetime.now(UTC).date()}, {machine()}."
    TABLE.with_suffix(".md").write_text(f"{when}\n\n{markdown(wide)}\n")
    return wide


@cache
def _years(benchmark: str, data: Path) -> float:
    """Length of all records of a benchmark at full size."""
    protocol = PROTOCOLS[benchmark]
    assert isinstance(protocol, Protocol)
    tasks, _ = read_tasks(protocol, data, any_encoder(), quick=False)
    return mean(site_years(task) for task in tasks.values())


class Estimates:
    """Core-hours of a system on a fold: of done pieces, or of the table.

    Parameters
    ----------
    runs : SkillRuns
        What was done by now.
    """

    def __init__(self, runs: SkillRuns) -> None:
        self.runs = runs
        self.known: dict[tuple[str, str], float] = {}
        if TABLE.exists():
            table = pd.read_csv(TABLE)
            keys = zip(table["benchmark"], table["system"], strict=True)
            self.known = dict(zip(keys, table["core_hours"], strict=True))
        spent: dict[tuple[str, str], list[float]] = {}
        for benchmark, system, cost in pieces(runs.folder / "benchmark"):
            spent.setdefault((benchmark, system), []).append(cost["processor"] / 3600)
        self.known |= {key: mean(hours) for key, hours in spent.items()}

    def piece(self, benchmark: str, system: str) -> float:
        """Hours of a system on a fold; NaN where nothing like it was measured.

        A system that was not measured on this benchmark costs as on the others.
        """
        if (benchmark, system) in self.known:
            return self.known[benchmark, system]
        others = [hours for (_, name), hours in self.known.items() if name == system]
        return mean(others) if others else math.nan

    def job(self, job: Job) -> float:
        """Hours of what is not done of a job."""
        if isinstance(job, Encoding):
            return ENCODER_HOURS
        hours = [
            self.piece(job.benchmark, system) for _, _, system in self.runs.lacking(job)
        ]
        return float(sum(hours))


def left(runs: SkillRuns) -> str:
    """Say what is left to do, job by job, in core-hours."""
    estimates, lines, total, unknown = Estimates(runs), [], 0.0, 0
    for line in runs.worklist.pending():
        hours = estimates.job(read_job(line))
        unknown += math.isnan(hours)
        total += 0.0 if math.isnan(hours) else hours
        lines.append(f"{hours:6.2f}  {line}")
    more = f", and {unknown} jobs that nothing is known of" if unknown else ""
    return "\n".join([*lines, f"{total:6.1f}  core-hours in {len(lines)} jobs{more}"])
