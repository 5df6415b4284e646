"""What must hold for any basin: balance, symmetry, continuation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xstefaland.model.hbv import simulate_lean
from xstefaland.model.hbv.results import SERIES


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize(
    ("dtype", "limit"), [(torch.float64, 2e-3), (torch.float32, 4e-3)]
)
def test_water_balance_closes(basins, backend, version, dtype, limit):
    """P = Q + ET + dS over 800 days to 2e-3 mm (plus rounding in float32)."""
    made = basins(days=800, components=4, dtype=dtype)
    if version == "1.0":
        made.static = torch.cat([made.static[:, :40], made.static[:, -2:]], dim=1)
    fluxes = simulate_lean(**made.lean(backend=backend, version=version))
    inflow = made.forcing[..., 0].double().sum(0)
    lost = (fluxes.streamflow_unrouted + fluxes.evapotranspiration).double().sum(0)
    closure = inflow - lost - (fluxes.storage[-1].double() - 5e-3)
    assert closure.abs().max() <= limit


def test_routing_keeps_the_water(basins, backend):
    """What was routed and what is still under way is what ran off."""
    made = basins(days=400)
    fluxes = simulate_lean(**made.lean(backend=backend))
    missing = fluxes.streamflow_unrouted.sum(0) - fluxes.streamflow.sum(0)
    under_way = fluxes.states.recent_flow[:, 0].sum(1)
    assert (missing >= -1e-9).all()
    assert (missing <= under_way + 1e-9).all()


def test_no_rain_gives_no_flow_beyond_storage(basins, backend):
    """Without rain a basin yields at most the water it starts with."""
    made = basins(days=300)
    made.forcing[:30, :, 0] = 20.0
    made.forcing[30:, :, 0] = 0.0
    wet = simulate_lean(**made.lean(backend=backend))
    stored = wet.storage[29]
    out = wet.streamflow_unrouted[30:].sum(0) + wet.evapotranspiration[30:].sum(0)
    assert (stored > 50).all()
    assert (out <= stored + 2e-3).all()
    assert (wet.streamflow >= 0).all()


def test_order_of_components_does_not_matter(basins, backend):
    """Permuted components change nothing."""
    made = basins(components=5)
    order = torch.tensor([3, 0, 4, 1, 2])
    before = simulate_lean(**made.lean(backend=backend))
    static = made.static[:, :-2].unflatten(1, (11, 5))[..., order].flatten(1)
    made.static = torch.cat([static, made.static[:, -2:]], dim=1)
    made.daily = made.daily.unflatten(2, (3, 5))[..., order].flatten(2)
    after = simulate_lean(**made.lean(backend=backend))
    for name in SERIES:
        torch.testing.assert_close(getattr(before, name), getattr(after, name))


def test_order_of_sites_does_not_matter(basins, backend):
    """Each site's result is its own; in the kernel to the bit."""
    made = basins(sites=20)
    order = torch.randperm(20)
    before = simulate_lean(**made.lean(backend=backend))
    made.forcing, made.daily = made.forcing[:, order], made.daily[:, order]
    made.static = made.static[order]
    after = simulate_lean(**made.lean(backend=backend))
    exact = {"rtol": 0, "atol": 0} if backend == "numba" else {}
    torch.testing.assert_close(before.streamflow[:, order], after.streamflow, **exact)
    stores = before.states.stores()[order]
    torch.testing.assert_close(stores, after.states.stores(), **exact)


@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(15, 99), max_size=3, unique=True))
@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_pieces_equal_one_run(backend, cuts):
    """Time in pieces with carried states equals one run, from 15 days on."""
    g = torch.Generator().manual_seed(len(cuts))
    forcing = torch.rand(100, 2, 3, generator=g, dtype=torch.float64) * 12
    static = torch.randn(2, 24, generator=g, dtype=torch.float64)
    daily = torch.randn(100, 2, 6, generator=g, dtype=torch.float64)
    options = {"components": 2, "backend": backend}
    whole = simulate_lean(forcing, static, daily, **options)
    states, pieces = None, []
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), 100], strict=True):
        part = simulate_lean(
            forcing[first:last],
            static,
            daily[first:last],
            initial_states=states,
            **options,
        )
        pieces.append(part.streamflow)
        states = part.states.detach()
    torch.testing.assert_close(torch.cat(pieces), whole.streamflow, rtol=1e-12, atol=0)
    torch.testing.assert_close(states.stores(), whole.states.stores(), rtol=0, atol=0)
