"""Days without weather: how far a model may go on from what was observed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xstefaland.errors import InputError

MAX_GAP = 30
"""Days from the nearest observed weather up to which there is an answer."""


def near_weather(
    forcing: NDArray[Any],
    max_gap: int | None,
    required: Sequence[Sequence[int]] = (),
    *,
    causal: bool = False,
) -> NDArray[np.bool_]:
    """Mark the days that lie within `max_gap` days of all weather that is required.

    Parameters
    ----------
    forcing : ndarray
        ``(site, time, forcing)``, NaN = missing.
    max_gap : int or None
        Largest distance [days]; None: every day counts.
    required : sequence of sequence of int
        Columns of the forcing: of each inner sequence one must have been observed so
        near. Without any, it is whatever forcing.
    causal : bool
        Only weather before a day counts.

    Returns
    -------
    ndarray of bool
        ``(site, time)``.

    Examples
    --------
    >>> rain = np.array([[np.nan, 1.0, np.nan, np.nan, np.nan, 2.0]])[..., None]
    >>> near_weather(rain, 1).astype(int)
    array([[1, 1, 1, 0, 1, 1]])
    >>> near_weather(rain, 1, causal=True).astype(int)
    array([[0, 1, 1, 0, 0, 1]])
    >>> warmth = np.full_like(rain, 5.0)
    >>> near_weather(np.concatenate([rain, warmth], -1), 1, [[0], [1]]).astype(int)
    array([[1, 1, 1, 0, 1, 1]])
    """
    if max_gap is None:
        return np.ones(forcing.shape[:-1], bool)
    there = observed(forcing, required)
    near = _days_since(there) <= max_gap
    if not causal:
        near |= _days_since(there[..., ::-1])[..., ::-1] <= max_gap
    return np.asarray(near.all(0))


def begun(
    forcing: NDArray[Any], required: Sequence[Sequence[int]] = ()
) -> NDArray[np.bool_]:
    """Mark the days up to which all weather that is required was observed once.

    Examples
    --------
    >>> begun(np.array([[[np.nan], [1.0], [np.nan]]])).astype(int)
    array([[0, 1, 1]])
    """
    there = observed(forcing, required)
    return np.asarray(np.maximum.accumulate(there, axis=-1).all(0))


def observed(
    forcing: NDArray[Any], required: Sequence[Sequence[int]] = ()
) -> NDArray[np.bool_]:
    """Tell ``(group, site, time)`` where one of a group's columns was observed."""
    finite = np.isfinite(forcing)
    groups = required or [range(forcing.shape[-1])]
    return np.stack([finite[..., list(group)].any(-1) for group in groups])


def _days_since(there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Days since the last observed one, infinite before the first."""
    day = np.arange(there.shape[-1], dtype=np.float64)
    last = np.maximum.accumulate(np.where(there, day, -np.inf), axis=-1)
    return np.asarray(day - last)


def check_max_gap(max_gap: object) -> None:
    """Raise an InputError unless it is None or a number of days.

    Examples
    --------
    >>> check_max_gap(30)
    >>> check_max_gap(None)
    """
    whole = isinstance(max_gap, int | np.integer) and not isinstance(max_gap, bool)
    if max_gap is not None and not (whole and int(max_gap) >= 0):  # type: ignore[call-overload]
        raise InputError(
            f"max_gap={max_gap!r} is not possible; use a number of days such as "
            f"{MAX_GAP}, or None for no limit."
        )
