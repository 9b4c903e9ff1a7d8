"""Matrices of numbers: lists of rows."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from enrnn_ref.verify.vectors.oracle.arithmetic import nearest_float
from enrnn_ref.verify.vectors.oracle.tape import Number, Tape, dot

Vector = Sequence[Number]
Matrix = list[list[Number]]

_NEGLIGIBLE_BITS = 290
"""A term of a series is dropped when it is below 2^-290: beyond the working precision."""


def eye(tape: Tape, size: int) -> Matrix:
    """The identity."""
    return [[tape.constant(int(i == j)) for j in range(size)] for i in range(size)]


def transpose(a: Matrix) -> Matrix:
    """aᵀ; a has at least one row."""
    return [list(column) for column in zip(*a, strict=True)]


def add(a: Matrix, b: Matrix) -> Matrix:
    """a + b."""
    return [[x + y for x, y in zip(p, q, strict=True)] for p, q in zip(a, b, strict=True)]


def subtract(a: Matrix, b: Matrix) -> Matrix:
    """a − b."""
    return [[x - y for x, y in zip(p, q, strict=True)] for p, q in zip(a, b, strict=True)]


def multiply(tape: Tape, a: Matrix, b: Matrix) -> Matrix:
    """a b."""
    columns = transpose(b)
    return [[dot(tape, row, column) for column in columns] for row in a]


def apply(tape: Tape, a: Sequence[Vector], x: Vector) -> list[Number]:
    """a x."""
    return [dot(tape, row, x) for row in a]


def solve(tape: Tape, a: Matrix, b: Matrix) -> Matrix:
    """a⁻¹ b by elimination with row exchanges."""
    n = len(a)
    left, right = [list(row) for row in a], [list(row) for row in b]
    for k in range(n):
        pivot = tape.decide(functools.partial(_largest, left, k))
        left[k], left[pivot] = left[pivot], left[k]
        right[k], right[pivot] = right[pivot], right[k]
        for i in range(k + 1, n):
            factor = left[i][k] / left[k][k]
            for j in range(k + 1, n):
                left[i][j] = left[i][j] - factor * left[k][j]
            right[i] = [x - factor * y for x, y in zip(right[i], right[k], strict=True)]
    solution: Matrix = [[] for _ in range(n)]
    for k in range(n - 1, -1, -1):
        below = transpose(solution[k + 1 :]) if k + 1 < n else [[] for _ in right[k]]
        known = left[k][k + 1 :]
        solution[k] = [
            ((x - dot(tape, known, column)) if known else x) / left[k][k]
            for x, column in zip(right[k], below, strict=True)
        ]
    return solution


def _largest(a: Matrix, k: int) -> int:
    """Which row from k on has the largest entry in column k."""
    return max(range(k, len(a)), key=lambda i: abs(nearest_float(a[i][k].raw)))


def exponential(tape: Tape, a: Matrix) -> Matrix:
    """e^a by its series, for a matrix halved until no row sum exceeds 1 and squared back."""
    n = len(a)
    row_sums = [sum(abs(nearest_float(x.raw)) for x in row) for row in a]
    halvings = tape.decide(lambda: next(s for s in range(64) if max(row_sums) <= 2**s))
    scaled = [[x / 2**halvings for x in row] for row in a] if halvings else a
    total, term, k = eye(tape, n), eye(tape, n), 0
    while any(abs(nearest_float(x.raw)) > 2.0**-_NEGLIGIBLE_BITS for row in term for x in row):
        k += 1
        term = [[x / k for x in row] for row in multiply(tape, term, scaled)]
        total = add(total, term)
    for _ in range(halvings):
        total = multiply(tape, total, total)
    return total


def skew(tape: Tape, vector: Vector, size: int) -> Matrix:
    """A with A[i][j] = vector[k] = −A[j][i] for i < j, k counting the strict upper triangle row by row."""
    a = [[tape.constant(0)] * size for _ in range(size)]
    entries = iter(vector)
    for i in range(size):
        for j in range(i + 1, size):
            a[i][j] = next(entries)
            a[j][i] = -a[i][j]
    return a


def symmetric(tape: Tape, vector: Vector, size: int) -> Matrix:
    """A with A[i][j] = A[j][i] = vector[k] for i ≤ j, k counting the upper triangle row by row."""
    a = [[tape.constant(0)] * size for _ in range(size)]
    entries = iter(vector)
    for i in range(size):
        for j in range(i, size):
            a[i][j] = a[j][i] = next(entries)
    return a


def blocks(rows: Sequence[Sequence[Matrix]]) -> Matrix:
    """One matrix of a grid of blocks."""
    return [[x for line in lines for x in line] for row in rows for lines in zip(*row, strict=True)]
