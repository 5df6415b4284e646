"""Windows over a record: where they start, and what each of their days counts.

Read both ways, windows end with the record and are faded into each other. Read
causally, they are laid from the record's first day on and never blended, so that what
a day gets does not depend on how the record goes on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xstefaland.errors import InputError


def window_starts(days: int, window: int, stride: int) -> NDArray[np.intp]:
    """Return the first day of each window that an encoder sees of a record.

    Parameters
    ----------
    days : int
        Length of the record.
    window : int
        Days an encoder sees at once.
    stride : int
        Days from one window to the next.

    Returns
    -------
    ndarray of int
        Rising starts. The last window ends with the record. A record no longer than
        a window is one window, as long as the record.

    Raises
    ------
    InputError
        Unless ``0 < stride <= window``: other strides would leave days out.

    Examples
    --------
    >>> window_starts(800, 365, 183)
    array([  0, 183, 366, 435])
    >>> window_starts(100, 365, 183)
    array([0])
    """
    _check(window, stride)
    last = max(days - window, 0)
    starts = np.arange(0, last + 1, stride)
    return starts if starts[-1] == last else np.append(starts, last)


def fade_weights(days: int, window: int, stride: int) -> NDArray[np.float32]:
    """Return what each day of each window counts in the blended record.

    A window fades in linearly over the days it shares with the windows before it,
    which fade out by as much; the weights of a day sum to one.

    Parameters
    ----------
    days, window, stride : int
        See :func:`window_starts`.

    Returns
    -------
    ndarray of float32
        ``(windows, min(window, days))``, in the order of :func:`window_starts`.

    Examples
    --------
    >>> fade_weights(5, 3, 2)
    array([[1. , 1. , 0.5],
           [0.5, 1. , 1. ]], dtype=float32)
    """
    starts, length = window_starts(days, window, stride), min(window, days)
    weights = np.ones((len(starts), length))
    for new in range(1, len(starts)):
        shared = starts[new - 1] + length - starts[new]
        rise = np.arange(1, shared + 1) / (shared + 1)
        weights[new, :shared] = rise
        for old in range(new):
            begin = starts[new] - starts[old]
            if begin < length:  # this older window reaches into the new one
                weights[old, begin:] *= 1 - rise[: length - begin]
    return weights.astype(np.float32)


def causal_starts(days: int, window: int, stride: int) -> NDArray[np.intp]:
    """Return the first day of each window where no day may see a later one.

    Parameters
    ----------
    days, window, stride : int
        See :func:`window_starts`.

    Returns
    -------
    ndarray of int
        Every `stride` days from the record's start on. The last window may reach
        beyond the record's end; days there are missing ones.

    Raises
    ------
    InputError
        Unless ``0 < stride <= window``.

    Examples
    --------
    >>> causal_starts(800, 365, 183)
    array([  0, 183, 366, 549])
    >>> causal_starts(100, 365, 183)
    array([0])
    """
    _check(window, stride)
    more = -(-max(days - window, 0) // stride)
    return np.arange(more + 1) * stride


def causal_weights(days: int, window: int, stride: int) -> NDArray[np.float32]:
    """Return which days of each causal window count: 1, else 0.

    The first window gives all its days, each later one its last `stride` days, so that
    after the record's start every day has ``window - stride`` days before it at least.

    Parameters
    ----------
    days, window, stride : int
        See :func:`window_starts`.

    Returns
    -------
    ndarray of float32
        ``(windows, window)``, in the order of :func:`causal_starts`.

    Examples
    --------
    >>> causal_weights(5, 3, 2)
    array([[1., 1., 1.],
           [0., 1., 1.]], dtype=float32)
    """
    weights = np.ones((len(causal_starts(days, window, stride)), window), np.float32)
    weights[1:, : window - stride] = 0.0
    return weights


def _check(window: int, stride: int) -> None:
    """Refuse a stride that would leave days out."""
    if not 0 < stride <= window:
        raise InputError(
            f"stride={stride} is not possible for window={window}; it must lie "
            "between 1 and the window, else days would be left out."
        )
