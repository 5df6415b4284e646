"""Scaling of physical values, by numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from xstefaland.model.scaling import Scaling

NAN = math.nan


@pytest.fixture
def scaling() -> Scaling:
    """Rain after log1p with mean 0.5 and deviation 2; temperature with 10 and 5."""
    part = Scaling(2)
    part.assign([0.5, 10.0], [2.0, 5.0], [True, False])
    return part


def test_values_are_standardised_after_log1p(scaling: Scaling) -> None:
    """(log(1 + e - 1) - 0.5) / 2 = 0.25 and (0 - 10) / 5 = -2."""
    rows = torch.tensor([[math.e - 1, 0.0], [0.0, 10.0], [math.exp(2.5) - 1, 25.0]])
    expected = torch.tensor([[0.25, -2.0], [-0.25, 0.0], [1.0, 3.0]])
    torch.testing.assert_close(scaling(rows), expected)


def test_negative_rain_counts_as_none_and_negative_temperature_stays(
    scaling: Scaling,
) -> None:
    """Only the logged variable is clamped at zero; NaN stays NaN."""
    scaled = scaling(torch.tensor([[-3.0, -3.0], [NAN, NAN]]))
    torch.testing.assert_close(scaled[0], torch.tensor([-0.25, -2.6]))
    assert scaled[1].isnan().all()


def test_inverse_undoes_scaling(scaling: Scaling) -> None:
    """expm1(1 * 2 + 0.5) = 11.1825; 1 * 5 + 10 = 15; there and back is the same."""
    back = scaling.inverse(torch.tensor([[1.0, 1.0]]))
    torch.testing.assert_close(back, torch.tensor([[math.exp(2.5) - 1, 15.0]]))
    rows = torch.tensor([[0.0, -20.0], [3.7, 4.0], [250.0, 31.0]])
    torch.testing.assert_close(scaling.inverse(scaling(rows)), rows)


def test_new_scaling_changes_nothing() -> None:
    """Without statistics it is the identity, for negative values as well."""
    rows = torch.tensor([[-7.0, 0.0, 1e5]])
    torch.testing.assert_close(Scaling(3)(rows), rows)
    torch.testing.assert_close(Scaling(3).inverse(rows), rows)


def test_gradients_of_large_values_are_numbers() -> None:
    """100 mm of snow train a head, though expm1(100) is no float32."""
    part = Scaling(2)
    part.assign([100.0, 1.0], [50.0, 0.5], [False, True])
    scaled = torch.tensor([[1.0, 1.0]], requires_grad=True)
    part.inverse(scaled).sum().backward()
    assert scaled.grad is not None
    expected = torch.tensor([[50.0, 0.5 * math.exp(1.5)]])
    torch.testing.assert_close(scaled.grad, expected)
