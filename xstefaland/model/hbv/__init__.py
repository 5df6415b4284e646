"""Differentiable HBV 1.1: a conceptual water balance driven by a network's logits."""

from __future__ import annotations

from xstefaland.model.hbv.parameters import (
    DYNAMIC,
    PHYSICAL,
    ROUTING,
    Parameter,
    logit_width,
    parameter_names,
)
from xstefaland.model.hbv.plan import lean_widths
from xstefaland.model.hbv.results import Fluxes, States
from xstefaland.model.hbv.simulation import simulate, simulate_lean

__all__ = [
    "DYNAMIC",
    "PHYSICAL",
    "ROUTING",
    "Fluxes",
    "Parameter",
    "States",
    "lean_widths",
    "logit_width",
    "parameter_names",
    "simulate",
    "simulate_lean",
]
