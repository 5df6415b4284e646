"""Run a benchmark: every system, fold and seed, in pieces that survive a kill."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xstefaland.bars import tqdm
from xstefaland.errors import InputError, join_problems
from xstefaland.inference.plans import plan_encoder
from xstefaland.inference.unseen import left_out
from xstefaland.training import folders
from xstefaland.training.benchmark import holdouts
from xstefaland.training.benchmark.outcome import Outcome
from xstefaland.training.benchmark.pieces import Bench, list_pieces, share_done
from xstefaland.training.benchmark.protocols import Protocol
from xstefaland.training.benchmark.reading import quickened, read_tasks
from xstefaland.training.benchmark.reconstruction import Reconstruction
from xstefaland.training.benchmark.systems import SYSTEMS
from xstefaland.training.benchmark.work import System
from xstefaland.training.tasks import Task
from xstefaland.weights.files import Weights
from xstefaland.weights.opening import WeightsLike

Encoders = WeightsLike | list[WeightsLike] | tuple[WeightsLike, ...] | None
"""One, several, or the registry's."""

HOURS = 3.0
"""Time that a system has for one fold."""


def run_benchmark(
    protocol: Protocol | Reconstruction,
    data: Path,
    runs: Path,
    *,
    encoder: Encoders = None,
    systems: Sequence[str] | None = None,
    folds: int | Sequence[int] | None = None,
    seeds: int | Sequence[int] = 1,
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
    encoder : str, path or Weights, or several of them, optional
        Default: the registry's. Each fold is run with the one whose card lists most of
        its sites as left out of training. Where encoders are trained on the archives of
        a protocol, the other sites of the fold are not scored, by no system.
    systems : sequence of str, optional
        Of those of the protocol and of `own`; default: the protocol's.
    folds : int or sequence of int, optional
        Run only so many of the folds, or these; default: all.
    seeds : int or sequence of int
        Runs of every system, with other samples and first weights: so many, or these.
    quick : bool
        A few sites, days and updates: whether it works, not how good it is.
    own : mapping, optional
        Systems of one's own by name.
    hours : float
        Time that a system has for one fold, without that in which it waits for a busy
        machine; one that needs more stops there, has no score, and the page says so. A
        folder remembers it.
    progress : bool
        Show how far it is.

    Returns
    -------
    Outcome
        Scores by site.

    Raises
    ------
    InputError
        For unknown systems and folds, data that the protocol cannot read, and a fold
        at all of whose sites the encoders were trained.

    Notes
    -----
    All systems see the same sites and days, and inputs as they are: nothing is hidden.
    Networks make the same number of updates of the same windows; tables see
    :data:`~xstefaland.training.benchmark.tabular.ROWS` days. Sites at the place of a
    held-out one (10 km) are trained on by none.
    """
    if isinstance(protocol, Reconstruction):
        return protocol.run(
            data, runs, encoder=_only(encoder), systems=systems, folds=folds,
            seeds=seeds, quick=quick, progress=progress,
        )  # fmt: skip
    known = {**SYSTEMS, **(own or {})}
    chosen = _chosen(systems or protocol.systems, known)
    opened = _opened(encoder)
    protocol = quickened(protocol) if quick else protocol
    tasks, labels = read_tasks(protocol, data, opened[0], quick)
    numbers = {target: holdouts.some(folds, own) for target, own in labels.items()}
    encoders = _encoders(protocol, tasks, labels, numbers, opened)
    bench = Bench(protocol, tasks, labels, encoders, known, runs, hours)
    seeds = range(seeds) if isinstance(seeds, int) else seeds
    pieces = list(list_pieces(numbers, chosen, seeds))
    new = [piece for piece in pieces if not bench.ended(piece)]
    started = time.monotonic()
    _claim(bench)
    with tqdm(total=len(pieces), disable=not progress, unit=" runs") as bar:
        tables = [bench.table(piece, bar) for piece in pieces]
    for folder in ("channels", "encoder-*/embeddings") if new else ():
        for cache in runs.glob(f"*/{folder}"):
            shutil.rmtree(cache)
    there = [table for table in tables if table is not None]
    if not there:
        raise InputError(
            join_problems(
                f"no system came to an end within hours={hours}",
                list(bench.skipped.values()) or ["give more"],
            )
        )
    scores = pd.concat(there, ignore_index=True)
    stopped = [p for p in pieces if share_done(runs / p.folder) is not None]
    about = _about(bench, numbers, scores) | {
        "quick": quick,
        "stopped": {p.folder: share_done(runs / p.folder) for p in stopped},
        "skipped": bench.skipped,
        "hours": hours,
        "minutes": round((time.monotonic() - started) / 60, 1),
    }
    sites = [
        task.sites.assign(target=target, fold=labels[target])
        for target, task in tasks.items()
    ]
    return Outcome(protocol, scores, pd.concat(sites, ignore_index=True), about)


def _chosen(names: Sequence[str], known: Mapping[str, System]) -> list[str]:
    """Names of systems without repetition; unknown ones are refused."""
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise InputError(
            f"systems={list(names)}: {unknown} are not known; there are "
            f"{', '.join(known)}"
        )
    return list(dict.fromkeys(names))


def _only(encoder: Encoders) -> WeightsLike | None:
    """Return the encoder where there may be one alone."""
    if not isinstance(encoder, list | tuple):
        return encoder
    if len(encoder) == 1:
        return encoder[0]
    raise InputError(
        f"encoder= has {len(encoder)} entries; this benchmark fills with one encoder: "
        "run it for each, in a folder of its own"
    )


def _opened(encoder: Encoders) -> list[Weights]:
    """Open the encoders, which have to read the same variables."""
    given: Sequence[WeightsLike | None] = (
        encoder if isinstance(encoder, list | tuple) else [encoder]
    )
    if not given:
        raise InputError("encoder=[] names none; leave it out for the registry's")
    opened = list(dict.fromkeys(plan_encoder(each)[0] for each in given))
    first, *others = opened
    names = ("forcing", "attributes")
    unlike = [
        each.name
        for each in others
        if any(each.card.config[n] != first.card.config[n] for n in names)
    ]
    if unlike:
        raise InputError(
            f"{', '.join(unlike)} read other variables than {first.name}; pass "
            "encoders of one corpus, or run the folds of each in a folder of their own"
        )
    return opened


def _encoders(
    protocol: Protocol,
    tasks: Mapping[str, Task],
    labels: Mapping[str, holdouts.Folds],
    numbers: Mapping[str, Sequence[int]],
    opened: Sequence[Weights],
) -> dict[tuple[str, int], Weights]:
    """Give each fold the encoder that was kept from most of its sites."""
    found, problems = {}, []
    for target, own in numbers.items():
        labelled = tasks[target].sites["label"]
        left = [left_out(labelled, [each]) for each in opened]
        for fold in own:
            held = labels[target] == fold
            counts = [int(mask[held].sum()) for mask in left]
            found[target, fold] = opened[int(np.argmax(counts))]
            if protocol.in_corpus and not max(counts):
                problems.append(
                    f"{target}, fold {fold}: none of its {held.sum()} sites is among "
                    "those that an encoder's card lists as left out"
                )
    if problems:
        raise InputError(
            join_problems(
                f"{protocol.name} cannot be scored with "
                f"{', '.join(each.name for each in opened)}",
                [*problems, _FIX],
            )
        )
    return found


_FIX = (
    "train an encoder that leaves them out, `xstefaland train pretrain DATA "
    "--leave-out FILE --steps N --folder DIR` (a site on each line of FILE), and pass "
    "it besides: `--encoder A.safetensors B.safetensors`; or run other folds, "
    "`--folds 0,3`"
)


def _claim(bench: Bench) -> None:
    """Write down what the folder holds, or refuse one that holds another run."""
    what = {
        "protocol": bench.protocol.name,
        "data": {target: task.fingerprint() for target, task in bench.tasks.items()},
        "settings": bench.protocol.settings.identity(),
        "scores": list(bench.protocol.scores),
    }
    folders.claim(bench.runs, what, "runs")
    for (target, fold), encoder in bench.encoders.items():
        own = {"encoder": encoder.sha256}
        folders.claim(bench.runs / target / f"fold{fold}", own, "runs")


def _about(
    bench: Bench, numbers: Mapping[str, Sequence[int]], scores: pd.DataFrame
) -> dict[str, Any]:
    """Say what was run, and how far the encoders had seen the sites before."""
    used: dict[Weights, list[int]] = {}
    for (_, fold), encoder in bench.encoders.items():
        used.setdefault(encoder, []).append(fold)
    listed: set[str] = set()
    asked: set[str] = set()
    for target, task in bench.tasks.items():
        asked |= set(task.sites["site"][np.isin(bench.folds[target], numbers[target])])
        for fold in numbers[target]:
            left = left_out(task.sites["label"], [bench.encoders[target, fold]])
            listed |= set(task.sites["site"][left & (bench.folds[target] == fold)])
    scored = set(scores["site"])
    return {
        "encoder": "; ".join(
            f"{encoder.name} (sha256 {encoder.sha256[:12]})"
            + (f", folds {sorted(set(folds))}" if len(used) > 1 else "")
            for encoder, folds in used.items()
        ),
        "unseen": len(scored & listed),
        "scored": len(scored),
        "asked": len(asked),
        "in_corpus": bench.protocol.in_corpus,
        "data": {t: task.fingerprint()[:12] for t, task in bench.tasks.items()},
        "settings": asdict(bench.protocol.settings),
    }
