"""Run sites backward: replay a segment from its stored states, then pull back."""

from __future__ import annotations

from typing import Any

import numpy as np

from xstefaland.model.hbv.cpu import layout as at
from xstefaland.model.hbv.cpu.compiling import compiled
from xstefaland.model.hbv.cpu.day import (
    capillary,
    capillary_adjoint,
    evaporation,
    evaporation_adjoint,
    inline,
    response,
    response_adjoint,
    snow,
    snow_adjoint,
    soil,
    soil_adjoint,
)
from xstefaland.model.hbv.cpu.forward import step
from xstefaland.model.hbv.cpu.layout import (
    FACTORS,
    G_FORCING,
    G_PAR,
    G_STATE,
    G_TOTAL,
    LANES,
    MEAN,
    PAR,
    STATE,
    TOTAL,
    row_loop,
    unsigned,
)
from xstefaland.model.hbv.cpu.routing import route_site_adjoint


@inline
def add_seven(
    s: Any, o: Any, d0: Any, d1: Any, d2: Any, d3: Any, d4: Any, d5: Any, d6: Any
) -> None:
    """Add derivatives by seven parameters to their rows."""
    s[o] += d0
    s[o + LANES] += d1
    s[o + 2 * LANES] += d2
    s[o + 3 * LANES] += d3
    s[o + 4 * LANES] += d4
    s[o + 5 * LANES] += d5
    s[o + 6 * LANES] += d6


@row_loop
def step_adjoint(
    s: Any,
    p: Any,
    ta: Any,
    pet: Any,
    g: Any,
    numbers: Any,
    zero: Any,
    half: Any,
    one: Any,
) -> None:
    """Pull a day back: rows of states, parameters and forcing get derivatives."""
    eps, floor, active = numbers[0], numbers[1], numbers[2]
    g0, g1, g2, g3, g4, g5, g6, g7 = g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7]
    g8, g9, g10, g11, g12 = g[8], g[9], g[10], g[11], g[12]
    g13, g14, g15 = g[13], g[14], g[15]
    for m in range(LANES):
        i, o, a, mean = PAR + m, G_PAR + m, G_STATE + m, s[MEAN + m]
        beta, fc, lp, tt = s[i], s[i + LANES], s[i + 5 * LANES], s[i + 8 * LANES]
        cfmax, cfr, cwh = s[i + 9 * LANES], s[i + 10 * LANES], s[i + 11 * LANES]
        c, f = s[i + 13 * LANES], FACTORS + m
        sp, mw, sm0 = s[STATE + m], s[STATE + LANES + m], s[STATE + 2 * LANES + m]
        lz0 = s[STATE + 4 * LANES + m]
        wet, log_wet, curve, log_curve = (
            s[f], s[f + LANES], s[f + 2 * LANES], s[f + 3 * LANES]
        )  # fmt: skip
        rain = p if ta >= tt else zero
        _, _, outflow = snow(p - rain, ta - tt, sp, mw, cfmax, cfr, cwh, zero)
        recharge, excess, sm1 = soil(rain, outflow, sm0, wet, fc, zero, one)
        _, _, sm2 = evaporation(sm1, pet, curve, eps, one)
        _, _, lz1 = capillary(sm2, lz0, fc, c, eps, floor, one)
        uz = s[STATE + 3 * LANES + m] + recharge + excess
        total = g0 * s[TOTAL + m]
        _, q0, q1, q2, _, _ = response(
            uz, lz1, s[i + 2 * LANES], s[i + 3 * LANES], s[i + 4 * LANES],
            s[i + 6 * LANES], s[i + 7 * LANES], zero,
        )  # fmt: skip
        s[G_TOTAL + m] = g0 * (q0 + q1 + q2)
        g_uz, g_lz, d2, d3, d4, d6, d7 = response_adjoint(
            uz, lz1, s[i + 2 * LANES], s[i + 3 * LANES], s[i + 4 * LANES],
            s[i + 6 * LANES], s[i + 7 * LANES],
            s[a + 3 * LANES] + g14 * mean, s[a + 4 * LANES] + g15 * mean,
            g1 * mean + total, g2 * mean + total, g3 * mean + total, g11 * mean,
            zero, half, one,
        )  # fmt: skip
        g_sm, g_lz, d1, d13 = capillary_adjoint(
            sm2, lz0, fc, c, eps, floor, s[a + 2 * LANES] + g13 * mean, g_lz,
            g12 * mean, active, zero, half, one,
        )  # fmt: skip
        g_sm, g_pet, d1e, d5, d12 = evaporation_adjoint(
            sm1, pet, curve, log_curve, fc, lp, s[i + 12 * LANES], eps, g_sm,
            g4 * mean, g9 * mean, zero, half, one,
        )  # fmt: skip
        g_sm, g_rain, g_out, d1s, d0 = soil_adjoint(
            rain, outflow, sm0, wet, log_wet, fc, beta, g_sm, g7 * mean + g_uz,
            g8 * mean + g_uz, g10 * mean, zero, one,
        )  # fmt: skip
        g_sp, g_mw, g_warm, d9, d10, d11 = snow_adjoint(
            p - rain, ta - tt, sp, mw, cfmax, cfr, cwh, s[a] + g5 * mean,
            s[a + LANES] + g6 * mean, g_out, zero, half, one,
        )  # fmt: skip
        s[a], s[a + LANES], s[a + 2 * LANES] = g_sp, g_mw, g_sm
        s[a + 3 * LANES], s[a + 4 * LANES] = g_uz, g_lz
        add_seven(s, o, d0, d1 + d1e + d1s, d2, d3, d4, d5, d6)
        add_seven(s, o + 7 * LANES, d7, -g_warm, d9, d10, d11, d12, d13)
        s[G_FORCING + m] = g_rain if ta >= tt else g_sp
        s[G_FORCING + LANES + m] = g_warm
        s[G_FORCING + 2 * LANES + m] = g_pet


@row_loop
def write_weights(s: Any, n: int, t: int, g_weights: Any) -> None:
    """Add the derivative by the weights of the total flow to theirs."""
    day = min(t, g_weights.shape[0] - 1)
    for m in range(g_weights.shape[2]):
        g_weights[day, n, m] += s[G_TOTAL + m]


@row_loop
def finish_site(
    s: Any, n: int, static: Any, columns: Any, frozen: Any, bounds: Any, g_static: Any,
    g_initial: Any,
) -> None:  # fmt: skip
    """Write the derivatives by constant logits and by the first states."""
    components = g_initial.shape[2]
    one = s.dtype.type(1.0)
    for p in range(at.PARAMETERS):
        if columns[p] == at.FIXED or (columns[p] >= 0 and frozen[n, p] == 0):
            continue
        gradient = G_PAR + p * LANES
        for m in range(components):
            s[at.SPARE + m] = static[n, p * components + m]
        at.slope(s, at.SPARE, gradient, LANES, bounds[1, p], one)
        for m in range(components):
            g_static[n, p * components + m] = s[gradient + m]
    for k in range(at.STATES):
        for m in range(components):
            g_initial[n, k, m] = s[G_STATE + k * LANES + m]


@row_loop
def keep_day(s: Any, day: int, chosen: Any, count: int) -> None:
    """Move the derivatives by the daily parameters of a day to their area."""
    for j in range(count):
        row = G_PAR + chosen[j] * LANES
        at.copy_rows(s, row, at.G_DAYS + (j * at.SEGMENT + day) * LANES, 1)
        at.fill_row(s, row, s.dtype.type(0.0))


@row_loop
def write_days(
    s: Any, n: int, first: int, last: int, columns: Any, bounds: Any, chosen: Any,
    count: int, g_daily: Any, components: int,
) -> None:  # fmt: skip
    """Write the derivatives by the daily logits of a segment."""
    one = s.dtype.type(1.0)
    for j in range(count):
        start = j * at.SEGMENT * LANES
        span = bounds[1, chosen[j]]
        size = (last - first) * LANES
        at.slope(s, at.LOGITS + start, at.G_DAYS + start, size, span, one)
    for t in range(first, last):
        for j in range(count):
            column = columns[chosen[j]]
            row = at.G_DAYS + (j * at.SEGMENT + t - first) * LANES
            for m in range(components):
                g_daily[t, n, unsigned(column + m)] = s[unsigned(row + m)]


@row_loop
def replay(
    s: Any, n: int, start: int, stop: int, forcing: Any, chosen: Any, count: int,
    numbers: Any, zero: Any, one: Any,
) -> None:  # fmt: skip
    """Run a segment forward again and keep what its adjoint needs of each day."""
    for t in range(start, stop):
        target = at.REPLAY + (t - start) * at.REPLAYED * LANES
        at.copy_rows(s, STATE, target, at.STATES)
        at.choose_day(s, t - start, chosen, count)
        p, ta, pet = forcing[t, n, 0], forcing[t, n, 1], forcing[t, n, 2]
        step(s, p, ta, pet, numbers[0], numbers[1], zero, one)
        target += at.STATES * LANES
        at.copy_rows(s, FACTORS, target, at.REPLAYED - at.STATES)


@row_loop
def recall(s: Any, day: int, chosen: Any, count: int) -> None:
    """Bring the states, powers and daily parameters of a replayed day back."""
    source = at.REPLAY + day * at.REPLAYED * LANES
    at.copy_rows(s, source, STATE, at.STATES)
    source += at.STATES * LANES
    at.copy_rows(s, source, FACTORS, at.REPLAYED - at.STATES)
    at.choose_day(s, day, chosen, count)


@row_loop
def load_cotangents(
    s: Any, n: int, series: Any, cotangent: Any, given: Any, g_final: Any, g_flow: Any
) -> None:
    """Start from the derivatives by the final states and by the unrouted flow."""
    zero = s.dtype.type(0.0)
    for r in range(at.PARAMETERS):
        at.fill_row(s, G_PAR + r * LANES, zero)
    for k in range(at.STATES):
        at.fill_row(s, G_STATE + k * LANES, zero)
        for m in range(g_final.shape[2]):
            s[G_STATE + k * LANES + m] = g_final[n, k, m]
    for k in range(at.FLUXES):
        g_flow[k, :] = zero
        if given[k]:
            for t in range(series.shape[2]):
                g_flow[k, t] = cotangent[n, k, t]


@compiled
def run_adjoint(
    first: int, last: int, forcing: Any, static: Any, daily: Any, columns: Any,
    frozen: Any, fixed: Any, bounds: Any, weights: Any, initial: Any, numbers: Any,
    route: Any, history: Any, series: Any, checkpoints: Any, cotangent: Any, given: Any,
    g_final: Any, g_static: Any, g_daily: Any, g_initial: Any, g_route: Any,
    g_history: Any, g_forcing: Any, g_weights: Any,
) -> None:  # fmt: skip
    """
    Pull the sites `first` to `last` back.

    Parameters
    ----------
    forcing, ..., history
        As given to ``run_forward``.
    series, checkpoints
        What ``run_forward`` wrote.
    cotangent : array [site, 20, time], derivative by the series
    given : uint8 array [20], 0 where a row of `cotangent` is absent
    g_final : array [site, 5, component], derivative by the final states
    g_static, g_daily, g_initial, g_route, g_history : arrays, output
    g_forcing : array [time, site, 3] or of no days, output
    g_weights : array like `weights` or of no days, zeros, output
    """
    days, components = forcing.shape[0], initial.shape[2]
    zero, half = series.dtype.type(0.0), series.dtype.type(0.5)
    one = series.dtype.type(1.0)
    chosen = np.zeros(at.PARAMETERS, np.int64)
    s = np.zeros(at.END, series.dtype)
    g_flow = np.zeros((at.FLUXES, days), series.dtype)
    g = np.zeros(at.FLUXES, series.dtype)
    for n in range(first, last):
        at.load_site(s, n, static, columns, fixed, bounds, initial)
        count = at.daily_parameters(columns, frozen, n, chosen)
        load_cotangents(s, n, series, cotangent, given, g_final, g_flow)
        if route.shape[0] > 0:
            route_site_adjoint(
                n, route, history, series, cotangent, given, g_flow, g_route, g_history
            )
        for segment in range(checkpoints.shape[1] - 1, -1, -1):
            start = segment * at.SEGMENT
            stop = min(start + at.SEGMENT, days)
            at.load_days(
                s, at.LOGITS, n, start, stop, daily, columns, chosen, count, components
            )
            at.copy_rows(s, at.LOGITS, at.DAYS, at.SEGMENT * count)
            at.scale_days(s, bounds, chosen, count, stop - start)
            for r in range(at.STATES):
                for m in range(LANES):
                    s[STATE + r * LANES + m] = checkpoints[n, segment, r, m]
            replay(s, n, start, stop, forcing, chosen, count, numbers, zero, one)
            for t in range(stop - 1, start - 1, -1):
                recall(s, t - start, chosen, count)
                for k in range(at.FLUXES):
                    g[k] = g_flow[k, t]
                p, ta, pet = forcing[t, n, 0], forcing[t, n, 1], forcing[t, n, 2]
                if weights.shape[0] > 0:
                    at.load_weights(s, n, t, weights)
                step_adjoint(s, p, ta, pet, g, numbers, zero, half, one)
                if g_weights.shape[0] > 0:
                    write_weights(s, n, t, g_weights)
                keep_day(s, t - start, chosen, count)
                if g_forcing.shape[0] > 0:
                    for k in range(3):
                        g_forcing[t, n, k] = at.sum_row(s, G_FORCING + k * LANES)
            write_days(
                s, n, start, stop, columns, bounds, chosen, count, g_daily, components
            )
        finish_site(s, n, static, columns, frozen, bounds, g_static, g_initial)
