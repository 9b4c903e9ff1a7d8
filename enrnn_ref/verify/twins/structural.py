"""NumPy functions that move, sum, choose or multiply entries, and the linear algebra with a derivative."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.verify.twins.dual import FUNCTIONS, Dual, NoRule, Rule, Trace, joined, value_of
from enrnn_ref.verify.twins.elementwise import bilinear


def _linear(function: Callable[..., Any]) -> Rule:
    """Linear in the first argument, which may be a list of arrays."""

    def rule(trace: Trace, first: Any, *arguments: Any, **options: Any) -> Any:
        if options.pop("out", None) is not None:
            raise NoRule(f"numpy.{function.__name__} writes into a given array")
        if isinstance(first, (list, tuple)):
            values = [value_of(part) for part in first]
            tangents = [part.tangent if isinstance(part, Dual) else np.zeros_like(part) for part in first]
        else:
            values, tangents = first.value, first.tangent
        value, tangent = (function(part, *arguments, **options) for part in (values, tangents))
        if isinstance(value, (list, tuple)):
            return [Dual(v, t, trace) for v, t in zip(value, tangent, strict=True)]
        return Dual(value, tangent, trace)

    return rule


def _plain(function: Callable[..., Any]) -> Rule:
    """Without a derivative: shapes, positions, tests."""

    def rule(_: Trace, *arguments: Any, **options: Any) -> Any:
        return function(*map(value_of, arguments), **{key: value_of(option) for key, option in options.items()})

    return rule


def _like(function: Callable[..., Any]) -> Rule:
    """zeros_like and its kin: able to take values that carry a derivative, unless they are made integers."""

    def rule(trace: Trace, first: Any, *arguments: Any, **options: Any) -> Any:
        if arguments or np.dtype(options.pop("dtype", None)).kind not in "fc":
            raise NoRule(f"numpy.{function.__name__} with a dtype")
        value = function(value_of(first), **options)
        return Dual(value, np.zeros_like(value), trace)

    return rule


def _block(trace: Trace, nest: Any) -> Dual:
    def parts(nest: Any, part: Callable[[Any], Any]) -> Any:
        return [parts(inner, part) for inner in nest] if isinstance(nest, list) else part(nest)

    value = np.block(parts(nest, value_of))
    return Dual(value, np.block(parts(nest, lambda a: a.tangent if isinstance(a, Dual) else np.zeros_like(a))), trace)


def _full_like(trace: Trace, first: Any, fill: Any, **options: Any) -> Any:
    made = FUNCTIONS[np.zeros_like](trace, first, **options)
    made[...] = fill
    return made


def _where(trace: Trace, condition: Any, *sides: Any) -> Any:
    if not sides:
        return np.where(value_of(condition))
    a, b = (joined(side, trace) for side in sides)
    da, db = (side.tangent if isinstance(side, Dual) else 0.0 for side in (a, b))
    condition = value_of(condition)
    value = np.where(condition, value_of(a), value_of(b))
    return Dual(value, np.where(condition, da, db).astype(value.dtype), trace)


def _clip(trace: Trace, a: Any, low: Any = None, high: Any = None, **options: Any) -> Any:
    low, high = options.pop("min", low), options.pop("max", high)
    if options.get("out") is not None:
        raise NoRule("numpy.clip writes into a given array")
    result = a if low is None else np.maximum(a, low)
    return result if high is None else np.minimum(result, high)


def _selected(position: Callable[..., Any]) -> Rule:
    """max and min along one axis or over all: the tangent of the first entry that has the value; ties are noted."""

    def rule(trace: Trace, a: Dual, axis: Any = None, *, keepdims: bool = False, out: Any = None) -> Dual:
        if out is not None or isinstance(axis, tuple):
            raise NoRule("a maximum over several axes, or into a given array")
        flat = a if axis is not None else a.reshape(-1)
        along = 0 if axis is None else axis
        at = np.expand_dims(position(flat.value, axis=along), along)
        value, tangent = (np.take_along_axis(part, at, along) for part in (flat.value, flat.tangent))
        trace.tied = trace.tied or bool(np.any(np.sum(flat.value == value, axis=along) > 1))
        if keepdims:
            shape = (1,) * a.ndim if axis is None else value.shape
            return Dual(value.reshape(shape), tangent.reshape(shape), trace)
        return Dual(np.squeeze(value, along), np.squeeze(tangent, along), trace)

    return rule


def _mean(trace: Trace, a: Dual, *arguments: Any, **options: Any) -> Any:
    return a.linear(np.mean, *arguments, **options)


def _var(trace: Trace, a: Dual, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    centred = a - np.mean(a, axis=axis, keepdims=True)
    total = np.sum(centred * np.conj(centred), axis=axis, keepdims=keepdims)
    return total.real / (a.size / max(1, total.size) - ddof)


def _prod(trace: Trace, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    moved = np.moveaxis(a, axis, 0) if axis is not None else a.reshape(-1)
    result = functools.reduce(lambda x, y: x * y, moved)
    return np.expand_dims(result, axis) if keepdims and axis is not None else result


def _norm(trace: Trace, x: Dual, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002
    vector = x.ndim == 1 or isinstance(axis, int)
    if not (ord is None or (ord == "fro" and not vector) or (ord == 2 and vector)):
        raise NoRule(f"numpy.linalg.norm with ord={ord!r}")
    return np.sqrt(np.sum(np.abs(x) ** 2, axis=axis, keepdims=keepdims))


def _einsum(trace: Trace, subscripts: Any, *operands: Any, **options: Any) -> Dual:
    options.pop("optimize", None)
    if not isinstance(subscripts, str) or options:
        raise NoRule("numpy.einsum other than with a string")
    return bilinear(functools.partial(np.einsum, subscripts), trace, *operands)


def _bilinear(function: Callable[..., Any]) -> Rule:
    def rule(trace: Trace, a: Any, b: Any, *arguments: Any, **options: Any) -> Dual:
        return bilinear(lambda x, y: function(x, y, *arguments, **options), trace, a, b)

    return rule


def _double(a: Any) -> Array:
    """LAPACK has no extended precision."""
    array = np.asarray(a)
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)


def _solve(trace: Trace, a: Any, b: Any) -> Dual:
    """A x = b:  ẋ = A⁻¹ (ḃ - Ȧ x)."""
    matrix, right = _double(value_of(a)), _double(value_of(b))
    x = np.linalg.solve(matrix, right)
    rest = b.tangent if isinstance(b, Dual) else np.zeros_like(right)
    if isinstance(a, Dual):
        rest = rest - a.tangent @ x
    return Dual(x, np.linalg.solve(matrix, _double(rest)), trace)


def _inv(trace: Trace, a: Dual) -> Dual:
    inverse = np.linalg.inv(_double(a.value))
    return Dual(inverse, -inverse @ a.tangent @ inverse, trace)


def _det(trace: Trace, a: Dual) -> Dual:
    value = np.linalg.det(_double(a.value))
    return Dual(value, value * np.trace(np.linalg.solve(_double(a.value), _double(a.tangent))), trace)


def _eigvals(trace: Trace, a: Dual) -> Dual:
    """λ̇ = the diagonal of V⁻¹ Ȧ V. The complex leader of a real matrix stands for its pair."""
    values, vectors = np.linalg.eig(_double(a.value))
    distance = np.abs(values[:, None] - values[None]) + np.diag(np.full(len(values), np.inf))
    if distance.min() <= np.finfo(np.float64).eps * np.abs(values).max():
        raise NoRule("a repeated eigenvalue has no derivative")
    slopes = np.diagonal(np.linalg.solve(vectors, _double(a.tangent) @ vectors))
    return Dual(values + 0j, slopes + 0j, trace)


def _eigvalsh(trace: Trace, a: Dual, *arguments: Any) -> Dual:
    values, vectors = np.linalg.eigh(_double(a.value), *arguments)
    return Dual(values, np.real(np.diagonal(vectors.conj().T @ a.tangent @ vectors)), trace)


def _matrix_power(trace: Trace, a: Dual, n: int) -> Any:
    base = a if n >= 0 else np.linalg.inv(a)
    powers = [base] * abs(n)
    return functools.reduce(lambda x, y: x @ y, powers, np.eye(len(a)) + 0 * base)


FUNCTIONS |= (
    {
        function: _linear(function)
        for function in (
            np.reshape,
            np.transpose,
            np.swapaxes,
            np.moveaxis,
            np.rollaxis,
            np.concatenate,
            np.stack,
            np.vstack,
            np.hstack,
            np.dstack,
            np.column_stack,
            np.broadcast_to,
            np.squeeze,
            np.expand_dims,
            np.ravel,
            np.sum,
            np.mean,
            np.cumsum,
            np.flip,
            np.flipud,
            np.fliplr,
            np.roll,
            np.rot90,
            np.tile,
            np.repeat,
            np.triu,
            np.tril,
            np.diag,
            np.diagonal,
            np.trace,
            np.real,
            np.imag,
            np.split,
            np.array_split,
            np.hsplit,
            np.vsplit,
            np.take,
            np.diff,
            np.atleast_1d,
            np.atleast_2d,
            np.atleast_3d,
            np.copy,
            np.take_along_axis,
            np.delete,
        )
    }
    | {
        function: _plain(function)
        for function in (
            np.shape,
            np.ndim,
            np.size,
            np.argmax,
            np.argmin,
            np.argsort,
            np.any,
            np.all,
            np.isrealobj,
            np.iscomplexobj,
            np.array_equal,
            np.allclose,
            np.isclose,
            np.count_nonzero,
            np.nonzero,
            np.may_share_memory,
            np.shares_memory,
            np.triu_indices_from,
            np.tril_indices_from,
        )
    }
    | {function: _like(function) for function in (np.zeros_like, np.ones_like, np.empty_like)}
    | {
        function: _bilinear(function)
        for function in (np.dot, np.inner, np.outer, np.kron, np.tensordot, np.convolve, np.cross)
    }
    | {
        np.block: _block,
        np.full_like: _full_like,
        np.where: _where,
        np.clip: _clip,
        np.max: _selected(np.argmax),
        np.min: _selected(np.argmin),
        np.amax: _selected(np.argmax),
        np.amin: _selected(np.argmin),
        np.var: _var,
        np.std: lambda trace, a, *arguments, **options: np.sqrt(_var(trace, a, *arguments, **options)),
        np.prod: _prod,
        np.vdot: lambda trace, a, b: np.sum(np.conj(a) * b),
        np.einsum: _einsum,
        np.linalg.norm: _norm,
        np.linalg.solve: _solve,
        np.linalg.inv: _inv,
        np.linalg.det: _det,
        np.linalg.eigvals: _eigvals,
        np.linalg.eigvalsh: _eigvalsh,
        np.linalg.matrix_power: _matrix_power,
        np.linalg.multi_dot: lambda trace, factors: functools.reduce(lambda x, y: x @ y, factors),
    }
)
