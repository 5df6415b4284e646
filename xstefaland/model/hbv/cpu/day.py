"""
One day of one component, and the adjoint of that day.

Plain scalar functions in the order of the model: snow, soil, capillary rise,
response. The loop over the lanes inlines them, so they must stay free of branches
that cannot become a selection. Numbers are handed in (`zero`, `one`, ...) because a
literal would turn float32 into float64.

Conventions of the derivative: a bound passes it on when the value lies inside or on
the bound, and of two equal arguments of a minimum each gets half.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from xstefaland.model.hbv.cpu.elementary import exponential, logarithm

inline = njit(error_model="numpy", forceinline=True)


@inline
def at_least(x: Any, bound: Any) -> Any:
    """Return the larger one; what is not a number stays so."""
    return bound if x < bound else x


@inline
def smaller(a: Any, b: Any) -> Any:
    """Return the smaller one; `a` if either is not a number."""
    return b if b < a else a


@inline
def share(a: Any, b: Any, zero: Any, half: Any, one: Any) -> Any:
    """Return the derivative of ``min(a, b)`` by `a`."""
    below = one if a < b else zero
    return half if a == b else below


@inline
def power(base: Any, exponent: Any) -> Any:
    """Return ``base ** exponent`` and the logarithm of the base."""
    log = logarithm(base)
    return exponential(exponent * log), log


@inline
def snow(
    fall: Any, warmth: Any, sp: Any, mw: Any, cfmax: Any, cfr: Any, cwh: Any, zero: Any
) -> Any:
    """Return snowpack, liquid water in it, and the water that leaves it."""
    sp = sp + fall
    melt = smaller(at_least(cfmax * warmth, zero), sp)
    mw = mw + melt
    sp = sp - melt
    refrozen = smaller(at_least(cfr * cfmax * -warmth, zero), mw)
    sp = sp + refrozen
    mw = mw - refrozen
    outflow = at_least(mw - cwh * sp, zero)
    return sp, mw - outflow, outflow


@inline
def soil(
    rain: Any, outflow: Any, sm: Any, wet: Any, fc: Any, zero: Any, one: Any
) -> Any:
    """Return recharge, excess and the soil moisture before evapotranspiration."""
    recharge = (rain + outflow) * smaller(wet, one)
    before = sm + rain + outflow - recharge
    excess = at_least(before - fc, zero)
    return recharge, excess, before - excess


@inline
def evaporation(sm: Any, pet: Any, curve: Any, eps: Any, one: Any) -> Any:
    """Return the factor, the evapotranspiration and the soil moisture after it."""
    factor = smaller(curve, one)
    et = smaller(pet * factor, sm)
    return factor, et, at_least(sm - et, eps)


@inline
def capillary(sm: Any, lz: Any, fc: Any, c: Any, eps: Any, floor: Any, one: Any) -> Any:
    """Return capillary rise, soil moisture and lower zone after it."""
    rise = smaller(c * lz * (one - smaller(sm / fc, one)), lz)
    return rise, at_least(sm + rise, eps), at_least(lz - rise, floor)


@inline
def response(
    uz: Any, lz: Any, k0: Any, k1: Any, k2: Any, perc: Any, uzl: Any, zero: Any
) -> Any:
    """Return percolation, the three outflows and both zones after them."""
    down = smaller(perc, uz)
    uz = uz - down
    q0 = k0 * at_least(uz - uzl, zero)
    uz = uz - q0
    q1 = k1 * uz
    lz = lz + down
    q2 = k2 * lz
    return down, q0, q1, q2, uz - q1, lz - q2


@inline
def response_adjoint(
    uz: Any, lz: Any, k0: Any, k1: Any, k2: Any, perc: Any, uzl: Any,
    g_uz: Any, g_lz: Any, g_q0: Any, g_q1: Any, g_q2: Any, g_down: Any,
    zero: Any, half: Any, one: Any,
) -> Any:  # fmt: skip
    """Pull back `response`: both zones, then k0, k1, k2, perc, uzl."""
    down = smaller(perc, uz)
    drained = uz - down
    over = at_least(drained - uzl, zero)
    rest = drained - k0 * over
    g_q2 = g_q2 - g_lz
    d_k2 = g_q2 * (lz + down)
    g_lz = g_lz + g_q2 * k2
    g_down = g_down + g_lz
    g_q1 = g_q1 - g_uz
    d_k1 = g_q1 * rest
    g_uz = g_uz + g_q1 * k1
    g_q0 = g_q0 - g_uz
    d_k0 = g_q0 * over
    g_over = g_q0 * k0 if drained - uzl >= zero else zero
    g_uz = g_uz + g_over
    g_down = g_down - g_uz
    part = share(uz, perc, zero, half, one)
    g_uz = g_uz + g_down * part
    return g_uz, g_lz, d_k0, d_k1, d_k2, g_down * (one - part), -g_over


@inline
def capillary_adjoint(
    sm: Any, lz: Any, fc: Any, c: Any, eps: Any, floor: Any,
    g_sm: Any, g_lz: Any, g_rise: Any, active: Any,
    zero: Any, half: Any, one: Any,
) -> Any:  # fmt: skip
    """Pull back `capillary`: soil moisture, lower zone, then fc, c."""
    ratio = sm / fc
    dry = one - smaller(ratio, one)
    rise_if = c * lz * dry
    rise = smaller(rise_if, lz)
    g_lz = g_lz if lz - rise >= floor else zero
    g_sm = g_sm if sm + rise >= eps else zero
    g_rise = (g_rise + g_sm - g_lz) * active
    part = share(lz, rise_if, zero, half, one)
    g_lz = g_lz + g_rise * part
    g_rise = g_rise * (one - part)
    g_lz = g_lz + g_rise * c * dry
    g_ratio = -g_rise * c * lz if ratio <= one else zero
    return g_sm + g_ratio / fc, g_lz, -g_ratio * ratio / fc, g_rise * lz * dry


@inline
def evaporation_adjoint(
    sm: Any, pet: Any, curve: Any, log: Any, fc: Any, lp: Any, beta_et: Any,
    eps: Any, g_sm: Any, g_et: Any, g_factor: Any, zero: Any, half: Any, one: Any,
) -> Any:  # fmt: skip
    """Pull back `evaporation`: soil moisture, pet, then fc, lp, beta_et."""
    factor = smaller(curve, one)
    wanted = pet * factor
    et = smaller(wanted, sm)
    g_sm = g_sm if sm - et >= eps else zero
    g_et = g_et - g_sm
    part = share(sm, wanted, zero, half, one)
    g_sm = g_sm + g_et * part
    g_wanted = g_et * (one - part)
    g_factor = g_factor + g_wanted * pet
    g_curve = g_factor * curve if curve <= one else zero
    g_log = g_curve * beta_et
    return g_sm + g_log / sm, g_wanted * factor, -g_log / fc, -g_log / lp, g_curve * log


@inline
def soil_adjoint(
    rain: Any, outflow: Any, sm: Any, wet: Any, log: Any, fc: Any, beta: Any,
    g_sm: Any, g_recharge: Any, g_excess: Any, g_outflow: Any, zero: Any, one: Any,
) -> Any:  # fmt: skip
    """Pull back `soil`: soil moisture, rain, outflow of snow, then fc, beta."""
    water = rain + outflow
    share_down = smaller(wet, one)
    over = sm + rain + outflow - water * share_down - fc
    g_over = g_excess - g_sm if over >= zero else zero
    g_sm = g_sm + g_over
    g_recharge = g_recharge - g_sm
    g_water = g_recharge * share_down + g_sm
    g_wet = g_recharge * water * wet if wet <= one else zero
    g_log = g_wet * beta
    d_fc = -g_over - g_log / fc
    return g_sm + g_log / sm, g_water, g_outflow + g_water, d_fc, g_wet * log


@inline
def snow_adjoint(
    fall: Any, warmth: Any, sp: Any, mw: Any, cfmax: Any, cfr: Any, cwh: Any,
    g_sp: Any, g_mw: Any, g_outflow: Any, zero: Any, half: Any, one: Any,
) -> Any:  # fmt: skip
    """Pull back `snow`: snowpack (snowfall too), water, warmth, cfmax, cfr, cwh."""
    start = sp + fall
    could_melt = cfmax * warmth
    melt_if = at_least(could_melt, zero)
    melt = smaller(melt_if, start)
    liquid = mw + melt
    could_freeze = cfr * cfmax * -warmth
    freeze_if = at_least(could_freeze, zero)
    refrozen = smaller(freeze_if, liquid)
    pack = start - melt + refrozen
    rest = liquid - refrozen
    g_out = g_outflow - g_mw if rest - cwh * pack >= zero else zero
    g_mw = g_mw + g_out
    g_sp = g_sp - g_out * cwh
    g_freeze = g_sp - g_mw
    part = share(freeze_if, liquid, zero, half, one)
    g_mw = g_mw + g_freeze * (one - part)
    g_freeze = g_freeze * part if could_freeze >= zero else zero
    g_melt = g_mw - g_sp
    part = share(melt_if, start, zero, half, one)
    g_sp = g_sp + g_melt * (one - part)
    g_melt = g_melt * part if could_melt >= zero else zero
    g_warmth = g_melt * cfmax - g_freeze * cfr * cfmax
    d_cfmax = g_melt * warmth - g_freeze * cfr * warmth
    return g_sp, g_mw, g_warmth, d_cfmax, -g_freeze * cfmax * warmth, -g_out * pack
