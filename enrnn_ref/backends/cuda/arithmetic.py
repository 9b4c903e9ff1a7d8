"""The operators of arrays on the device: what a formula over whole matrices is written with.

Every operator is one launch and makes a new contiguous array, in the dtype of its operands; ``.T`` is a view. They
serve what is computed once a step; what is computed at every time step has kernels of its own.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Self

import numpy as np

from enrnn_ref.backends.cuda.entries import grid_over, place_of
from enrnn_ref.backends.cuda.memory import device_array
from enrnn_ref.backends.cuda.products import TILE, products
from enrnn_ref.backends.cuda.target import cuda, device_errors, device_function, kernel, view_of


class Arithmetic:
    """One of Numba's arrays, ``data``, with operators; what they return is of the class of their operands."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self.shape: tuple[int, ...] = tuple(data.shape)
        self.dtype: np.dtype[Any] = data.dtype

    def __add__(self, other: Any) -> Self:
        return self._with("plus", other)

    def __sub__(self, other: Any) -> Self:
        return self._with("minus", other)

    def __mul__(self, other: Any) -> Self:
        return self._with("times", other)

    def __truediv__(self, other: Any) -> Self:
        return self._with("over", other)

    def __neg__(self) -> Self:
        return self._with("times", -1)

    @device_errors()
    def __matmul__(self, other: Any) -> Self:
        """(k, d) times (d, m), in the dtype of both."""
        assert self.shape[1] == other.shape[0]
        result = type(self)(device_array((self.shape[0], other.shape[1]), self.dtype))
        multiply(result, self, other)
        return result

    @property
    def T(self) -> Self:  # noqa: N802 (as NumPy has it)
        """The transpose of a matrix: a view."""
        rows, columns = self.shape
        if not rows or not columns:
            return type(self)(device_array((columns, rows), self.dtype))
        return type(self)(view_of(self.data, 0, (columns, rows), self.data.strides[::-1]))

    @device_errors()
    def _with(self, operation: str, other: Any) -> Self:
        """Entry by entry, in whichever of both has more of them; a smaller second one has the last axes, or none."""
        result, size = device_array(self.shape, self.dtype), math.prod(self.shape)
        if not isinstance(other, Arithmetic):
            if size:
                number = self.dtype.type(other)
                of_number(operation, len(self.shape))[grid_over(size)](result, self.data, number, size)
            return type(self)(result)
        if not self.shape and other.shape:  # a number of the device, which all operations here let stand second
            assert operation in ("plus", "times")
            return type(self)(other.data)._with(operation, self)
        assert other.shape == self.shape[len(self.shape) - len(other.shape) :]
        if size:
            work = of_two(operation, len(self.shape), len(other.shape))
            work[grid_over(size)](result, self.data, other.data, size, math.prod(other.shape))
        return type(self)(result)


def multiply(result: Arithmetic, first: Arithmetic, second: Arithmetic) -> None:
    """result (k, m), contiguous and neither of the factors, = first (k, d) second (d, m)."""
    rows, columns = result.shape
    if rows and columns:
        a, b = (_whole(factor) for factor in (first, second.T))
        grid = (-(-rows // TILE.side), -(-columns // TILE.side), 1)
        product, whole = products(result.dtype).over_columns, result.data.reshape((1, rows, columns))
        product[grid, (TILE.threads, TILE.threads)](whole, a, b, _nothing(result.dtype), 0)


def _whole(matrix: Arithmetic) -> Any:
    """(1, k, d): all of it, in one time."""
    strides = matrix.data.strides
    return view_of(matrix.data, 0, (1, *matrix.shape), (matrix.shape[0] * strides[0], *strides))


@functools.cache
def _nothing(dtype: Any) -> Any:
    """No bias."""
    return device_array(0, dtype)


@device_function
def _plus(a: Any, b: Any) -> Any:
    return a + b


@device_function
def _minus(a: Any, b: Any) -> Any:
    return a - b


@device_function
def _times(a: Any, b: Any) -> Any:
    return a * b


@device_function
def _over(a: Any, b: Any) -> Any:
    return a / b


OPERATIONS = {"plus": _plus, "minus": _minus, "times": _times, "over": _over}


@functools.cache
def of_number(operation: str, axes: int) -> Any:
    """``work(result, a, number, size)``."""
    place, combined = place_of(axes), OPERATIONS[operation]

    @kernel
    def work(result: Any, a: Any, number: Any, size: int) -> None:
        for k in range(cuda.grid(1), size, cuda.gridsize(1)):
            result[place(result.shape, k)] = combined(a[place(a.shape, k)], number)

    return work


@functools.cache
def of_two(operation: str, axes: int, other_axes: int) -> Any:
    """``work(result, a, b, size, period)``: b, of ``period`` entries, begins anew where it ends."""
    place, origin, combined = place_of(axes), place_of(other_axes), OPERATIONS[operation]

    @kernel
    def work(result: Any, a: Any, b: Any, size: int, period: int) -> None:
        for k in range(cuda.grid(1), size, cuda.gridsize(1)):
            result[place(result.shape, k)] = combined(a[place(a.shape, k)], b[origin(b.shape, k % period)])

    return work
