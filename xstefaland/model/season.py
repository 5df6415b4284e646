"""Gaps in daily weather, filled by the season and by the days beside the gap."""

from __future__ import annotations

import torch
from torch import Tensor

YEAR = 365.25
BINS = 366
SEASON_DAYS = 10.0
"""Width of the season: days that much earlier or later in the year count half."""
MEMORY_DAYS = 10.0
"""A cold spell beside a gap is felt in it for about so many days."""


def fill_by_season(
    values: Tensor, *, carried: tuple[bool, ...], causal: bool = False
) -> Tensor:
    """Fill the gaps of daily series.

    A missing day gets what is usual at its time of year: the mean of the site's
    observed days, of all years, that lie close to it in the year. Where `carried`, the
    departure from the usual at both ends of the gap goes on into it, interpolated and
    fading: right for temperatures, not for rain.

    Parameters
    ----------
    values : Tensor
        ``(B, T, n)``, days in a row, NaN = missing.
    carried : tuple of bool
        For each of the `n` series.
    causal : bool
        What is usual, and the departure from it, come from earlier days alone: the
        values up to a day depend on no later one.

    Returns
    -------
    Tensor
        Without NaN. A series without any value is 0, and with `causal` so are the days
        before the first one.

    Notes
    -----
    Why not the foundation model's own reconstruction: it is the likeliest value, not
    the mean. Of the rain in gaps of 5 and 30 days at 23 CAMELS basins,
    stefaland-base-v1 gave back 30 to 46 %, the season 90 to 101 %; temperature was as
    good by season (rmse 3.6 against 4.2 degC in 5 days) where all weather is missing.

    Examples
    --------
    >>> warm = torch.tensor([[[3.0], [4.0], [torch.nan], [6.0], [7.0]]])
    >>> fill_by_season(warm, carried=(True,)).round(decimals=1)[0, 2]
    tensor([5.])
    """
    gaps = values.isnan()
    if not gaps.any():
        return values
    usual = _usual_so_far(values, gaps) if causal else _usual(values, gaps)
    carry = _carry_on if causal else _carry
    departure = carry((values - usual).nan_to_num(0.0), gaps)
    departure = departure * torch.tensor(carried, device=values.device)
    return torch.where(gaps, usual + departure, values)


def _usual(values: Tensor, gaps: Tensor) -> Tensor:
    """Return what is usual at each day's time of year, ``(B, T, n)``."""
    _, day = _calendar(values)
    shape = (len(values), BINS, values.shape[2])
    total = values.new_zeros(shape, dtype=torch.double)
    count = torch.zeros_like(total)
    total.index_add_(1, day, values.nan_to_num(0.0).double())
    count.index_add_(1, day, (~gaps).double())
    near = _nearness(values.device)
    return _mean(near @ total, near @ count)[:, day].to(values.dtype)


def _usual_so_far(values: Tensor, gaps: Tensor) -> Tensor:
    """Return the same from the days up to each one: earlier years, and this one's."""
    year, day = _calendar(values)
    known = torch.cat([values.nan_to_num(0.0), ~gaps], -1).double()
    shape = (len(values), int(year[-1]) + 1, BINS, known.shape[-1])
    table = known.new_zeros(shape)
    table[:, year, day] = known
    earlier = torch.zeros_like(table)
    earlier[:, 1:] = table.cumsum(1)[:, :-1]
    near = _nearness(values.device)
    total, count = (near @ earlier + near.tril() @ table).chunk(2, -1)
    return _mean(total, count)[:, year, day].to(values.dtype)


def _calendar(values: Tensor) -> tuple[Tensor, Tensor]:
    """Count years and days of the year from the record's first day, ``(T,)`` each."""
    time = torch.arange(values.shape[1], device=values.device).double()
    return (time / YEAR).long(), (time % YEAR).long()


def _nearness(device: torch.device) -> Tensor:
    """Say how much each day of the year counts for each other one."""
    day = torch.arange(BINS, device=device, dtype=torch.double)
    apart = (day[:, None] - day).abs()
    apart = torch.minimum(apart, YEAR - apart)
    return 1 / (1 + (apart / SEASON_DAYS) ** 4)  # never 0: some day is always found


def _mean(total: Tensor, count: Tensor) -> Tensor:
    """Divide, to 0 where nothing is known."""
    return total / count.clamp_min(torch.finfo(torch.double).tiny)


def _carry(departure: Tensor, gaps: Tensor) -> Tensor:
    """Interpolate what is known at both ends of each gap, fading into the gap."""
    before, since = _last_known(departure, gaps)
    after, until = (
        part.flip(1) for part in _last_known(departure.flip(1), gaps.flip(1))
    )
    share = until / (since + until).clamp_min(1)  # of the earlier end
    known_before, known_after = since.isfinite(), until.isfinite()
    share = torch.where(known_before & known_after, share, known_before.to(share.dtype))
    fading = torch.exp(-torch.minimum(since, until) / MEMORY_DAYS)
    return (share * before + (1 - share) * after) * fading


def _carry_on(departure: Tensor, gaps: Tensor) -> Tensor:
    """Let what is known before each gap fade into it."""
    before, since = _last_known(departure, gaps)
    return before * torch.exp(-since / MEMORY_DAYS)


def _last_known(values: Tensor, gaps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the last known value and its age in days, infinite before the first.

    In gaps `values` must be 0, which is what stands before the first.
    """
    time = torch.arange(values.shape[1], device=values.device)[:, None].expand_as(
        values
    )
    last = torch.where(gaps, -1, time).cummax(1).values
    age = torch.where(last < 0, torch.inf, (time - last).to(values.dtype))
    return values.gather(1, last.clamp_min(0)), age
