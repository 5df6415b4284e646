"""Checks of what a run is given: every problem at once, each with its remedy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from xstefaland.errors import InputError
from xstefaland.model.hbv.parameters import ROUTING
from xstefaland.model.hbv.plan import Plan, sources
from xstefaland.model.hbv.results import States


def check_run(
    forcing: Tensor, static: Tensor, daily: Tensor, plan: Plan, warmup: int,
    weights: Tensor | None, dropout: float, states: States | None,
) -> None:  # fmt: skip
    """
    Raise if a run cannot be made of these.

    Raises
    ------
    InputError
        Naming every problem.
    """
    problems = _forcing_problems(forcing) or [
        *_logit_problems(forcing, static, daily, plan),
        *_option_problems(forcing, plan, warmup, weights, dropout, states),
    ]
    if problems:
        raise InputError("HBV cannot run:\n- " + "\n- ".join(problems))


def _forcing_problems(forcing: Tensor) -> list[str]:
    """Problems of the weather; values are looked at once the shape is right."""
    if forcing.ndim != 3 or forcing.shape[2] != 3 or not forcing.shape[0]:
        return [
            f"forcing has shape {tuple(forcing.shape)}, but [time, site, 3] is needed: "
            "precipitation (mm d-1), temperature (degC), potential evapotranspiration "
            "(mm d-1); stack them with torch.stack([p, t, pet], dim=-1)."
        ]
    if forcing.dtype not in (torch.float32, torch.float64):
        return [
            f"forcing is {forcing.dtype}; pass forcing.float() or forcing.double()."
        ]
    count = _count_broken(forcing)
    if count:
        return [
            f"forcing has {count} values that are missing or infinite, and water "
            "cannot be balanced without them; fill or drop those days and sites first."
        ]
    return []


def _count_broken(forcing: Tensor) -> int:
    """Count what is missing or infinite, without waking torch's threads on a CPU."""
    if forcing.device.type == "cpu":
        return int(forcing.numel() - np.isfinite(forcing.detach().numpy()).sum())
    return int((~torch.isfinite(forcing)).sum())


def _logit_problems(
    forcing: Tensor, static: Tensor, daily: Tensor, plan: Plan
) -> list[str]:
    """Logits that do not fit the plan, or lie elsewhere than the forcing."""
    days, sites = forcing.shape[:2]
    m, route = plan.components, len(ROUTING)
    kinds = [kind for _, kind, _ in sources(plan)]
    width = kinds.count("last") * m
    tables: dict[str, tuple[Tensor, tuple[int, ...]]]
    if plan.route_last:
        tables = {"logits": (daily, (days, sites, width + route))}
    else:
        constant = kinds.count("constant") * m + route
        tables = {
            "static_logits": (static, (sites, constant)),
            "dynamic_logits": (daily, (days, sites, width)),
        }
    problems = []
    for name, (table, shape) in tables.items():
        if tuple(table.shape) != shape:
            problems.append(
                f"{name} has shape {tuple(table.shape)}, but {shape} is needed for "
                f"{m} components, dynamic={plan.dynamic!r}, version {plan.version!r}."
            )
        if table.dtype != forcing.dtype or table.device != forcing.device:
            problems.append(
                f"{name} is {table.dtype} on {table.device} and forcing is "
                f"{forcing.dtype} on {forcing.device}; pass {name}.to(forcing)."
            )
    return problems


def _option_problems(
    forcing: Tensor, plan: Plan, warmup: int, weights: Tensor | None, dropout: float,
    states: States | None,
) -> list[str]:  # fmt: skip
    """Options that do not fit the days, sites and components of the run."""
    days, sites = forcing.shape[:2]
    shape = (sites, plan.components)
    problems = []
    if not 0 <= warmup < days:
        problems.append(
            f"warmup={warmup} days leaves nothing of {days} days; pass fewer, e.g. "
            f"warmup={days // 2}."
        )
    if not 0 <= dropout <= 1:
        problems.append(f"dynamic_dropout={dropout!r} is not between 0 and 1.")
    if weights is not None and tuple(weights.shape) not in (shape, (days, *shape)):
        problems.append(
            f"component_weights has shape {tuple(weights.shape)}, but {shape} or "
            f"{(days, *shape)} is needed."
        )
    if states is not None and tuple(states.snowpack.shape) != shape:
        problems.append(
            f"initial_states are for {tuple(states.snowpack.shape)} sites and "
            f"components, but {shape} is needed."
        )
    return problems
