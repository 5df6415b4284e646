"""
Exponential, logarithm and logistic function for the fused CPU kernel.

In float64 they are the C library's. In float32 they are branch-free polynomials
(fitted here at Chebyshev nodes, error below 1.2 units in the last place for the
logarithm and the exponential), because LLVM can put those into vector lanes and
cannot do so with a library call. No fast-math flag is used anywhere: the fused
multiply-add of a polynomial is asked for by name.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic, overload

# Horner coefficients: exp(r) = 1 + r + r^2 * EXP(r), |r| <= ln(2) / 2, and
# log(1 + f) = f - f^2 / 2 + f^3 * LOG(f), sqrt(1/2) - 1 <= f <= sqrt(2) - 1.
E0, E1, E2, E3, E4 = (
    np.float32(c)
    for c in (
        0.5,
        0.16666576266288757,
        0.041666556149721146,
        0.008363178931176662,
        0.0013926184037700295,
    )
)
L0, L1, L2, L3, L4, L5, L6, L7, L8 = (
    np.float32(c)
    for c in (
        0.3333333134651184,
        -0.2499999701976776,
        0.20000715553760529,
        -0.1666780263185501,
        0.14249058067798615,
        -0.12425687164068222,
        0.11685419827699661,
        -0.11479733884334564,
        0.06971611827611923,
    )
)
ONE, HALF = np.float32(1.0), np.float32(0.5)
LOG2_E = np.float32(1.4426950408889634)
# ln(2) = LN2_HIGH + LN2_LOW; the high part has zeros at the end, so that its
# product with a small whole number is exact.
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
# Adding 1.5 * 2^23 leaves the nearest whole number in the low bits of a float32.
ROUNDER = np.float32(12582912.0)
ROUNDER_BITS = np.int32(0x4B400000)
SMALLEST, LARGEST = np.float32(-87.0), np.float32(88.0)
ROOT_HALF_BITS = np.int32(0x3F3504F3)
EXPONENT_BIAS, MANTISSA_BITS = np.int32(127), np.int32(23)


def _fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Multiply and add, ``a * b + c``, rounded once where the processor can."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Call LLVM's own operation, which is fused where there is one."""
        kind = args[0].type
        name = f"llvm.fmuladd.{'f32' if isinstance(kind, ir.FloatType) else 'f64'}"
        function_type = ir.FunctionType(kind, [kind] * 3)
        function = builder.module.globals.get(name) or ir.Function(
            builder.module, function_type, name
        )
        return builder.call(function, args)

    return a(a, a, a), codegen


def _bits(typing: Any, x: Any) -> Any:
    """Bit pattern of a float32 as an int32."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), codegen


def _from_bits(typing: Any, x: Any) -> Any:
    """Read the bit pattern of an int32 as a float32."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(builder.trunc(args[0], ir.IntType(32)), ir.FloatType())

    return types.float32(types.int64), codegen


fused: Any = intrinsic(_fused)
bits: Any = intrinsic(_bits)
from_bits: Any = intrinsic(_from_bits)


def exponential(x: Any) -> Any:
    """Return e to the power `x` (compiled code only)."""
    return math.exp(x)


def logarithm(x: Any) -> Any:
    """Return the natural logarithm of `x` > 0 (compiled code only)."""
    return math.log(x)


@overload(exponential, jit_options={"error_model": "numpy", "forceinline": True})
def _exponential(x: Any) -> Any:
    """Choose what the compiler puts in for `exponential`, by the type of `x`."""

    def double(x: Any) -> Any:
        return math.exp(x)

    def single(x: Any) -> Any:
        """Power of two near the result, times a polynomial of the rest."""
        x = SMALLEST if x < SMALLEST else x
        x = LARGEST if x > LARGEST else x
        shifted = x * LOG2_E + ROUNDER
        whole = shifted - ROUNDER
        power = bits(shifted) - ROUNDER_BITS
        r = fused(whole, -LN2_LOW, fused(whole, -LN2_HIGH, x))
        s = r * r
        tail = fused(s, fused(s, E4, fused(r, E3, E2)), fused(r, E1, E0))
        scale = from_bits((power + EXPONENT_BIAS) << MANTISSA_BITS)
        return (ONE + fused(s, tail, r)) * scale

    return single if x == types.float32 else double


@overload(logarithm, jit_options={"error_model": "numpy", "forceinline": True})
def _logarithm(x: Any) -> Any:
    """Choose what the compiler puts in for `logarithm`, by the type of `x`."""

    def double(x: Any) -> Any:
        return math.log(x)

    def single(x: Any) -> Any:
        """Logarithm of the power of two, plus a polynomial of the rest."""
        pattern = bits(x)
        power = (pattern - ROOT_HALF_BITS) >> MANTISSA_BITS
        f = from_bits(pattern - (power << MANTISSA_BITS)) - ONE
        whole = np.float32(power)
        s = f * f
        low = fused(s, fused(f, L3, L2), fused(f, L1, L0))
        high = fused(s, fused(s, L8, fused(f, L7, L6)), fused(f, L5, L4))
        tail = fused(s * f, fused(s * s, high, low), whole * LN2_LOW)
        small = fused(-HALF, s, tail) + f
        # x - x is 0, or not a number where x is not: broken input stays broken.
        return fused(whole, LN2_HIGH, small) + (x - x)

    return single if x == types.float32 else double


@njit(error_model="numpy", forceinline=True)
def logistic(x: Any, one: Any) -> Any:
    """Return ``1 / (1 + exp(-x))``."""
    return one / (one + exponential(-x))
