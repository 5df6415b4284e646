"""
The loops over the days on the GPU: one program for a block of sites.

Parameters come as values: constant ones ``[14, site, component]`` and daily ones
``[time, daily parameter, site, component]``. The compile-time tuple `COLUMNS` says
which daily parameter each parameter is, or -1. The states before each day are stored,
so the adjoint need not run forward again.
"""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language import tensor

from xstefaland.model.hbv.gpu.day import (
    capillary,
    capillary_adjoint,
    evaporation,
    evaporation_adjoint,
    response,
    response_adjoint,
    snow,
    snow_adjoint,
    soil,
    soil_adjoint,
)


@triton.jit
def load_states(
    source: tensor, n: tensor, lane: tensor, mask: tensor, other: tensor
) -> tensor:
    """Read five storages, or the derivatives by them."""
    sp = tl.load(source + lane, mask=mask, other=other)
    mw = tl.load(source + n + lane, mask=mask, other=other)
    sm = tl.load(source + 2 * n + lane, mask=mask, other=other)
    uz = tl.load(source + 3 * n + lane, mask=mask, other=other)
    lz = tl.load(source + 4 * n + lane, mask=mask, other=other)
    return sp, mw, sm, uz, lz


@triton.jit
def store_states(
    target: tensor, n: tensor, lane: tensor, mask: tensor, sp: tensor, mw: tensor,
    sm: tensor, uz: tensor, lz: tensor,
) -> None:  # fmt: skip
    """Write five storages, or the derivatives by them."""
    tl.store(target + lane, sp, mask=mask)
    tl.store(target + n + lane, mw, mask=mask)
    tl.store(target + 2 * n + lane, sm, mask=mask)
    tl.store(target + 3 * n + lane, uz, mask=mask)
    tl.store(target + 4 * n + lane, lz, mask=mask)


@triton.jit
def load_forcing(forcing: tensor, t: tensor, sites: tensor, site: tensor) -> tensor:
    """Read precipitation, temperature and potential evapotranspiration of a day."""
    source = forcing + (t * sites + site) * 3
    inside = site < sites
    p = tl.load(source, mask=inside, other=0.0)[:, None]
    ta = tl.load(source + 1, mask=inside, other=0.0)[:, None]
    return p, ta, tl.load(source + 2, mask=inside, other=0.0)[:, None]


@triton.jit
def value(
    constant: tensor, daily: tensor, n: tensor, lane: tensor, mask: tensor,
    P: tl.constexpr, C: tl.constexpr,
) -> tensor:  # fmt: skip
    """Read a parameter's values of a day; lanes beyond the end read one."""
    if C >= 0:
        return tl.load(daily + C * n + lane, mask=mask, other=1.0)
    return tl.load(constant + P * n + lane, mask=mask, other=1.0)


@triton.jit
def load_parameters(
    constant: tensor, daily: tensor, n: tensor, lane: tensor, mask: tensor,
    COLUMNS: tl.constexpr,
) -> tensor:  # fmt: skip
    """Read the values of all 14 parameters of a day."""
    return (
        value(constant, daily, n, lane, mask, 0, COLUMNS[0]),
        value(constant, daily, n, lane, mask, 1, COLUMNS[1]),
        value(constant, daily, n, lane, mask, 2, COLUMNS[2]),
        value(constant, daily, n, lane, mask, 3, COLUMNS[3]),
        value(constant, daily, n, lane, mask, 4, COLUMNS[4]),
        value(constant, daily, n, lane, mask, 5, COLUMNS[5]),
        value(constant, daily, n, lane, mask, 6, COLUMNS[6]),
        value(constant, daily, n, lane, mask, 7, COLUMNS[7]),
        value(constant, daily, n, lane, mask, 8, COLUMNS[8]),
        value(constant, daily, n, lane, mask, 9, COLUMNS[9]),
        value(constant, daily, n, lane, mask, 10, COLUMNS[10]),
        value(constant, daily, n, lane, mask, 11, COLUMNS[11]),
        value(constant, daily, n, lane, mask, 12, COLUMNS[12]),
        value(constant, daily, n, lane, mask, 13, COLUMNS[13]),
    )


@triton.jit
def keep(
    total: tensor, d: tensor, g_daily: tensor, n: tensor, lane: tensor, mask: tensor,
    C: tl.constexpr,
) -> tensor:  # fmt: skip
    """Write a daily parameter's derivative, or add a constant one's to its total."""
    if C >= 0:
        tl.store(g_daily + C * n + lane, d, mask=mask)
        return total
    return total + d


@triton.jit
def put(
    series: tensor, k: tensor, step: tensor, row: tensor, inside: tensor, x: tensor
) -> None:
    """Write the sum over components of a series."""
    tl.store(series + k * step + row, tl.sum(x, axis=1), mask=inside)


@triton.jit
def get(g: tensor, k: tensor, step: tensor, row: tensor, inside: tensor) -> tensor:
    """Read the derivative by a series, the same for all components."""
    return tl.load(g + k * step + row, mask=inside, other=0.0)[:, None]


@triton.jit(do_not_specialize=["days", "sites"])
def run_forward(
    forcing: tensor, constant: tensor, daily: tensor, weights: tensor, initial: tensor,
    series: tensor, final: tensor, states: tensor, days: tensor, sites: tensor,
    M: tl.constexpr, M2: tl.constexpr, S: tl.constexpr, D: tl.constexpr,
    WEIGHT_DAYS: tl.constexpr, CAPILLARY: tl.constexpr, EPS: tl.constexpr,
    COLUMNS: tl.constexpr, STORE: tl.constexpr,
) -> None:  # fmt: skip
    """Run a block of sites forward."""
    sites = sites.to(tl.int64)  # offsets pass 2^31 where sites and years are many
    site = tl.program_id(0) * S + tl.arange(0, S)
    inside = site < sites
    m = tl.arange(0, M2)[None, :]
    mask = inside[:, None] & (m < M)
    lane = site[:, None] * M + m
    n = sites * M
    step = days * sites
    sp, mw, sm, uz, lz = load_states(initial, n, lane, mask, 1.0)
    mean = tl.where(mask, sp * 0.0 + 1.0 / M, 0.0)
    for t in range(days):
        if STORE:
            store_states(states + t * 5 * n, n, lane, mask, sp, mw, sm, uz, lz)
        p, ta, pet = load_forcing(forcing, t, sites, site)
        total = mean
        if WEIGHT_DAYS > 0:
            day = tl.minimum(t, WEIGHT_DAYS - 1)
            total = tl.load(weights + day * n + lane, mask=mask, other=0.0)
        beta, fc, k0, k1, k2, lp, perc, uzl, tt, cfmax, cfr, cwh, beta_et, c = (
            load_parameters(constant, daily + t * D * n, n, lane, mask, COLUMNS)
        )
        rain, outflow, sp, mw = snow(p, ta, sp, mw, tt, cfmax, cfr, cwh)
        recharge, excess, sm, _wet, _log = soil(rain, outflow, sm, fc, beta)
        factor, et, sm, _curve, _log = evaporation(sm, pet, fc, lp, beta_et, EPS)
        rise, sm, lz = capillary(sm, lz, fc, c, EPS, CAPILLARY)
        uz = uz + recharge + excess
        down, q0, q1, q2, uz, lz = response(uz, lz, k0, k1, k2, perc, uzl)
        row = t * sites + site
        put(series, 0, step, row, inside, (q0 + q1 + q2) * total)
        put(series, 1, step, row, inside, q0 * mean)
        put(series, 2, step, row, inside, q1 * mean)
        put(series, 3, step, row, inside, q2 * mean)
        put(series, 4, step, row, inside, et * mean)
        put(series, 5, step, row, inside, sp * mean)
        put(series, 6, step, row, inside, mw * mean)
        put(series, 7, step, row, inside, recharge * mean)
        put(series, 8, step, row, inside, excess * mean)
        put(series, 9, step, row, inside, factor * mean)
        put(series, 10, step, row, inside, outflow * mean)
        put(series, 11, step, row, inside, down * mean)
        put(series, 12, step, row, inside, rise * mean)
        put(series, 13, step, row, inside, sm * mean)
        put(series, 14, step, row, inside, uz * mean)
        put(series, 15, step, row, inside, lz * mean)
    store_states(final, n, lane, mask, sp, mw, sm, uz, lz)


@triton.jit
def day_adjoint(
    p: tensor, ta: tensor, pet: tensor, before: tensor, par: tensor, mean: tensor,
    total: tensor, g_states: tensor, g: tensor, step: tensor, row: tensor,
    inside: tensor, CAPILLARY: tl.constexpr, EPS: tl.constexpr,
) -> tensor:  # fmt: skip
    """Pull a day back: derivatives by states, forcing, parameters; the total flow."""
    sp, mw, sm0, uz, lz0 = before
    beta, fc, k0, k1, k2, lp, perc, uzl, tt, cfmax, cfr, cwh, beta_et, c = par
    g_sp, g_mw, g_sm, g_uz, g_lz = g_states
    rain, outflow, _sp, _mw = snow(p, ta, sp, mw, tt, cfmax, cfr, cwh)
    recharge, excess, sm1, wet, log_wet = soil(rain, outflow, sm0, fc, beta)
    _factor, _et, sm2, curve, log_curve = evaporation(sm1, pet, fc, lp, beta_et, EPS)
    _rise, _sm, lz1 = capillary(sm2, lz0, fc, c, EPS, CAPILLARY)
    uz = uz + recharge + excess
    _down, q0, q1, q2, _uz, _lz = response(uz, lz1, k0, k1, k2, perc, uzl)
    g_flow = get(g, 0, step, row, inside)
    g_uz, g_lz, d2, d3, d4, d6, d7 = response_adjoint(
        uz, lz1, k0, k1, k2, perc, uzl,
        g_uz + get(g, 14, step, row, inside) * mean,
        g_lz + get(g, 15, step, row, inside) * mean,
        get(g, 1, step, row, inside) * mean + g_flow * total,
        get(g, 2, step, row, inside) * mean + g_flow * total,
        get(g, 3, step, row, inside) * mean + g_flow * total,
        get(g, 11, step, row, inside) * mean,
    )  # fmt: skip
    g_sm, g_lz, d1, d13 = capillary_adjoint(
        sm2, lz0, fc, c, EPS, g_sm + get(g, 13, step, row, inside) * mean, g_lz,
        get(g, 12, step, row, inside) * mean, CAPILLARY,
    )  # fmt: skip
    g_sm, g_pet, d1e, d5, d12 = evaporation_adjoint(
        sm1, pet, curve, log_curve, fc, lp, beta_et, EPS, g_sm,
        get(g, 4, step, row, inside) * mean, get(g, 9, step, row, inside) * mean,
    )  # fmt: skip
    g_sm, g_rain, g_out, d1s, d0 = soil_adjoint(
        rain, outflow, sm0, wet, log_wet, fc, beta, g_sm,
        get(g, 7, step, row, inside) * mean + g_uz,
        get(g, 8, step, row, inside) * mean + g_uz,
        get(g, 10, step, row, inside) * mean,
    )  # fmt: skip
    g_sp, g_mw, g_warm, d9, d10, d11 = snow_adjoint(
        p - rain, ta - tt, sp, mw, cfmax, cfr, cwh,
        g_sp + get(g, 5, step, row, inside) * mean,
        g_mw + get(g, 6, step, row, inside) * mean, g_out,
    )  # fmt: skip
    d_par = (
        d0, d1 + d1e + d1s, d2, d3, d4, d5, d6, d7, -g_warm, d9, d10, d11, d12, d13
    )  # fmt: skip
    g_forcing = (tl.where(ta >= tt, g_rain, g_sp), g_warm, g_pet)
    return (g_sp, g_mw, g_sm, g_uz, g_lz), g_forcing, d_par, g_flow * (q0 + q1 + q2)


@triton.jit
def store_forcing(
    g_forcing: tensor, g: tensor, row: tensor, inside: tensor, mask: tensor
) -> None:
    """Write the derivatives by the forcing of a day, summed over components."""
    target = g_forcing + row * 3
    tl.store(target, tl.sum(tl.where(mask, g[0], 0.0), axis=1), mask=inside)
    tl.store(target + 1, tl.sum(tl.where(mask, g[1], 0.0), axis=1), mask=inside)
    tl.store(target + 2, tl.sum(tl.where(mask, g[2], 0.0), axis=1), mask=inside)


@triton.jit
def keep_all(
    a: tensor, d: tensor, g_daily: tensor, n: tensor, lane: tensor, mask: tensor,
    COLUMNS: tl.constexpr,
) -> tensor:  # fmt: skip
    """Write or add up the derivatives by all 14 parameters."""
    return (
        keep(a[0], d[0], g_daily, n, lane, mask, COLUMNS[0]),
        keep(a[1], d[1], g_daily, n, lane, mask, COLUMNS[1]),
        keep(a[2], d[2], g_daily, n, lane, mask, COLUMNS[2]),
        keep(a[3], d[3], g_daily, n, lane, mask, COLUMNS[3]),
        keep(a[4], d[4], g_daily, n, lane, mask, COLUMNS[4]),
        keep(a[5], d[5], g_daily, n, lane, mask, COLUMNS[5]),
        keep(a[6], d[6], g_daily, n, lane, mask, COLUMNS[6]),
        keep(a[7], d[7], g_daily, n, lane, mask, COLUMNS[7]),
        keep(a[8], d[8], g_daily, n, lane, mask, COLUMNS[8]),
        keep(a[9], d[9], g_daily, n, lane, mask, COLUMNS[9]),
        keep(a[10], d[10], g_daily, n, lane, mask, COLUMNS[10]),
        keep(a[11], d[11], g_daily, n, lane, mask, COLUMNS[11]),
        keep(a[12], d[12], g_daily, n, lane, mask, COLUMNS[12]),
        keep(a[13], d[13], g_daily, n, lane, mask, COLUMNS[13]),
    )


@triton.jit(do_not_specialize=["days", "sites"])
def run_adjoint(
    forcing: tensor, constant: tensor, daily: tensor, weights: tensor, states: tensor,
    g: tensor, g_final: tensor, g_forcing: tensor, g_constant: tensor, g_daily: tensor,
    g_weights: tensor, g_initial: tensor, days: tensor, sites: tensor, M: tl.constexpr,
    M2: tl.constexpr, S: tl.constexpr, D: tl.constexpr, WEIGHT_DAYS: tl.constexpr,
    CAPILLARY: tl.constexpr, EPS: tl.constexpr, COLUMNS: tl.constexpr,
) -> None:  # fmt: skip
    """Pull a block of sites back."""
    sites = sites.to(tl.int64)  # offsets pass 2^31 where sites and years are many
    site = tl.program_id(0) * S + tl.arange(0, S)
    inside = site < sites
    m = tl.arange(0, M2)[None, :]
    mask = inside[:, None] & (m < M)
    lane = site[:, None] * M + m
    n = sites * M
    g_states = load_states(g_final, n, lane, mask, 0.0)
    zero = g_states[0] * 0.0
    mean = tl.where(mask, zero + 1.0 / M, 0.0)
    a = (zero,) * 14
    for i in range(days):
        t = days - 1 - i
        row = t * sites + site
        p, ta, pet = load_forcing(forcing, t, sites, site)
        before = load_states(states + t * 5 * n, n, lane, mask, 1.0)
        total = mean
        if WEIGHT_DAYS > 0:
            day = tl.minimum(t, WEIGHT_DAYS - 1)
            total = tl.load(weights + day * n + lane, mask=mask, other=0.0)
        par = load_parameters(constant, daily + t * D * n, n, lane, mask, COLUMNS)
        g_states, g_day, d, g_total = day_adjoint(
            p, ta, pet, before, par, mean, total, g_states, g, days * sites, row,
            inside, CAPILLARY, EPS,
        )  # fmt: skip
        store_forcing(g_forcing, g_day, row, inside, mask)
        if WEIGHT_DAYS > 0:
            tl.store(g_weights + t * n + lane, g_total, mask=mask)
        a = keep_all(a, d, g_daily + t * D * n, n, lane, mask, COLUMNS)
    for k in tl.static_range(14):
        tl.store(g_constant + k * n + lane, a[k], mask=mask)
    sp, mw, sm, uz, lz = g_states
    store_states(g_initial, n, lane, mask, sp, mw, sm, uz, lz)
