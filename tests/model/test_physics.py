"""The HBV head: gaps in its weather, limits, spin-up."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from xstefaland import weights
from xstefaland.model import HeadConfig, build_head
from xstefaland.model.process import WEATHER

DAYS = 3 * 365
TARGETS = ("streamflow", "snow_water_equivalent", "evapotranspiration")


@pytest.fixture(scope="module")
def head() -> Any:
    """A head that gives each site the middle of each parameter's range."""
    config = HeadConfig(
        targets=TARGETS,
        forcing=WEATHER,
        attributes=("elevation",),
        embedding=8,
        width=6,
        physics="hbv",
        components=4,
    )
    head = build_head(config).eval()
    for layer in (head.static_logits, head.daily_logits):
        for parameter in layer.parameters():
            parameter.data.zero_()
    return head


def weather() -> Tensor:
    """Three years of a continental place ``(1, T, 3)``: deep winters, warm summers."""
    g = torch.Generator().manual_seed(1)
    warm = -torch.cos(2 * torch.pi * (torch.arange(DAYS) - 15) / 365.25)
    rain = torch.relu(torch.randn(DAYS, generator=g)) * 8
    temperature = 5 + 19 * warm + 2 * torch.randn(DAYS, generator=g)
    return torch.stack([rain, temperature, (2 + 2 * warm).clamp_min(0)], -1)[None]


def run(head: Any, forcing: Tensor, **options: Any) -> dict[str, Tensor]:
    """Simulate one site; return the targets ``(T,)``."""
    embedding = torch.zeros(1, forcing.shape[1], 8)
    with torch.no_grad():
        out = head(embedding, forcing, torch.zeros(1, 1), **options)
    return dict(zip(TARGETS, out[0].unbind(-1), strict=True))


def test_a_winter_gap_melts_no_snow(head: Any) -> None:
    """Five days without temperature in January: snow stays within a few mm."""
    whole = weather()
    gap = slice(375, 380)
    missing = whole.clone()
    missing[:, gap, 1] = torch.nan
    before, after = run(head, whole), run(head, missing)
    snow = before["snow_water_equivalent"]
    assert snow[gap].min() > 50
    lost = snow - after["snow_water_equivalent"]
    assert lost[gap.start : gap.stop + 5].abs().max() < 3


def test_a_missing_wet_week_is_not_dry(head: Any) -> None:
    """Rain of the season falls instead; the year's flow is right to a tenth."""
    whole = weather()
    gap = slice(550, 557)
    missing, dry = whole.clone(), whole.clone()
    missing[:, gap, 0] = torch.nan
    dry[:, gap, 0] = 0.0
    flows = [run(head, each)["streamflow"] for each in (whole, missing, dry)]
    total = [float(flow[550:620].sum()) for flow in flows]
    rained = float(whole[0, gap, 0].sum())
    assert rained > 15
    assert total[1] - total[2] > 0.3 * rained
    assert abs(total[1] - total[0]) < 0.5 * abs(total[2] - total[0])


def test_bundled_head_in_a_winter_gap() -> None:
    """The shipped head, on the same weather: what HBV gets decides, not the network."""
    opened = weights.resolve_head("streamflow", "resconn-hbv")
    head = opened.model()
    names = [spec.name for spec in opened.card.forcing]
    whole = weather()
    forcing = torch.full((1, DAYS, len(names)), torch.nan)
    forcing[..., [names.index(name) for name in WEATHER]] = whole
    missing = forcing.clone()
    missing[:, 375:380, names.index("temperature")] = torch.nan
    attributes = torch.full((1, len(opened.card.attributes)), torch.nan)
    column = [t.name for t in opened.card.targets].index("snow_water_equivalent")
    with torch.no_grad():
        width = weights.resolve_encoder().card.config["d_model"]
        embedding = torch.zeros(1, DAYS, width)
        season = {
            "day_of_year": torch.arange(DAYS) % 365,
            "latitude": torch.full((1,), 47.0),
        }
        before, after = (
            head(embedding, each, attributes, **season)[0, :, column]
            for each in (forcing, missing)
        )
    assert before[375] > 50
    assert (before - after)[375:385].abs().max() < 5


def test_limits_are_kept_but_not_saved(head: Any) -> None:
    """The bundled file knows no limits: they come from the card."""
    assert not {"minimum", "maximum"} & set(head.state_dict())
    free = run(head, weather())
    try:
        head.limit([0.5, None, 0.0], [2.0, None, None])
        held = run(head, weather())
    finally:
        head.limit([None] * 3, [None] * 3)
    assert free["streamflow"].min() < 0.5
    assert torch.equal(held["streamflow"], free["streamflow"].clamp(0.5, 2.0))
    assert torch.equal(held["evapotranspiration"], free["evapotranspiration"])


def test_spinup_fills_the_stores(head: Any) -> None:
    """A record that begins in winter begins with snow, and without it on bare soil."""
    cold = run(head, weather(), spinup_days=0)["snow_water_equivalent"]
    warm = run(head, weather())["snow_water_equivalent"]
    assert cold[0] < 30 < warm[0]


def test_it_is_not_causal(head: Any) -> None:
    """Its constant parameters are of the whole record."""
    assert not head.config.causal_possible
