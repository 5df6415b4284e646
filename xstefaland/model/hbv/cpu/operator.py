"""The fused kernels as one differentiable operation of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xstefaland.model.hbv.cpu import layout as at
from xstefaland.model.hbv.cpu.adjoint import run_adjoint
from xstefaland.model.hbv.cpu.compiling import announce
from xstefaland.model.hbv.cpu.forward import run_forward
from xstefaland.model.hbv.equations import SMALLEST
from xstefaland.model.hbv.parameters import NAMES, PHYSICAL
from xstefaland.model.hbv.plan import (
    Plan,
    constant_logits,
    fixed_values,
    return_gradient,
)

Array = NDArray[Any]

BLOCK = 8
"""Sites of a thread's unit of work."""


def _array(tensor: Tensor) -> Array:
    """View a tensor as numpy; one with strides is copied."""
    return tensor.detach().contiguous().numpy()


def _in_parallel(
    kernel: Callable[..., None], sites: int, arguments: Sequence[Any]
) -> None:
    """
    Run a kernel over blocks of sites with as many threads as torch uses.

    Plain threads and a kernel without interpreter lock are used rather than numba's
    parallel loops: these abort the process when two threads enter them at once,
    or after a fork, and their idle threads spin against those of torch.
    """
    blocks = [(n, min(n + BLOCK, sites)) for n in range(0, sites, BLOCK)]
    threads = min(torch.get_num_threads(), len(blocks))
    if threads <= 1:
        kernel(0, sites, *arguments)
        return
    with ThreadPoolExecutor(threads) as pool:
        for result in [pool.submit(kernel, *block, *arguments) for block in blocks]:
            result.result()


def _columns(plan: Plan) -> Array:
    """Return the kernel's code of every parameter's source."""
    codes = [
        at.FIXED if plan.is_fixed(p) else max(column, at.STATIC)
        for p, column in enumerate(plan.daily)
    ]
    return np.array(codes, np.int64)


def _tables(plan: Plan, dtype: Any) -> tuple[Array, Array, Array]:
    """Return fixed values, bounds and the numbers that depend on the version."""
    bounds = np.array([[p.low, p.high - p.low] for p in PHYSICAL]).T
    capillary = plan.version == "1.1"
    numbers = [SMALLEST, SMALLEST if capillary else 0.0, float(capillary)]
    return (
        np.array(fixed_values(), dtype),
        np.ascontiguousarray(bounds, dtype),
        np.array(numbers, dtype),
    )


def _inputs(tensors: Sequence[Tensor], plan: Plan, skip: int) -> list[Array]:
    """Return the kernel's input arrays, in its order."""
    forcing, static, daily, weights, initial, history, frozen = tensors
    full, route = constant_logits(static, daily, plan)
    arrays = [_array(t) for t in (forcing[skip:], full, daily[skip:])]
    fixed, bounds, numbers = _tables(plan, arrays[0].dtype)
    arrays += [_columns(plan), _array(frozen), fixed, bounds]
    arrays += [_array(weights), _array(initial), numbers]
    return [*arrays, _array(route[: route.shape[0] * plan.routing]), _array(history)]


class CpuMarch(torch.autograd.Function):
    """Run all days, as `equations.march`, in the fused kernels."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
        """Run forward; store the states at the start of every segment."""
        *tensors, plan, skip = arguments
        inputs = _inputs(tensors, plan, skip)
        (days, sites), dtype = inputs[0].shape[:2], inputs[0].dtype
        needed = any(ctx.needs_input_grad)
        segments = -(-days // at.SEGMENT)
        series = np.empty((sites, at.SERIES, days), dtype)
        final = np.empty_like(inputs[8])
        stored = np.empty((sites * needed, segments, at.STATES, at.LANES), dtype)
        announce(run_forward, str(dtype))
        _in_parallel(run_forward, sites, [*inputs, series, final, stored])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        ctx.plan, ctx.skip, ctx.series, ctx.stored = plan, skip, series, stored
        rows = torch.from_numpy(series).permute(1, 2, 0).unbind(0)
        if not plan.routing:
            rows = (*rows[: at.FLUXES], *(r.clone() for r in rows[: at.ROUTED]))
        return (*rows, torch.from_numpy(final))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Replay the segments from the last to the first and pull them back."""
        tensors, plan, skip = ctx.saved_tensors, ctx.plan, ctx.skip
        inputs = _inputs(tensors, plan, skip)
        cotangent, given = _cotangents(gradients[:-1], ctx.series, plan)
        last = gradients[-1]
        g_final = np.zeros_like(inputs[8]) if last is None else _array(last)
        outputs = _Gradients(tensors, ctx.needs_input_grad, skip)
        announce(run_adjoint, str(cotangent.dtype))
        arrays = [ctx.series, ctx.stored, cotangent, given, g_final, *outputs.arrays()]
        _in_parallel(run_adjoint, cotangent.shape[0], [*inputs, *arrays])
        return (*outputs.tensors(plan), None, None, None)


def _cotangents(
    gradients: Sequence[Tensor | None], series: Array, plan: Plan
) -> tuple[Array, Array]:
    """Lay the derivatives by the series out as the kernel wants them."""
    cotangent = np.empty_like(series)
    given = np.zeros(at.SERIES, np.uint8)
    for row, gradient in enumerate(gradients):
        if gradient is not None:
            cotangent[:, row] = gradient.numpy().T
            given[row] = 1
    if not plan.routing:
        _merge_unrouted(cotangent, given)
    return cotangent, given


def _merge_unrouted(cotangent: Array, given: Array) -> None:
    """Without routing the last series equal the first: add their derivatives."""
    for row in range(at.ROUTED):
        routed = at.FLUXES + row
        if given[routed]:
            before = cotangent[:, row] if given[row] else 0
            cotangent[:, row] = cotangent[:, routed] + before
            given[row], given[routed] = 1, 0


class _Gradients:
    """Arrays that the adjoint kernel fills, and the tensors they belong to."""

    def __init__(self, tensors: Sequence[Tensor], needed: Sequence[bool], skip: int):
        forcing, static, daily, weights, initial, history, _ = tensors
        sites, dtype = forcing.shape[1], _array(initial).dtype
        self._static, self._daily = torch.zeros_like(static), _zeros(daily)
        self._full = np.zeros((sites, len(NAMES) * initial.shape[2]), dtype)
        self._initial = np.zeros(initial.shape, dtype)
        self._history = np.zeros(history.shape, dtype)
        self._route = np.zeros((sites, 2), dtype)
        self._forcing = np.zeros(
            (forcing.shape[0] * needed[0], *forcing.shape[1:]), dtype
        )
        self._weights = np.zeros(
            (weights.shape[0] * needed[3], *weights.shape[1:]), dtype
        )
        self._needed, self._skip = needed, skip

    def arrays(self) -> list[Array]:
        """Return the arrays in the kernel's order."""
        days = slice(self._skip, None)
        arrays = [self._full, self._daily.numpy()[days], self._initial, self._route]
        return [*arrays, self._history, self._forcing[days], self._weights]

    def tensors(self, plan: Plan) -> list[Tensor | None]:
        """Return the derivatives by the seven inputs."""
        full, route = torch.from_numpy(self._full), torch.from_numpy(self._route)
        return_gradient(plan, full, route, self._static, self._daily)
        own = [self._forcing, None, None, self._weights, self._initial, self._history]
        results = [None if a is None else torch.from_numpy(a) for a in own]
        results[1:3] = [self._static, self._daily]
        return [r if n else None for r, n in zip(results, self._needed, strict=False)]


def _zeros(like: Tensor) -> Tensor:
    """Return zeros from fresh pages of memory, which need no writing."""
    return torch.from_numpy(np.zeros(like.shape, _array(like[:0]).dtype))


def march(
    forcing: Tensor, static: Tensor, daily: Tensor, weights: Tensor, initial: Tensor,
    history: Tensor, frozen: Tensor, plan: Plan, skip: int = 0,
) -> tuple[Tensor, ...]:  # fmt: skip
    """
    Run all days in the fused kernels.

    Arguments and results are those of ``equations.march``, for tensors in the
    machine's memory and at most 16 components. Derivatives of any output by any
    floating input are exact; second derivatives are not offered.
    """
    result: tuple[Tensor, ...] = CpuMarch.apply(  # type: ignore[no-untyped-call]
        forcing, static, daily, weights, initial, history, frozen, plan, skip
    )
    return result
