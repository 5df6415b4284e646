"""Experiments with how the same facts are given, and with facts that are missing."""

from __future__ import annotations

import numpy as np
import xarray as xr

from behaviour.answers import Answers
from behaviour.experiment import Experiment
from behaviour.measures import OVER, difference, mean
from behaviour.records import EVERY, few, few_answers
from behaviour.scenarios import other_units, wet_days

FLOAT32 = 1e-4
"""What sums in another order may differ by, in standard deviations."""
WEEK_AFTER = 60


def _again(a: Answers, ds: xr.Dataset, **options: object) -> xr.DataArray:
    return a.head.predict(ds, **options)[a.head.target]


def _twice(a: Answers) -> xr.DataArray:
    ds = few(a)
    other = ds.assign_coords(site=[f"{name} again" for name in ds.site.values])
    both = _again(a, xr.concat([ds, other], "site"))
    half = ds.sizes["site"]
    first, second = both.isel(site=slice(half)), both.isel(site=slice(half, None))
    return difference(second.assign_coords(site=first.site), first)


def _order(a: Answers) -> xr.DataArray:
    answer = _again(a, few(a).isel(site=slice(None, None, -1)))
    return difference(answer.isel(site=slice(None, None, -1)), few_answers(a))


def _without_range(a: Answers) -> xr.DataArray:
    highs = a.sites.get("temperature_max", xr.full_like(a.sites["temperature"], np.nan))
    has = highs.notnull().any("time")
    return (mean(a("without range")) / mean(a())).where(has, drop=True)


def _unknown_week(a: Answers) -> xr.DataArray:
    after = wet_days(a.sites, WEEK_AFTER)
    known, unknown, none = (
        a(scenario).where(after).sum("time")
        for scenario in ("as it is", "week missing", "week dry")
    )
    return (unknown - none) / (known - none)


EXPERIMENTS = [
    Experiment(
        "a site given twice",
        OVER,
        "invariance",
        EVERY,
        measure=_twice,
        most=1e-6,
        expected="One place has one answer.",
    ),
    Experiment(
        "sites in another order",
        OVER,
        "invariance",
        EVERY,
        measure=_order,
        most=FLOAT32,
        expected=(
            "Neighbours in a table are no neighbours on Earth: float32 alone may "
            "differ."
        ),
    ),
    Experiment(
        "one window at a time",
        OVER,
        "invariance",
        EVERY,
        measure=lambda a: difference(_again(a, few(a), batch_size=1), few_answers(a)),
        most=FLOAT32,
        expected=(
            "How many windows are computed at once is no physics: float32 alone "
            "may differ."
        ),
    ),
    Experiment(
        "one chunk a site, lazy",
        OVER,
        "invariance",
        EVERY,
        measure=lambda a: difference(
            _again(a, few(a).chunk(site=1, time=-1)), few_answers(a)
        ),
        most=FLOAT32,
        expected="How a file is cut is no physics: float32 alone may differ.",
    ),
    Experiment(
        "K and kg m-2 s-1",
        OVER,
        "invariance",
        EVERY,
        measure=lambda a: difference(_again(a, other_units(few(a))), few_answers(a)),
        most=1e-3,
        expected="Units are names of one thing (kelvin in float32 keeps 3e-5 degC).",
    ),
    Experiment(
        "daily extremes of temperature hidden",
        "mean over that with them",
        "size",
        "flow soil",
        measure=_without_range,
        least=0.9,
        most=1.1,
        expected="They refine evaporation by a tenth at most (sites that have them).",
    ),
    Experiment(
        "all attributes hidden",
        "mean over that with them",
        "size",
        "flow",
        measure=lambda a: mean(a("without attributes")) / mean(a()),
        least=0.75,
        most=1.25,
        expected=(
            "Climate fixes the long-term flow; soil and plants move it by a "
            "quarter at most."
        ),
    ),
    Experiment(
        "rain of the wettest week missing",
        "effect of 60 days, over that of the rain itself",
        "direction",
        "flow soil",
        measure=_unknown_week,
        least=0.01,
        most=2,
        expected=(
            "Not known is not none: an unknown week has rain as weeks have, so "
            "its effect is above none, and not twice that of the wettest."
        ),
    ),
]
