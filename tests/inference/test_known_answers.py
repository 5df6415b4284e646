"""What reaches the model, and what comes back of it, by numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
import xarray as xr
from torch import Tensor

import xstefaland
from xstefaland.inference import loaded
from xstefaland.inference.blocks import embed_block
from xstefaland.inference.loaded import Reference
from xstefaland.inference.windows import fade_weights, window_starts
from xstefaland.testing import example_grid, example_points, tiny_encoder

CPU: dict[str, Any] = {"device": "cpu", "precision": "float32"}


@contextmanager
def watched(weights: Any) -> Iterator[list[dict[str, Any]]]:
    """Note what the encoder of some weights is given while it works as ever."""
    model: Any = loaded.get(Reference.of(weights), "cpu", "float32").model
    encode, calls = model.encode, []

    def note(forcing: Any, attributes: Any, **more: Any) -> Any:
        given = {"forcing": forcing, "attributes": attributes, **more}
        tensors = {k: v for k, v in given.items() if isinstance(v, Tensor)}
        calls.append({k: v.cpu().numpy() for k, v in tensors.items()})
        return encode(forcing, attributes, **more)

    model.encode = note
    try:
        yield calls
    finally:
        del model.encode


def day_numbers(first: date, days: int) -> list[int]:
    """Count days from the first of January, by the calendar of `datetime`."""
    dates = [first + timedelta(days=n) for n in range(days)]
    return [(day - date(day.year, 1, 1)).days + 1 for day in dates]


def test_day_of_year_counts_from_january_in_every_window(weights: Any) -> None:
    """Windows that begin mid-year, cross new year and hold 29 February: 60, 61, 366."""
    ds = example_points(1, 420, start="2003-12-20")
    with watched(weights) as calls:
        xstefaland.embed(ds, weights=weights, batch_size=1, **CPU)
    expected = day_numbers(date(2003, 12, 20), 420)
    assert (expected[11], expected[12], expected[71]) == (365, 1, 60)
    assert expected[377] == 366
    starts = [*range(0, 380, 15), 380]
    assert len(calls) == len(starts)
    for call, start in zip(calls, starts, strict=True):
        assert call["day_of_year"].tolist() == [expected[start : start + 40]]


def test_days_left_out_of_the_time_axis_keep_the_calendar(weights: Any) -> None:
    """A gap becomes missing days: later days have the number of their own date."""
    ds = example_points(1, 60, start="2004-02-01").drop_isel(time=range(10, 25))
    with watched(weights) as calls:
        out = xstefaland.embed(ds, weights=weights, batch_size=1, **CPU)
    expected = day_numbers(date(2004, 2, 1), 60)
    given = np.full(60, np.nan)
    for call, start in zip(calls, [0, 15, 20], strict=True):
        assert call["day_of_year"].tolist() == [expected[start : start + 40]]
        given[start : start + 40] = call["forcing"][0, :, 1]
    assert np.isnan(given[10:25]).all()
    np.testing.assert_array_equal(np.delete(given, range(10, 25)), ds.temperature[0])
    assert out.sizes["time"] == 45


def test_latitude_keeps_its_sign_and_its_site(weights: Any) -> None:
    """South is negative; each window has the latitude of its own site."""
    ds = example_points(4, 50)
    south = [-33.25, 0.0, 51.5, -71.0]
    ds = ds.assign_coords(latitude=("site", south, {"units": "degrees_north"}))
    with watched(weights) as calls:
        xstefaland.embed(ds, weights=weights, batch_size=3, **CPU)
    latitude = np.concatenate([call["latitude"] for call in calls])
    elevation = np.concatenate([call["attributes"][:, 0] for call in calls])
    for given, site in zip(latitude, elevation, strict=True):
        own = int(np.flatnonzero(ds.elevation == site)[0])
        assert given == np.float32(south[own])


def test_latitude_of_a_grid_is_that_of_its_row(weights: Any) -> None:
    """Transposed or not, a cell is given the latitude of its own row."""
    grid = example_grid(3, 2, 20).transpose("lon", "time", "lat")
    with watched(weights) as calls:
        xstefaland.embed(grid, weights=weights, **CPU)
    elevation = grid.elevation.transpose("lat", "lon").values
    for call in calls:
        for given, height in zip(
            call["latitude"], call["attributes"][:, 0], strict=True
        ):
            row = int(np.argwhere(elevation == height)[0][0])
            assert given == np.float32(grid.lat[row])


def test_an_empty_site_does_not_shift_those_after_it(
    weights: Any, head: Any, same: Any
) -> None:
    """Sites after empty ones get the answers that they get alone."""
    ds = example_points(6, 100)
    empty = ds.site.isin(["site000", "site002", "site003"])
    names = ["precipitation", "temperature", "shortwave_radiation"]
    gone = ds.assign({name: ds[name].where(~empty) for name in names})
    for call in (
        lambda d: xstefaland.embed(d, weights=weights, batch_size=2, **CPU),
        lambda d: xstefaland.embed(d, weights=weights, pool="static", **CPU),
        lambda d: flow(d, weights, head),
        lambda d: filled(d, weights),
    ):
        answer = call(gone)
        for number in (1, 4, 5):
            same(answer.isel(site=number), call(ds.isel(site=[number])).isel(site=0))
        assert answer.isel(site=[0, 2, 3]).isnull().all()


def flow(ds: xr.Dataset, weights: Any, head: Any) -> xr.DataArray:
    """Predict streamflow."""
    return xstefaland.predict(ds, "streamflow", weights=weights, head=head, **CPU)


def filled(ds: xr.Dataset, weights: Any) -> xr.DataArray:
    """Fill five days of temperature in every month."""
    gappy = ds.assign(temperature=ds.temperature.where(ds.time.dt.day > 5))
    return xstefaland.reconstruct(gappy, weights=weights, **CPU).temperature


def test_other_sites_do_not_matter(weights: Any) -> None:
    """Whatever its neighbours are given, a site's embedding stays, bit for bit."""
    ds = example_points(3, 100)
    wild = ds.copy(deep=True)
    wild["precipitation"][1:] = 900.0
    wild["temperature"][1:] = 55.0
    wild["elevation"][1:] = 8000.0
    answers = [xstefaland.embed(d, weights=weights, **CPU) for d in (ds, wild)]
    np.testing.assert_array_equal(answers[0][0], answers[1][0])
    assert not np.allclose(answers[0][1], answers[1][1], atol=1e-2)


def test_fraction_missing_counts_absent_forcings_gaps_and_days(weights: Any) -> None:
    """Of 3 forcings on 50 days: 10 rain values, 5 days left out, one forcing never."""
    ds = example_points(2, 50).drop_vars("shortwave_radiation")
    ds["precipitation"][1, :10] = np.nan
    ds = ds.drop_isel(time=range(20, 25))
    missing = xstefaland.embed(ds, weights=weights, **CPU).fraction_missing
    first = (50 + 5 + 5) / 150
    np.testing.assert_allclose(missing, [first, first + 10 / 150], rtol=1e-6)


def test_years_are_the_means_of_their_own_days(weights: Any, same: Any) -> None:
    """With days left out, each calendar year averages the days that are there."""
    ds = example_points(2, 420, start="2003-11-20")
    ds = ds.drop_isel(time=[*range(30, 60), *range(100, 250), 400])
    daily = xstefaland.embed(ds, weights=weights, **CPU)
    yearly = xstefaland.embed(ds, weights=weights, pool="year", **CPU)
    mean = xstefaland.embed(ds, weights=weights, pool="mean", **CPU)
    assert yearly.year.values.tolist() == [2003, 2004, 2005]
    for number, year in enumerate((2003, 2004, 2005)):
        own = daily.values[:, (ds.time.dt.year == year).values]
        same(yearly.transpose("site", "year", "embedding")[:, number], own.mean(1))
    same(mean, daily.mean("time"))


def test_three_windows_that_overlap_by_hand() -> None:
    """8 days, window 5, stride 2: windows 0-4, 2-6, 3-7, each fading the older ones."""
    assert window_starts(8, 5, 2).tolist() == [0, 2, 3]
    expected = [
        [1, 1, 3 / 4, 2 / 4 * 4 / 5, 1 / 4 * 3 / 5],
        [1 / 4, 2 / 4 * 4 / 5, 3 / 4 * 3 / 5, 2 / 5, 1 / 5],
        [1 / 5, 2 / 5, 3 / 5, 4 / 5, 1],
    ]
    np.testing.assert_allclose(fade_weights(8, 5, 2), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("record", "starts"),
    [
        ((1, 365, 183), [0]),
        ((365, 365, 183), [0]),
        ((366, 365, 183), [0, 1]),
        ((548, 365, 183), [0, 183]),
        ((549, 365, 183), [0, 183, 184]),
        ((10, 4, 4), [0, 4, 6]),
        ((12, 4, 4), [0, 4, 8]),
        ((4, 1, 1), [0, 1, 2, 3]),
    ],
)
def test_starts_by_hand(record: tuple[int, int, int], starts: list[int]) -> None:
    """Steps of the stride, then the window that ends with the record."""
    assert window_starts(*record).tolist() == starts
    assert fade_weights(*record).shape == (len(starts), min(record[0], record[1]))


def test_windows_without_overlap_are_not_faded() -> None:
    """Where the stride is the window, each day has one window and full weight."""
    np.testing.assert_array_equal(fade_weights(12, 4, 4), np.ones((3, 4)))


def test_a_shared_day_is_half_of_each_window(same: Any) -> None:
    """7 days, window 4, stride 3: day 3 is the mean of both windows' embeddings."""
    model: Any = tiny_encoder(window=4, stride=3)
    rng = np.random.default_rng(0)
    forcing = rng.gamma(1.0, 5.0, (1, 7, 3)).astype(np.float32)
    rest = rng.uniform(0, 40, (1, 4)).astype(np.float32), np.array([50.0], np.float32)
    day = np.arange(100, 107)

    def part(days: slice) -> Any:
        return embed_block(model, forcing[:, days], *rest, day[days], device="cpu")[0]

    first, second = part(slice(0, 4)), part(slice(3, 7))
    whole = embed_block(model, forcing, *rest, day, device="cpu")[0]
    same(whole[:3], first[:3])
    same(whole[3], (first[3] + second[0]) / 2)
    same(whole[4:], second[1:])
    assert np.abs(first[3] - second[0]).max() > 1e-2
