"""Channels, season and latitude inside a head: known answers, and no user's doing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from xstefaland.errors import InputError
from xstefaland.model import HeadConfig, build_head
from xstefaland.model.features import Features, season_and_latitude
from xstefaland.model.process import CHANNELS, WEATHER, process_channels

DAYS = 500
FEW = ("precipitation_30d", "streamflow_03")


def config(**others: Any) -> HeadConfig:
    """A narrow head on three forcings."""
    entries = {
        "targets": ("streamflow",),
        "forcing": WEATHER,
        "attributes": ("elevation",),
        "embedding": 4,
        "width": 5,
        "dropout": 0.0,
    }
    return HeadConfig(**(entries | others))


def weather(sites: int = 2, days: int = DAYS, seed: int = 0) -> Tensor:
    """Rain, temperature and PET."""
    g = torch.Generator().manual_seed(seed)
    rain = torch.relu(torch.randn(sites, days, generator=g)) * 8
    heat = 8 + 9 * torch.randn(sites, days, generator=g)
    return torch.stack([rain, heat, torch.rand(sites, days, generator=g) * 4], -1)


def place(sites: int = 2, days: int = DAYS) -> dict[str, Tensor]:
    """Day of year and latitude as heads take them."""
    return {
        "day_of_year": torch.arange(days) % 365 + 1.0,
        "latitude": torch.linspace(30, 50, sites),
    }


def head(**others: Any) -> Any:
    """A head with weights of some size."""
    torch.manual_seed(0)
    made = build_head(config(**others))
    for parameter in made.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.3)
    return made.eval()


def test_channels_are_those_of_the_record_scaled() -> None:
    """They stand behind the forcing and its flags, with one flag for all of them."""
    part = Features(config(channels=FEW))
    part.channel_scaling.assign([2.0, 1.0], [4.0, 0.5], [False, False])
    series, _ = part(weather(), torch.zeros(2, 1))
    assert series.shape == (2, DAYS, part.forcing_size)
    expected = (process_channels(weather(), FEW) - torch.tensor([2.0, 1.0])) / (
        torch.tensor([4.0, 0.5])
    )
    torch.testing.assert_close(series[..., 6:8], expected)
    assert (series[..., 8] == 1).all()


def test_a_cold_start_reads_causally() -> None:
    """Without spin-up, channels are those of `causal=True`: nothing of later days."""
    part = Features(config(channels=FEW))
    holed = weather()
    holed[0, :40, 1] = torch.nan
    series, _ = part(holed, torch.zeros(2, 1), spinup_days=0)
    expected = process_channels(holed, FEW, spinup=0, causal=True)
    torch.testing.assert_close(series[..., 6:8], expected.nan_to_num(0.0))
    assert series[0, :, 8].tolist() == [0.0] * 40 + [1.0] * (DAYS - 40)


def test_without_evapotranspiration_channels_are_absent() -> None:
    """0 and a flag of 0 at that site; the other one keeps its own."""
    given = weather()
    given[0, :, 2] = torch.nan
    series, _ = Features(config(channels=CHANNELS))(given, torch.zeros(2, 1))
    assert (series[0, :, 6:] == 0).all()
    assert (series[1, :, -1] == 1).all()
    values = Features(config(channels=CHANNELS, flags=False))
    assert values(given, torch.zeros(2, 1))[0].shape[-1] == values.forcing_size


@pytest.mark.parametrize("kind", ["resconn", "no_resconn", "lstm", "linear"])
@pytest.mark.parametrize("physics", [None, "hbv"])
def test_any_head_takes_channels_of_a_window(kind: Any, physics: Any) -> None:
    """Handed over as they were computed from the record, they give the same answer."""
    made = head(kind=kind, physics=physics, components=2, channels=CHANNELS, place=True)
    given = torch.randn(2, DAYS, 4), weather(), torch.zeros(2, 1)
    with torch.no_grad():
        own = made(*given, **place())
        channels = process_channels(weather())
        handed = made(*given, **place(), channels=channels)
        other = made(*given, **place(), channels=channels + 1)
    torch.testing.assert_close(own, handed)
    assert not torch.allclose(own, other, atol=1e-3)


def test_a_window_knows_of_the_record_before_it() -> None:
    """A linear head answers a day alike in its record and in a window of it."""
    made = head(kind="linear", channels=CHANNELS, place=True)
    embedding, given = torch.randn(2, DAYS, 4), weather()
    around, window = place(), slice(200, 260)
    with torch.no_grad():
        whole = made(embedding, given, torch.zeros(2, 1), **around)
        channels = process_channels(given)[:, window]
        around["day_of_year"] = around["day_of_year"][window].expand(2, -1)
        parts = embedding[:, window], given[:, window], torch.zeros(2, 1)
        part = made(*parts, **around, channels=channels)
    torch.testing.assert_close(part, whole[:, window])


def test_the_south_is_the_north_half_a_year_later() -> None:
    """The same weather of July in the south and of January in the north: one answer."""
    made = head(kind="lstm", place=True)
    given = torch.zeros(2, 60, 4), weather(1, 60).expand(2, -1, -1), torch.zeros(2, 1)
    days = torch.stack([torch.arange(60.0), torch.arange(60.0) + 365.25 / 2])
    with torch.no_grad():
        out = made(*given, day_of_year=days, latitude=torch.tensor([40.0, -40.0]))
        same = made(*given, day_of_year=days, latitude=torch.tensor([40.0, 40.0]))
    torch.testing.assert_close(out[0], out[1], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(same[0], same[1], atol=1e-3)


def test_where_the_latitude_is_unknown_so_is_the_season() -> None:
    """All four numbers are 0."""
    found = season_and_latitude(torch.tensor([[10.0]]), torch.tensor([torch.nan]))
    assert found.tolist() == [[[0.0, 0.0, 0.0, 0.0]]]


def test_a_head_says_that_it_needs_the_place() -> None:
    """With the call that gives it."""
    with pytest.raises(InputError, match=r"day_of_year=\.\.\., latitude=\.\.\."):
        head(place=True)(torch.zeros(2, 9, 4), weather(2, 9), torch.zeros(2, 1))


def test_heads_without_them_have_the_tensors_they_had() -> None:
    """Files of older heads fit."""
    assert not [name for name in head().state_dict() if "channel" in name]
    assert "features.channel_scaling.mean" in head(channels=FEW).state_dict()


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ({"channels": ("flow_99",)}, r"\['flow_99'\], which are not in .*AVAILABLE"),
        ({"channels": FEW[:1] * 2}, "`channels` names a channel twice"),
        (
            {"channels": FEW, "forcing": WEATHER[:2]},
            r"need the forcing \['potential_evapotranspiration'\]",
        ),
        ({"form": "both"}, "neither 'direct' nor 'anomaly'"),
        ({"form": "anomaly", "static": True}, "leave out `physics`, `static`"),
        ({"form": "anomaly", "physics": "hbv"}, "leave out `physics`, `static`"),
    ],
)
def test_impossible_configurations(entries: dict[str, Any], match: str) -> None:
    """Refused with the reason when they are made."""
    with pytest.raises(InputError, match=match):
        config(**entries)
