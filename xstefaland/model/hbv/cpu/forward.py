"""Run sites forward: parameters, days, component means, routing, final states."""

from __future__ import annotations

from typing import Any

import numpy as np

from xstefaland.model.hbv.cpu import layout as at
from xstefaland.model.hbv.cpu.compiling import compiled
from xstefaland.model.hbv.cpu.day import (
    capillary,
    evaporation,
    power,
    response,
    snow,
    soil,
)
from xstefaland.model.hbv.cpu.layout import (
    FACTORS,
    FLUX,
    LANES,
    MEAN,
    PAR,
    STATE,
    TOTAL,
    row_loop,
)
from xstefaland.model.hbv.cpu.routing import route_site


@row_loop
def step(
    s: Any, p: Any, ta: Any, pet: Any, eps: Any, floor: Any, zero: Any, one: Any
) -> None:
    """Advance the states of all lanes by a day; leave fluxes and powers in rows."""
    for m in range(LANES):
        i = PAR + m
        fc, tt = s[i + LANES], s[i + 8 * LANES]
        rain = p if ta >= tt else zero
        sp, mw, outflow = snow(
            p - rain, ta - tt, s[STATE + m], s[STATE + LANES + m],
            s[i + 9 * LANES], s[i + 10 * LANES], s[i + 11 * LANES], zero,
        )  # fmt: skip
        sm = s[STATE + 2 * LANES + m]
        wet, log_wet = power(sm / fc, s[i])
        recharge, excess, sm = soil(rain, outflow, sm, wet, fc, zero, one)
        curve, log_curve = power(sm / (s[i + 5 * LANES] * fc), s[i + 12 * LANES])
        factor, et, sm = evaporation(sm, pet, curve, eps, one)
        rise, sm, lz = capillary(
            sm, s[STATE + 4 * LANES + m], fc, s[i + 13 * LANES], eps, floor, one
        )
        uz = s[STATE + 3 * LANES + m] + recharge + excess
        down, q0, q1, q2, uz, lz = response(
            uz, lz, s[i + 2 * LANES], s[i + 3 * LANES], s[i + 4 * LANES],
            s[i + 6 * LANES], s[i + 7 * LANES], zero,
        )  # fmt: skip
        mean, j = s[MEAN + m], STATE + m
        s[j], s[j + LANES], s[j + 2 * LANES] = sp, mw, sm
        s[j + 3 * LANES], s[j + 4 * LANES] = uz, lz
        j = FACTORS + m
        s[j], s[j + LANES] = wet, log_wet
        s[j + 2 * LANES], s[j + 3 * LANES] = curve, log_curve
        j = FLUX + m
        s[j] = (q0 + q1 + q2) * s[TOTAL + m]
        s[j + LANES], s[j + 2 * LANES], s[j + 3 * LANES] = (
            q0 * mean,
            q1 * mean,
            q2 * mean,
        )
        s[j + 4 * LANES], s[j + 5 * LANES], s[j + 6 * LANES] = (
            et * mean,
            sp * mean,
            mw * mean,
        )
        s[j + 7 * LANES], s[j + 8 * LANES] = recharge * mean, excess * mean
        s[j + 9 * LANES], s[j + 10 * LANES] = factor * mean, outflow * mean
        s[j + 11 * LANES], s[j + 12 * LANES] = down * mean, rise * mean
        s[j + 13 * LANES], s[j + 14 * LANES], s[j + 15 * LANES] = (
            sm * mean,
            uz * mean,
            lz * mean,
        )


@row_loop
def store_states(s: Any, target: Any, n: int, k: int) -> None:
    """Keep the states at the start of segment `k`."""
    for r in range(at.STATES):
        for m in range(LANES):
            target[n, k, r, m] = s[STATE + r * LANES + m]


@compiled
def run_forward(
    first: int, last: int, forcing: Any, static: Any, daily: Any, columns: Any,
    frozen: Any, fixed: Any, bounds: Any, weights: Any, initial: Any, numbers: Any,
    route: Any, history: Any, series: Any, final: Any, checkpoints: Any,
) -> None:  # fmt: skip
    """
    Run the sites `first` to `last`.

    Parameters
    ----------
    forcing : array [time, site, 3]
    static : array [site, 14 * component], logits
    daily : array [time, site, column], logits
    columns : int array [14], first column of a parameter in `daily`, or a code
    frozen : uint8 array [site, 14], 1 where a daily parameter is held constant
    fixed : array [14], values of parameters with code ``FIXED``
    bounds : array [2, 14], low and high minus low
    weights : array [0, 1 or time, site, component], weights of the total flow
    initial : array [site, 5, component], mm
    numbers : array [3], smallest storage, that of the lower zone, capillary rise on
    route : array [0 or site, 2], logits; none leaves the routed series untouched
    history : array [site, 4, days], unrouted flow before the first day
    series : array [site, 20, time], output
    final : array [site, 5, component], output
    checkpoints : array [site, segment, 5, lane], output; none stores none
    """
    days, components = forcing.shape[0], initial.shape[2]
    eps, floor = numbers[0], numbers[1]
    zero, one = series.dtype.type(0.0), series.dtype.type(1.0)
    chosen = np.zeros(at.PARAMETERS, np.int64)
    s = np.zeros(at.LOGITS, series.dtype)
    for n in range(first, last):
        at.load_site(s, n, static, columns, fixed, bounds, initial)
        count = at.daily_parameters(columns, frozen, n, chosen)
        for start in range(0, days, at.SEGMENT):
            stop = min(start + at.SEGMENT, days)
            if checkpoints.shape[0] > 0:
                store_states(s, checkpoints, n, start // at.SEGMENT)
            at.load_days(
                s, at.DAYS, n, start, stop, daily, columns, chosen, count, components
            )
            at.scale_days(s, bounds, chosen, count, stop - start)
            for t in range(start, stop):
                at.choose_day(s, t - start, chosen, count)
                if weights.shape[0] > 0:
                    at.load_weights(s, n, t, weights)
                p, ta, pet = forcing[t, n, 0], forcing[t, n, 1], forcing[t, n, 2]
                step(s, p, ta, pet, eps, floor, zero, one)
                for k in range(at.FLUXES):
                    series[n, k, t] = at.sum_row(s, FLUX + k * LANES)
        for k in range(at.STATES):
            for m in range(components):
                final[n, k, m] = s[STATE + k * LANES + m]
        if route.shape[0] > 0:
            route_site(n, route, history, series)
