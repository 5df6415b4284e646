"""Experiments with the amount of rain: none, half of it, twice as much."""

from __future__ import annotations

import numpy as np
import xarray as xr

from behaviour.answers import Answers
from behaviour.experiment import LESS, MORE, Experiment
from behaviour.measures import last_year, mean, relative, summer
from behaviour.scenarios import RAIN

POROSITY = 0.65
FLOW_OF = "mean flow over that with the real rain"
SOIL_OF = "summer mean over that with the real rain"
MARGINAL = "mm of flow per mm of rain between x 0, 0.5, 1, 1.1, 2"


def _marginal(a: Answers) -> xr.DataArray:
    """Flow gained per mm of rain gained, between neighbouring amounts of rain."""
    steps = ["rain x 0", "rain x 0.5", "as it is", "rain x 1.1", "rain x 2"]
    flow = xr.concat([mean(a(name)) for name in steps], "step")
    rain = xr.concat([mean(a.weather(name)[RAIN]) for name in steps], "step")
    return flow.diff("step") / rain.diff("step")


EXPERIMENTS = [
    Experiment(
        "rain x 0",
        FLOW_OF,
        "direction",
        "flow",
        measure=relative(mean, "rain x 0"),
        most=LESS,
        expected="Flow comes from rain: without any it falls.",
    ),
    Experiment(
        "rain x 0",
        "flow of the fourth year over its mean",
        "size",
        "flow",
        measure=lambda a: last_year(a("rain x 0")) / mean(a()),
        most=0.05,
        expected=(
            "After three years without rain the stores of a basin are as good as empty."
        ),
    ),
    Experiment(
        "rain x 0",
        SOIL_OF,
        "direction",
        "soil",
        measure=relative(summer, "rain x 0"),
        most=LESS,
        expected="Nothing wets a soil but rain: without any it is drier.",
    ),
    Experiment(
        "rain x 0",
        "mean of the fourth year, m3 m-3",
        "size",
        "soil",
        measure=lambda a: last_year(a("rain x 0")),
        most=0.10,
        expected=(
            "The upper 5 cm lose all water that air can take: what clay keeps is "
            "below 0.1."
        ),
    ),
    Experiment(
        "rain x 0, 2",
        "highest value, m3 m-3",
        "range",
        "soil",
        measure=lambda a: np.maximum(
            a("rain x 0").max("time"), a("rain x 2").max("time")
        ),
        most=POROSITY,
        expected="Soil holds no more water than it has pores, however much it rains.",
    ),
    Experiment(
        "rain x 0.5",
        FLOW_OF,
        "direction",
        "flow",
        measure=relative(mean, "rain x 0.5"),
        most=LESS,
        expected="Less rain, less flow.",
    ),
    Experiment(
        "rain x 0.5",
        FLOW_OF,
        "size",
        "flow",
        measure=relative(mean, "rain x 0.5"),
        least=0,
        most=0.5,
        expected=(
            "Evaporation takes a larger share of less rain: flow falls by more "
            "than half."
        ),
    ),
    Experiment(
        "rain x 2",
        FLOW_OF,
        "direction",
        "flow",
        measure=relative(mean, "rain x 2"),
        least=MORE,
        expected="More rain, more flow.",
    ),
    Experiment(
        "rain x 2",
        FLOW_OF,
        "size",
        "flow",
        measure=relative(mean, "rain x 2"),
        least=2,
        expected=(
            "Evaporation takes a smaller share of more rain: flow more than doubles."
        ),
    ),
    Experiment(
        "rain x 0.5",
        SOIL_OF,
        "direction",
        "soil",
        measure=relative(summer, "rain x 0.5"),
        most=LESS,
        expected="Less rain, drier soil.",
    ),
    Experiment(
        "rain x 2",
        SOIL_OF,
        "direction",
        "soil",
        measure=relative(summer, "rain x 2"),
        least=MORE,
        expected="More rain, wetter soil.",
    ),
    Experiment(
        "rain, step by step",
        f"smallest {MARGINAL}",
        "direction",
        "flow",
        measure=lambda a: _marginal(a).min("step"),
        least=0,
        expected="Each further mm of rain adds to the flow, everywhere.",
    ),
    Experiment(
        "rain, step by step",
        f"largest {MARGINAL}",
        "size",
        "flow",
        measure=lambda a: _marginal(a).max("step"),
        most=1,
        expected="A further mm of rain cannot give more than a mm of flow.",
    ),
]
