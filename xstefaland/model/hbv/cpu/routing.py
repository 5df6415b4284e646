"""Gamma unit hydrograph and its convolution for one site, and their adjoints."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xstefaland.model.hbv.cpu.layout import FLUXES, ROUTED, row_loop
from xstefaland.model.hbv.parameters import ROUTING

TAPS = 15
"""Days of the unit hydrograph."""

WIDTH = 16
"""Taps as stored, latest day first: one zero in front makes whole vectors."""

A_SPAN, B_SPAN = ROUTING[0].high, ROUTING[1].high
A_LOW, B_LOW = 0.1, 0.5


@row_loop
def unit_hydrograph(a: float, b: float, length: int, w: Any) -> Any:
    """
    Fill `w` with the weights of the last 15 days, the present day last.

    Returns the derivatives of shape and scale by their logits, both parameters, and
    the weighted means of log time and time (for the derivative of the weights).
    """
    u, v = 1.0 / (1.0 + math.exp(-a)), 1.0 / (1.0 + math.exp(-b))
    shape, scale = u * A_SPAN + A_LOW, v * B_SPAN + B_LOW
    raw = np.zeros(TAPS)
    total = log_mean = mean = 0.0
    for k in range(length):
        time = k + 0.5
        raw[k] = math.exp((shape - 1.0) * math.log(time) - time / scale)
        total += raw[k]
        log_mean += raw[k] * math.log(time)
        mean += raw[k] * time
    for k in range(TAPS):
        w[WIDTH - 1 - k] = raw[k] / total
    slopes = u * (1.0 - u) * A_SPAN, v * (1.0 - v) * B_SPAN
    return slopes[0], slopes[1] / scale**2, log_mean / total, mean / total


@row_loop
def extend(n: int, row: int, history: Any, series: Any, x: Any) -> None:
    """Lay the 15 days before the first day (0 where unknown) and a series in line."""
    known = history.shape[2]
    for j in range(TAPS):
        k = j - (TAPS - known)
        x[j] = history[n, row, k] if k >= 0 else x.dtype.type(0.0)
    for t in range(series.shape[2]):
        x[TAPS + t] = series[n, row, t]


@row_loop
def route_site(n: int, route: Any, history: Any, series: Any) -> None:
    """Write the routed series of a site behind the others."""
    days = series.shape[2]
    length = min(days + history.shape[2], TAPS)
    w = np.zeros(WIDTH, series.dtype)
    x = np.zeros(days + TAPS, series.dtype)
    y = np.zeros(days, series.dtype)
    unit_hydrograph(route[n, 0], route[n, 1], length, w)
    for row in range(ROUTED):
        extend(n, row, history, series, x)
        y[:] = series.dtype.type(0.0)
        for j in range(WIDTH):
            weight = w[j]
            for t in range(days):
                y[t] += weight * x[t + j]
        for t in range(days):
            series[n, FLUXES + row, t] = y[t]


@row_loop
def route_site_adjoint(
    n: int, route: Any, history: Any, series: Any, cotangent: Any, given: Any,
    g_flow: Any, g_route: Any, g_history: Any,
) -> None:  # fmt: skip
    """Pull back `route_site`: flow (added to `g_flow`), logits, history."""
    days, known = series.shape[2], history.shape[2]
    w = np.zeros(WIDTH, series.dtype)
    g_w = np.zeros(WIDTH, series.dtype)
    x = np.zeros(days + TAPS, series.dtype)
    g_x = np.zeros(days + TAPS, series.dtype)
    length = min(days + known, TAPS)
    by_a, by_b, log_mean, mean = unit_hydrograph(route[n, 0], route[n, 1], length, w)
    for row in range(ROUTED):
        if given[FLUXES + row] == 0:
            continue
        extend(n, row, history, series, x)
        g_x[:] = series.dtype.type(0.0)
        for t in range(days):
            g = cotangent[n, FLUXES + row, t]
            for j in range(WIDTH):
                g_x[t + j] += g * w[j]
                g_w[j] += g * x[t + j]
        for t in range(days):
            g_flow[row, t] += g_x[TAPS + t]
        for k in range(known):
            g_history[n, row, k] = g_x[TAPS - known + k]
    g_a = g_b = 0.0
    for k in range(length):
        g = g_w[WIDTH - 1 - k] * w[WIDTH - 1 - k]
        g_a += g * (math.log(k + 0.5) - log_mean)
        g_b += g * (k + 0.5 - mean)
    g_route[n, 0], g_route[n, 1] = g_a * by_a, g_b * by_b
