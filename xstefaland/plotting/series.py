"""Daily series: observed beside predicted, with the band of quantiles and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xstefaland import metrics
from xstefaland.errors import InputError
from xstefaland.inputs.units import same_units
from xstefaland.plotting.drawing import (
    OBSERVED,
    PREDICTED,
    label,
    one_by_one,
    panels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NO_SITES = ("time", "quantile")
SCORES = ("nse", "kge")
TITLE = 42  # characters that leave room for scores
ENOUGH = 30
"""Days after the spin-up below which the spin-up is scored too."""


def hydrograph(
    predicted: xr.DataArray,
    observed: xr.DataArray | None = None,
    *,
    scores: Sequence[str] = SCORES,
    ax: Axes | Sequence[Axes] | None = None,
) -> Axes | NDArray[np.object_]:
    """Draw predictions over time, beside observations.

    Parameters
    ----------
    predicted : xarray.DataArray
        Dims `time`, those of the sites and perhaps `quantile`: the median is the line,
        pairs of levels around it are bands.
    observed : xarray.DataArray, optional
        In the same units, on the same sites; matched by label.
    scores : sequence of str
        Names of :mod:`xstefaland.metrics` to write above, without the first
        ``spinup_days`` of the record (attributes of predictions say how many, and when
        it began), where a month or more is left.
    ax : matplotlib Axes, or one per site, optional
        Where to draw; default: a new figure with one panel a site.

    Returns
    -------
    matplotlib.axes.Axes or numpy.ndarray of Axes
        One for each site, in the order of the array; a single one where there is no
        dim of sites.

    Raises
    ------
    InputError
        For arrays without `time`, quantiles without the median, units that differ,
        observations of none of the sites, or too many sites.

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.date_range("2000-01-01", periods=3)
    >>> flow = xr.DataArray([1.0, 3.0, 2.0], {"time": time}, name="streamflow")
    >>> hydrograph(flow, flow + 1).get_title()  # doctest: +SKIP
    'NSE -0.50, KGE 0.33'
    """

    def draw(ax: Axes, one: xr.DataArray, truth: xr.DataArray | None) -> None:
        """Draw one site: observations below, then the band, then the prediction."""
        if truth is not None:
            ax.plot(truth.time, truth, color=OBSERVED, lw=1.1, label="observed")
        _bands(ax, one)
        line = middle(one)
        ax.plot(line.time, line, color=PREDICTED, lw=1.1, label="predicted")
        if truth is not None:
            _caption(ax, written_scores(truth, line, scores))
        _name_values(ax, predicted)
        _concise_dates(ax)

    return _each(draw, predicted, observed, ax)


def flow_duration(
    predicted: xr.DataArray,
    observed: xr.DataArray | None = None,
    *,
    ax: Axes | Sequence[Axes] | None = None,
) -> Axes | NDArray[np.object_]:
    """Draw flow duration curves: how often a flow is reached or exceeded.

    Parameters
    ----------
    predicted, observed, ax
        As in :func:`hydrograph`. With observations, days that either lacks are left
        out of both curves.

    Returns
    -------
    matplotlib.axes.Axes or numpy.ndarray of Axes
        As :func:`hydrograph`.

    Raises
    ------
    InputError
        As :func:`hydrograph`.

    Notes
    -----
    The i-th largest of n values is exceeded with the probability i / (n + 1)
    (Weibull). The axis is logarithmic, so days without flow are not on it.
    """

    def draw(ax: Axes, one: xr.DataArray, truth: xr.DataArray | None) -> None:
        """Draw both curves of one site, from days that have both."""
        line = middle(one)
        if truth is not None:
            truth, line = xr.align(truth, line.where(truth.notnull()))
            _curve(ax, truth.where(line.notnull()), color=OBSERVED, label="observed")
        _curve(ax, line, color=PREDICTED, label="predicted")
        ax.set_yscale("log")
        ax.set_xlabel("share of days on which it is exceeded [%]")
        _name_values(ax, predicted)

    return _each(draw, predicted, observed, ax)


def middle(array: xr.DataArray) -> xr.DataArray:
    """Return the median, or the array itself where it has no quantiles.

    Raises
    ------
    InputError
        For quantiles without the median: no other one stands for the prediction.
    """
    if "quantile" not in array.dims:
        return array
    levels = np.asarray(array["quantile"])
    found = np.flatnonzero(np.isclose(levels, 0.5))
    if not found.size:
        raise InputError(
            f"the quantiles {levels.tolist()} hold no median, which is drawn and "
            "scored as the prediction; predict it too: quantiles="
            f"{sorted([*levels.tolist(), 0.5])}"
        )
    return array.isel(quantile=int(found[0]))


def after_spinup(sim: xr.DataArray) -> xr.DataArray:
    """Leave out the days of the spin-up, where a month or more is left.

    Where the prediction does not say when its record began, its own first day is it.

    Examples
    --------
    >>> import pandas as pd
    >>> time = pd.date_range("2000-01-01", periods=100)
    >>> about = {"spinup_days": 60, "record_start": "2000-01-01"}
    >>> flow = xr.DataArray(np.ones(100), {"time": time}, attrs=about)
    >>> after_spinup(flow).sizes["time"], after_spinup(flow[50:]).sizes["time"]
    (40, 40)
    """
    skip, begin = int(sim.attrs.get("spinup_days", 0)), sim.attrs.get("record_start")
    if begin is not None and sim["time"].dtype.kind == "M":
        first = np.datetime64(begin, "D") + np.timedelta64(skip, "D")
        skip = int((sim["time"].values < first).sum())
    late = sim.isel(time=slice(skip, None))
    return late if late.sizes["time"] >= ENOUGH else sim


def written_scores(obs: xr.DataArray, sim: xr.DataArray, names: Sequence[str]) -> str:
    """Write scores of one site without the spin-up."""
    late = after_spinup(sim)
    values = metrics.scores(obs, late, names=list(names)) if names else {}
    return ", ".join(
        f"{str(name).replace('_', ' ').upper()} {float(value):.2f}"
        for name, value in dict(values).items()
    )


def _each(
    draw: Callable[[Any, xr.DataArray, xr.DataArray | None], None],
    predicted: xr.DataArray,
    observed: xr.DataArray | None,
    ax: Axes | Sequence[Axes] | None,
) -> Axes | NDArray[np.object_]:
    """Draw each site into its own panel, with its title and one legend in all."""
    _check(predicted, observed)
    axes = panels(predicted, NO_SITES, ax)
    predicted = predicted.compute()
    if observed is not None:
        observed = _same_sites(observed, predicted).compute()
    sites = one_by_one(predicted, NO_SITES)
    flat: list[Any] = list(np.ravel(np.asarray(axes, dtype=object)))
    for number, (panel, (title, where)) in enumerate(zip(flat, sites, strict=True)):
        truth = None if observed is None else observed.isel(where)
        panel.set_title(shorten(title, TITLE), loc="left", fontsize="medium")
        draw(panel, predicted.isel(where), truth)
        if number == 0 and (truth is not None or "quantile" in predicted.dims):
            panel.legend(frameon=False, fontsize="small")
    return axes


def _check(predicted: xr.DataArray, observed: xr.DataArray | None) -> None:
    """Refuse arrays without days, and two that are in different units."""
    arrays = {"predicted": predicted, "observed": observed}
    given = {k: v for k, v in arrays.items() if v is not None}
    problems = [
        f"{name}: the dims are {array.dims}, 'time' is not among them"
        for name, array in given.items()
        if "time" not in array.dims
    ]
    problems += [
        f"{name}: its calendar is not that of the clock; convert it: "
        '.convert_calendar("standard", use_cftime=False)'
        for name, array in given.items()
        if "time" in array.dims and array["time"].dtype.kind == "O"
    ]
    units = {str(a.attrs["units"]) for a in given.values() if "units" in a.attrs}
    if len(units) > 1 and not same_units(*units):
        problems.append(
            f"the units differ: {' and '.join(sorted(units))}; convert one of them"
        )
    if problems:
        raise InputError("cannot draw it: " + "; ".join(problems))


def _same_sites(observed: xr.DataArray, predicted: xr.DataArray) -> xr.DataArray:
    """Bring observations to the sites of predictions; where there are none, NaN."""
    dims = [dim for dim in predicted.dims if dim not in NO_SITES]
    lacking = [str(dim) for dim in dims if dim not in observed.dims]
    if lacking:
        raise InputError(
            f"observed has the dims {observed.dims}, predicted has sites along "
            f"{lacking[0]!r}; rename or choose: .rename(...), .isel({lacking[0]}=0)"
        )
    beside = [str(dim) for dim in observed.dims if dim not in {*dims, "time"}]
    if beside:
        raise InputError(
            f"observed has the dims {observed.dims}, predicted has none called "
            f"{beside[0]!r}; choose one: .isel({beside[0]}=0) or .sel({beside[0]}=...)"
        )
    both = [
        dim for dim in dims if {dim} <= set(predicted.indexes) & set(observed.indexes)
    ]
    strange = [
        d for d in both if not predicted.indexes[d].isin(observed.indexes[d]).any()
    ]
    if strange:
        raise InputError(
            f"observed has none of the labels of {str(strange[0])!r} that predicted "
            f"has, such as '{predicted[strange[0]].values[0]}'"
        )
    _, there = xr.align(predicted, observed, join="left", exclude=NO_SITES)
    return there.transpose(*dims, ...)


def _bands(ax: Axes, one: xr.DataArray) -> None:
    """Shade between pairs of quantiles, from the outermost inwards."""
    if "quantile" not in one.dims:
        return
    one = one.sortby("quantile")
    levels = np.asarray(one["quantile"])
    for low in range(len(levels) // 2):
        high = len(levels) - 1 - low
        ax.fill_between(
            one.time.values,
            one.isel(quantile=low).values,
            one.isel(quantile=high).values,
            color=PREDICTED,
            alpha=0.22,
            lw=0,
            label=f"{levels[low]:.0%} to {levels[high]:.0%}",
        )


def _curve(ax: Axes, array: xr.DataArray, **style: Any) -> None:
    """Draw a duration curve; days without flow count but have no logarithm."""
    values = np.sort(np.asarray(array.values[np.isfinite(array.values)]))[::-1]
    exceeded = 100 * np.arange(1, len(values) + 1) / (len(values) + 1)  # Weibull
    positive = values > 0
    ax.plot(exceeded[positive], values[positive], lw=1.3, **style)


def _name_values(ax: Axes, array: xr.DataArray) -> None:
    """Name the axis of values, its units on a line of their own."""
    ax.set_ylabel(label(array).replace(" [", "\n["), fontsize="small")


def _caption(ax: Axes, text: str) -> None:
    """Write scores at the right, above the panel."""
    ax.set_title(text, loc="right", fontsize="small")


def _concise_dates(ax: Axes) -> None:
    """Write dates short: what ticks share stands at the axis' end, once."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)
