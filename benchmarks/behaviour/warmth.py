"""Experiments with warmth, evaporation and the sun."""

from __future__ import annotations

import xarray as xr

from behaviour.answers import Answers
from behaviour.experiment import LESS, MORE, Experiment
from behaviour.measures import OVER, difference, mean, relative, settled, summer
from behaviour.scenarios import GAP, cold_days, days

SNOW, EVAPORATION = "snow_water_equivalent", "evapotranspiration"
LEAST_SNOW = 5.0  # [mm] on the mean of all days; less says nothing about snow
DEEP_SNOW, FROST = 20.0, -2.0  # [mm] on the day, [degC] on the mean of 60 days
MILD = 10.0  # [degC]; colder places keep more snow when they get colder still
FLOW_OF = "mean flow over that at the real temperature"
SOIL_OF = "summer mean over that at the real temperature"
TURNED = "hemisphere changed, dates moved by 183 days"
UNKNOWN = f"temperature missing on the {GAP} coldest days"


def _snow(a: Answers, scenario: str = "as it is") -> xr.DataArray:
    """Mean snow water equivalent of the sites that have snow."""
    has = mean(a.all()[SNOW]) >= LEAST_SNOW
    return mean(a.all(scenario)[SNOW]).where(has, drop=True)


def _evaporation(a: Answers, scenario: str = "as it is") -> xr.DataArray:
    return mean(a.all(scenario)[EVAPORATION])


def _gap_melts_no_snow(a: Answers) -> xr.DataArray:
    start, day = cold_days(a.sites), days(a.sites)
    around = a.sites["temperature"].where(abs(day - start) <= 30).mean("time")
    now = a.all()[SNOW].isel(time=start + GAP)
    then = a.all("winter gap")[SNOW].isel(time=start + GAP)
    frozen = (now >= DEEP_SNOW) & (around <= FROST)
    return ((now - then) / now).where(frozen, drop=True)


def _gap_makes_no_flood(a: Answers) -> xr.DataArray:
    after = days(a.sites) - cold_days(a.sites)
    change = (a("winter gap") - a()).where((after >= 0) & (after < 60))
    return (change**2).mean("time") ** 0.5 / settled(a()).std("time")


def _colder_more_flow(a: Answers) -> xr.DataArray:
    mild = mean(a.sites["temperature"]) > MILD
    return (mean(a("-5 K")) / mean(a())).where(mild, drop=True)


def _summer_evaporation(a: Answers, scenario: str) -> xr.DataArray:
    return summer(a.all(scenario)[EVAPORATION])


EXPERIMENTS = [
    Experiment(
        "+5 K",
        FLOW_OF,
        "direction",
        "flow",
        measure=relative(mean, "+5 K"),
        most=LESS,
        expected="Warmer air takes more water, so less flows off.",
    ),
    Experiment(
        "-5 K",
        FLOW_OF,
        "direction",
        "flow",
        measure=_colder_more_flow,
        least=MORE,
        expected=(
            "Colder air takes less water, so more flows off (sites above 10 degC; "
            "others may keep their snow)."
        ),
    ),
    Experiment(
        "+5 K",
        SOIL_OF,
        "direction",
        "soil",
        measure=relative(summer, "+5 K"),
        most=LESS,
        expected="Warmer air dries the summer's soil.",
    ),
    Experiment(
        "-5 K",
        SOIL_OF,
        "direction",
        "soil",
        measure=relative(summer, "-5 K"),
        least=MORE,
        expected="Colder air leaves the summer's soil wetter.",
    ),
    Experiment(
        "+5 K",
        "mean snow over that now",
        "direction",
        "balance",
        measure=lambda a: _snow(a, "+5 K") / _snow(a),
        most=0.9,
        expected="Warmer winters have less snow (sites with a mean of 5 mm or more).",
    ),
    Experiment(
        "-5 K",
        "mean snow over that now",
        "direction",
        "balance",
        measure=lambda a: _snow(a, "-5 K") / _snow(a),
        least=1.1,
        expected="Colder winters have more snow (sites with a mean of 5 mm or more).",
    ),
    Experiment(
        "+5 K",
        "evapotranspiration over that now",
        "direction",
        "balance",
        measure=lambda a: _evaporation(a, "+5 K") / _evaporation(a),
        least=1,
        expected="Warmer air takes more water; in a desert it takes all that there is.",
    ),
    Experiment(
        "-5 K",
        "evapotranspiration over that now",
        "direction",
        "balance",
        measure=lambda a: _evaporation(a, "-5 K") / _evaporation(a),
        most=1,
        expected="Colder air takes less water.",
    ),
    Experiment(
        "PET x 2",
        "mean flow over that at PET x 1",
        "direction",
        "flow",
        measure=relative(mean, "PET x 2", "PET x 1"),
        most=LESS,
        expected="What evaporates does not flow off.",
    ),
    Experiment(
        "PET x 2",
        "summer mean over that at PET x 1",
        "direction",
        "soil",
        measure=relative(summer, "PET x 2", "PET x 1"),
        most=LESS,
        expected="A thirstier air dries the soil.",
    ),
    Experiment(
        "PET x 2",
        "evapotranspiration over that at PET x 1",
        "direction",
        "balance",
        measure=lambda a: _evaporation(a, "PET x 2") / _evaporation(a, "PET x 1"),
        least=MORE,
        expected="A thirstier air takes more water.",
    ),
    Experiment(
        TURNED,
        OVER,
        "invariance",
        "flow soil embedding",
        measure=lambda a: difference(settled(a("other hemisphere")), settled(a())),
        most=0.1,
        expected=(
            "The same weather in the same season: only the distance of the sun "
            "differs, which changes its radiation by 3 % either way."
        ),
    ),
    Experiment(
        "hemisphere changed alone",
        OVER,
        "direction",
        "flow",
        measure=lambda a: difference(settled(a("mirrored")), settled(a())),
        least=0.05,
        expected="Warm days get the sun of winter: less evaporates then, which shows.",
    ),
    Experiment(
        "hemisphere changed alone",
        "evapotranspiration of June to August over that now",
        "direction",
        "balance",
        measure=lambda a: (
            _summer_evaporation(a, "mirrored") / _summer_evaporation(a, "as it is")
        ),
        most=LESS,
        expected="Warm days get the sun of winter: less evaporates then.",
    ),
    Experiment(
        UNKNOWN,
        "snow lost by it, share",
        "size",
        "balance",
        measure=_gap_melts_no_snow,
        least=-0.05,
        most=0.05,
        expected="A gap in a record melts no snow (frozen sites with 20 mm of it).",
    ),
    Experiment(
        UNKNOWN,
        "difference over standard deviation, 60 days from its start",
        "size",
        "flow",
        measure=_gap_makes_no_flood,
        most=0.25,
        expected="Five unknown days among four known years change little.",
    ),
]
