"""Run a benchmark: every system, fold and seed, in pieces that survive a kill."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from xstefaland.bars import tqdm
from xstefaland.errors import InputError, join_problems
from xstefaland.inference.plans import plan_encoder
from xstefaland.inputs.hints import Hints
from xstefaland.training import choices, folders, static_scores
from xstefaland.training.benchmark import holdouts
from xstefaland.training.benchmark.outcome import Outcome
from xstefaland.training.benchmark.protocols import Protocol
from xstefaland.training.benchmark.reconstruction import Reconstruction
from xstefaland.training.benchmark.systems import SYSTEMS
from xstefaland.training.benchmark.work import OutOfTime, System, Work
from xstefaland.training.comparison import MINIMUM
from xstefaland.training.finetuning import read_task
from xstefaland.training.fitting import Predicted, score_sites
from xstefaland.training.tasks import Task
from xstefaland.weights.files import Weights
from xstefaland.weights.opening import WeightsLike

QUICK_SITES, QUICK_UPDATES, QUICK_DAYS = 40, 30, 1461
OF_SITES = ("forcing", "attributes", "latitude", "observed", "positions")
"""Arrays of records with a row for each site."""
HOURS = 3.0
"""Time that a system has for one fold."""
STOPPED = "stopped.json"


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


def run_benchmark(
    protocol: Protocol | Reconstruction,
    data: Path,
    runs: Path,
    *,
    encoder: WeightsLike | None = None,
    systems: Sequence[str] | None = None,
    folds: int | None = None,
    seeds: int = 1,
    quick: bool = False,
    own: Mapping[str, System] | None = None,
    hours: float = HOURS,
    progress: bool = True,
) -> Outcome:
    """Run a protocol, or go on with it.

    Parameters
    ----------
    protocol : Protocol or Reconstruction
        What is compared on what.
    data : Path
        Folder of data.
    runs : Path
        Folder where every piece of work is kept: a run that was broken off goes on.
    encoder : str, path or Weights, optional
        Default: the registry's.
    systems : sequence of str, optional
        Of those of the protocol and of `own`; default: the protocol's.
    folds : int, optional
        Run only so many of the folds; default: all.
    seeds : int
        Runs of every system, with other samples and first weights.
    quick : bool
        A few sites, days and updates: whether it works, not how good it is.
    own : mapping, optional
        Systems of one's own by name.
    hours : float
        Time that a system has for one fold; one that needs more stops there, has no
        score, and the page says so. A folder remembers it.
    progress : bool
        Show how far it is.

    Returns
    -------
    Outcome
        Scores by site.

    Raises
    ------
    InputError
        For unknown systems, or data that the protocol cannot read.

    Notes
    -----
    All systems see the same sites and days, and inputs as they are: nothing is hidden.
    Networks make the same number of updates of the same windows; tables see
    :data:`~xstefaland.training.benchmark.tabular.ROWS` days. Sites at the place of a
    held-out one (10 km) are trained on by none.
    """
    if isinstance(protocol, Reconstruction):
        return protocol.run(
            data, runs, encoder=encoder, systems=systems, folds=folds, seeds=seeds,
            quick=quick, progress=progress,
        )  # fmt: skip
    known = {**SYSTEMS, **(own or {})}
    chosen = _chosen(systems or protocol.systems, known)
    opened, _ = plan_encoder(encoder)
    protocol = _quickened(protocol) if quick else protocol
    tasks, labels = _tasks(protocol, data, opened, quick)
    started = time.monotonic()
    pieces = list(_pieces(labels, chosen, folds, seeds))
    _claim(runs, protocol, tasks, opened)
    with tqdm(total=len(pieces), disable=not progress, unit=" runs") as bar:
        tables = [
            _done(piece, tasks[piece.target], labels[piece.target], known, protocol,
                  opened, runs, bar, hours)
            for piece in pieces
        ]  # fmt: skip
    for target, cache in product(tasks, ("embeddings", "channels")):
        shutil.rmtree(runs / target / cache, ignore_errors=True)
    sites = [
        task.sites.assign(target=target, fold=labels[target])
        for target, task in tasks.items()
    ]
    there = [table for table in tables if table is not None]
    stopped = [piece for piece, t in zip(pieces, tables, strict=True) if t is None]
    if not there:
        raise InputError(f"no system came to an end within hours={hours}; give more")
    scores = pd.concat(there, ignore_index=True)
    about = _about(protocol, opened, tasks, scores, quick)
    about["stopped"] = {p.folder: _share(runs / p.folder) for p in stopped}
    about["hours"] = hours
    about["minutes"] = round((time.monotonic() - started) / 60, 1)
    return Outcome(protocol, scores, pd.concat(sites, ignore_index=True), about)


def _chosen(names: Sequence[str], known: Mapping[str, System]) -> list[str]:
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise InputError(
            f"systems={list(names)}: {unknown} are not known; there are "
            f"{', '.join(known)}"
        )
    return list(dict.fromkeys(names))


def _quickened(protocol: Protocol) -> Protocol:
    updates = min(QUICK_UPDATES, protocol.settings.updates)
    return replace(protocol, settings=replace(protocol.settings, updates=updates))


def _tasks(
    protocol: Protocol, data: Path, encoder: Weights, quick: bool
) -> tuple[dict[str, Task], dict[str, holdouts.Folds]]:
    """Read every target's observations, and fold its sites."""
    _, asked = plan_encoder(encoder)
    sets = dict(protocol.data(data))
    period = protocol.period
    if quick and all("time" in ds.dims for ds in sets.values()):
        last = slice(-QUICK_DAYS, None)
        sets = {name: ds.isel(time=last) for name, ds in sets.items()}
        period = None
    tasks, labels = {}, {}
    for target, observed in protocol.targets.items():
        others = set(protocol.targets.values()) - {observed}
        inputs = {name: ds.drop_vars(others) for name, ds in sets.items()}
        spec = choices.find_target(target)
        task = read_task(
            inputs, spec, asked, observed, Hints(),
            period, protocol.minimum_days, protocol.extra,
        )  # fmt: skip
        folds = protocol.split(task.sites)
        if quick:
            task, folds = _some_sites(task, folds)
        problems = [] if (folds >= 0).any() else ["no site is in any fold"]
        if problems:
            raise InputError(join_problems(f"{protocol.name} cannot be run", problems))
        tasks[spec.name], labels[spec.name] = task, folds
    return tasks, labels


def _some_sites(task: Task, folds: holdouts.Folds) -> tuple[Task, holdouts.Folds]:
    """Keep a few sites, drawn; the others are in no round."""
    kept = np.random.default_rng(0).permutation(len(folds))[:QUICK_SITES]
    sites = task.sites["site"].to_numpy()[np.sort(kept)]
    records = tuple(
        replace(
            r,
            **{name: getattr(r, name)[rows] for name in OF_SITES},
            sites=r.sites[rows].reset_index(drop=True),
        )
        for r in task.records
        if (rows := r.sites["site"].isin(sites).to_numpy()).any()
    )
    return replace(task, records=records), folds[np.sort(kept)]


def _pieces(
    labels: Mapping[str, holdouts.Folds],
    systems: Sequence[str],
    folds: int | None,
    seeds: int,
) -> Iterator[Piece]:
    """Put the work in an order in which a broken run compares all systems."""
    for seed in range(seeds):
        for target, own in labels.items():
            numbers = np.unique(own[own >= 0])[:folds]
            for fold in numbers:
                for system in systems:
                    yield Piece(target, seed, int(fold), system)


def _done(
    piece: Piece,
    task: Task,
    folds: holdouts.Folds,
    known: Mapping[str, System],
    protocol: Protocol,
    encoder: Weights,
    runs: Path,
    bar: tqdm,
    hours: float,
) -> pd.DataFrame | None:
    """Do a piece of work, or take what it gave from its folder; None: out of time."""
    folder = runs / piece.folder
    result = folder / "scores.csv"
    if not result.exists() and _share(folder) is not None:
        bar.update()
        return None
    if not result.exists():
        folder.mkdir(parents=True, exist_ok=True)
        bar.set_description(f"{piece.system}, fold {piece.fold}")
        place = holdouts.places(task.sites, protocol.apart)
        roles = holdouts.roles(folds, piece.fold, place)
        if "train" not in roles:
            raise InputError(
                f"{protocol.name}: fold {piece.fold} leaves no site to train on; lower "
                f"apart={protocol.apart} or split otherwise"
            )
        round_ = task.with_roles(dict(zip(task.sites["site"], roles, strict=True)))
        work = Work(
            round_,
            encoder,
            replace(protocol.settings, seed=piece.seed),
            folder,
            runs / piece.target,
            task,
            _watch(bar, hours),
        )
        try:
            results = known[piece.system].run(work)
        except OutOfTime as stopped:
            (folder / STOPPED).write_text(json.dumps({"share": stopped.share}))
            (folder / "checkpoint.pt").unlink(missing_ok=True)
            bar.update()
            return None
        table = _scored(results, round_, protocol)
        unfinished = result.with_suffix(".part")
        table.to_csv(unfinished, index=False)
        unfinished.rename(result)
        (folder / "checkpoint.pt").unlink(missing_ok=True)
    bar.update()
    return pd.read_csv(result, dtype={"site": str}).assign(
        target=piece.target, system=piece.system, fold=piece.fold, seed=piece.seed
    )


def _watch(bar: tqdm, hours: float) -> Callable[[float], None]:
    """Show the share that is done, and stop what takes too long."""
    end = time.monotonic() + hours * 3600

    def show(share: float) -> None:
        bar.set_postfix(done=f"{share:.0%}", refresh=False)
        if share < 1 and time.monotonic() > end:
            raise OutOfTime(share)

    return show


def _share(folder: Path) -> float | None:
    """How far a piece came that was stopped; None where it was not."""
    path = folder / STOPPED
    return float(json.loads(path.read_text())["share"]) if path.exists() else None


def _scored(results: Predicted, task: Task, protocol: Protocol) -> pd.DataFrame:
    if task.static:
        return static_scores.answers(results)
    return score_sites(results, protocol.scores, skip=protocol.skip, minimum=MINIMUM)


def _claim(
    runs: Path, protocol: Protocol, tasks: Mapping[str, Task], encoder: Weights
) -> None:
    """Write down what the folder holds, or refuse one that holds another run."""
    what = {
        "protocol": protocol.name,
        "data": {target: task.fingerprint() for target, task in tasks.items()},
        "encoder": encoder.sha256,
        "settings": protocol.settings.identity(),
        "scores": list(protocol.scores),
    }
    folders.claim(runs, what, "runs")


def _about(
    protocol: Protocol,
    encoder: Weights,
    tasks: Mapping[str, Task],
    scores: pd.DataFrame,
    quick: bool,
) -> dict[str, object]:
    """Say what was run, and how far the encoder had seen the sites before."""
    scored = set(scores["site"])
    label: dict[str, str] = {}
    for task in tasks.values():
        label |= dict(zip(task.sites["site"], task.sites["label"], strict=True))
    kept_out = {site.rsplit("-", 1)[-1] for site in encoder.card.left_out}
    unseen = sum(label[site] in kept_out for site in scored)
    return {
        "encoder": f"{encoder.name} (sha256 {encoder.sha256[:12]})",
        "unseen": unseen,
        "scored": len(scored),
        "data": {target: task.fingerprint()[:12] for target, task in tasks.items()},
        "settings": asdict(protocol.settings),
        "quick": quick,
    }
