"""Arrays that a function makes for itself, such as ``np.zeros((steps, units))``, able to take dual values."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

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
    replaced: dict[str, Callable[..., Any]] = {name: _maker(getattr(np, name), trace, precision) for name in _MAKERS}
    replaced |= {name: _converter(getattr(np, name), trace) for name in _CONVERTERS}
    with contextlib.ExitStack() as stack:
        for name, function in replaced.items():
            stack.callback(setattr, np, name, getattr(np, name))
            setattr(np, name, function)
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
    copies = original is np.array

    def convert(first: Any, dtype: Any = None, **options: Any) -> Any:
        if not contains(first):
            return original(first, dtype, **options)
        whole = joined(first, trace)
        whole = whole if dtype is None else whole.astype(dtype)
        return whole.copy() if copies else whole

    return convert
