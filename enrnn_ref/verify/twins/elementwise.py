"""Derivatives of NumPy's ufuncs, one entry at a time, and of the matrix product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.verify.twins.dual import UFUNCS, Dual, Rule, Trace, joined, value_of


def _unary(function: Callable[..., Any], slope: Callable[[Array, Array], Any]) -> Rule:
    """``slope(x, y)`` is dy/dx, for a function that is analytic where x is complex."""

    def rule(trace: Trace, x: Dual) -> Dual:
        y = function(x.value)
        return Dual(y, slope(x.value, y) * x.tangent, trace)

    return rule


def _binary(function: Callable[..., Any], *slopes: Callable[[Array, Array, Array], Any]) -> Rule:
    """``slopes`` (a, b, y) → dy/da and dy/db."""

    def rule(trace: Trace, *arguments: Any) -> Dual:
        arguments = tuple(joined(argument, trace) for argument in arguments)
        a, b = (np.asarray(value_of(argument)) for argument in arguments)
        y = function(a, b)
        tangent = np.zeros_like(y)
        for argument, slope in zip(arguments, slopes, strict=True):
            if isinstance(argument, Dual):
                tangent = tangent + slope(a, b, y) * argument.tangent
        return Dual(y, tangent, trace)

    return rule


def _constant(function: Callable[..., Any]) -> Rule:
    """Functions with the slope zero; comparisons, whose ties are noted."""

    def rule(trace: Trace, *arguments: Any) -> Any:
        values = [np.asarray(value_of(argument)) for argument in arguments]
        if len(values) == 2:
            trace.compare(values[0], values[1])
        return function(*values)

    return rule


def _stepwise(function: Callable[..., Any], ties: Callable[[Array], Array]) -> Rule:
    """Functions that are constant between their steps."""

    def rule(trace: Trace, x: Dual) -> Dual:
        trace.compare(ties(x.value), x.value)
        return Dual(function(x.value), np.zeros_like(x.tangent), trace)

    return rule


def _extremum(function: Callable[..., Any], first: Callable[[Array, Array], Array]) -> Rule:
    """maximum and minimum: the tangent of the chosen side, of the first at a tie, which is noted."""

    def rule(trace: Trace, *arguments: Any) -> Dual:
        a, b = (np.asarray(value_of(argument)) for argument in arguments)
        trace.compare(a, b)
        da, db = (argument.tangent if isinstance(argument, Dual) else 0.0 for argument in arguments)
        return Dual(function(a, b), np.where(first(a, b), da, db), trace)

    return rule


def _absolute(trace: Trace, x: Dual) -> Dual:
    trace.compare(x.value, 0.0)
    if np.iscomplexobj(x.value):
        size = np.abs(x.value)
        direction = np.conj(x.value) / np.where(size > 0.0, size, 1.0)
        return Dual(size, np.real(direction * x.tangent), trace)
    return Dual(np.abs(x.value), np.sign(x.value) * x.tangent, trace)


def _sign(trace: Trace, x: Dual) -> Dual:
    trace.compare(x.value, 0.0)
    if np.iscomplexobj(x.value):
        direction: Dual = x / _absolute(trace, x)
        return direction
    return Dual(np.sign(x.value), np.zeros_like(x.tangent), trace)


def _power(trace: Trace, base: Any, exponent: Any) -> Dual:
    """xᵖ; the logarithm is only taken where the exponent carries a derivative."""
    x, p = np.asarray(value_of(base)), np.asarray(value_of(exponent))
    y = np.power(x, p)
    tangent = np.zeros_like(y)
    if isinstance(base, Dual):
        tangent = tangent + np.where(p == 0, 0.0, p * np.power(x, np.where(p == 0, 1, p - 1))) * base.tangent
    if isinstance(exponent, Dual):
        tangent = tangent + y * np.log(x) * exponent.tangent
    return Dual(y, tangent, trace)


def bilinear(function: Callable[..., Any], trace: Trace, *factors: Any) -> Dual:
    """A function that is linear in each of its arguments: one factor's tangent after the other."""
    factors = tuple(joined(factor, trace) for factor in factors)
    values = [np.asarray(value_of(factor)) for factor in factors]
    y = np.asarray(function(*values))
    tangent = np.zeros_like(y)
    for i, factor in enumerate(factors):
        if isinstance(factor, Dual):
            tangent = tangent + function(*values[:i], factor.tangent, *values[i + 1 :])
    return Dual(y, tangent, trace)


def _expit(x: Array) -> Array:
    """σ in any precision (the one of SciPy has none beyond double)."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


_ONE = np.float64(1.0)
UFUNCS.update(
    {
        "positive": _unary(np.positive, lambda x, y: _ONE),
        "negative": _unary(np.negative, lambda x, y: -_ONE),
        "square": _unary(np.square, lambda x, y: 2 * x),
        "sqrt": _unary(np.sqrt, lambda x, y: 0.5 / y),
        "cbrt": _unary(np.cbrt, lambda x, y: 1 / (3 * y * y)),
        "reciprocal": _unary(np.reciprocal, lambda x, y: -y * y),
        "exp": _unary(np.exp, lambda x, y: y),
        "exp2": _unary(np.exp2, lambda x, y: y * np.log(2 + 0 * x)),
        "expm1": _unary(np.expm1, lambda x, y: np.exp(x)),
        "log": _unary(np.log, lambda x, y: 1 / x),
        "log2": _unary(np.log2, lambda x, y: 1 / (x * np.log(2 + 0 * x))),
        "log10": _unary(np.log10, lambda x, y: 1 / (x * np.log(10 + 0 * x))),
        "log1p": _unary(np.log1p, lambda x, y: 1 / (1 + x)),
        "sin": _unary(np.sin, lambda x, y: np.cos(x)),
        "cos": _unary(np.cos, lambda x, y: -np.sin(x)),
        "tan": _unary(np.tan, lambda x, y: 1 + y * y),
        "sinh": _unary(np.sinh, lambda x, y: np.cosh(x)),
        "cosh": _unary(np.cosh, lambda x, y: np.sinh(x)),
        "tanh": _unary(np.tanh, lambda x, y: 1 / np.square(np.cosh(x))),  # 1 - y² has no digits left at saturation
        "arcsin": _unary(np.arcsin, lambda x, y: 1 / np.sqrt(1 - x * x)),
        "arccos": _unary(np.arccos, lambda x, y: -1 / np.sqrt(1 - x * x)),
        "arctan": _unary(np.arctan, lambda x, y: 1 / (1 + x * x)),
        "arcsinh": _unary(np.arcsinh, lambda x, y: 1 / np.sqrt(1 + x * x)),
        "arccosh": _unary(np.arccosh, lambda x, y: 1 / np.sqrt(x * x - 1)),
        "arctanh": _unary(np.arctanh, lambda x, y: 1 / (1 - x * x)),
        "expit": _unary(_expit, lambda x, y: y * _expit(-x)),
        "log_expit": _unary(lambda x: -np.logaddexp(0, -x), lambda x, y: _expit(-x)),
        "add": _binary(np.add, lambda a, b, y: _ONE, lambda a, b, y: _ONE),
        "subtract": _binary(np.subtract, lambda a, b, y: _ONE, lambda a, b, y: -_ONE),
        "multiply": _binary(np.multiply, lambda a, b, y: b, lambda a, b, y: a),
        "divide": _binary(np.divide, lambda a, b, y: 1 / b, lambda a, b, y: -y / b),
        "hypot": _binary(np.hypot, lambda a, b, y: a / y, lambda a, b, y: b / y),
        "arctan2": _binary(np.arctan2, lambda a, b, y: b / (a * a + b * b), lambda a, b, y: -a / (a * a + b * b)),
        "logaddexp": _binary(np.logaddexp, lambda a, b, y: np.exp(a - y), lambda a, b, y: np.exp(b - y)),
        "maximum": _extremum(np.maximum, np.greater_equal),
        "minimum": _extremum(np.minimum, np.less_equal),
        "fmax": _extremum(np.fmax, np.greater_equal),
        "fmin": _extremum(np.fmin, np.less_equal),
        "absolute": _absolute,
        "fabs": _absolute,
        "sign": _sign,
        "power": _power,
        "float_power": _power,
        "matmul": lambda trace, a, b: bilinear(np.matmul, trace, a, b),
        "vecdot": lambda trace, a, b: bilinear(np.vecdot, trace, a, b),
        "conjugate": lambda trace, x: x.linear(np.conjugate),
        "add.reduce": lambda trace, x, axis=0, **options: np.sum(x, axis=axis, **options),
        "maximum.reduce": lambda trace, x, axis=0, **options: np.max(x, axis=axis, **options),
        "minimum.reduce": lambda trace, x, axis=0, **options: np.min(x, axis=axis, **options),
        "floor": _stepwise(np.floor, np.round),
        "ceil": _stepwise(np.ceil, np.round),
        "trunc": _stepwise(np.trunc, np.round),
        "rint": _stepwise(np.rint, lambda x: np.floor(x) + 0.5),
    }
)
UFUNCS.update(
    {
        ufunc.__name__: _constant(ufunc)
        for ufunc in (np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal)
    }
)
UFUNCS.update(
    {ufunc.__name__: _constant(ufunc) for ufunc in (np.isfinite, np.isnan, np.isinf, np.signbit, np.logical_not)}
)
