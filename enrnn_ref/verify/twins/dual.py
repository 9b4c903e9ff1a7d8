"""Dual arrays: a value and its derivative along one direction, carried through NumPy functions together.

A function written for NumPy arrays runs on dual arrays unchanged, by NumPy's own dispatch (NEP 13 and NEP 18), and its
derivative comes out exact: x + ε ẋ with ε² = 0. What has no rule raises :class:`NoRule`; nothing is dropped in silence.
A dual array is no ndarray and refuses to become one, so a tangent cannot get lost in an assignment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from enrnn_ref.arrays import Array

Rule = Callable[..., Any]

UFUNCS: dict[str, Rule] = {}
"""Name of a ufunc → rule (trace, *values and duals) → result. Filled by :mod:`~enrnn_ref.verify.twins.elementwise`."""

FUNCTIONS: dict[Any, Rule] = {}
"""NumPy function → rule (trace, *arguments, **options) → result. Filled by the modules beside this one."""


class NoRule(TypeError):  # noqa: N818 (a fact about the function, not a mistake of the caller)
    """The function uses something whose derivative is not known here."""


class Trace:
    """What is noted while a function runs: whether a comparison was a tie, where the function may have a kink."""

    def __init__(self) -> None:
        self.tied = False

    def compare(self, a: Array, b: Array | float) -> None:
        """Note whether any entries of ``a`` and ``b`` are equal."""
        self.tied = self.tied or bool(np.any(a == b))


class Dual(NDArrayOperatorsMixin):
    """A value with its tangent, of one shape and dtype.

    Parameters
    ----------
    value, tangent : ndarray
    trace : Trace
    """

    def __init__(self, value: Array, tangent: Array, trace: Trace) -> None:
        self.value, self.tangent, self.trace = np.asarray(value), np.asarray(tangent), trace

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        rule = UFUNCS.get(ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}")
        if rule is None or options.pop("where", True) is not True:
            raise NoRule(f"there is no rule for {ufunc.__name__}")
        result = rule(self.trace, *inputs, **options)
        if out is None:
            return result
        if not isinstance(out[0], Dual):
            raise NoRule("a value that carries a derivative was written into a plain array")
        out[0][...] = result
        return out[0]

    def __array_function__(self, function: Any, _: Any, arguments: Any, options: Any) -> Any:
        rule = FUNCTIONS.get(function)
        if rule is None:
            raise NoRule(f"there is no rule for numpy.{function.__name__}")
        return rule(self.trace, *arguments, **options)

    def __array__(self, *_: object, **__: object) -> Array:
        raise NoRule("a value that carries a derivative was made a plain array")

    def _refuse(self, *_: object) -> Any:
        raise NoRule("a value that carries a derivative was made a plain number")

    __float__ = __int__ = __complex__ = __index__ = item = tolist = _refuse

    def __bool__(self) -> bool:
        self.trace.compare(self.value, 0.0)
        return bool(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Dual]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Dual:
        return Dual(self.value[index], self.tangent[index], self.trace)

    def __setitem__(self, index: Any, new: Any) -> None:
        new = joined(new, self.trace)
        value, tangent = (new.value, new.tangent) if isinstance(new, Dual) else (new, 0.0)
        if np.iscomplexobj(value) and not np.iscomplexobj(self.value):
            raise NoRule("a complex value was put into a real array")
        self.value[index], self.tangent[index] = value, tangent

    def __getattr__(self, name: str) -> Any:
        """Attributes and methods that an array has and NumPy has a function for."""
        if name in ("shape", "ndim", "size", "nbytes"):
            return getattr(self.value, name)
        if name in _METHODS:
            return lambda *arguments, **options: getattr(np, name)(self, *arguments, **options)
        raise NoRule(f"there is no rule for the attribute {name} of an array")

    @property
    def dtype(self) -> np.dtype[Any]:
        """The double precision of its kind, whatever precision it is computed in."""
        return np.dtype(np.complex128 if np.iscomplexobj(self.value) else np.float64)

    @property
    def T(self) -> Dual:  # noqa: N802 (NumPy's name)
        """The transpose."""
        return self.linear(np.transpose)

    @property
    def real(self) -> Dual:
        """The real part."""
        return self.linear(np.real)

    @property
    def imag(self) -> Dual:
        """The imaginary part."""
        return self.linear(np.imag)

    def linear(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Dual:
        """``function``, linear in its first argument."""
        return Dual(
            function(self.value, *arguments, **options), function(self.tangent, *arguments, **options), self.trace
        )

    def reshape(self, *shape: Any, **options: Any) -> Dual:
        """As of an array, which takes sizes one by one too."""
        return self.linear(np.ndarray.reshape, *shape, **options)

    def transpose(self, *axes: Any) -> Dual:
        """As of an array, which takes axes one by one too."""
        return self.linear(np.ndarray.transpose, *axes)

    def copy(self, *_: object, **__: object) -> Dual:
        """Value and tangent of its own."""
        return self.linear(np.copy)

    def flatten(self, *order: Any) -> Dual:
        """A copy of one axis."""
        return self.linear(np.ndarray.flatten, *order)

    def fill(self, value: Any) -> None:
        """Set every entry."""
        self[...] = value

    def astype(self, dtype: Any, **_: object) -> Dual:
        """A copy; the precision stays, whichever of at least double is asked for."""
        kind, precision = np.dtype(dtype).kind, np.finfo(np.result_type(dtype, np.float16)).precision
        if precision < np.finfo(np.float64).precision or kind not in "fc" or (kind == "f" and self.dtype.kind == "c"):
            raise NoRule(f"a value that carries a derivative was made {np.dtype(dtype)}")
        return self.linear(lambda a: a + 0j) if kind == "c" else self.copy()


_METHODS = frozenset(
    [
        "all",
        "any",
        "argmax",
        "argmin",
        "argsort",
        "clip",
        "conj",
        "conjugate",
        "cumsum",
        "diagonal",
        "dot",
        "max",
        "mean",
        "min",
        "prod",
        "ravel",
        "repeat",
        "squeeze",
        "std",
        "sum",
        "swapaxes",
        "take",
        "trace",
        "var",
    ]
)


def value_of(a: Any) -> Any:
    """The value of a dual array; anything else as it is."""
    return a.value if isinstance(a, Dual) else a


def contains(nest: Any) -> bool:
    """Whether a nest of lists and tuples holds a dual array."""
    if isinstance(nest, (list, tuple)):
        return any(contains(part) for part in nest)
    return isinstance(nest, Dual)


def joined(nest: Any, trace: Trace) -> Any:
    """A nest of lists that holds dual arrays as one dual array, as np.array would; anything else as it is."""
    if isinstance(nest, Dual) or not contains(nest):
        return nest
    parts: Sequence[Any] = [joined(part, trace) for part in nest]
    values = np.stack([np.asarray(value_of(part)) for part in parts])
    tangents = [part.tangent if isinstance(part, Dual) else np.zeros(np.shape(part)) for part in parts]
    return Dual(values, np.stack(tangents).astype(values.dtype), trace)
