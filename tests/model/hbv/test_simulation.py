"""The two forms of a run, its options, its errors and its choice of backend."""

from __future__ import annotations

import logging

import pytest
import torch

from xstefaland.errors import InputError
from xstefaland.model.hbv import backends, lean_widths, simulate, simulate_lean
from xstefaland.model.hbv.parameters import NAMES
from xstefaland.model.hbv.results import SERIES


def _drop_in(made):
    """Lay lean logits out as daily logits of all parameters."""
    m, days = made.components, made.forcing.shape[0]
    static = iter(made.static[:, :-2].split(m, dim=1))
    daily = iter(made.daily.split(m, dim=2))
    parts = [
        next(daily)
        if n in ("beta", "k0", "beta_et")
        else next(static).expand(days, -1, -1)
        for n in NAMES
    ]
    return torch.cat([*parts, made.static[:, -2:].expand(days, -1, -1)], dim=2)


def test_lean_form_equals_drop_in(basins, backend):
    """Both forms give the same numbers, to the bit."""
    made = basins(days=50, components=4)
    lean = simulate_lean(**made.lean(backend=backend, warmup=10))
    whole = simulate(
        made.forcing, _drop_in(made), components=4, backend=backend, warmup=10
    )
    for name in SERIES:
        assert torch.equal(getattr(lean, name), getattr(whole, name))


def test_only_the_last_day_of_a_static_parameter_counts(basins, backend):
    """Earlier logits of parameters that are not dynamic are not read."""
    made = basins(components=2)
    logits = _drop_in(made)
    changed = logits.clone()
    changed[:-1, :, 2:4] = 5.0  # field capacity
    first, second = (
        simulate(made.forcing, x, components=2, backend=backend)
        for x in (logits, changed)
    )
    assert torch.equal(first.streamflow, second.streamflow)


def test_warm_up_starts_from_the_stores_it_fills(basins, backend):
    """A warm-up equals a run of those days with constant parameters."""
    made = basins(days=60)
    fluxes = simulate_lean(**made.lean(warmup=30, backend=backend))
    held = made.daily[29].expand(30, -1, -1)
    before = simulate_lean(
        **made.lean(forcing=made.forcing[:30], dynamic_logits=held, backend=backend)
    )
    stores = before.states.stores()
    states = type(before.states)(*stores.unbind(1), torch.zeros(3, 4, 0).double())
    after = simulate_lean(
        **made.lean(
            forcing=made.forcing[30:],
            dynamic_logits=made.daily[30:],
            initial_states=states,
            backend=backend,
        )
    )
    torch.testing.assert_close(fluxes.streamflow, after.streamflow)


def test_warm_up_with_gradient_cuts_after_routing(basins, backend):
    """The other warm-up is the whole run without its first days."""
    made = basins(days=60)
    whole = simulate_lean(**made.lean(backend=backend))
    cut = simulate_lean(**made.lean(backend=backend, warmup=25, warmup_states=False))
    for name in (*SERIES, "potential_evapotranspiration"):
        assert torch.equal(getattr(whole, name)[25:], getattr(cut, name))
    assert torch.equal(whole.baseflow_index, cut.baseflow_index)


def test_without_routing_flow_is_unrouted(basins, backend):
    """Routed series are the unrouted ones."""
    fluxes = simulate_lean(**basins().lean(routing=False, backend=backend))
    assert torch.equal(fluxes.streamflow, fluxes.streamflow_unrouted)
    assert torch.equal(fluxes.baseflow, fluxes.baseflow_unrouted)


def test_weights_change_total_flow_only(basins, backend):
    """The parts of the flow stay plain means."""
    made = basins(components=3)
    weights = torch.tensor([[1.0, 0.0, 0.0]]).double().expand(3, 3)
    plain = simulate_lean(**made.lean(backend=backend))
    weighted = simulate_lean(**made.lean(component_weights=weights, backend=backend))
    assert not torch.allclose(plain.streamflow, weighted.streamflow)
    assert torch.equal(plain.baseflow, weighted.baseflow)


def test_snow_water_is_ice_and_water(basins, backend):
    """The target snow_water_equivalent has the liquid water in it."""
    fluxes = simulate_lean(**basins(days=100).lean(backend=backend))
    both = fluxes.snowpack + fluxes.meltwater
    assert torch.equal(fluxes.snow_water_equivalent, both)
    assert (fluxes.meltwater > 0).any()


@pytest.mark.parametrize("components", [1, 7, 16])
def test_any_number_of_components(basins, components):
    """The kernel pads what is less than a vector."""
    made = basins(components=components)
    fast, plain = (
        simulate_lean(**made.lean(backend=b)) for b in ("numba", "reference")
    )
    torch.testing.assert_close(fast.streamflow, plain.streamflow)


def test_threads_change_nothing(basins):
    """One thread and several give the same bits."""
    made = basins(sites=40)
    results, threads = [], torch.get_num_threads()
    for count in (1, 3):
        torch.set_num_threads(count)
        results.append(simulate_lean(**made.lean(backend="numba")).streamflow)
    torch.set_num_threads(threads)
    assert torch.equal(*results)


def test_broken_logits_are_not_hidden(basins, backend):
    """A logit that is not a number makes its site's flow not a number."""
    made = basins(days=20)
    made.static[1, 0] = torch.nan
    flow = simulate_lean(**made.lean(backend=backend)).streamflow
    assert flow[:, 1].isnan().any()
    assert not flow[:, [0, 2]].isnan().any()


def test_defaults_are_those_of_the_paper():
    """16 components, three daily parameters, routing: 226 logits."""
    assert lean_widths() == (178, 48)
    fluxes = simulate(torch.ones(20, 1, 3), torch.zeros(20, 1, 226))
    assert fluxes.states.soil_moisture.shape == (1, 16)


def test_every_problem_is_named_at_once(basins):
    """One error lists all that is wrong, each with its remedy."""
    made = basins(components=2)
    with pytest.raises(InputError) as caught:
        simulate_lean(
            made.forcing,
            made.static[:, 1:],
            made.daily.float(),
            components=2,
            warmup=99,
            dynamic_dropout=2.0,
            component_weights=torch.ones(2, 2),
        )
    text = str(caught.value)
    for part in (
        r"static_logits has shape (3, 23), but (3, 24)",
        "pass dynamic_logits.to(forcing)",
        "warmup=99",
        "dynamic_dropout=2.0",
        "component_weights has shape (2, 2)",
    ):
        assert part in text


def test_gaps_and_shapes_of_forcing_are_refused():
    """Water cannot be balanced with gaps, nor with two columns."""
    logits = torch.zeros(5, 1, 226)
    with pytest.raises(InputError, match="3 values that are missing"):
        simulate(torch.full((5, 1, 3), torch.nan)[:1], logits[:1])
    with pytest.raises(InputError, match=r"\(5, 1, 2\).*\[time, site, 3\]"):
        simulate(torch.zeros(5, 1, 2), logits)
    with pytest.raises(InputError, match=r"forcing\.float\(\)"):
        simulate(torch.zeros(5, 1, 3, dtype=torch.int64), logits)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"backend": "fortran"}, "'fortran' is unknown"),
        ({"backend": "triton"}, "'triton' cannot run"),
        ({"version": "2"}, "'2' is unknown"),
        ({"dynamic": ("gamma",)}, r"\('gamma',\)"),
        ({"version": "1.0", "dynamic": ("c",)}, "different ones of"),
    ],
)
def test_unknown_options_are_refused(options, match):
    """An option that does not exist is named with those that do."""
    with pytest.raises(InputError, match=match):
        simulate(torch.ones(5, 1, 3), torch.zeros(5, 1, 226), **options)


def test_a_backend_that_is_too_small_is_refused():
    """17 components do not fit into the 16 lanes of the kernel."""
    with pytest.raises(InputError, match="at most 16 components, not 17"):
        simulate(
            torch.ones(5, 1, 3), torch.zeros(5, 1, 240), components=17, backend="numba"
        )


def test_without_numba_it_runs_and_says_so(basins, monkeypatch, caplog):
    """The plain equations take over, with one notice that they are slower."""
    made = basins()
    expected = simulate_lean(**made.lean(backend="reference")).streamflow
    monkeypatch.setattr(backends, "_installed", lambda name: False)
    backends.best_backend.cache_clear()
    with caplog.at_level(logging.WARNING, "xstefaland"):
        found = [simulate_lean(**made.lean()).streamflow for _ in range(2)]
    backends.best_backend.cache_clear()
    assert torch.equal(found[1], expected)
    assert [r.getMessage().count("slower") for r in caplog.records] == [1]


def test_many_components_run_in_plain_torch(basins, caplog):
    """More components than the kernel has lanes fall back, with a notice."""
    made = basins(components=17)
    backends.best_backend.cache_clear()
    with caplog.at_level(logging.WARNING, "xstefaland"):
        fluxes = simulate_lean(**made.lean())
    assert fluxes.states.snowpack.shape == (3, 17)
    assert "at most 16 components" in caplog.text
