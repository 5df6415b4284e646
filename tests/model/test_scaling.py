"""Scaling: there and back, and gradients that stay numbers."""

from __future__ import annotations

import torch

from xstefaland.model.scaling import Scaling


def scaling() -> Scaling:
    """Two variables, the second after log1p."""
    made = Scaling(2)
    made.assign([100.0, 1.0], [50.0, 0.5], [False, True])
    return made


def test_inverse_undoes_scaling() -> None:
    """For both transforms, by hand."""
    values = torch.tensor([[150.0, 3.0], [0.0, 0.0]])
    scaled = scaling()(values)
    torch.testing.assert_close(scaled[0, 0], torch.tensor(1.0))
    torch.testing.assert_close(scaled[0, 1], (torch.log(torch.tensor(4.0)) - 1) / 0.5)
    torch.testing.assert_close(scaling().inverse(scaled), values)


def test_gradients_of_large_values_are_numbers() -> None:
    """100 mm of snow train a head, though expm1(100) is no float32."""
    scaled = torch.tensor([[1.0, 1.0]], requires_grad=True)
    scaling().inverse(scaled).sum().backward()
    assert scaled.grad is not None
    expected = torch.tensor([[50.0, 0.5 * float(torch.tensor(1.5).exp())]])
    torch.testing.assert_close(scaled.grad, expected)
