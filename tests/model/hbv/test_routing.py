"""The gamma unit hydrograph and its convolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from xstefaland.model.hbv.routing import convolve, unit_hydrograph

FILE = Path(__file__).resolve().parents[2] / "golden/hbv/unit_hydrograph_f64.npz"


@pytest.fixture
def golden() -> dict[str, torch.Tensor]:
    """Weights, flow and gradients of 42 pairs of parameters."""
    with np.load(FILE) as file:
        return {k: torch.tensor(file[k], dtype=torch.float64) for k in file}


def test_weights_and_flow_are_exact(golden):
    """Weights and routed flow agree with the original to 1e-12."""
    weights = unit_hydrograph(golden["route_a"], golden["route_b"])
    torch.testing.assert_close(weights, golden["weights"], rtol=1e-12, atol=1e-14)
    flow = convolve(golden["q_in"], weights)
    torch.testing.assert_close(flow, golden["q_out"], rtol=1e-12, atol=1e-14)


def test_gradients_are_exact(golden):
    """Derivatives by both parameters agree with the original."""
    a, b = (golden[k].requires_grad_() for k in ("route_a", "route_b"))
    flow = convolve(golden["q_in"], unit_hydrograph(a, b))
    found = torch.autograd.grad((flow * golden["cotangent"]).sum(), (a, b))
    for mine, name in zip(found, ("grad_a", "grad_b"), strict=True):
        assert (mine - golden[name]).norm() <= 1e-12 * golden[name].norm()


@pytest.mark.parametrize("days", [1, 7, 15, 400])
def test_weights_add_up_to_one(days):
    """No water is lost or made, however short the record."""
    weights = unit_hydrograph(torch.tensor([0.0, 2.9]), torch.tensor([6.5, 0.0]), days)
    assert weights.shape == (min(days, 15), 2)
    torch.testing.assert_close(weights.sum(0), torch.ones(2))


def test_flow_of_the_days_before_still_arrives():
    """Routing in two pieces equals routing at once."""
    flow = torch.rand(30, 4, dtype=torch.float64)
    weights = unit_hydrograph(torch.full((4,), 2.0), torch.full((4,), 3.0)).double()
    whole = convolve(flow, weights)
    rest = convolve(flow[20:], weights, flow[6:20])
    torch.testing.assert_close(rest, whole[20:])
