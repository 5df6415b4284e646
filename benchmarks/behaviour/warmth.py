"""Experiments with warmth, evaporation and the sun."""

from __future__ import annotations

import xarray as xr

from behaviour.answers import Answers
from behaviour.experiment import Experiment
from behaviour.measures import difference, mean, settled, summer
from behaviour.scenarios import cold_day

SNOW, EVAPORATION = "snow_water_equivalent", "evapotranspiration"
LEAST_SNOW = 5.0
DEEP_SNOW = 20.0
FLOW_OF = "mean flow over that at the real temperature"
SOIL_OF = "summer mean over that at the real temperature"
TURNED = "hemisphere changed, dates moved by 183 days"
GAP = "temperature missing for 5 days in January"


def _snow(a: Answers, scenario: str = "as it is") -> xr.DataArray:
    """Mean snow water equivalent of the sites that have snow."""
    has = mean(a.all()[SNOW]) >= LEAST_SNOW
    return mean(a.all(scenario)[SNOW]).where(has, drop=True)


def _evaporation(a: Answers, scenario: str = "as it is") -> xr.DataArray:
    return mean(a.all(scenario)[EVAPORATION])


def _gap_melts_no_snow(a: Answers) -> xr.DataArray:
    day = cold_day(a.sites) + 5
    now = a.all()[SNOW].isel(time=day)
    then = a.all("winter gap")[SNOW].isel(time=day)
    return ((now - then) / now).where(now >= DEEP_SNOW, drop=True)


def _gap_makes_no_flood(a: Answers) -> xr.DataArray:
    start = cold_day(a.sites)
    days = slice(start, start + 60)
    change = (a("winter gap") - a()).isel(time=days)
    return (change**2).mean("time") ** 0.5 / settled(a()).std("time")


WARMTH = [
    Experiment(
        "+5 K",
        FLOW_OF,
        "direction",
        "flow",
        measure=lambda a: mean(a("+5 K")) / mean(a()),
        most=0.99,
        expected="Warmer air takes more water, so less flows off.",
    ),
    Experiment(
        "-5 K",
        FLOW_OF,
        "direction",
        "flow",
        measure=lambda a: mean(a("-5 K")) / mean(a()),
        least=1.01,
        expected="Colder air takes less water, so more flows off.",
    ),
    Experiment(
        "+5 K",
        SOIL_OF,
        "direction",
        "soil",
        measure=lambda a: summer(a("+5 K")) / summer(a()),
        most=0.99,
        expected="Warmer air dries the summer's soil.",
    ),
    Experiment(
        "-5 K",
        SOIL_OF,
        "direction",
        "soil",
        measure=lambda a: summer(a("-5 K")) / summer(a()),
        least=1.01,
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
        measure=lambda a: mean(a("PET x 2")) / mean(a("PET x 1")),
        most=0.99,
        expected="What evaporates does not flow off.",
    ),
    Experiment(
        "PET x 2",
        "summer mean over that at PET x 1",
        "direction",
        "soil",
        measure=lambda a: summer(a("PET x 2")) / summer(a("PET x 1")),
        most=0.99,
        expected="A thirstier air dries the soil.",
    ),
    Experiment(
        "PET x 2",
        "evapotranspiration over that at PET x 1",
        "direction",
        "balance",
        measure=lambda a: _evaporation(a, "PET x 2") / _evaporation(a, "PET x 1"),
        least=1.01,
        expected="A thirstier air takes more water.",
    ),
    Experiment(
        TURNED,
        "difference over standard deviation",
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
        "mean flow over that now",
        "direction",
        "flow",
        measure=lambda a: mean(a("mirrored")) / mean(a()),
        least=1.01,
        expected="Warm days get the sun of winter: less evaporates, more flows off.",
    ),
    Experiment(
        "hemisphere changed alone",
        "evapotranspiration over that now",
        "direction",
        "balance",
        measure=lambda a: _evaporation(a, "mirrored") / _evaporation(a),
        most=0.99,
        expected="Warm days get the sun of winter: less evaporates.",
    ),
    Experiment(
        GAP,
        "snow lost by it, share",
        "size",
        "balance",
        measure=_gap_melts_no_snow,
        least=-0.05,
        most=0.05,
        expected="A gap in a record melts no snow (sites with 20 mm or more on the day).",
    ),
    Experiment(
        GAP,
        "difference over standard deviation, 60 days from its start",
        "size",
        "flow soil",
        measure=_gap_makes_no_flood,
        most=0.25,
        expected="Five days that are not known among four years that are change little.",
    ),
]
