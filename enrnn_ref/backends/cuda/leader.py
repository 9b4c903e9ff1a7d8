"""The leading eigenpair of a matrix on the device, with a proof that it leads (derivations/03-spectral-radius.md).

A power of T has the leading vectors for its range. Taken out of T they leave a matrix whose powers tell, by their norms
alone, how far below the leader all else is. No start is needed, and the host has to read one small array: not before it
has queued what ρ is needed for.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.backends.cuda import arrays, sums
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.crossing import Later
from enrnn_ref.backends.cuda.entries import grid_over
from enrnn_ref.backends.cuda.memory import device_array
from enrnn_ref.backends.cuda.power import SMALLEST_EXPONENT, meeting_blocks, raised
from enrnn_ref.backends.cuda.sums import sum_of_block, sum_of_parts
from enrnn_ref.backends.cuda.target import SIMULATED, cuda, device_errors, device_function, kernel
from enrnn_ref.linalg.algebra import ClaimedLeader
from enrnn_ref.linalg.deflation import Deflation, Leader, certified
from enrnn_ref.linalg.eigenpair import Eigenpair
from enrnn_ref.linalg.tracking import CONTENDERS_TOLERANCE

SQUARINGS = 10 if SIMULATED else 16
"""Of T, and of what is left of it: a second modulus half a thousandth below the first is told from it."""

APPLICATIONS = 4
"""How often the power is applied to two generic vectors."""

HEAD = 12
"""Numbers in a report before the vectors: see :func:`take_apart`."""

SMALLEST_NORM = 2.0**-400
"""A matrix of a smaller norm, or of one that is as large, is the host's, which scales it first: squares of what is as
small as its rounding must not underflow."""


def leading_pair(matrix: DeviceArray) -> ClaimedLeader:
    """Of a contiguous matrix (n, n) float64, n ≥ 1; it is proved to lead or not by :func:`certified`.

    Notes
    -----
    Implements [EN-18] to [EN-22] with [EN-13].
    """
    n = len(matrix)
    report = DeviceArray(device_array(HEAD + 4 * n + (SQUARINGS + 1) * sums.BLOCKS, np.float64))
    vectors = report[HEAD : HEAD + 4 * n].reshape(4, n)
    parts = report[HEAD + 4 * n :].reshape(SQUARINGS + 1, sums.BLOCKS)
    head = report[:HEAD]

    work = DeviceArray(device_array((2, n, n), np.float64))
    first = DeviceArray(device_array((SQUARINGS + 1, sums.BLOCKS), np.float64))
    flat = matrix.reshape(n * n).data
    sums.add_products[sums.BLOCKS, sums.THREADS](first[0].data, flat, flat)
    arrays.copy(work[0].data, matrix.data)
    power = raised(work, first)
    ranges = DeviceArray(device_array((2, 4, n), np.float64))
    find_ranges[meeting_blocks(), sums.THREADS](ranges.data, _generic(n).data, power.data, matrix.data)
    take_apart[1, sums.THREADS](head.data, vectors.data, ranges.data, first[0].data)
    deflate[sums.BLOCKS, sums.THREADS](work[0].data, matrix.data, head.data, vectors.data, parts[0].data)
    raised(work, parts)
    later = Later(report)
    return ClaimedLeader(head[HEAD - 1], lambda: _proved(later.read(), n, vectors))


@functools.lru_cache(maxsize=8)
def _generic(size: int) -> DeviceArray:
    """Two rows of numbers that no structure of a matrix is likely to share."""
    i = np.arange(size)
    return DeviceArray(arrays.to_device(np.stack([np.cos(1.0 + 2.399963 * i), np.sin(0.5 + 1.772454 * i)])))


def _proved(report: Array, n: int, there: DeviceArray) -> Eigenpair | None:
    """The eigenpair that a report tells of, if it is proved to lead; ``there`` are the vectors on the device."""
    pair, norm, residual, modulus = bool(report[0]), float(report[1]), float(report[2]), float(report[HEAD - 1])
    section, inverse = report[3:7].reshape(2, 2), report[7:11].reshape(2, 2)
    vectors, parts = report[HEAD : HEAD + 4 * n].reshape(4, n), report[HEAD + 4 * n :].reshape(SQUARINGS + 1, -1)
    if not np.isfinite(report).all() or not SMALLEST_NORM < norm < 1 / SMALLEST_NORM:
        return None
    found = certified(Deflation(n, norm, section, inverse, pair, residual, _logarithms(parts)))
    if found is None:
        return None
    right, left = vectors[:2].T @ found.right, (vectors[2:].T @ found.left).conj()
    return Eigenpair(
        found.value,
        modulus,
        right / np.linalg.norm(right),
        left / np.linalg.norm(left),
        modulus - found.second,
        found.condition,
        functools.partial(_slope, there, found),
        None,
    )


def _logarithms(parts: Array) -> tuple[float, ...]:
    """log₂ of the norms of powers, from the squares of the scaled ones."""
    found, exponent = [], 0
    for row in parts.tolist():
        square = functools.reduce(float.__add__, row)  # in the order of the device, whose exponent this is
        found.append(exponent + math.log2(square) / 2 if square > 0.0 else -math.inf)
        exponent = 2 * exponent + max(math.frexp(square)[1], SMALLEST_EXPONENT)
    return tuple(found)


@device_errors()
def _slope(vectors: DeviceArray, leader: Leader) -> Array:
    """∂ρ/∂T [EN-22] on the device."""
    n = vectors.shape[1]
    slope: Any = DeviceArray(device_array((n, n), np.float64))
    rank_two[grid_over(n * n)](slope.data, vectors.data, *leader.slope.ravel().tolist())
    found: Array = slope
    return found


@device_function
def _squared(value: Any) -> Any:
    return value * value


@kernel
def find_ranges(ranges: Any, generic: Any, power: Any, matrix: Any) -> None:
    """Orthonormal pairs that span what P and Pᵀ make of generic vectors, and T applied to them [EN-18].

    ``generic`` (2, n). On return the rows of ranges[0] (4, n) are u₁, u₂, w₁, w₂, and those of ranges[1] Tu₁, Tu₂,
    Tᵀw₁, Tᵀw₂. All blocks run at once, and meet where one needs what another has written.
    """
    n, grid = power.shape[0], cuda.cg.this_grid()
    for number in range(cuda.grid(1), 4 * n, cuda.gridsize(1)):
        row, i = number // n, number % n
        ranges[APPLICATIONS % 2, row, i] = generic[row % 2, i]
    grid.sync()
    for number in range(APPLICATIONS, 0, -1):
        apply(ranges, number % 2, power)
        grid.sync()
    for pair in range(cuda.blockIdx.x, 2, cuda.gridDim.x):
        orthonormalise(ranges, 2 * pair)
    grid.sync()
    apply(ranges, 0, matrix)


@device_function
def apply(ranges: Any, of: int, matrix: Any) -> None:
    """Into the other four rows, M times the first two rows of ranges[of] and Mᵀ times the last two."""
    n = matrix.shape[0]
    for number in range(cuda.grid(1), 4 * n, cuda.gridsize(1)):
        row, i, total = number // n, number % n, np.float64(0)
        for k in range(n):
            total += (matrix[i, k] if row < 2 else matrix[k, i]) * ranges[of, row, k]
        ranges[1 - of, row, i] = total


@device_function
def orthonormalise(ranges: Any, first: int) -> None:
    """Two rows of ranges[0] by Gram and Schmidt, the second time for the rounding of the first; by one block."""
    zero, one, own, n = np.float64(0), np.float64(1), cuda.threadIdx.x, ranges.shape[2]
    second, total = first + 1, zero
    for k in range(own, n, cuda.blockDim.x):
        total += ranges[0, first, k] * ranges[0, first, k]
    total = sum_of_block(total)
    factor = one / math.sqrt(total) if total > zero else zero
    for k in range(own, n, cuda.blockDim.x):
        ranges[0, first, k] *= factor
    for _ in range(2):
        shared = zero
        for k in range(own, n, cuda.blockDim.x):
            shared += ranges[0, first, k] * ranges[0, second, k]
        shared = sum_of_block(shared)
        total = zero
        for k in range(own, n, cuda.blockDim.x):
            ranges[0, second, k] -= shared * ranges[0, first, k]
            total += ranges[0, second, k] * ranges[0, second, k]
        total = sum_of_block(total)
        factor = one / math.sqrt(total) if total > zero else zero
        for k in range(own, n, cuda.blockDim.x):
            ranges[0, second, k] *= factor


@kernel
def take_apart(head: Any, vectors: Any, ranges: Any, squares: Any) -> None:
    """U, V and Λ with VᵀU = I, and how well they fit [EN-18] [EN-19]; for one block.

    ``ranges`` (2, 4, n): the rows of :func:`find_ranges`. A single real leader is tried first; where u₁, w₁ are no
    eigenvectors, both columns are taken. ``squares`` are those of T. ``vectors`` (4, n): U, then V. ``head``: 1 for two
    columns and 0 for one, ‖T‖, the residual, Λ row by row, (UᵀW)⁻¹ row by row, ρ.
    """
    zero, own, n = np.float64(0), cuda.threadIdx.x, ranges.shape[2]
    u, w, tu, tw = ranges[0, :2], ranges[0, 2:], ranges[1, :2], ranges[1, 2:]
    b00 = b01 = b10 = b11 = m00 = m01 = m10 = m11 = zero
    for k in range(own, n, cuda.blockDim.x):
        b00 += u[0, k] * w[0, k]
        b01 += u[0, k] * w[1, k]
        b10 += u[1, k] * w[0, k]
        b11 += u[1, k] * w[1, k]
        m00 += w[0, k] * tu[0, k]
        m01 += w[0, k] * tu[1, k]
        m10 += w[1, k] * tu[0, k]
        m11 += w[1, k] * tu[1, k]
    b00, b01, b10, b11 = sum_of_block(b00), sum_of_block(b01), sum_of_block(b10), sum_of_block(b11)
    m00, m01, m10, m11 = sum_of_block(m00), sum_of_block(m01), sum_of_block(m10), sum_of_block(m11)

    norm = math.sqrt(sum_of_parts(squares))
    single = m00 / b00 if b00 != zero else zero
    right = left = zero
    for k in range(own, n, cuda.blockDim.x):
        right += _squared(tu[0, k] - single * u[0, k])
        left += _squared(tw[0, k] - single * w[0, k])
    residual = math.sqrt(sum_of_block(right)) + math.sqrt(sum_of_block(left))
    pair = not (b00 != zero and residual <= CONTENDERS_TOLERANCE * norm)
    if pair:
        determinant = b00 * b11 - b01 * b10
        reciprocal = np.float64(1) / determinant if determinant != zero else zero
        a00, a01, a10, a11 = b11 * reciprocal, -b01 * reciprocal, -b10 * reciprocal, b00 * reciprocal
    else:
        a00, a01, a10, a11 = np.float64(1) / b00, zero, zero, zero
    # Λ = VᵀTU with V = WA; and A Λᵀ UᵀW, which is W's own, its rows in W T like those of Λ in T U
    l00, l01 = a00 * m00 + a10 * m10, a00 * m01 + a10 * m11
    l10, l11 = a01 * m00 + a11 * m10, a01 * m01 + a11 * m11
    modulus = abs(l00)
    if not pair:
        l01 = zero
    else:
        half, middle = (l00 - l11) / 2, (l00 + l11) / 2
        modulus = math.sqrt(abs(middle * middle - (half * half + l01 * l10)))  # of two real ones, neither is proved
        c00, c01 = a00 * l00 + a01 * l01, a00 * l10 + a01 * l11
        c10, c11 = a10 * l00 + a11 * l01, a10 * l10 + a11 * l11
        d00, d01 = c00 * b00 + c01 * b10, c00 * b01 + c01 * b11
        d10, d11 = c10 * b00 + c11 * b10, c10 * b01 + c11 * b11
        right = left = zero
        for k in range(own, n, cuda.blockDim.x):
            right += _squared(tu[0, k] - l00 * u[0, k] - l10 * u[1, k])
            right += _squared(tu[1, k] - l01 * u[0, k] - l11 * u[1, k])
            left += _squared(tw[0, k] - d00 * w[0, k] - d10 * w[1, k])
            left += _squared(tw[1, k] - d01 * w[0, k] - d11 * w[1, k])
        residual = math.sqrt(sum_of_block(right)) + math.sqrt(sum_of_block(left))
    for k in range(own, n, cuda.blockDim.x):
        vectors[0, k] = u[0, k]
        vectors[1, k] = u[1, k] if pair else zero
        vectors[2, k] = a00 * w[0, k] + a10 * w[1, k]
        vectors[3, k] = a01 * w[0, k] + a11 * w[1, k]
    if own == 0:
        head[0], head[1], head[2] = np.float64(1 if pair else 0), norm, residual
        head[3], head[4], head[5], head[6] = l00, l01, l10, l11
        head[7], head[8], head[9], head[10], head[11] = a00, a01, a10, a11, modulus


@kernel
def deflate(result: Any, matrix: Any, head: Any, vectors: Any, parts: Any) -> None:
    """N = T − U Λ Vᵀ [EN-18] and its squares."""
    n, total = matrix.shape[0], np.float64(0)
    for number in range(cuda.grid(1), n * n, cuda.gridsize(1)):
        i, j = number // n, number % n
        of_first = head[3] * vectors[2, j] + head[4] * vectors[3, j]
        of_second = head[5] * vectors[2, j] + head[6] * vectors[3, j]
        entry = matrix[i, j] - vectors[0, i] * of_first - vectors[1, i] * of_second
        result[i, j] = entry
        total += entry * entry
    total = sum_of_block(total)
    if cuda.threadIdx.x == 0:
        parts[cuda.blockIdx.x] = total


@kernel
def rank_two(result: Any, vectors: Any, k00: float, k01: float, k10: float, k11: float) -> None:
    """V K Uᵀ [EN-22]."""
    n = result.shape[0]
    for number in range(cuda.grid(1), n * n, cuda.gridsize(1)):
        i, j = number // n, number % n
        first, second = vectors[2, i], vectors[3, i]
        result[i, j] = (first * k00 + second * k10) * vectors[0, j] + (first * k01 + second * k11) * vectors[1, j]
