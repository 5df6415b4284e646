"""Derivatives of both backends, by finite differences and by each other."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch

from xstefaland.model.hbv import Fluxes, States, simulate, simulate_lean


def _wet_states(sites: int, components: int) -> States:
    """Stores with water in all of them, and flow under way."""
    g = torch.Generator().manual_seed(9)
    low = torch.tensor([5.0, 0.4, 40.0, 30.0, 10.0], dtype=torch.float64)
    noise = torch.rand(sites, 5, components, generator=g, dtype=torch.float64)
    stores = low[:, None] * (1 + noise)
    flow = torch.rand(sites, 4, 14, generator=g, dtype=torch.float64)
    return States(*stores.unbind(1), flow)


def _all_outputs(fluxes: Fluxes) -> tuple[torch.Tensor, ...]:
    """Every series and final state that can be differentiated."""
    left_out = {"states", "all_days"}
    given = (getattr(fluxes, f.name) for f in fields(fluxes) if f.name not in left_out)
    return (
        *given,
        fluxes.baseflow_index,
        fluxes.states.stores(),
        fluxes.states.recent_flow,
    )


def test_gradcheck(basins, backend):
    """Finite differences agree for logits, forcing, weights and first states."""
    days = 40 if backend == "numba" else 6  # the kernel: beyond one segment
    made = basins(days=days, sites=2, components=2, seed=3)
    made.forcing[..., 0] += 0.5  # a day without rain is a kink
    states = _wet_states(2, 2)
    weights = torch.rand(2, 2, dtype=torch.float64)

    def run(forcing, static, daily, weights, stores, flow):
        fluxes = simulate_lean(
            forcing,
            static,
            daily,
            components=2,
            backend=backend,
            component_weights=weights,
            initial_states=States(*stores.unbind(1), flow),
        )
        return _all_outputs(fluxes)

    inputs = (made.forcing, made.static, made.daily, weights, states.stores())
    inputs = tuple(x.clone().requires_grad_() for x in (*inputs, states.recent_flow))
    assert torch.autograd.gradcheck(
        run, inputs, eps=1e-7, atol=1e-5, fast_mode=days > 6
    )


@pytest.mark.parametrize(
    "options",
    [
        {"warmup": 10, "warmup_states": False},
        {"warmup": 10, "warmup_states": True},
        {"routing": False},
        {"version": "1.0", "dynamic": ("k1", "beta_et")},
        {"version": "1.0", "dynamic": ()},
        {"dynamic": ()},
        {"component_weights": "daily"},
    ],
)
def test_kernel_equals_reference(basins, options):
    """In every mode all outputs and gradients of the kernel are the reference's."""
    pytest.importorskip("numba")
    made = basins(days=70, components=3)
    width = 14 if options.get("version") != "1.0" else 12 + len(options["dynamic"]) // 2
    g = torch.Generator().manual_seed(1)
    logits = torch.randn(70, 3, 3 * width + 2, generator=g, dtype=torch.float64)
    if options.get("component_weights"):
        weights = torch.rand(70, 3, 3, generator=g, dtype=torch.float64)
        options = {"component_weights": weights}
    results = {}
    for backend in ("reference", "numba"):
        given = [x.detach().requires_grad_() for x in (made.forcing, logits)]
        fluxes = simulate(*given, components=3, backend=backend, **options)
        outputs = _all_outputs(fluxes)
        score = sum(
            (o * torch.cos(torch.arange(o.numel())).view_as(o)).sum() for o in outputs
        )
        results[backend] = (*outputs, *torch.autograd.grad(score, given))
    for mine, theirs in zip(results["numba"], results["reference"], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)


def test_warm_up_of_states_has_no_gradient(basins, backend):
    """Days that only fill the stores get a gradient of exactly zero."""
    made = basins(days=60)
    daily = made.daily.requires_grad_()
    fluxes = simulate_lean(**made.lean(warmup=20, backend=backend))
    assert fluxes.streamflow.shape == (40, 3)
    (gradient,) = torch.autograd.grad(fluxes.streamflow.sum(), daily)
    assert not gradient[:20].any()
    assert gradient[20:].any()


def test_held_parameters_learn_from_their_last_day(basins, backend):
    """With dropout 1 a daily parameter is its last day's value, gradient included."""
    made = basins(days=50)
    daily = made.daily.requires_grad_()
    fluxes = simulate_lean(**made.lean(dynamic_dropout=1.0, backend=backend))
    constant = made.daily.detach()[-1:].expand_as(daily)
    expected = simulate_lean(**made.lean(dynamic_logits=constant, backend=backend))
    torch.testing.assert_close(fluxes.streamflow, expected.streamflow)
    (gradient,) = torch.autograd.grad(fluxes.streamflow.sum(), daily)
    assert not gradient[:-1].any()
    assert gradient[-1].any()


def test_a_gradient_can_be_left_out(basins, backend):
    """Only what wants a gradient gets one; without any, nothing is kept."""
    made = basins()
    assert not simulate_lean(**made.lean(backend=backend)).streamflow.requires_grad
    made.static.requires_grad_()
    simulate_lean(**made.lean(backend=backend)).streamflow.sum().backward()
    assert made.static.grad is not None
    assert made.daily.grad is None
