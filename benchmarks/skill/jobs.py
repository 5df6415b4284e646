"""Jobs: an encoder for some folds, or systems on folds, as lines of a text file.

A line is ``encoder NAME``, with a name of :data:`ENCODERS`, or
``score BENCHMARK FOLDS SEEDS SYSTEMS``, each a list with commas::

    encoder pub-0-1
    score camels-pub 0,1 0 resconn,lstm,ablation,zero
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from xstefaland.training.benchmark import PROTOCOLS, SYSTEMS
from xstefaland.training.benchmark.reconstruction import FILLS

MAIN = "main"
"""The encoder that ships: it leaves out a draw of places, not folds."""

ENCODERS: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    **{f"pub-{k}-{k + 1}": {"camels-pub": (k, k + 1)} for k in range(0, 10, 2)},
    "pur-0-3": {"camels-pur": (0, 3)},
    "pur-1-5": {"camels-pur": (1, 5)},
    "pur-2-4-6": {"camels-pur": (2, 4, 6)},
    "random": {
        "soil-moisture": (0,),
        "soil-composition": (0,),
        "global-streamflow": (0,),
    },
    "regions": {
        "soil-moisture-west": (0,),
        "global-streamflow-continents": (3,),  # South America
        "streamflow-countries": (4,),  # Great Britain
    },
}
"""What each encoder leaves out: folds of benchmarks. Regions of a set lie apart."""

SAME_FOLDS = {"adapters": "camels-pub"}
"""Benchmarks on the folds of others."""

UNSEEN = ("landslide", "reconstruction")
"""Benchmarks for the encoder that ships: at places that it does not know."""

SLOW = ("informer", "reformer", "transformer", "direct")
"""Systems that take longer than all others together: they come last."""

FEW, PHYSICAL = ("resconn", "lstm", "ablation", "zero"), ("resconn-hbv",)
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Encoding:
    """One encoder to be pretrained."""

    name: str

    def __str__(self) -> str:
        """Write the line."""
        return f"encoder {self.name}"


@dataclass(frozen=True)
class Scoring:
    """Systems on folds of one benchmark, with some seeds."""

    benchmark: str
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    systems: tuple[str, ...]

    def __str__(self) -> str:
        """Write the line.

        Examples
        --------
        >>> print(Scoring("camels-pub", (0, 1), (0,), ("resconn", "lstm")))
        score camels-pub 0,1 0 resconn,lstm
        """
        lists = (self.folds, self.seeds, self.systems)
        words = (",".join(map(str, each)) for each in lists)
        return f"score {self.benchmark} {' '.join(words)}"

    @property
    def encoders(self) -> list[str]:
        """Names of the encoders that leave out its folds."""
        if self.benchmark in UNSEEN:
            return [MAIN]
        of = SAME_FOLDS.get(self.benchmark, self.benchmark)
        wanted = set(self.folds)
        return [n for n, left in ENCODERS.items() if wanted & set(left.get(of, ()))]


Job = Encoding | Scoring


def read_job(line: str) -> Job:
    """Read a line; ValueError says what is wrong with it."""
    match line.split():
        case ["encoder", name] if name in ENCODERS:
            return Encoding(name)
        case ["score", name, folds, seeds, systems] if name in PROTOCOLS:
            numbers = [tuple(map(int, each.split(","))) for each in (folds, seeds)]
            chosen = tuple(systems.split(","))
            if set(chosen) <= {*SYSTEMS, *FILLS}:
                return Scoring(name, *numbers, chosen)
    raise ValueError(
        f"{line!r} is no job: it takes `encoder NAME`, of {', '.join(ENCODERS)}, or "
        f"`score BENCHMARK FOLDS SEEDS SYSTEMS`, each a list with commas"
    )


def every_job() -> Iterator[Job]:
    """List the jobs of the committed results, cheap and telling ones first."""
    yield _systems("landslide", range(5), SEEDS)
    yield _systems("reconstruction", range(11))
    yield from _everywhere("camels-pub", FEW)
    yield from _everywhere("camels-pur", FEW)
    yield Encoding("random")
    yield _systems("soil-composition", (0,), SEEDS)
    yield _systems("soil-moisture")
    yield from _everywhere("camels-pub", PHYSICAL)
    yield from _everywhere("camels-pur", PHYSICAL)
    for name in ("camels-pub", "camels-pur", "adapters", "global-streamflow"):
        yield _systems(name)
    yield Encoding("regions")
    for name, folds in ENCODERS["regions"].items():
        yield _systems(name, folds)
    for systems in (FEW, PHYSICAL):
        for name in ("camels-pub", "camels-pur"):
            yield from _scorings(name, systems, SEEDS[1:])
    for name in ("soil-moisture", "camels-pub", "camels-pur", "global-streamflow"):
        yield _systems(name, slow=True)
    for name, folds in ENCODERS["regions"].items():
        yield _systems(name, folds, slow=True)
    yield _systems("landslide", range(5), SEEDS, slow=True)
    yield _systems("soil-composition", (0,), SEEDS, slow=True)


def pages() -> dict[str, Scoring]:
    """Return what is compared on each page of the results, by its name.

    The systems that were run on every fold have one, all systems on one fold another.
    """
    found = {}
    for name in PROTOCOLS:
        left = [folds[name] for folds in ENCODERS.values() if name in folds]
        folds = sorted(fold for group in left for fold in group)
        if len(folds) > 1:
            found[name] = Scoring(name, tuple(folds), SEEDS, (*FEW, *PHYSICAL))
            found[f"{name}-systems"] = _all_systems(name, (0,), SEEDS[:1])
        else:
            every = {"landslide": range(5), "reconstruction": range(11)}
            seeds = SEEDS if name in ("landslide", "soil-composition") else SEEDS[:1]
            found[name] = _all_systems(name, every.get(name, folds or (0,)), seeds)
    return found


def _everywhere(name: str, systems: tuple[str, ...]) -> Iterator[Job]:
    """Run every fold once; the encoders just before they are read."""
    for job in _scorings(name, systems, SEEDS[:1]):
        yield from map(Encoding, job.encoders)
        yield job


def _scorings(
    name: str, systems: tuple[str, ...], seeds: tuple[int, ...]
) -> Iterator[Scoring]:
    """Run every fold of a benchmark, those of one encoder together."""
    for left in ENCODERS.values():
        if name in left:
            yield Scoring(name, left[name], seeds, systems)


def _all_systems(name: str, folds: Iterable[int], seeds: tuple[int, ...]) -> Scoring:
    """Compare all systems of a benchmark on some folds."""
    return Scoring(name, tuple(folds), seeds, PROTOCOLS[name].systems)


def _systems(
    name: str,
    folds: Iterable[int] = (0,),
    seeds: tuple[int, ...] = SEEDS[:1],
    *,
    slow: bool = False,
) -> Scoring:
    """Compare the systems of a benchmark that are slow, or all others."""
    whole = _all_systems(name, folds, seeds)
    chosen = (system for system in whole.systems if (system in SLOW) == slow)
    return replace(whole, systems=tuple(chosen))
