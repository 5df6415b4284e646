"""Pages of what is done by now: tables, figures, scores of every site."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from xstefaland.training.benchmark import PROTOCOLS, run_benchmark
from xstefaland.training.benchmark.writing import write

from .jobs import Scoring, pages
from .work import SkillRuns

RESULTS = Path(__file__).parents[1] / "results" / "skill"


def write_pages(runs: SkillRuns, folder: Path = RESULTS) -> None:
    """Write a page for each comparison of which a part is done; nothing is trained.

    A part is all of its systems that were run, on the same folds, with the same seeds.
    """
    for name, whole in pages().items():
        part = done_part(whole, set(runs.lacking(whole)))
        if part is None:
            print(f"{name}: nothing yet")
            continue
        outcome = run_benchmark(
            PROTOCOLS[part.benchmark],
            runs.data,
            runs.benchmark(part.benchmark),
            encoder=[runs.encoder(each) for each in part.encoders],
            systems=part.systems,
            folds=part.folds,
            seeds=part.seeds,
            progress=False,
        )
        write(outcome, folder, name)
        print(f"{name}: {part}")


def done_part(
    whole: Scoring, lacking: Collection[tuple[int, int, str]]
) -> Scoring | None:
    """Choose systems, folds and seeds all of whose combinations are done.

    As many systems as can be compared on a fold; then the folds where all of these are
    done with the first seed, and the seeds with which they are done on all these folds.

    Parameters
    ----------
    whole : Scoring
        What is to be compared.
    lacking : collection of (int, int, str)
        Seed, fold and system of what is not done of it.
    """

    def done(seed: int, fold: int, systems: Collection[str]) -> bool:
        return not any((seed, fold, system) in lacking for system in systems)

    first = whole.seeds[0]
    by_fold = [[s for s in whole.systems if done(first, f, [s])] for f in whole.folds]
    systems = max(by_fold, key=len)
    if len(systems) < 2:
        return None
    folds = [fold for fold in whole.folds if done(first, fold, systems)]
    seeds = [s for s in whole.seeds if all(done(s, fold, systems) for fold in folds)]
    return replace(
        whole, folds=tuple(folds), seeds=tuple(seeds), systems=tuple(systems)
    )
