"""Losses against numbers by hand."""

from __future__ import annotations

import pytest
import torch

from xstefaland.training.losses import (
    basin_nse_loss,
    cross_entropy_loss,
    pinball_loss,
)

NAN = float("nan")


def test_nse_loss_by_hand():
    """Errors 1 and 3 over deviations 1 and 2 with 1 added; NaN does not count."""
    predicted = torch.tensor([[[2.0], [9.0]], [[4.0], [1.0]]])
    observed = torch.tensor([[[1.0], [NAN]], [[1.0], [1.0]]])
    deviation = torch.tensor([[1.0], [2.0]])
    loss = basin_nse_loss(predicted, observed, deviation, floor=1.0)
    assert loss.item() == pytest.approx((1 / 4 + 9 / 9 + 0) / 3)


def test_pinball_loss_by_hand():
    """Too low by 2 costs the level's share of it, too high by 1 the rest."""
    predicted = torch.tensor([[[[1.0, 3.0, 4.0]], [[5.0, 5.0, 5.0]]]])  # (1, 2, 1, 3)
    observed = torch.tensor([[[3.0], [NAN]]])
    loss = pinball_loss(
        predicted, observed, torch.tensor([[1.5]]), (0.1, 0.5, 0.9), floor=0.5
    )
    assert loss.item() == pytest.approx((0.1 * 2 + 0.5 * 0 + 0.1 * 1) / 3 / 2)


@pytest.mark.parametrize(("level", "best"), [(0.1, 1.0), (0.5, 5.0), (0.9, 9.0)])
def test_pinball_loss_is_least_at_the_quantile(level, best):
    """Of constants, the quantile of 0..10 is the best answer."""
    observed = torch.arange(11.0).reshape(1, 11, 1)
    losses = {
        value: pinball_loss(
            torch.full((1, 11, 1, 1), value), observed, torch.ones(1, 1), (level,)
        ).item()
        for value in torch.arange(0.0, 10.5, 0.5).tolist()
    }
    assert min(losses, key=losses.__getitem__) == best


def test_cross_entropy_by_hand():
    """-log 0.8 for what happened, -log 0.6 for what did not; NaN does not count."""
    predicted = torch.tensor([[[0.8], [0.4], [0.5]]])
    observed = torch.tensor([[[1.0], [0.0], [NAN]]])
    expected = -(torch.tensor([0.8, 0.6]).log().mean()).item()
    assert cross_entropy_loss(predicted, observed).item() == pytest.approx(expected)
    certain = cross_entropy_loss(torch.tensor([[[1.0]]]), torch.tensor([[[0.0]]]))
    assert certain.isfinite()
