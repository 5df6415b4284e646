"""Heads of the form level + spread x anomaly."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from xstefaland.model import HeadConfig, build_head
from xstefaland.model.heads import FAR

TARGETS = ("soil_moisture",)


def make(**others: Any) -> Any:
    """A head whose level rises by 0.1 with a unit of the first attribute."""
    torch.manual_seed(0)
    entries: dict[str, Any] = {
        "targets": TARGETS,
        "forcing": ("precipitation", "temperature"),
        "attributes": ("aridity", "clay"),
        "kind": "lstm",
        "form": "anomaly",
        "width": 5,
        "dropout": 0.0,
    }
    head = build_head(HeadConfig(**(entries | others)))
    head.target_scaling.assign([0.25], [0.1], [False])
    head.level.weight.data[0, 0] = 1.0
    head.log_spread.weight.data[0, 1] = math.log(2)
    return head.eval()


def answer(head: Any, *sites: tuple[float, float], **more: Any) -> Tensor:
    """Answers to the same weather at sites of given attributes ``(site, time)``."""
    g = torch.Generator().manual_seed(0)
    forcing = torch.randn(1, 40, 2, generator=g).expand(len(sites), -1, -1)
    with torch.no_grad():
        out = head(torch.zeros(len(sites), 1, 1), forcing, torch.tensor(sites), **more)
    return out[:, :, 0]


def test_attributes_move_level_and_spread_and_nothing_else() -> None:
    """0.1 more for a unit of the first; twice the departures for one of the second."""
    plain, wetter, livelier = answer(make(), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    torch.testing.assert_close(wetter, plain + 0.1)
    torch.testing.assert_close(livelier - 0.25, 2 * (plain - 0.25))
    assert plain.std() > 1e-4


def test_a_missing_attribute_is_an_average_one() -> None:
    """Its flag has no weight in a new head; far ones count as three deviations."""
    plain, missing = answer(make(), (0.0, 0.0), (math.nan, math.nan))
    torch.testing.assert_close(plain, missing)
    far, edge = answer(make(), (50.0, 0.0), (FAR, 0.0))
    torch.testing.assert_close(far, edge)


def test_a_new_head_takes_every_site_for_an_average_one() -> None:
    """Level and spread are those of all observations until there is evidence."""
    head = build_head(make().config)
    head.target_scaling.assign([0.25], [0.1], [False])
    level, spread = head.statistics(torch.randn(4, 4))
    torch.testing.assert_close(level, torch.full((4, 1), 0.25))
    torch.testing.assert_close(spread, torch.full((4, 1), 0.1))


def test_quantiles_rise_and_widen_with_the_spread() -> None:
    """Each is a quantile of the anomaly, put on the site's level."""
    head = make(quantiles=(0.1, 0.5, 0.9))
    low, high = answer(head, (0.0, 0.0), (0.0, 1.0))
    assert low.shape == (40, 3)
    assert (low.diff(dim=-1) > 0).all()
    torch.testing.assert_close(high.diff(dim=-1), 2 * low.diff(dim=-1))


def test_pores_limit_the_water() -> None:
    """The site's own porosity, where it is known."""
    ceiling = torch.tensor([[0.26], [math.nan]])
    held, free = answer(make(), (3.0, 0.0), (3.0, 0.0), maximum=ceiling)
    assert held.max() == pytest.approx(0.26)
    assert free.max() > 0.5
