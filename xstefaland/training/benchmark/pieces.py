"""Pieces of work: one system in one round, kept so that a run survives a kill."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xstefaland.bars import tqdm
from xstefaland.errors import InputError
from xstefaland.inference.unseen import left_out
from xstefaland.training import static_scores
from xstefaland.training.benchmark import holdouts
from xstefaland.training.benchmark.holdouts import Folds
from xstefaland.training.benchmark.protocols import Protocol
from xstefaland.training.benchmark.work import (
    OutOfTime,
    System,
    Unavailable,
    Work,
)
from xstefaland.training.comparison import MINIMUM
from xstefaland.training.fitting import Predicted, score_sites
from xstefaland.training.tasks import Task
from xstefaland.weights.files import Weights

SCORES, STOPPED, COST = "scores.csv", "stopped.json", "cost.json"
"""What the folder of a piece holds: its scores or how far it came, and what it took."""


@dataclass(frozen=True)
class Piece:
    """One system in one round."""

    target: str
    seed: int
    fold: int
    system: str

    @property
    def folder(self) -> str:
        """Where it is kept."""
        return f"{self.target}/seed{self.seed}-fold{self.fold}-{self.system}"


def list_pieces(
    folds: Mapping[str, Sequence[int]], systems: Sequence[str], seeds: Sequence[int]
) -> Iterator[Piece]:
    """Put the work in an order in which a broken run compares all systems.

    Parameters
    ----------
    folds : mapping
        The folds of each target that are run.
    systems : sequence of str
        Their names.
    seeds : sequence of int
        One run each.

    Yields
    ------
    Piece
        Seed by seed, target by target, fold by fold.
    """
    for seed in seeds:
        for target, numbers in folds.items():
            for fold in numbers:
                for system in systems:
                    yield Piece(target, seed, fold, system)


def share_done(folder: Path) -> float | None:
    """How far a piece came that was stopped; None where it was not."""
    path = folder / STOPPED
    return float(json.loads(path.read_text())["share"]) if path.exists() else None


@dataclass(frozen=True)
class Bench:
    """What all pieces of a run share.

    Attributes
    ----------
    protocol : Protocol
        What is compared on what.
    tasks, folds : mapping
        By target: all sites, and the fold of each.
    encoders : mapping
        By target and fold.
    systems : mapping
        By name.
    runs : Path
        Where pieces are kept.
    hours : float
        Time that a piece has.
    skipped : dict
        Why a system was passed over: filled as the pieces are done.
    """

    protocol: Protocol
    tasks: Mapping[str, Task]
    folds: Mapping[str, Folds]
    encoders: Mapping[tuple[str, int], Weights]
    systems: Mapping[str, System]
    runs: Path
    hours: float
    skipped: dict[str, str] = field(default_factory=dict)

    def table(self, piece: Piece, bar: tqdm) -> pd.DataFrame | None:
        """Do a piece, or take what it gave from its folder; None: it has no scores."""
        folder = self.runs / piece.folder
        bar.set_description(f"{piece.system}, fold {piece.fold}")
        if not self.ended(piece):
            self._do(piece, folder, bar)
        bar.update()
        if not (folder / SCORES).exists():
            return None
        return pd.read_csv(folder / SCORES, dtype={"site": str}).assign(
            target=piece.target, system=piece.system, fold=piece.fold, seed=piece.seed
        )

    def ended(self, piece: Piece) -> bool:
        """Tell whether a piece has scores, or was stopped as it took too long."""
        folder = self.runs / piece.folder
        return (folder / SCORES).exists() or (folder / STOPPED).exists()

    def _do(self, piece: Piece, folder: Path, bar: tqdm) -> None:
        """Run the system; leave scores, or how far it came."""
        folder.mkdir(parents=True, exist_ok=True)
        whole = self.tasks[piece.target]
        round_ = whole.with_roles(
            dict(zip(whole.sites["site"], self.roles(piece), strict=True))
        )
        watch = Watch(bar, self.hours)
        work = Work(
            round_,
            self.encoders[piece.target, piece.fold],
            replace(self.protocol.settings, seed=piece.seed),
            folder,
            self.runs / piece.target,
            whole,
            watch,
        )
        try:
            results = self.systems[piece.system].run(work)
        except OutOfTime as stopped:
            (folder / STOPPED).write_text(json.dumps({"share": stopped.share}))
        except Unavailable as reason:
            self.skipped[piece.system] = str(reason)
        else:
            table = self._scored(results, round_)
            unfinished = folder / "scores.part"
            table.to_csv(unfinished, index=False)
            cost = watch.cost() | {
                "updates": self.protocol.settings.updates,
                "site_years": round(site_years(whole), 2),
            }
            (folder / COST).write_text(json.dumps(cost, indent=1))
            unfinished.rename(folder / SCORES)
        (folder / "checkpoint.pt").unlink(missing_ok=True)

    def roles(self, piece: Piece) -> NDArray[np.str_]:
        """Name the part of every site: "held out", "train" or "dropped".

        Sites of the fold that the encoder was trained at are dropped: for all systems,
        so that they are compared at the same sites.
        """
        sites, folds = self.tasks[piece.target].sites, self.folds[piece.target]
        place = holdouts.places(sites, self.protocol.apart)
        roles = holdouts.roles(folds, piece.fold, place)
        if "train" not in roles:
            raise InputError(
                f"{self.protocol.name}: fold {piece.fold} leaves no site to train on; "
                f"lower apart={self.protocol.apart} or split otherwise"
            )
        if not self.protocol.in_corpus:
            return roles
        encoder = self.encoders[piece.target, piece.fold]
        seen = ~left_out(sites["label"], [encoder])
        return np.where((roles == "held out") & seen, "dropped", roles)

    def _scored(self, results: Predicted, task: Task) -> pd.DataFrame:
        """Score the answers of a piece, a row a site."""
        if task.static:
            return static_scores.answers(results)
        names, skip = self.protocol.scores, self.protocol.skip
        return score_sites(results, names, skip=skip, minimum=MINIMUM)


def site_years(task: Task) -> float:
    """Length of all records, over sites, in years; a site without time counts one."""
    days = sum(
        len(r.sites) * (365 if task.static else len(r.dates)) for r in task.records
    )
    return days / 365


class Watch:
    """Shows the share that is done, stops what takes too long, notes what it took.

    Parameters
    ----------
    bar : tqdm
        Where it is shown.
    hours : float
        Time that there is; waiting for a busy machine does not count.
    """

    def __init__(self, bar: tqdm, hours: float) -> None:
        self.bar = bar
        self.begun, self.cpu = time.monotonic(), time.process_time()
        self.hours = hours
        self.told: list[tuple[float, float]] = []

    def __call__(self, share: float) -> None:
        """Note that a share, 0 to 1, is done."""
        self.told.append((share, time.process_time()))
        self.bar.set_postfix(done=f"{share:.0%}", refresh=False)
        if 0 < share < 1 and min(self.spent()) > self.hours * 3600:
            raise OutOfTime(share)

    def spent(self) -> tuple[float, float]:
        """Seconds by the clock and of the processor."""
        return time.monotonic() - self.begun, time.process_time() - self.cpu

    def cost(self) -> dict[str, float]:
        """Seconds by the clock and of the processor; those of training apart.

        ``training`` is the processor's time for all of the training, from the pace
        between the first and the last share that were told; 0 where none were.
        """
        spent = 0.0
        if len(self.told) > 1:
            (first, early), (last, late) = self.told[0], self.told[-1]
            spent = (late - early) / max(last - first, 1e-9)
        seconds, processor = self.spent()
        found = {"seconds": seconds, "processor": processor, "training": spent}
        return {name: round(value, 2) for name, value in found.items()}
