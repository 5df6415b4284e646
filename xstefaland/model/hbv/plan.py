"""
Where a run finds the logits of each parameter.

A run is given constant logits ``[site, column]``, daily logits ``[time, site,
column]``, or both. A plan says, parameter by parameter, which column its components
start in. All backends read the same plan, so the drop-in and the lean form, warm-up
and run differ in nothing but their plans.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from xstefaland.model.hbv.parameters import (
    DYNAMIC,
    FIXED,
    NAMES,
    ROUTING,
    Version,
    parameter_names,
)

ABSENT = -1


@dataclass(frozen=True)
class Plan:
    """
    Sources of the parameters of one run.

    Attributes
    ----------
    components : int
        Components of a site.
    version : {"1.1", "1.0"}
        Version of the model.
    routing : bool
        Whether flow is routed.
    daily : tuple of int
        For each of the 14 parameters its first column in the daily logits if it
        changes from day to day, else -1.
    last : tuple of int
        First column in the daily logits of which the last day gives the constant
        value, else -1.
    constant : tuple of int
        First column in the constant logits, else -1. A parameter without any source
        has the value that turns it off.
    route_last : bool
        Whether the routing logits end the last day of the daily logits; otherwise
        they end the constant logits.
    """

    components: int
    version: Version
    routing: bool
    daily: tuple[int, ...]
    last: tuple[int, ...]
    constant: tuple[int, ...]
    route_last: bool

    @property
    def dynamic(self) -> tuple[str, ...]:
        """Names of the parameters that change from day to day."""
        return tuple(NAMES[p] for p, column in enumerate(self.daily) if column >= 0)

    def still(self) -> Plan:
        """Return the plan in which every parameter is constant."""
        return replace(self, daily=(ABSENT,) * len(NAMES))

    def is_fixed(self, p: int) -> bool:
        """Tell whether parameter `p` has no logits in this version."""
        return self.last[p] == self.constant[p] == ABSENT


def _columns(names: tuple[str, ...], width: int) -> tuple[int, ...]:
    """First column of each of the 14 parameters, or ABSENT."""
    return tuple(names.index(n) * width if n in names else ABSENT for n in NAMES)


def drop_in_plan(
    components: int, version: Version, dynamic: tuple[str, ...], routing: bool
) -> Plan:
    """
    Plan for daily logits of all parameters and the routing.

    Examples
    --------
    >>> drop_in_plan(16, "1.1", ("beta", "k0"), True).daily[:4]
    (0, -1, 32, -1)
    """
    columns = _columns(parameter_names(version, dynamic), components)
    daily = tuple(
        c if n in dynamic else ABSENT for n, c in zip(NAMES, columns, strict=True)
    )
    nowhere = (ABSENT,) * len(NAMES)
    return Plan(components, version, routing, daily, columns, nowhere, True)


def lean_plan(
    components: int, version: Version, dynamic: tuple[str, ...], routing: bool
) -> Plan:
    """
    Plan for constant logits of the static parameters and daily ones of the others.

    Examples
    --------
    >>> lean_plan(16, "1.1", ("beta", "k0"), True).constant[:4]
    (-1, 0, -1, 16)
    """
    names = parameter_names(version, dynamic)
    daily = _columns(tuple(n for n in names if n in dynamic), components)
    constant = _columns(tuple(n for n in names if n not in dynamic), components)
    return Plan(components, version, routing, daily, daily, constant, False)


def lean_widths(
    components: int = 16,
    version: Version = "1.1",
    dynamic: tuple[str, ...] = DYNAMIC,
) -> tuple[int, int]:
    """
    Count the logits of the lean form.

    Returns
    -------
    tuple of int
        Width of the static logits (with the two of the routing) and of the daily ones.

    Examples
    --------
    >>> lean_widths(16)
    (178, 48)
    """
    names = parameter_names(version, dynamic)
    static = len(names) - len(dynamic)
    return static * components + len(ROUTING), len(dynamic) * components


def sources(plan: Plan) -> Iterator[tuple[int, str, int]]:
    """Yield each parameter's number, "constant", "last" or "fixed", and column."""
    for p in range(len(NAMES)):
        if plan.constant[p] >= 0:
            yield p, "constant", plan.constant[p]
        elif plan.last[p] >= 0:
            yield p, "last", plan.last[p]
        else:
            yield p, "fixed", ABSENT


def constant_logits(static: Tensor, daily: Tensor, plan: Plan) -> tuple[Tensor, Tensor]:
    """
    Gather the constant value of every parameter, daily ones by their last day.

    Parameters
    ----------
    static : Tensor [site, column]
    daily : Tensor [time, site, column]
    plan : Plan

    Returns
    -------
    tuple of Tensor
        Logits ``[site, 14 * component]`` (0 where there are none) and those of the
        routing ``[site, 2]``.
    """
    m, last = plan.components, daily[-1]
    tables = {"constant": static, "last": last}
    none = last.new_zeros(last.shape[0], m)
    parts = [
        none if kind == "fixed" else tables[kind][:, column : column + m]
        for _, kind, column in sources(plan)
    ]
    route = (last if plan.route_last else static)[:, -len(ROUTING) :]
    return torch.cat(parts, dim=1), route


def return_gradient(
    plan: Plan, full: Tensor, route: Tensor, static: Tensor, daily: Tensor
) -> None:
    """
    Undo `constant_logits` for derivatives: add them where the logits came from.

    Parameters
    ----------
    plan : Plan
    full, route : Tensor
        Derivatives by what `constant_logits` returned.
    static, daily : Tensor
        Derivatives by what it was given; changed in place.
    """
    m = plan.components
    tables = {"constant": static, "last": daily[-1]}
    for p, kind, column in sources(plan):
        if kind != "fixed":
            part = full[:, p * m : (p + 1) * m]
            tables[kind][:, column : column + m] += part
    (daily[-1] if plan.route_last else static)[:, -len(ROUTING) :] += route


def fixed_values() -> list[float]:
    """List the values that turn a parameter off, 0 where there is no such value."""
    return [FIXED.get(name, 0.0) for name in NAMES]
