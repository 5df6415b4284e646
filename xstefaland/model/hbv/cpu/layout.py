"""
Where things lie in the kernel's working memory, and loops over its rows.

The working memory of a thread is one flat array of rows; a row holds one number for
each of the `LANES` components that are worked on together. One array, rows at fixed
distances and a fixed number of lanes are what lets LLVM see that a loop over the
lanes may be done in vector registers. Where a row is only known at run time its
index is made unsigned, which spares the test for an index that counts from the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from xstefaland.model.hbv.cpu.elementary import logistic
from xstefaland.model.hbv.parameters import PHYSICAL

LANES = 16
"""Components of a site that are worked on together; fewer are padded."""

SEGMENT = 32
"""Days between two stored states; the adjoint replays one segment at a time."""

PARAMETERS = len(PHYSICAL)
STATES = 5
FLUXES = 16
SERIES = 20
ROUTED = 4
"""Series: 16 fluxes and storages as they are, then the first 4 of them routed."""

REPLAYED = 9
"""Rows kept per replayed day: the states, two powers and their logarithms."""

STATIC, FIXED = -1, -2
"""Codes in `columns` of a parameter that is not given day by day."""

# First element of each group of rows.
PAR = 0
STATE = PAR + PARAMETERS * LANES
FLUX = STATE + STATES * LANES
MEAN = FLUX + FLUXES * LANES
TOTAL = MEAN + LANES
FACTORS = TOTAL + LANES
G_PAR = FACTORS + 4 * LANES
G_STATE = G_PAR + PARAMETERS * LANES
G_FORCING = G_STATE + STATES * LANES
G_TOTAL = G_FORCING + 3 * LANES
SPARE = G_TOTAL + LANES
DAYS = SPARE + LANES
LOGITS = DAYS + SEGMENT * PARAMETERS * LANES
G_DAYS = LOGITS + SEGMENT * PARAMETERS * LANES
REPLAY = G_DAYS + SEGMENT * PARAMETERS * LANES
END = REPLAY + SEGMENT * REPLAYED * LANES

row_loop = njit(error_model="numpy", nogil=True)
unsigned = np.uintp


@row_loop
def fill_row(s: Any, row: int, value: Any) -> None:
    """Set a row to one number."""
    for m in range(LANES):
        s[unsigned(row + m)] = value


@row_loop
def copy_rows(s: Any, source: int, target: int, rows: int) -> None:
    """Copy rows within the working memory."""
    for r in range(rows):
        for m in range(LANES):
            j = r * LANES + m
            s[unsigned(target + j)] = s[unsigned(source + j)]


@row_loop
def scale(s: Any, start: int, count: int, low: Any, span: Any, one: Any) -> None:
    """Turn `count` logits into values between the bounds."""
    for i in range(start, start + count):
        s[unsigned(i)] = low + logistic(s[unsigned(i)], one) * span


@row_loop
def slope(s: Any, start: int, gradient: int, count: int, span: Any, one: Any) -> None:
    """Turn derivatives by values into derivatives by their logits."""
    for i in range(count):
        unit = logistic(s[unsigned(start + i)], one)
        s[unsigned(gradient + i)] *= span * (unit * (one - unit))


@row_loop
def sum_row(s: Any, row: int) -> Any:
    """Add the lanes of a row up, in halves."""
    for m in range(8):
        s[unsigned(row + m)] += s[unsigned(row + 8 + m)]
    for m in range(4):
        s[unsigned(row + m)] += s[unsigned(row + 4 + m)]
    a, b = s[unsigned(row)], s[unsigned(row + 1)]
    return (a + s[unsigned(row + 2)]) + (b + s[unsigned(row + 3)])


@row_loop
def daily_parameters(columns: Any, frozen: Any, n: int, chosen: Any) -> int:
    """List the parameters of site `n` that change from day to day; count them."""
    count = 0
    for p in range(PARAMETERS):
        if columns[p] >= 0 and frozen[n, p] == 0:
            chosen[count] = p
            count += 1
    return count


@row_loop
def load_site(
    s: Any, n: int, static: Any, columns: Any, fixed: Any, bounds: Any, initial: Any
) -> None:
    """Fill the rows of a site's constant parameters, means and first states."""
    components = initial.shape[2]
    zero, one = s.dtype.type(0.0), s.dtype.type(1.0)
    for p in range(PARAMETERS):
        row = PAR + p * LANES
        fill_row(s, row, zero)
        if columns[p] == FIXED:
            fill_row(s, row, fixed[p])
            continue
        for m in range(components):
            s[unsigned(row + m)] = static[n, p * components + m]
        scale(s, row, LANES, bounds[0, p], bounds[1, p], one)
    for m in range(LANES):
        s[MEAN + m] = one / s.dtype.type(components) if m < components else zero
        s[TOTAL + m] = s[MEAN + m]
    for k in range(STATES):
        fill_row(s, STATE + k * LANES, one)
        for m in range(components):
            s[STATE + k * LANES + m] = initial[n, k, m]


@row_loop
def load_days(
    s: Any, area: int, n: int, first: int, last: int, daily: Any, columns: Any,
    chosen: Any, count: int, components: int,
) -> None:  # fmt: skip
    """Fill an area with the logits of the daily parameters of a segment."""
    for t in range(first, last):
        for j in range(count):
            column = columns[chosen[j]]
            row = area + (j * SEGMENT + t - first) * LANES
            for m in range(components):
                s[unsigned(row + m)] = daily[t, n, unsigned(column + m)]


@row_loop
def scale_days(s: Any, bounds: Any, chosen: Any, count: int, days: int) -> None:
    """Turn the logits of a segment into values."""
    one = s.dtype.type(1.0)
    for j in range(count):
        low, span = bounds[0, chosen[j]], bounds[1, chosen[j]]
        scale(s, DAYS + j * SEGMENT * LANES, days * LANES, low, span, one)


@row_loop
def choose_day(s: Any, day: int, chosen: Any, count: int) -> None:
    """Copy the daily parameters of a day of the segment to their rows."""
    for j in range(count):
        source = DAYS + (j * SEGMENT + day) * LANES
        copy_rows(s, source, PAR + chosen[j] * LANES, 1)


@row_loop
def load_weights(s: Any, n: int, t: int, weights: Any) -> None:
    """Fill the row of weights for the total flow."""
    day = min(t, weights.shape[0] - 1)
    for m in range(weights.shape[2]):
        s[TOTAL + m] = weights[day, n, m]
