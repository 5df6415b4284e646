"""Gaps are filled by the season and by what stands beside them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from xstefaland.model.season import fill_by_season

DAYS = 3 * 365


def season(amplitude: float, mean: float) -> Tensor:
    """Three years of a cosine, coldest in January, ``(1, T, 1)``."""
    time = torch.arange(DAYS) - 15
    return (mean - amplitude * torch.cos(2 * torch.pi * time / 365.25))[None, :, None]


def without(values: Tensor, *gaps: slice) -> Tensor:
    """The series with gaps."""
    out = values.clone()
    for gap in gaps:
        out[:, gap] = torch.nan
    return out


@pytest.mark.parametrize("carried", [True, False])
def test_a_gap_gets_its_own_season(carried: bool) -> None:
    """A month of winter is as cold as the winters, one of summer as warm."""
    whole = season(12.0, 5.0)
    gaps = slice(360, 390), slice(540, 570)
    filled = fill_by_season(without(whole, *gaps), carried=(carried,))
    for gap in gaps:
        torch.testing.assert_close(filled[:, gap], whole[:, gap], rtol=0, atol=0.7)


def test_a_cold_spell_goes_on_where_carried() -> None:
    """Ten degrees below the usual at both ends: so in between, if short."""
    whole = season(12.0, 5.0)
    whole[:, 380:400] -= 10.0
    gap = slice(387, 392)
    usual = season(12.0, 5.0)[:, gap]
    kept = fill_by_season(without(whole, gap), carried=(True,))[:, gap] - usual
    assert (kept < -6).all()
    forgotten = fill_by_season(without(whole, gap), carried=(False,))[:, gap] - usual
    assert (forgotten > -4).all()


def test_departures_are_interpolated_and_fade() -> None:
    """From one end to the other; in the middle of a long gap little is left."""
    whole = torch.zeros(1, 2 * 365, 1)
    whole[0, 300:310] = 8.0
    whole[0, 320:330] = -8.0
    short = fill_by_season(without(whole, slice(310, 320)), carried=(True,))[0, :, 0]
    assert short[310] > 2 > -2 > short[319]
    assert (short[310:320].diff() < 0).all()
    whole[0, 500:] = 8.0
    long = fill_by_season(without(whole, slice(330, 500)), carried=(True,))[0, :, 0]
    assert long[400:420].abs().max() < 0.5


def test_a_wet_week_is_not_dry() -> None:
    """Missing rain is the season's mean rain; in a dry season it is little."""
    g = torch.Generator().manual_seed(0)
    rain = torch.rand(1, DAYS, 1, generator=g) * 10
    wet_season = (torch.arange(DAYS) % 365) < 180
    rain = rain * torch.where(wet_season, 1.0, 0.02)[None, :, None]
    week, dry = slice(365 + 80, 365 + 87), slice(365 + 260, 365 + 267)
    filled = fill_by_season(without(rain, week, dry), carried=(False,))[0, :, 0]
    assert filled[week].mean() == pytest.approx(5.0, rel=0.2)
    assert filled[dry].mean() == pytest.approx(0.1, abs=0.15)


def test_ends_of_a_record() -> None:
    """A gap with one neighbour takes that one's departure."""
    values = torch.zeros(1, 365, 1)
    values[0, 5:8] = 6.0
    values[0, -8:-5] = -6.0
    filled = fill_by_season(
        without(values, slice(0, 5), slice(360, 365)), carried=(True,)
    )[0, :, 0]
    assert (filled[:5] > 1).all()
    assert (filled[:5].diff() > 0).all()
    assert (filled[360:] < -1).all()


def test_the_year_is_a_circle() -> None:
    """The last day of December is as near to January as to the rest of December."""
    values = torch.zeros(1, 365, 1)
    values[:, :20] = 10.0
    filled = fill_by_season(without(values, slice(364, 365)), carried=(False,))
    assert 3 < float(filled[0, 364, 0]) < 7


@given(st.integers(1, 500), st.floats(0, 1), st.integers(0, 99))
def test_never_a_gap_and_never_beyond_what_was_seen(
    days: int, share: float, seed: int
) -> None:
    """Observed days stay as they are; rain lies between the lowest and the highest."""
    g = torch.Generator().manual_seed(seed)
    values = torch.rand(2, days, 3, generator=g) * 30
    gaps = torch.rand(2, days, 3, generator=g) < share
    given_ = torch.where(gaps, torch.nan, values)
    filled = fill_by_season(given_, carried=(False, True, True))
    assert torch.isfinite(filled).all()
    assert torch.equal(filled[~gaps], values[~gaps])
    for site in range(2):
        seen = values[site, ~gaps[site, :, 0], 0]
        rain = filled[site, gaps[site, :, 0], 0]
        if len(seen) and len(rain):
            assert rain.min() >= seen.min() - 1e-4
            assert rain.max() <= seen.max() + 1e-4


def test_a_series_without_any_value_is_zero() -> None:
    """Nothing is known, so nothing is made up."""
    nothing = torch.full((1, 40, 2), torch.nan)
    assert torch.equal(
        fill_by_season(nothing, carried=(False, True)), torch.zeros(1, 40, 2)
    )


def test_series_and_sites_are_apart() -> None:
    """Another site's or variable's values change nothing."""
    whole = torch.cat([season(12.0, 5.0), season(3.0, 20.0)], 2)
    both = without(torch.cat([whole, whole + 50]), slice(300, 320))
    filled = fill_by_season(both, carried=(True, True))
    for site in range(2):
        for column in range(2):
            alone = both[site : site + 1, :, column : column + 1]
            torch.testing.assert_close(
                fill_by_season(alone, carried=(True,))[0, :, 0],
                filled[site, :, column],
            )


@given(st.integers(2, 800), st.floats(0, 1), st.integers(0, 99), st.data())
def test_read_causally_no_later_day_changes_a_bit(
    days: int, share: float, seed: int, data: st.DataObject
) -> None:
    """Other values and other gaps after a day leave what was filled up to it."""
    g = torch.Generator().manual_seed(seed)
    values, other = torch.rand(2, 2, days, 3, generator=g) * 30
    values[torch.rand(2, days, 3, generator=g) < share] = torch.nan
    day = data.draw(st.integers(1, days - 1), "day")
    other[:, :day] = values[:, :day]
    first, second = (
        fill_by_season(each, carried=(False, True, True), causal=True)
        for each in (values, other)
    )
    assert torch.equal(first[:, :day], second[:, :day])


def test_read_causally_the_years_before_tell_the_season() -> None:
    """A month of the third winter is as cold as the others; a spell fades into it."""
    whole = season(12.0, 5.0)
    gap = slice(2 * 365 + 10, 2 * 365 + 40)
    filled = fill_by_season(without(whole, gap), carried=(False,), causal=True)
    torch.testing.assert_close(filled[:, gap], whole[:, gap], rtol=0, atol=0.7)
    whole[:, gap.start - 5 : gap.start] -= 10.0
    filled = fill_by_season(without(whole, gap), carried=(True,), causal=True)
    departure = (filled - season(12.0, 5.0))[0, gap, 0]
    assert departure[0] < -5
    assert departure[-1] > -1.5


def test_read_causally_a_short_record_is_filled_by_what_was_seen() -> None:
    """No other year is known; before the first value there is nothing to say."""
    given_ = torch.full((1, 200, 1), 4.0)
    given_[0, 100:] = given_[0, :10] = torch.nan
    filled = fill_by_season(given_, carried=(True,), causal=True)[0, :, 0]
    assert filled[:10].tolist() == [0.0] * 10
    torch.testing.assert_close(filled[10:], torch.full((190,), 4.0))
