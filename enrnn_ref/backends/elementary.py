"""The compiled form of the elementary functions that cells call (``cells/elementary.py``), in a form that vectorises.

A call of the C library stands in the way of vector instructions: an LSTM would spend more time in tanh than in matrix
products. So the exponential is written here, free of branches and calls, and tanh and σ follow from it:

    x = k ln 2 + r,  |r| ≤ ln 2 / 2,  k an integer;      exp(x) = s (1 + p),  s = 2^k,  p = exp(r) - 1

with p by its Taylor series, cut off below half a unit in the last place. The largest errors, measured against extended
precision over the whole range (tests/backends/test_elementary.py), are 2.3 units in the last place of the result.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from enrnn_ref.cells import elementary

# What is inlined becomes part of the caller's loop, which can then be vectorised.
_INLINED: Any = {"forceinline": True, "error_model": "numpy"}
_LOG2_DOUBLE = (0.6931471803691238, 1.9082149292705877e-10)
_LOG2_SINGLE = (0.693115234375, 3.1946184945309415e-05)


@intrinsic
def _power_of_two(typingctx: Any, t: Any) -> Any:
    """2^k in the type of t, for t = k + 1.5·2^(digits of the fraction), whose last bits are those of k.

    On bits: shift k into the exponent and add the bits of 1. Unlike a conversion to an integer it is defined for NaN.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        double = signature.args[0] == types.float64
        integer = ir.IntType(64 if double else 32)
        bits = builder.bitcast(arguments[0], integer)
        exponent = builder.shl(bits, ir.Constant(integer, 52 if double else 23))
        one = ir.Constant(integer, 0x3FF0000000000000 if double else 0x3F800000)
        return builder.bitcast(builder.add(exponent, one), arguments[0].type)

    return t(t), generate


def _exponential(x: Any) -> Any:
    """(p, s) with exp(x) = s (1 + p)."""


@overload(_exponential, jit_options=_INLINED)
def _compiled_exponential(x: Any) -> Any:
    double = x == types.float64
    kind: Any = np.float64 if double else np.float32
    magic = kind(1.5 * 2.0 ** (52 if double else 23))  # adding it rounds to an integer
    per_log2 = kind(1 / math.log(2))
    # ln 2 in two parts, the first of so few bits (32, 14) that its product with k is exact.
    high, low = (kind(part) for part in (_LOG2_DOUBLE if double else _LOG2_SINGLE))
    c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13 = (kind(1 / math.factorial(k)) for k in range(2, 14))

    def double_precision(x: Any) -> Any:
        t = x * per_log2 + magic
        k = t - magic
        r = (x - k * high) - k * low
        p = c9 + r * (c10 + r * (c11 + r * (c12 + r * c13)))
        p = c2 + r * (c3 + r * (c4 + r * (c5 + r * (c6 + r * (c7 + r * (c8 + r * p))))))
        return r + r * (r * p), _power_of_two(t)  # type: ignore[call-arg]

    def single_precision(x: Any) -> Any:
        t = x * per_log2 + magic
        k = t - magic
        r = (x - k * high) - k * low
        p = c2 + r * (c3 + r * (c4 + r * (c5 + r * (c6 + r * c7))))
        return r + r * (r * p), _power_of_two(t)  # type: ignore[call-arg]

    return double_precision if double else single_precision


@overload(elementary.tanh, jit_options=_INLINED)
def _compiled_tanh(x: Any) -> Any:
    """E / (E + 2) with E = exp(2|x|) - 1 = s p + (s - 1): no cancellation, since s = 1 near zero."""
    kind: Any = np.float64 if x == types.float64 else np.float32
    limit, two, one = kind(44 if x == types.float64 else 20), kind(2), kind(1)  # beyond it, tanh rounds to one

    def tanh(x: Any) -> Any:
        y = two * abs(x)
        p, s = _exponential(limit if y > limit else y)  # noqa: FURB136 (NaN passes)
        e = s * p + (s - one)
        return math.copysign(e / (e + two), x)

    return tanh


@overload(elementary.sigmoid, jit_options=_INLINED)
def _compiled_sigmoid(x: Any) -> Any:
    """e / (1 + e) or 1 / (1 + e) with e = exp(-|x|)."""
    kind: Any = np.float64 if x == types.float64 else np.float32
    limit, zero, one = kind(-708 if x == types.float64 else -87), kind(0), kind(1)  # below it, e is subnormal

    def sigmoid(x: Any) -> Any:
        y = -abs(x)
        p, s = _exponential(limit if y < limit else y)  # noqa: FURB136 (NaN passes)
        e = s * p + s
        return (e if x < zero else one) / (one + e)

    return sigmoid


@overload(elementary.sqrt, jit_options=_INLINED)
def _compiled_sqrt(x: Any) -> Any:
    def sqrt(x: Any) -> Any:
        return math.sqrt(x)

    return sqrt


@overload(elementary.floor, jit_options=_INLINED)
def _compiled_floor(x: Any) -> Any:
    def floor(x: Any) -> Any:
        return np.floor(x)

    return floor
