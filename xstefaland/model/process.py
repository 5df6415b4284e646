"""Channels computed from the weather itself, so that a day knows of its past.

Moving averages, the length of a dry spell, a degree-day snowpack, and the response of a
library of landscapes (:mod:`xstefaland.model.landscapes`) need precipitation,
temperature and potential evapotranspiration, and no observation of any target. They are
inputs of heads (:data:`CHANNELS`) and what an encoder may be asked to know
(:data:`MEMORY`).

A value of day t depends on the weather of days up to t. Two things look further, and
both can be switched off: the spin-up runs the record's first year before the record
(``spinup=0``), and gaps are filled by the season of the whole record (``causal=True``
fills from earlier days only).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xstefaland.errors import InputError
from xstefaland.model.hbv import simulate_lean
from xstefaland.model.landscapes import LANDSCAPES
from xstefaland.model.season import fill_by_season

WEATHER = ("precipitation", "temperature", "potential_evapotranspiration")
"""Order of the last axis: mm d-1, degC, mm d-1."""

CARRIED = (False, True, True)
"""Of these, what a spell beside a gap says something about; of rain it does not."""

SPINUP_DAYS = 365
"""Days of the record that are run before it, so that its first day counts."""

WET = 1.0  # [mm d-1] what ends a dry spell
MELT = 3.0  # [mm degC-1 d-1] of the degree-day snowpack
SITES_AT_ONCE = 16  # bounds the memory of the library: 21 series per landscape and site

LENGTHS = (3, 7, 15, 30, 60, 90, 180, 365)
AVERAGED = (*WEATHER, "snowfall")
RESPONSES = {  # response -> field of model.hbv.Fluxes, root?, divided by
    "streamflow": ("streamflow", True, 1.0),
    "evapotranspiration": ("evapotranspiration", False, 1.0),
    "recharge": ("recharge", True, 1.0),
    "soil_water": ("soil_moisture", False, 100.0),
    "snow_water_equivalent": ("snow_water_equivalent", True, 1.0),
    "upper_zone_storage": ("upper_zone", True, 1.0),
    "lower_zone_storage": ("lower_zone", True, 1.0),
}


@dataclass(frozen=True)
class _Channel:
    """How one channel is made: what of, and over how many days or in which set."""

    kind: str
    source: str
    number: int = 0


def _available() -> Iterator[tuple[str, _Channel]]:
    """Yield all channels: moving averages, states, and each landscape's responses."""
    for name in AVERAGED:
        for days in LENGTHS:
            yield f"{name}_{days}d", _Channel("mean", name, days)
    yield "dry_spell", _Channel("state", "dry_spell")
    yield "degree_day_snow", _Channel("state", "degree_day_snow")
    for name in RESPONSES:
        for number in range(len(LANDSCAPES)):
            yield f"{name}_{number:02d}", _Channel("response", name, number)


AVAILABLE: dict[str, _Channel] = dict(_available())
"""Every channel that can be computed, by name."""

AVERAGES: tuple[str, ...] = (
    *(f"precipitation_{days}d" for days in (7, 30, 90, 365)),
    "potential_evapotranspiration_30d",
    "snowfall_60d",
)
"""Six moving averages [mm d-1] that let a small network know the season's water."""

LIBRARY: tuple[str, ...] = (
    *(f"streamflow_{number:02d}" for number in range(12)),
    *(f"soil_water_{number:02d}" for number in range(4)),
    *(f"snow_water_equivalent_{number:02d}" for number in range(2)),
)
"""Eighteen responses: roots of flows, soil water in units of 100 mm, roots of snow."""

CHANNELS = (*AVERAGES, *LIBRARY)
"""What heads take beside the weather."""

MEMORY: tuple[str, ...] = (
    *(f"{name}_{days}d" for name in WEATHER for days in (3, 7, 30, 90, 365)),
    "snowfall_60d",
    "dry_spell",
    "degree_day_snow",
    *(
        f"{name}_{number:02d}"
        for name in (
            "streamflow",
            "evapotranspiration",
            "soil_water",
            "snow_water_equivalent",
            "lower_zone_storage",
        )
        for number in range(12)
    ),
)
"""What an encoder may be asked to know of the past: a label wherever weather is."""


def process_channels(
    weather: Tensor,
    names: Sequence[str] = CHANNELS,
    *,
    spinup: int = SPINUP_DAYS,
    causal: bool = False,
) -> Tensor:
    """
    Compute channels from whole records of weather.

    Parameters
    ----------
    weather : Tensor [site, time, 3]
        Precipitation (mm d-1), mean air temperature (degC) and potential
        evapotranspiration (mm d-1); NaN = missing.
    names : sequence of str
        Keys of :data:`AVAILABLE`.
    spinup : int
        So many first days are run before the record, to fill the stores and averages;
        all of them if the record is shorter. 0: stores start empty, and an average at
        the start is that of the days so far.
    causal : bool
        Fill gaps from earlier days only; see
        :func:`~xstefaland.model.season.fill_by_season`.

    Returns
    -------
    Tensor [site, time, channel]
        float32. Averages in the unit of what is averaged, flows as their root
        (mm^0.5 d^-0.5), evapotranspiration in mm d-1, soil water in 100 mm, other
        stores as their root (mm^0.5), dry spells as the root of days. A site that
        lacks one of the three altogether is NaN; with `causal`, so are the days before
        all three were seen.

    Raises
    ------
    InputError
        If names are unknown or the shape does not fit.

    Notes
    -----
    At 57 basins left out of training an LSTM gained 0.015 [-0.001, 0.024] and 0.006
    [0.002, 0.012] in NSE from the library, on top of the averages (two seeds, paired
    differences with 90 % intervals over basins).

    Examples
    --------
    Thirty days of rain on two sites, then none:

    >>> weather = torch.tensor([6.0, 10.0, 2.0]).repeat(2, 60, 1)
    >>> weather[:, 30:, 0] = 0
    >>> mean, flow = process_channels(
    ...     weather, ["precipitation_30d", "streamflow_00"], spinup=0
    ... ).unbind(-1)
    >>> mean[0, [0, 29, 44, 59]]
    tensor([6., 6., 3., 0.])
    >>> bool(flow[0, 10] < flow[0, 30]), bool(flow[0, 59] < flow[0, 30])
    (True, True)
    """
    _check(weather, names)
    filled = fill_by_season(weather.float(), carried=CARRIED, causal=causal)
    first = min(spinup, weather.shape[1])
    longer = torch.cat([filled[:, :first], filled], 1)
    out = longer.new_empty(*longer.shape[:2], len(names))
    for part in range(0, len(longer), SITES_AT_ONCE):
        rows = slice(part, part + SITES_AT_ONCE)
        for column, values in _compute(longer[rows], names):
            out[rows, :, column] = values
    known = ~weather.isnan()
    seen = known.cummax(1).values if causal else known.any(1, keepdim=True)
    return out[:, first:].masked_fill(~seen.all(-1, keepdim=True), torch.nan)


def trailing_mean(values: Tensor, days: int) -> Tensor:
    """
    Average over the last `days` days with today, at the start over those there are.

    Parameters
    ----------
    values : Tensor [..., time]
        Without gaps.
    days : int

    Returns
    -------
    Tensor [..., time]

    Examples
    --------
    >>> trailing_mean(torch.tensor([3.0, 0.0, 0.0, 6.0]), 2)
    tensor([3.0000, 1.5000, 0.0000, 3.0000])
    """
    number = torch.arange(1, values.shape[-1] + 1, device=values.device)
    total = torch.nn.functional.pad(values.double().cumsum(-1), (1, 0))
    total = total[..., 1:] - total[..., (number - days).clamp_min(0)]
    return (total / number.clamp_max(days)).to(values.dtype)


def dry_spell(precipitation: Tensor, wet: float = WET) -> Tensor:
    """
    Count the days since the last wet one.

    Parameters
    ----------
    precipitation : Tensor [..., time]
        mm d-1, without gaps.
    wet : float
        Least rain of a wet day, mm d-1.

    Returns
    -------
    Tensor [..., time]
        Days; 0 on a wet day. Before the first wet day, the days since the start.

    Examples
    --------
    >>> dry_spell(torch.tensor([0.0, 5.0, 0.2, 0.0, 9.0]))
    tensor([1., 0., 1., 2., 0.])
    """
    day = torch.arange(1, precipitation.shape[-1] + 1, device=precipitation.device)
    last = torch.where(precipitation >= wet, day, 0).cummax(-1).values
    return (day - last).to(precipitation.dtype)


def degree_day_snow(
    precipitation: Tensor, temperature: Tensor, melt: float = MELT
) -> Tensor:
    """
    Accumulate snow below 0 degC and melt it above, by so much per degree and day.

    Parameters
    ----------
    precipitation, temperature : Tensor [..., time]
        mm d-1 and degC, without gaps.
    melt : float
        mm degC-1 d-1.

    Returns
    -------
    Tensor [..., time]
        Water equivalent of the snowpack at the end of the day, mm.

    Notes
    -----
    ``max(store + change, 0)`` day by day equals the running sum of the changes less its
    running minimum where that is negative, so no loop over days is needed.

    Examples
    --------
    >>> rain = torch.tensor([8.0, 5.0, 5.0, 5.0, 0.0])
    >>> degree_day_snow(rain, torch.tensor([-1.0, 3.0, -1.0, -1.0, 2.0]))
    tensor([ 8.,  0.,  5., 10.,  4.])
    """
    change = snowfall(precipitation, temperature) - melt * temperature.clamp_min(0.0)
    store = change.double().cumsum(-1)
    lowest = store.cummin(-1).values.clamp_max(0.0)
    return (store - lowest).to(precipitation.dtype)


def snowfall(precipitation: Tensor, temperature: Tensor) -> Tensor:
    """
    Take precipitation of days below 0 degC as snow.

    Parameters
    ----------
    precipitation, temperature : Tensor [..., time]
        mm d-1 and degC.

    Returns
    -------
    Tensor [..., time]
        mm d-1.

    Examples
    --------
    >>> snowfall(torch.tensor([4.0, 4.0]), torch.tensor([-1.0, 1.0]))
    tensor([4., 0.])
    """
    return torch.where(temperature < 0, precipitation, 0.0)


def _compute(weather: Tensor, names: Sequence[str]) -> Iterator[tuple[int, Tensor]]:
    """Yield the column and the values ``(site, time)`` of each channel."""
    series = dict(zip(WEATHER, weather.unbind(-1), strict=True))
    rain, temperature = series["precipitation"], series["temperature"]
    series["snowfall"] = snowfall(rain, temperature)
    wanted = [AVAILABLE[name] for name in names]
    for column, channel in enumerate(wanted):
        if channel.kind == "mean":
            yield column, trailing_mean(series[channel.source], channel.number)
        elif channel.source == "dry_spell":
            yield column, dry_spell(rain).sqrt()
        elif channel.source == "degree_day_snow":
            yield column, degree_day_snow(rain, temperature).sqrt()
    yield from _respond(weather, wanted)


def _respond(
    weather: Tensor, wanted: Sequence[_Channel]
) -> Iterator[tuple[int, Tensor]]:
    """Run the landscapes that are asked for; yield columns as `_compute` does."""
    sets = sorted({c.number for c in wanted if c.kind == "response"})
    if not sets:
        return
    sites, days = weather.shape[:2]
    logits = weather.new_tensor([LANDSCAPES[number] for number in sets])
    forcing = weather.transpose(0, 1).repeat_interleave(len(sets), 1).contiguous()
    fluxes = simulate_lean(forcing, logits.repeat(sites, 1), components=1, dynamic=())
    for column, channel in enumerate(wanted):
        if channel.kind == "response":
            field, root, unit = RESPONSES[channel.source]
            values = getattr(fluxes, field).reshape(days, sites, len(sets))
            values = values[..., sets.index(channel.number)].T / unit
            yield column, values.clamp_min(0.0).sqrt() if root else values


def _check(weather: Tensor, names: Sequence[str]) -> None:
    """Refuse what no channel can be made of, with every reason."""
    problems = []
    if weather.ndim != 3 or weather.shape[-1] != len(WEATHER) or not weather.shape[1]:
        problems.append(
            f"weather has shape {tuple(weather.shape)}, but [site, time, 3] is needed: "
            f"torch.stack([{', '.join(WEATHER)}], dim=-1)"
        )
    unknown = [name for name in names if name not in AVAILABLE]
    if unknown:
        problems.append(f"unknown channels {unknown}; AVAILABLE lists those there are")
    if problems:
        raise InputError("No channels can be computed: " + "; ".join(problems) + ".")
