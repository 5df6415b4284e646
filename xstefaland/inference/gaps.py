"""Days without any weather: how far a model may go on from what was observed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xstefaland.errors import InputError

MAX_GAP = 30
"""Days from the nearest observed weather up to which there is an answer."""


def near_weather(
    forcing: NDArray[Any], max_gap: int | None, *, causal: bool = False
) -> NDArray[np.bool_]:
    """Mark the days that lie within `max_gap` days of any observed forcing.

    Parameters
    ----------
    forcing : ndarray
        ``(site, time, forcing)``, NaN = missing.
    max_gap : int or None
        Largest distance [days]; None: every day counts.
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
    """
    observed = np.isfinite(forcing).any(-1)
    if max_gap is None:
        return np.ones_like(observed)
    near = _days_since(observed) <= max_gap
    if not causal:
        near |= _days_since(observed[:, ::-1])[:, ::-1] <= max_gap
    return np.asarray(near)


def _days_since(observed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Days since the last observed one, infinite before the first."""
    day = np.arange(observed.shape[1], dtype=np.float64)
    last = np.maximum.accumulate(np.where(observed, day, -np.inf), axis=1)
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
