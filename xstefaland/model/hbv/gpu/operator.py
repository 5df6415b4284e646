"""The GPU kernels as one differentiable operation of torch (experimental)."""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor

from xstefaland.model.hbv.equations import OUTFLOWS, SMALLEST
from xstefaland.model.hbv.gpu.kernels import run_adjoint, run_forward
from xstefaland.model.hbv.parameters import FIXED, NAMES, PHYSICAL
from xstefaland.model.hbv.plan import Plan, constant_logits
from xstefaland.model.hbv.routing import convolve, route_values, unit_hydrograph

SERIES = 16
LANES = 32
"""Components of a program at least: a full warp."""


def _values(
    static: Tensor, daily: Tensor, frozen: Tensor, plan: Plan
) -> tuple[Tensor, Tensor, Tensor]:
    """
    Turn logits into values in the kernel's layout.

    Returns
    -------
    tuple of Tensor
        Constant values ``[14, site, component]``, daily ones ``[time, daily parameter,
        site, component]`` and the routing logits ``[site, 2]``.
    """
    full, route = constant_logits(static, daily, plan)
    low = full.new_tensor([entry.low for entry in PHYSICAL])[:, None, None]
    span = full.new_tensor([p.high - p.low for p in PHYSICAL])[:, None, None]
    constant = full.view(-1, len(NAMES), plan.components).transpose(0, 1)
    constant = low + constant.sigmoid() * span
    off = [p for p in range(len(NAMES)) if plan.is_fixed(p)]
    if off:
        fixed = full.new_tensor([FIXED[NAMES[p]] for p in off])[:, None, None]
        index = torch.tensor(off, device=full.device)
        constant = constant.index_copy(0, index, fixed.expand_as(constant[off]))
    chosen = [p for p, column in enumerate(plan.daily) if column >= 0]
    columns = [plan.daily[p] for p in chosen]
    parts = [daily[..., c : c + plan.components] for c in columns]
    if not parts:
        return constant, daily.new_zeros(len(daily), 0, *constant.shape[1:]), route
    own = low[chosen] + torch.stack(parts, dim=1).sigmoid() * span[chosen]
    held = frozen[:, chosen].bool().T[:, :, None]
    return constant, torch.where(held, constant[chosen], own), route


def _constants(plan: Plan, weights: Tensor) -> dict[str, Any]:
    """Return what the kernels are compiled for."""
    order = [p for p, column in enumerate(plan.daily) if column >= 0]
    columns = tuple(order.index(p) if p in order else -1 for p in range(len(NAMES)))
    width = triton.next_power_of_2(plan.components)
    return {
        "M": plan.components,
        "M2": width,
        "S": max(1, LANES // width),
        "D": len(order),
        "WEIGHT_DAYS": weights.shape[0],
        "CAPILLARY": plan.version == "1.1",
        "EPS": SMALLEST,
        "COLUMNS": columns,
        "num_warps": max(1, width // LANES),
        "enable_fp_fusion": False,
    }


class GpuMarch(torch.autograd.Function):
    """Run all days in the kernels, from parameter values to unrouted series."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
        """Run forward; store the states before every day if a gradient is wanted."""
        *tensors, plan = arguments
        forcing, constant, daily, weights, initial = (x.contiguous() for x in tensors)
        days, sites = forcing.shape[:2]
        needed = any(ctx.needs_input_grad)
        series = forcing.new_empty(SERIES, days, sites)
        final = torch.empty_like(initial)
        states = forcing.new_empty(days if needed else 0, *initial.shape)
        options = _constants(plan, weights)
        run_forward[(triton.cdiv(sites, options["S"]),)](
            forcing, constant, daily, weights, initial, series, final, states,
            days, sites, STORE=needed, **options,
        )  # fmt: skip
        ctx.save_for_backward(forcing, constant, daily, weights, states)
        ctx.plan = plan
        return series, final

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Pull the days back from the last to the first."""
        forcing, constant, daily, weights, states = ctx.saved_tensors
        g, g_final = (x.contiguous() for x in gradients)
        days, sites = forcing.shape[:2]
        g_forcing, g_constant = torch.empty_like(forcing), torch.empty_like(constant)
        g_daily, g_initial = torch.empty_like(daily), torch.empty_like(g_final)
        every_day = (days if len(weights) else 0, *weights.shape[1:])
        g_weights = weights.new_empty(every_day)
        options = _constants(ctx.plan, weights)
        run_adjoint[(triton.cdiv(sites, options["S"]),)](
            forcing, constant, daily, weights, states, g, g_final, g_forcing,
            g_constant, g_daily, g_weights, g_initial, days, sites, **options,
        )  # fmt: skip
        if len(weights) == 1:
            g_weights = g_weights.sum(dim=0, keepdim=True)
        return g_forcing, g_constant, g_daily, g_weights, g_initial, None


def march(
    forcing: Tensor, static: Tensor, daily: Tensor, weights: Tensor, initial: Tensor,
    history: Tensor, frozen: Tensor, plan: Plan, skip: int = 0,
) -> tuple[Tensor, ...]:  # fmt: skip
    """
    Run all days on the GPU (experimental).

    Arguments and results are those of ``equations.march``. The days run in fused
    kernels, the maps from logits to values and the routing in torch.
    """
    constant, values, route = _values(static, daily[skip:], frozen, plan)
    given = (forcing[skip:], constant, values, weights, initial.transpose(0, 1))
    series, final = GpuMarch.apply(*given, plan)  # type: ignore[no-untyped-call]
    routed = series[:OUTFLOWS]
    if plan.routing:
        known = history.permute(1, 2, 0)
        a, b = route_values(route)
        hydrograph = unit_hydrograph(a, b, series.shape[1] + known.shape[1])
        routed = convolve(routed, hydrograph, known)
    return (*series, *routed, final.transpose(0, 1))
