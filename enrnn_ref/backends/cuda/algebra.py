"""The algebra of arrays on the device: parametrizations compute where their free arrays lie (linalg/algebra.py).

Of what it computes a few numbers come to the host, which has to know whether they can be trusted, and asks when it has
queued what they are needed for. Matrices cross only where they cannot, and the host's methods are asked.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array, float_array
from enrnn_ref.backends.cuda import arrays, sums
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.crossing import Later
from enrnn_ref.backends.cuda.entries import grid_over
from enrnn_ref.backends.cuda.inverse import inverted
from enrnn_ref.backends.cuda.leader import leading_pair
from enrnn_ref.backends.cuda.memory import device_array
from enrnn_ref.backends.cuda.target import array_of, cuda, device_errors, kernel
from enrnn_ref.linalg.algebra import Algebra, ClaimedLeader
from enrnn_ref.linalg.shifted import Shifted, ShiftedLu

CORRECTIONS = 3
"""Newton steps at most. The first leaves rounding alone, unless A is large."""

CONVERGED = 2.0**-26
"""Of ‖I − M X‖ before a step: its square, which the step leaves, is u."""


class DeviceAlgebra(Algebra):
    """Arrays of the device; all that is returned is new."""

    @device_errors()
    def adopt(self, array: object) -> Any:
        adopted = array if isinstance(array, DeviceArray) else DeviceArray(array_of(array))
        return adopted if adopted.contiguous else adopted.copy()

    def fetch(self, array: Any) -> Array:
        found: Array = array.copy_to_host()
        return found

    @device_errors()
    def bring(self, array: Any) -> Any:
        return array if isinstance(array, DeviceArray) else DeviceArray(arrays.to_device(array))

    def seal(self, array: Any) -> None:
        """Nothing on a device is read-only."""

    @device_errors()
    def constant(self, entries: Array) -> Any:
        return _constant(entries.tobytes(), entries.dtype)

    @device_errors()
    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Any:
        return DeviceArray(arrays.zeros(shape, dtype))

    @device_errors()
    def skew_matrix(self, vector: Any, size: int) -> Any:
        matrix = device_array((size, size), vector.dtype)
        if size:
            fill_skew[grid_over(size * size)](matrix, vector.data)
        return DeviceArray(matrix)

    @device_errors()
    def skew_vector(self, matrix: Any) -> Any:
        n = len(matrix)
        vector = device_array(n * (n - 1) // 2, matrix.dtype)
        if n > 1:
            cut_skew[grid_over(n * n)](vector, matrix.data)
        return DeviceArray(vector)

    @device_errors()
    def shifted(self, skew: Any) -> Shifted:
        """By the inverse on the device [SC-6] [SC-7] [SC-8], where that has converged; else by the host."""
        matrix = self.plus_diagonal(skew, self.constant(np.ones(len(skew))))
        inverse = DeviceArray(inverted(matrix.data)) if len(skew) else matrix
        return ShiftedInverse(skew, matrix, inverse, CORRECTIONS)

    def plus_diagonal(self, matrix: Any, entries: Any) -> Any:
        return _plus_diagonal(1, matrix, entries)

    @device_errors()
    def inner(self, a: Any, b: Any) -> Any:
        return sums.total(self._parts(a, b))

    def _parts(self, a: Any, b: Any) -> Any:
        parts = sums.room()
        flat = (array.reshape(array.size).data for array in (a, b))
        sums.add_products[sums.BLOCKS, sums.THREADS](parts, *flat)
        return parts

    @device_errors()
    def block_triangular(self, first: Any, beside: Any | None, last: Any) -> Any:
        n = len(first) + len(last)
        whole = device_array((n, n), last.dtype)
        corner = device_array((0, 0), last.dtype) if beside is None else beside.data
        if n:
            lay_blocks[grid_over(n * n)](whole, first.data, corner, last.data)
        return DeviceArray(whole)

    @device_errors()
    def claimed_leader(self, matrix: Any) -> ClaimedLeader | None:
        return leading_pair(matrix)


class ShiftedInverse:
    """By X = (I + A)⁻¹, which a Newton step has made of what is given as ``inverse``.

    Whether that was near enough the host learns when it asks; if not, there may be ``corrections`` − 1 more.
    """

    def __init__(self, skew: Any, matrix: Any, inverse: Any, corrections: int) -> None:
        residual = DEVICE.plus_diagonal(-(matrix @ inverse), DEVICE.constant(np.ones(len(skew))))
        self._squares = Later(DeviceArray(DEVICE._parts(residual, residual)))
        self._inverse = inverse + inverse @ residual  # [SC-8]
        self._skew, self._matrix, self._corrections = skew, matrix, corrections

    def cayley(self) -> Any:
        """2X − I [SC-6]."""
        return _plus_diagonal(2, self._inverse, DEVICE.constant(-np.ones(len(self._inverse))))

    def solve(self, right_side: Any, *, transposed: bool = False) -> Any:
        return (self._inverse.T if transposed else self._inverse) @ right_side

    @device_errors()
    def settled(self) -> Shifted:
        norm = math.sqrt(sum(self._squares.read().tolist()))  # ‖I − M X‖ before the step
        if norm <= CONVERGED:
            return self
        if not norm < 1.0 or self._corrections == 1:
            return ShiftedOnHost(self._skew)
        return ShiftedInverse(self._skew, self._matrix, self._inverse, self._corrections - 1).settled()


class ShiftedOnHost:
    """By the host's factorisation; matrices cross."""

    def __init__(self, skew: Any) -> None:
        self._lu = ShiftedLu(float_array("the skew matrix", DEVICE.fetch(skew)))

    def cayley(self) -> Any:
        return DEVICE.bring(self._lu.cayley())

    def solve(self, right_side: Any, *, transposed: bool = False) -> Any:
        return DEVICE.bring(self._lu.solve(DEVICE.fetch(right_side), transposed=transposed))

    def settled(self) -> Shifted:
        return self


DEVICE = DeviceAlgebra()


@device_errors()
def _plus_diagonal(factor: float, matrix: Any, entries: Any) -> Any:
    """factor M + diag(d)."""
    summed = device_array(matrix.shape, matrix.dtype)
    if matrix.size:
        add_diagonal[grid_over(matrix.size)](summed, matrix.dtype.type(factor), matrix.data, entries.data)
    return DeviceArray(summed)


@functools.lru_cache(maxsize=32)
def _constant(content: bytes, dtype: np.dtype[Any]) -> DeviceArray:
    return DeviceArray(arrays.to_device(np.frombuffer(content, dtype).copy()))


@kernel
def fill_skew(matrix: Any, vector: Any) -> None:
    """The vector above the diagonal, row by row, and its negative below."""
    n = matrix.shape[0]
    for number in range(cuda.grid(1), n * n, cuda.gridsize(1)):
        i, j = number // n, number % n
        low, high = min(i, j), max(i, j)
        k = low * (2 * n - low - 1) // 2 + high - low - 1  # the rows before hold n - 1, n - 2, … entries
        if i < j:
            matrix[i, j] = vector[k]
        elif i > j:
            matrix[i, j] = -vector[k]
        else:
            matrix[i, j] = 0


@kernel
def cut_skew(vector: Any, matrix: Any) -> None:
    """The strict upper triangle, row by row."""
    n = matrix.shape[0]
    for number in range(cuda.grid(1), n * n, cuda.gridsize(1)):
        i, j = number // n, number % n
        if i < j:
            vector[i * (2 * n - i - 1) // 2 + j - i - 1] = matrix[i, j]


@kernel
def add_diagonal(result: Any, factor: Any, matrix: Any, entries: Any) -> None:
    """factor M + diag(d)."""
    n = matrix.shape[0]
    for number in range(cuda.grid(1), n * n, cuda.gridsize(1)):
        i, j = number // n, number % n
        entry = factor * matrix[i, j]
        result[i, j] = entry + entries[i] if i == j else entry


@kernel
def lay_blocks(whole: Any, first: Any, beside: Any, last: Any) -> None:
    """[[first, beside], [0, last]]; zeros where ``beside`` has no rows."""
    n, rows = whole.shape[0], first.shape[0]
    for number in range(cuda.grid(1), n * n, cuda.gridsize(1)):
        i, j = number // n, number % n
        if i < rows and j < rows:
            whole[i, j] = first[i, j]
        elif i >= rows and j >= rows:
            whole[i, j] = last[i - rows, j - rows]
        elif i < rows and beside.shape[0] > 0:
            whole[i, j] = beside[i, j - rows]
        else:
            whole[i, j] = 0
