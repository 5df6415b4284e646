"""Losses, by numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from xstefaland.training.losses import (
    autoencoder_loss,
    basin_nse_loss,
    masked_mean_square,
)

NAN = math.nan


def test_masked_mean_square_averages_places_then_variables() -> None:
    """(1 + 9) / 2 = 5 of the first, 16 / 1 of the second, nothing of the third."""
    error = torch.tensor([[1.0, -4.0, 7.0], [-3.0, 9.0, 7.0], [50.0, 9.0, 7.0]])
    where = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 0, 0]]).bool()
    assert float(masked_mean_square(error, where)) == pytest.approx((5 + 16) / 2)
    batched = error[None].expand(2, 3, 3), where[None].expand(2, 3, 3)
    assert float(masked_mean_square(*batched)) == pytest.approx((5 + 16) / 2)


def test_masked_mean_square_of_nothing_is_zero() -> None:
    """A NaN where nothing counts does no harm, to the gradient neither."""
    error = torch.tensor([[NAN, 2.0]], requires_grad=True)
    loss = masked_mean_square(error, torch.zeros(1, 2, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0
    assert error.grad is not None
    assert error.grad.tolist() == [[0.0, 0.0]]


def test_autoencoder_loss_is_hidden_plus_a_share_of_seen() -> None:
    """Hidden 2 and 9, seen 0.5 and 13, each averaged: 5.5 + 0.2 * 6.75."""
    scaled = torch.tensor([[1.0, 0.0], [2.0, 1.0], [0.5, NAN], [-1.0, 3.0]])
    predicted = torch.tensor([[3.0, 5.0], [2.0, 4.0], [1.5, 99.0], [-1.0, 4.0]])
    masked = torch.tensor([[1, 0], [1, 1], [0, 1], [0, 0]]).bool()
    hidden = ((2**2 + 0**2) / 2 + 3**2) / 2
    seen = ((1**2 + 0**2) / 2 + (5**2 + 1**2) / 2) / 2
    loss = autoencoder_loss(predicted, scaled, masked, 0.2)
    assert float(loss) == pytest.approx(hidden + 0.2 * seen)


def test_basin_nse_loss_divides_by_each_basin_s_own_deviation() -> None:
    """Errors 1, 2 over (1.9 + 0.1)^2 and 3 over (0.4 + 0.1)^2, over three days."""
    observed = torch.tensor([[[1.0], [NAN], [5.0]], [[2.0], [NAN], [NAN]]])
    predicted = torch.tensor([[[2.0], [77.0], [3.0]], [[5.0], [1.0], [1.0]]])
    deviation = torch.tensor([[1.9], [0.4]])
    expected = (1 / 4 + 4 / 4 + 9 / 0.25) / 3
    loss = basin_nse_loss(predicted, observed, deviation)
    assert float(loss) == pytest.approx(expected)
    wide = basin_nse_loss(predicted, observed, deviation, floor=0.6)
    expected = (1 / 2.5**2 + 4 / 2.5**2 + 9 / 1.0) / 3
    assert float(wide) == pytest.approx(expected)


def test_basin_nse_loss_without_observations_is_zero() -> None:
    """A batch without any observation moves nothing."""
    predicted = torch.ones(2, 3, 1, requires_grad=True)
    loss = basin_nse_loss(predicted, torch.full((2, 3, 1), NAN), torch.ones(2, 1))
    loss.backward()
    assert float(loss.detach()) == 0
    assert predicted.grad is not None
    assert not predicted.grad.any()
