"""
One day of a block of components on the GPU, and the adjoint of that day.

The same equations and conventions as in the kernel for the CPU (``cpu/day.py``),
on blocks ``[site, component]``.
"""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language import tensor


@triton.jit
def divide(a: tensor, b: tensor) -> tensor:
    """Divide with correct rounding: a store that is exactly full must give one."""
    if a.dtype == tl.float32:
        return tl.math.div_rn(a, b)
    return a / b


@triton.jit
def at_least(x: tensor, bound: tensor) -> tensor:
    """Return the larger one; what is not a number stays so."""
    return tl.where(x < bound, bound, x)


@triton.jit
def smaller(a: tensor, b: tensor) -> tensor:
    """Return the smaller one; `a` if either is not a number."""
    return tl.where(b < a, b, a)


@triton.jit
def share(a: tensor, b: tensor) -> tensor:
    """Return the derivative of ``min(a, b)`` by `a`: half where both are equal."""
    return tl.where(a == b, 0.5, tl.where(a < b, 1.0, 0.0))


@triton.jit
def snow(
    p: tensor, ta: tensor, sp: tensor, mw: tensor, tt: tensor, cfmax: tensor,
    cfr: tensor, cwh: tensor,
) -> tensor:  # fmt: skip
    """Return rain, outflow of the snow, snowpack and the liquid water in it."""
    rain = tl.where(ta >= tt, p, 0.0)
    sp = sp + (p - rain)
    melt = smaller(at_least(cfmax * (ta - tt), 0.0), sp)
    mw = mw + melt
    sp = sp - melt
    refrozen = smaller(at_least(cfr * cfmax * (tt - ta), 0.0), mw)
    sp = sp + refrozen
    mw = mw - refrozen
    outflow = at_least(mw - cwh * sp, 0.0)
    return rain, outflow, sp, mw - outflow


@triton.jit
def soil(rain: tensor, outflow: tensor, sm: tensor, fc: tensor, beta: tensor) -> tensor:
    """Return recharge, excess, soil moisture, the power and its logarithm."""
    log = tl.log(divide(sm, fc))
    wet = tl.exp(beta * log)
    recharge = (rain + outflow) * smaller(wet, 1.0)
    before = sm + rain + outflow - recharge
    excess = at_least(before - fc, 0.0)
    return recharge, excess, before - excess, wet, log


@triton.jit
def evaporation(
    sm: tensor, pet: tensor, fc: tensor, lp: tensor, beta_et: tensor, eps: tensor
) -> tensor:
    """Return factor, evapotranspiration, soil moisture, the power, its logarithm."""
    log = tl.log(divide(sm, lp * fc))
    curve = tl.exp(beta_et * log)
    factor = smaller(curve, 1.0)
    et = smaller(pet * factor, sm)
    return factor, et, at_least(sm - et, eps), curve, log


@triton.jit
def capillary(
    sm: tensor, lz: tensor, fc: tensor, c: tensor, eps: tensor, ON: tl.constexpr
) -> tensor:
    """Return capillary rise, soil moisture and lower zone after it."""
    rise = lz * 0.0
    if ON:
        rise = smaller(c * lz * (1.0 - smaller(divide(sm, fc), 1.0)), lz)
        sm = at_least(sm + rise, eps)
        lz = at_least(lz - rise, eps)
    return rise, sm, lz


@triton.jit
def response(
    uz: tensor, lz: tensor, k0: tensor, k1: tensor, k2: tensor, perc: tensor,
    uzl: tensor,
) -> tensor:  # fmt: skip
    """Return percolation, the three outflows and both zones after them."""
    down = smaller(perc, uz)
    uz = uz - down
    q0 = k0 * at_least(uz - uzl, 0.0)
    uz = uz - q0
    q1 = k1 * uz
    lz = lz + down
    q2 = k2 * lz
    return down, q0, q1, q2, uz - q1, lz - q2


@triton.jit
def response_adjoint(
    uz: tensor, lz: tensor, k0: tensor, k1: tensor, k2: tensor, perc: tensor,
    uzl: tensor, g_uz: tensor, g_lz: tensor, g_q0: tensor, g_q1: tensor, g_q2: tensor,
    g_down: tensor,
) -> tensor:  # fmt: skip
    """Pull back `response`: both zones, then k0, k1, k2, perc, uzl."""
    down = smaller(perc, uz)
    drained = uz - down
    over = at_least(drained - uzl, 0.0)
    g_q2 = g_q2 - g_lz
    d_k2 = g_q2 * (lz + down)
    g_lz = g_lz + g_q2 * k2
    g_down = g_down + g_lz
    g_q1 = g_q1 - g_uz
    d_k1 = g_q1 * (drained - k0 * over)
    g_uz = g_uz + g_q1 * k1
    g_q0 = g_q0 - g_uz
    g_over = tl.where(drained - uzl >= 0.0, g_q0 * k0, 0.0)
    g_uz = g_uz + g_over
    g_down = g_down - g_uz
    part = share(uz, perc)
    g_uz = g_uz + g_down * part
    return g_uz, g_lz, g_q0 * over, d_k1, d_k2, g_down * (1.0 - part), -g_over


@triton.jit
def capillary_adjoint(
    sm: tensor, lz: tensor, fc: tensor, c: tensor, eps: tensor, g_sm: tensor,
    g_lz: tensor, g_rise: tensor, ON: tl.constexpr,
) -> tensor:  # fmt: skip
    """Pull back `capillary`: soil moisture, lower zone, then fc, c."""
    d_fc = g_sm * 0.0
    d_c = g_sm * 0.0
    if ON:
        ratio = divide(sm, fc)
        dry = 1.0 - smaller(ratio, 1.0)
        rise_if = c * lz * dry
        rise = smaller(rise_if, lz)
        g_lz = tl.where(lz - rise >= eps, g_lz, 0.0)
        g_sm = tl.where(sm + rise >= eps, g_sm, 0.0)
        g_rise = g_rise + g_sm - g_lz
        part = share(lz, rise_if)
        g_lz = g_lz + g_rise * part
        g_rise = g_rise * (1.0 - part)
        g_lz = g_lz + g_rise * c * dry
        g_ratio = tl.where(ratio <= 1.0, -g_rise * c * lz, 0.0)
        d_c = g_rise * lz * dry
        d_fc = divide(-g_ratio * ratio, fc)
        g_sm = g_sm + divide(g_ratio, fc)
    return g_sm, g_lz, d_fc, d_c


@triton.jit
def evaporation_adjoint(
    sm: tensor, pet: tensor, curve: tensor, log: tensor, fc: tensor, lp: tensor,
    beta_et: tensor, eps: tensor, g_sm: tensor, g_et: tensor, g_factor: tensor,
) -> tensor:  # fmt: skip
    """Pull back `evaporation`: soil moisture, pet, then fc, lp, beta_et."""
    factor = smaller(curve, 1.0)
    wanted = pet * factor
    et = smaller(wanted, sm)
    g_sm = tl.where(sm - et >= eps, g_sm, 0.0)
    g_et = g_et - g_sm
    part = share(sm, wanted)
    g_sm = g_sm + g_et * part
    g_wanted = g_et * (1.0 - part)
    g_curve = tl.where(curve <= 1.0, (g_factor + g_wanted * pet) * curve, 0.0)
    g_log = g_curve * beta_et
    d_fc = divide(-g_log, fc)
    d_lp = divide(-g_log, lp)
    return g_sm + divide(g_log, sm), g_wanted * factor, d_fc, d_lp, g_curve * log


@triton.jit
def soil_adjoint(
    rain: tensor, outflow: tensor, sm: tensor, wet: tensor, log: tensor, fc: tensor,
    beta: tensor, g_sm: tensor, g_recharge: tensor, g_excess: tensor,
    g_outflow: tensor,
) -> tensor:  # fmt: skip
    """Pull back `soil`: soil moisture, rain, outflow of snow, then fc, beta."""
    water = rain + outflow
    share_down = smaller(wet, 1.0)
    over = sm + rain + outflow - water * share_down - fc
    g_over = tl.where(over >= 0.0, g_excess - g_sm, 0.0)
    g_sm = g_sm + g_over
    g_recharge = g_recharge - g_sm
    g_water = g_recharge * share_down + g_sm
    g_wet = tl.where(wet <= 1.0, g_recharge * water * wet, 0.0)
    g_log = g_wet * beta
    d_fc = -g_over - divide(g_log, fc)
    return g_sm + divide(g_log, sm), g_water, g_outflow + g_water, d_fc, g_wet * log


@triton.jit
def snow_adjoint(
    fall: tensor, warmth: tensor, sp: tensor, mw: tensor, cfmax: tensor, cfr: tensor,
    cwh: tensor, g_sp: tensor, g_mw: tensor, g_outflow: tensor,
) -> tensor:  # fmt: skip
    """Pull back `snow`: snowpack (snowfall too), water, warmth, cfmax, cfr, cwh."""
    start = sp + fall
    could_melt = cfmax * warmth
    melt_if = at_least(could_melt, 0.0)
    melt = smaller(melt_if, start)
    liquid = mw + melt
    could_freeze = cfr * cfmax * -warmth
    freeze_if = at_least(could_freeze, 0.0)
    refrozen = smaller(freeze_if, liquid)
    pack = start - melt + refrozen
    g_out = tl.where(liquid - refrozen - cwh * pack >= 0.0, g_outflow - g_mw, 0.0)
    g_mw = g_mw + g_out
    g_sp = g_sp - g_out * cwh
    g_freeze = g_sp - g_mw
    part = share(freeze_if, liquid)
    g_mw = g_mw + g_freeze * (1.0 - part)
    g_freeze = tl.where(could_freeze >= 0.0, g_freeze * part, 0.0)
    g_melt = g_mw - g_sp
    part = share(melt_if, start)
    g_sp = g_sp + g_melt * (1.0 - part)
    g_melt = tl.where(could_melt >= 0.0, g_melt * part, 0.0)
    g_warmth = g_melt * cfmax - g_freeze * cfr * cfmax
    d_cfmax = g_melt * warmth - g_freeze * cfr * warmth
    return g_sp, g_mw, g_warmth, d_cfmax, -g_freeze * cfmax * warmth, -g_out * pack
