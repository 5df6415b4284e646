"""
Run HBV for many sites: the drop-in form, the lean form, and the choice of backend.

Both forms map logits to fluxes and can be differentiated. The drop-in form takes all
logits every day, as the model's authors do, although a parameter that is not dynamic
is read on the last day only. The lean form takes each logit once and is what a head
should use: 178 constant and 48 daily numbers a site instead of 226 daily ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from xstefaland.model.hbv import equations
from xstefaland.model.hbv.backends import Backend, best_backend, check_backend
from xstefaland.model.hbv.checks import check_run
from xstefaland.model.hbv.parameters import DYNAMIC, NAMES, Version
from xstefaland.model.hbv.plan import Plan, drop_in_plan, lean_plan
from xstefaland.model.hbv.results import Fluxes, States, collect

March = Callable[..., tuple[Tensor, ...]]


def simulate(
    forcing: Tensor,
    logits: Tensor,
    *,
    components: int = 16,
    dynamic: Sequence[str] = DYNAMIC,
    routing: bool = True,
    warmup: int = 0,
    warmup_states: bool = True,
    component_weights: Tensor | None = None,
    dynamic_dropout: float = 0.0,
    version: Version = "1.1",
    backend: Backend = "auto",
    initial_states: States | None = None,
) -> Fluxes:
    """
    Run HBV on daily logits of all parameters.

    Parameters
    ----------
    forcing : Tensor [time, site, 3]
        Precipitation (mm d-1), mean air temperature (degC) and potential
        evapotranspiration (mm d-1), without gaps; float32 or float64.
    logits : Tensor [time, site, 14 * components + 2]
        Parameter by parameter in the order of `parameters.PHYSICAL`, within a
        parameter component by component, last the two of the routing. A parameter
        that is not dynamic is read on the last day only. Version 1.0 has
        ``12 * components + 2``, or 13 times with dynamic ``beta_et``.
    components : int
        Parallel components of a site; results are their mean.
    dynamic : sequence of str
        Parameters that change from day to day.
    routing : bool
        Whether flow is routed to the gauge; otherwise the routed series equal the
        unrouted ones.
    warmup : int
        First days that are left out of the results.
    warmup_states : bool
        Whether these days run without gradient and with all parameters as on their
        last day, only to fill the stores (water under way is not kept, so the next 14
        days of routed flow are low). Otherwise they run as all other days do.
    component_weights : Tensor [site, component] or [time, site, component], optional
        Weights of the components in total streamflow instead of their mean. All other
        series stay means.
    dynamic_dropout : float
        Chance with which a dynamic parameter of a site is held at its last day's
        value, drawn for each site and parameter. Pass it in training only.
    version : {"1.1", "1.0"}
        1.0 has no capillary rise and no `beta_et` unless that is dynamic.
    backend : {"auto", "numba", "triton", "reference"}
        Fused kernels for the CPU, (experimental) fused kernels for the GPU, or the
        plain torch equations. "auto" takes what fits the tensors and is installed.
    initial_states : States, optional
        Where the run starts from, e.g. ``fluxes.states`` of the days before; by default
        0.001 mm in every store and no water under way.

    Returns
    -------
    Fluxes
        Tensors ``[time - warmup, site]`` and the final states.

    Raises
    ------
    InputError
        If shapes, numbers or options do not fit; all problems at once.

    Notes
    -----
    HBV with parallel components and daily parameters follows Feng et al. (2022,
    doi:10.1029/2022WR032404) and Song et al. (2024) for capillary rise; the model goes
    back to Bergstrom (1976) and Seibert and Vis (2012).

    Examples
    --------
    Ten days of rain on two sites, with all parameters in the middle of their range:

    >>> import torch
    >>> forcing = torch.tensor([20.0, 10.0, 2.0]).expand(10, 2, 3)
    >>> fluxes = simulate(forcing, torch.zeros(10, 2, 226))
    >>> fluxes.streamflow.shape, bool((fluxes.streamflow.diff(dim=0) > 0).all())
    (torch.Size([10, 2]), True)
    """
    dynamic = tuple(dynamic)
    plan = drop_in_plan(components, version, dynamic, routing)
    static = logits.new_zeros(logits.shape[1] if logits.ndim > 1 else 0, 0)
    return _run(
        forcing, static, logits, plan, warmup, warmup_states, component_weights,
        dynamic_dropout, backend, initial_states,
    )  # fmt: skip


def simulate_lean(
    forcing: Tensor,
    static_logits: Tensor,
    dynamic_logits: Tensor | None = None,
    *,
    components: int = 16,
    dynamic: Sequence[str] = DYNAMIC,
    routing: bool = True,
    warmup: int = 0,
    warmup_states: bool = True,
    component_weights: Tensor | None = None,
    dynamic_dropout: float = 0.0,
    version: Version = "1.1",
    backend: Backend = "auto",
    initial_states: States | None = None,
) -> Fluxes:
    """
    Run HBV on constant logits of the static parameters and daily ones of the others.

    Parameters
    ----------
    forcing : Tensor [time, site, 3]
        As for `simulate`.
    static_logits : Tensor [site, static parameters * components + 2]
        The parameters that are not in `dynamic`, in the order of
        `parameters.PHYSICAL`, each component by component, last ``route_a`` and
        ``route_b``: 178 columns by default (see `lean_widths`).
    dynamic_logits : Tensor [time, site, dynamic parameters * components], optional
        The parameters in `dynamic`, in the same order (not in the order in which
        `dynamic` lists them), each component by component: 48 columns by default.
        Leave it out if `dynamic` is empty.
    components, dynamic, routing, warmup, warmup_states, component_weights, \
dynamic_dropout, version, backend, initial_states
        As for `simulate`.

    Returns
    -------
    Fluxes
        Tensors ``[time - warmup, site]`` and the final states.

    Raises
    ------
    InputError
        If shapes, numbers or options do not fit; all problems at once.

    Examples
    --------
    A year in two pieces, the second from where the first one ended:

    >>> import torch
    >>> forcing = torch.tensor([3.0, 10.0, 2.0]).expand(365, 1, 3)
    >>> static, daily = torch.zeros(1, 178), torch.zeros(365, 1, 48)
    >>> first = simulate_lean(forcing[:100], static, daily[:100])
    >>> rest = simulate_lean(
    ...     forcing[100:], static, daily[100:], initial_states=first.states
    ... )
    >>> whole = simulate_lean(forcing, static, daily)
    >>> torch.equal(whole.streamflow[100:], rest.streamflow)
    True
    """
    plan = lean_plan(components, version, tuple(dynamic), routing)
    if dynamic_logits is None:
        dynamic_logits = forcing.new_zeros(*forcing.shape[:2], 0)
    return _run(
        forcing, static_logits, dynamic_logits, plan, warmup, warmup_states,
        component_weights, dynamic_dropout, backend, initial_states,
    )  # fmt: skip


def _run(
    forcing: Tensor, static: Tensor, daily: Tensor, plan: Plan, warmup: int,
    warmup_states: bool, weights: Tensor | None, dropout: float, backend: Backend,
    states: States | None,
) -> Fluxes:  # fmt: skip
    """Check, warm up, run, and name the results."""
    check_run(forcing, static, daily, plan, warmup, weights, dropout, states)
    march = _choose(backend, forcing, plan.components)
    initial, history = _start(forcing, plan.components, states)
    weighted = _weights(forcing, plan, weights)
    skip = 0
    if warmup_states and warmup:
        initial = _fill_stores(march, forcing, static, daily, plan, initial, warmup)
        history = history[:, :, :0]
        weighted = weighted[warmup:] if weighted.shape[0] > 1 else weighted
        skip, warmup = warmup, 0
    frozen = _draw(forcing, dropout)
    given = (forcing, static, daily, weighted, initial, history, frozen)
    outputs = march(*given, plan, skip)
    return collect(outputs, forcing[skip:, :, 2], history, warmup)


def _start(
    forcing: Tensor, components: int, states: States | None
) -> tuple[Tensor, Tensor]:
    """Return the storages and the unrouted flow to start from."""
    if states is not None:
        return states.stores(), states.recent_flow
    sites = forcing.shape[1]
    initial = forcing.new_full((sites, 5, components), equations.START)
    return initial, forcing.new_zeros(sites, equations.OUTFLOWS, 0)


def _weights(forcing: Tensor, plan: Plan, weights: Tensor | None) -> Tensor:
    """Return the weights of the total flow ``[0, 1 or time, site, component]``."""
    if weights is None:
        return forcing.new_zeros(0, forcing.shape[1], plan.components)
    return weights if weights.ndim == 3 else weights[None]


def _fill_stores(
    march: March, forcing: Tensor, static: Tensor, daily: Tensor, plan: Plan,
    initial: Tensor, days: int,
) -> Tensor:  # fmt: skip
    """Run the days of warm-up without gradient; return the storages after them."""
    with torch.no_grad():
        frozen = _draw(forcing, 0.0)
        nothing = _weights(forcing, plan, None)
        history = forcing.new_zeros(forcing.shape[1], equations.OUTFLOWS, 0)
        given = (
            forcing[:days],
            static,
            daily[:days],
            nothing,
            initial,
            history,
            frozen,
        )
        return march(*given, plan.still())[-1]


def _draw(forcing: Tensor, dropout: float) -> Tensor:
    """Draw which daily parameters are held constant, 1 for each that is."""
    shape = forcing.shape[1], len(NAMES)
    if not dropout:
        return torch.zeros(shape, dtype=torch.uint8, device=forcing.device)
    held = torch.rand(shape, device=forcing.device) < dropout
    return held.to(torch.uint8)


def _choose(backend: Backend, forcing: Tensor, components: int) -> March:
    """Return the function that runs the days."""
    device = forcing.device.type
    if backend == "auto":
        backend = best_backend(device, components)
    check_backend(backend, device, components)
    if backend == "numba":
        from xstefaland.model.hbv.cpu.operator import march as fused

        return fused
    if backend == "triton":
        from xstefaland.model.hbv.gpu.operator import march as fused_on_gpu

        return fused_on_gpu
    return equations.march
