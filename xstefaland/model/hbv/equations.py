"""
HBV as written: the reference that all kernels are held against.

One function is a day of the model, in the order in which water moves: snow, soil,
capillary rise, response. Another is the loop over the days. Everything is plain
torch, so automatic differentiation gives the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from xstefaland.model.hbv.parameters import FIXED, NAMES, PHYSICAL, Version
from xstefaland.model.hbv.plan import Plan, constant_logits
from xstefaland.model.hbv.routing import convolve, route_values, unit_hydrograph

SMALLEST = 1e-5
"""Storage that soil and lower zone keep at least, mm."""

START = 1e-3
"""Storage that every store starts with, mm."""

OUTFLOWS = 4
"""How many of the series below are routed: the total and its three parts."""


def snow_day(
    p: Tensor, ta: Tensor, sp: Tensor, mw: Tensor, par: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return rain, outflow of the snow, snowpack and the liquid water in it."""
    rain = torch.where(ta >= par["tt"], p, torch.zeros_like(p))
    sp = sp + (p - rain)
    melt = torch.minimum((par["cfmax"] * (ta - par["tt"])).clamp(min=0), sp)
    mw, sp = mw + melt, sp - melt
    refreezing = par["cfr"] * par["cfmax"] * (par["tt"] - ta)
    refrozen = torch.minimum(refreezing.clamp(min=0), mw)
    sp, mw = sp + refrozen, mw - refrozen
    outflow = (mw - par["cwh"] * sp).clamp(min=0)
    return rain, outflow, sp, mw - outflow


def soil_day(
    water: tuple[Tensor, Tensor], pet: Tensor, sm: Tensor, par: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return recharge, excess, factor, evapotranspiration and soil moisture."""
    rain, outflow = water
    wetness = ((sm / par["fc"]) ** par["beta"]).clamp(0, 1)
    recharge = (rain + outflow) * wetness
    sm = sm + rain + outflow - recharge
    excess = (sm - par["fc"]).clamp(min=0)
    sm = sm - excess
    factor = ((sm / (par["lp"] * par["fc"])) ** par["beta_et"]).clamp(0, 1)
    et = torch.minimum(sm, pet * factor)
    return recharge, excess, factor, et, (sm - et).clamp(min=SMALLEST)


def capillary_day(
    sm: Tensor, lz: Tensor, par: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return capillary rise, soil moisture and lower zone."""
    dryness = 1 - (sm / par["fc"]).clamp(max=1)
    rise = torch.minimum(lz, par["c"] * lz * dryness)
    return rise, (sm + rise).clamp(min=SMALLEST), (lz - rise).clamp(min=SMALLEST)


def response_day(
    uz: Tensor, lz: Tensor, par: Mapping[str, Tensor]
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor, Tensor, Tensor]:
    """Return the three outflows, percolation, upper and lower zone."""
    percolation = torch.minimum(uz, par["perc"])
    uz = uz - percolation
    q0 = par["k0"] * (uz - par["uzl"]).clamp(min=0)
    uz = uz - q0
    q1 = par["k1"] * uz
    lz = lz + percolation
    q2 = par["k2"] * lz
    return (q0, q1, q2), percolation, uz - q1, lz - q2


def day(
    forcing: Tensor,
    states: Sequence[Tensor],
    par: Mapping[str, Tensor],
    version: Version,
) -> tuple[list[Tensor], list[Tensor]]:
    """
    Advance all components by a day.

    Parameters
    ----------
    forcing : Tensor [site, 3]
        Precipitation (mm d-1), temperature (degC), potential evapotranspiration
        (mm d-1).
    states : sequence of Tensor [site, component]
        Snowpack, liquid water in it, soil moisture, upper and lower zone, mm.
    par : mapping of str to Tensor [site, component]
        Values of the parameters.
    version : {"1.1", "1.0"}
        Version 1.0 leaves capillary rise out.

    Returns
    -------
    tuple of list of Tensor [site, component]
        Fluxes in the order of the series of `march` (from the three outflows on),
        and the new states.
    """
    p, ta, pet = (column[:, None] for column in forcing.unbind(-1))
    sp, mw, sm, uz, lz = states
    rain, outflow, sp, mw = snow_day(p, ta, sp, mw, par)
    recharge, excess, factor, et, sm = soil_day((rain, outflow), pet, sm, par)
    rise = torch.zeros_like(sm)
    if version == "1.1":
        rise, sm, lz = capillary_day(sm, lz, par)
    outflows, percolation, uz, lz = response_day(uz + recharge + excess, lz, par)
    fluxes = [*outflows, et, sp, mw, recharge, excess, factor, outflow, percolation]
    return [*fluxes, rise, sm, uz, lz], [sp, mw, sm, uz, lz]


def parameter_values(
    static: Tensor, daily: Tensor, frozen: Tensor, plan: Plan
) -> tuple[dict[str, Tensor], dict[str, tuple[Tensor, ...]], Tensor]:
    """
    Turn logits into values.

    Returns
    -------
    tuple
        Constant values ``[site, component]`` by name, daily values as one tensor a
        day by name, and the routing logits ``[site, 2]``.
    """
    full, route = constant_logits(static, daily, plan)
    m = plan.components
    constant, varying = {}, {}
    for p, (name, entry) in enumerate(zip(NAMES, PHYSICAL, strict=True)):
        low, span = entry.low, entry.high - entry.low
        value = low + full[:, p * m : (p + 1) * m].sigmoid() * span
        constant[name] = (
            torch.full_like(value, FIXED[name]) if plan.is_fixed(p) else value
        )
        if plan.daily[p] >= 0:
            own = low + daily[..., plan.daily[p] : plan.daily[p] + m].sigmoid() * span
            held = frozen[:, p].bool()[:, None]
            varying[name] = torch.where(held, value, own).unbind(0)
    return constant, varying, route


def march(
    forcing: Tensor, static: Tensor, daily: Tensor, weights: Tensor, initial: Tensor,
    history: Tensor, frozen: Tensor, plan: Plan, skip: int = 0,
) -> tuple[Tensor, ...]:  # fmt: skip
    """
    Run all days.

    Parameters
    ----------
    forcing : Tensor [time, site, 3]
    static : Tensor [site, column]
    daily : Tensor [time, site, column]
    weights : Tensor [0, 1 or time, site, component]
        Weights of the total flow; none means the mean.
    initial : Tensor [site, 5, component]
    history : Tensor [site, 4, day]
        Unrouted flow before the first day.
    frozen : Tensor [site, 14]
        1 where a daily parameter is held at its last day.
    plan : Plan
    skip : int
        First days that are left out.

    Returns
    -------
    tuple of Tensor
        20 series ``[time, site]``: total flow, its three parts, evapotranspiration,
        snowpack, liquid water, recharge, excess, evapotranspiration factor, outflow of
        the snow, percolation, capillary rise, soil moisture, upper zone, lower zone;
        then total flow and its parts routed. Last the final states
        ``[site, 5, component]``.
    """
    forcing, daily = forcing[skip:], daily[skip:]
    constant, varying, route = parameter_values(static, daily, frozen, plan)
    states, record = list(initial.unbind(1)), []
    for t, given in enumerate(forcing.unbind(0)):
        today = constant | {name: values[t] for name, values in varying.items()}
        fluxes, states = day(given, states, today, plan.version)
        record.append(torch.stack(fluxes))
    fluxes_all = torch.stack(record, dim=1)
    total = fluxes_all[:3].sum(dim=0)
    total = (total * weights).sum(-1) if weights.shape[0] else total.mean(-1)
    series = torch.cat([total[None], fluxes_all.mean(-1)])
    routed = series[:OUTFLOWS]
    if plan.routing:
        known = history.permute(1, 2, 0)
        a, b = route_values(route)
        hydrograph = unit_hydrograph(a, b, len(record) + known.shape[1])
        routed = convolve(routed, hydrograph, known)
    return (*series, *routed, torch.stack(states, dim=1))
