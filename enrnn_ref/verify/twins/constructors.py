"""Arrays that a function makes for itself, such as ``np.zeros((steps, units))``, able to take dual values."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np

from enrnn_ref.verify.twins.dual import Dual, NoRule, Trace, contains, joined

_MAKERS = ("zeros", "ones", "empty", "full")
_CONVERTERS = ("array", "asarray", "asanyarray", "ascontiguousarray")


@contextlib.contextmanager
def dual_constructors(trace: Trace, precision: Any) -> Iterator[None]:
    """Inside, NumPy's constructors of floating-point arrays make dual ones.

    NumPy's dispatch does not reach a call without an array among its arguments. So the names in the module ``numpy``
    are replaced, for the time of one call, in the whole process: a function in another thread that fills an array of
    its own meanwhile gets dual arrays too.
    """
    replaced = {name: _maker(getattr(np, name), trace, precision) for name in _MAKERS}
    replaced |= {name: _converter(getattr(np, name), trace) for name in _CONVERTERS}
    with mock.patch.multiple(np, **replaced):
        yield


def _maker(original: Callable[..., Any], trace: Trace, precision: Any) -> Callable[..., Any]:
    def make(*arguments: Any, **options: Any) -> Any:
        if contains(list(arguments)):  # np.full with a value that carries a derivative
            raise NoRule(f"numpy.{original.__name__} with a value that carries a derivative")
        made = original(*arguments, **options)
        if made.dtype == np.float64:
            made = made.astype(precision)
        return Dual(made, np.zeros_like(made), trace) if made.dtype.kind in "fc" else made

    return make


def _converter(original: Callable[..., Any], trace: Trace) -> Callable[..., Any]:
    def convert(first: Any, dtype: Any = None, *arguments: Any, **options: Any) -> Any:
        if not contains(first):
            return (
                original(first, dtype, *arguments, **options)
                if dtype is not None
                else original(first, *arguments, **options)
            )
        whole = joined(first, trace)
        whole = whole if dtype is None else whole.astype(dtype)
        return whole.copy() if original is _ORIGINAL_ARRAY else whole

    return convert


_ORIGINAL_ARRAY = np.array
