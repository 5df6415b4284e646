"""Experiments with the record itself: cut, moved, and the seams of the windows."""

from __future__ import annotations

import xarray as xr

from behaviour.answers import Answers
from behaviour.experiment import Experiment
from behaviour.measures import OVER, difference, seam_rank, settled
from behaviour.scenarios import shifted

EVERY = "flow soil embedding"
FEW = 3
"""Sites that stand for all where the answer must be the same number."""


def few(a: Answers) -> xr.Dataset:
    """Take three years of a few sites."""
    return a.weather("first 1096").isel(site=slice(FEW))


def few_answers(a: Answers) -> xr.DataArray:
    """Their answers when asked among all sites."""
    return a("first 1096").isel(site=slice(FEW))


def _four_years_later(a: Answers) -> xr.DataArray:
    moved = a.head.predict(shifted(1461)(few(a)))[a.head.target]
    return difference(moved, few_answers(a))


EXPERIMENTS = [
    Experiment(
        "1094 days of 1096",
        OVER,
        "invariance",
        EVERY,
        measure=lambda a: difference(
            a("first 1094"), a("first 1096").isel(time=slice(1094))
        ),
        most=0.05,
        expected=(
            "Two days less at the end of a record change nothing before them; 5 "
            "% is what flow can be measured to."
        ),
    ),
    Experiment(
        "first half of the record",
        OVER,
        "invariance",
        EVERY,
        measure=lambda a: difference(a("first half"), a().isel(time=slice(730))),
        most=0.05,
        expected="What comes later changes nothing; flow is measured to 5 % at best.",
    ),
    Experiment(
        "record that starts 90 days later",
        f"{OVER}, after its first year",
        "invariance",
        EVERY,
        measure=lambda a: difference(
            settled(a("without 90")), a().isel(time=slice(90 + 365, None))
        ),
        most=0.05,
        expected="A year of spin-up forgets where a record began.",
    ),
    Experiment(
        "dates moved by 1 day",
        OVER,
        "invariance",
        EVERY,
        measure=lambda a: difference(settled(a("1 day later")), settled(a())),
        most=0.02,
        expected=(
            "A leap day moves the calendar by a day, and the sun by a hundredth "
            "of its way."
        ),
    ),
    Experiment(
        "dates moved by 4 years",
        OVER,
        "invariance",
        EVERY,
        measure=_four_years_later,
        most=1e-4,
        expected="The year is no input: the same weather four years later is the same.",
    ),
    Experiment(
        "seams of windows",
        "rank of the step at them among 40 days around (0.5: no seam)",
        "invariance",
        EVERY,
        measure=lambda a: seam_rank(a(), a.head.window, a.head.stride),
        most=0.6,
        expected=(
            "Rivers know no windows: a step at a seam is as large as any other "
            "(0.6 is three deviations of chance)."
        ),
    ),
]
