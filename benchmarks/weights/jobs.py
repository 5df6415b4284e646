"""Jobs: one head each, as lines of a text file, and the list that proves the weights.

A line is ``TARGET SPLIT SYSTEM ENCODER SEED`` with options behind it::

    streamflow random resconn encoder-256-0-300k 0
    streamflow random lstm none 0 basins=25 draw=1
    streamflow random lstm none 0 updates=500
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import product

from .systems import SYSTEMS

SEEDS, DRAWS = (0, 1, 2), (0, 1, 2)
BASINS = (10, 25, 50, 100)
CURVE = (500, 1500, 3000, 12_000)
"""Other budgets, each with a falling rate of its own."""

SCARCE_UPDATES = 1500  # of runs on few basins

CONTROLS = ("random", "zero")
"""Encoders beside those of files: drawn anew in the form of the first, and nothing."""

NONE = "none"


@dataclass(frozen=True)
class Job:
    """One head: trained, scored, kept.

    Attributes
    ----------
    target, split, system : str
        Of `observations.OBSERVED`, `splits.SPLITS` and `systems.SYSTEMS`.
    encoder : str
        File in the runs' folder of encoders, ``"zero"``, or ``"none"``.
    seed : int
        Of weights and samples.
    basins : int
        Places to train on; 0: all there are.
    draw : int
        Of these places.
    updates : int
        0: as the target's settings say.
    """

    target: str
    split: str
    system: str
    encoder: str
    seed: int
    basins: int = 0
    draw: int = 0
    updates: int = 0

    def __str__(self) -> str:
        """Write the line.

        Examples
        --------
        >>> print(Job("streamflow", "random", "lstm", "none", 0, basins=25))
        streamflow random lstm none 0 basins=25
        """
        words = [self.target, self.split, self.system, self.encoder, str(self.seed)]
        return " ".join(
            words + [f"{k}={v}" for k in OPTIONS if (v := getattr(self, k))]
        )

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return str(self).replace(" ", "-").replace("=", "")

    @classmethod
    def read(cls, line: str) -> Job:
        """Read a line; ValueError says what is wrong with it."""
        words = line.split()
        options = dict(word.split("=", 1) for word in words if "=" in word)
        plain = [word for word in words if "=" not in word]
        wrong = sorted(set(options) - set(OPTIONS))
        if len(plain) != 5 or wrong or plain[2] not in SYSTEMS:
            raise ValueError(
                f"{line!r} is no job: it takes TARGET SPLIT SYSTEM ENCODER SEED, then "
                f"{' '.join(f'{name}=N' for name in OPTIONS)}; systems are "
                f"{', '.join(SYSTEMS)}"
            )
        numbers = {name: int(value) for name, value in options.items()}
        return cls(*plain[:4], int(plain[4]), **numbers)


OPTIONS = tuple(field.name for field in fields(Job))[5:]

FLOW_ALONE = ("lstm", "lstm-averages", "lstm-plain", "lstm-hbv")
FLOW_ON_ENCODER = ("resconn", "resconn-hbv")
VARIANTS = ("lstm-kge", "lstm-log", "lstm-quantiles", "lstm-narrow")
SOIL_ALONE = ("lstm-plain", "lstm-anomaly", "level-anomaly", "trees")
REGIONAL = ("us-to-europe", "europe-to-us")
FIFTHS = tuple(f"fifth-{number}" for number in range(1, 6))
"""Splits that together score every site once, for targets with few of them."""

AVERAGES_ALONE = ("ridge-averages", "boosted-averages")
EMBEDDINGS = ("ridge-embedding", "boosted-embedding", "boosted-both")
"""What users of scikit-learn would write, without and with embeddings."""

DAILY = ("streamflow", "soil_moisture", "soil_temperature")
"""Targets that this is shown for."""

DEPTHS = tuple(f"soil_moisture_{depth}cm" for depth in (10, 20, 50, 100))
OTHERS = (*DEPTHS, "soil_temperature", "snow_water_equivalent")
RESCONN = {True: "resconn-plain", False: "resconn"}
"""Whether it is soil moisture, to which averages and the library add nothing."""


def every_job(encoder: str) -> Iterator[Job]:
    """List the jobs that prove an encoder, in an order in which a part says something.

    What reads no encoder comes first, then one encoder after the other, so that the
    embeddings of one alone are on disk at a time.
    """
    yield from _alone()
    yield from _on(encoder, FLOW_ON_ENCODER)
    yield from _regional("resconn", encoder)
    yield from _by_fifths((RESCONN[True], "resconn-anomaly"), encoder)
    for target, seed in product(OTHERS, SEEDS):
        yield Job(target, "random", RESCONN[target in DEPTHS], encoder, seed)
    yield from _scarce("resconn", encoder)
    yield from _with_scikit_learn(encoder, EMBEDDINGS)
    yield from _on("random", FLOW_ON_ENCODER)
    yield from _by_fifths((RESCONN[True],), "random")
    yield from _regional("resconn", "random")
    yield from _scarce("resconn", "random")
    yield from _with_scikit_learn("random", EMBEDDINGS[:1])
    yield from _on("zero", FLOW_ON_ENCODER[:1])
    yield from _on("v1", FLOW_ON_ENCODER[:1])
    for target, system in (("streamflow", "bundled"), ("soil_moisture", "bundled")):
        yield Job(target, "random", system, "v1", 0)


def _alone() -> Iterator[Job]:
    """Systems without an encoder."""
    for seed, system in product(SEEDS, FLOW_ALONE):
        yield Job("streamflow", "random", system, NONE, seed)
    for system in FLOW_ALONE[:2]:
        yield from _regional(system, NONE)
    for seed, system in product(SEEDS, SOIL_ALONE):
        yield Job("soil_moisture", "random", system, NONE, seed)
    yield from _by_fifths((*SOIL_ALONE, "boosted-averages"), NONE)
    for target, seed, system in product(OTHERS, SEEDS, SOIL_ALONE[:1]):
        yield Job(target, "random", system, NONE, seed)
    for target, seed, system in product(DEPTHS, SEEDS, SOIL_ALONE[1:]):
        yield Job(target, "random", system, NONE, seed)
    for target, seed in product(OTHERS[len(DEPTHS) :], SEEDS):
        yield Job(target, "random", "lstm", NONE, seed)
        yield Job(target, "random", "trees", NONE, seed)
    yield from _scarce("lstm", NONE)
    for system in VARIANTS:
        yield Job("streamflow", "random", system, NONE, 0)
    yield from _with_scikit_learn(NONE, AVERAGES_ALONE)


def _with_scikit_learn(encoder: str, systems: Sequence[str]) -> Iterator[Job]:
    """Regressions on features of a day."""
    for target, seed, system in product(DAILY, SEEDS, systems):
        yield Job(target, "random", system, encoder, seed)


def _on(encoder: str, flow: Sequence[str]) -> Iterator[Job]:
    """Heads on an encoder, of the two targets that most users come for."""
    for seed, system in product(SEEDS, flow):
        yield Job("streamflow", "random", system, encoder, seed)
    for seed in SEEDS:
        yield Job("soil_moisture", "random", RESCONN[True], encoder, seed)


def _regional(system: str, encoder: str) -> Iterator[Job]:
    """Train on one side of an ocean, score on the other."""
    for seed, split in product(SEEDS, REGIONAL):
        yield Job("streamflow", split, system, encoder, seed)


def _by_fifths(systems: Sequence[str], encoder: str) -> Iterator[Job]:
    """Leave every soil moisture station out once: the held-out places have too few."""
    for seed, system, split in product(SEEDS, systems, FIFTHS):
        yield Job("soil_moisture", split, system, encoder, seed)


def _scarce(system: str, encoder: str) -> Iterator[Job]:
    """Few basins to train on, and few updates."""
    for basins, draw in product(BASINS, DRAWS):
        options = {"basins": basins, "draw": draw, "updates": SCARCE_UPDATES}
        yield Job("streamflow", "random", system, encoder, draw, **options)
    for updates in CURVE:
        yield Job("streamflow", "random", system, encoder, 0, updates=updates)
