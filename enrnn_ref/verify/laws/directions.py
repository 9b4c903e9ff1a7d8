"""Structured directions: where a matrix may move that is orthogonal, skew, circulant or known by its eigenvalues.

A *kind* is a function from the matrix to its directions, and each direction says how the matrix moves by a finite step
without losing the structure. What a gradient must satisfy along them is in :mod:`~enrnn_ref.verify.laws.along`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from enrnn_ref.arrays import Array, integer
from enrnn_ref.errors import ShapeError
from enrnn_ref.verify.lines import typical


@dataclass(frozen=True)
class Direction:
    """A way for a matrix to move.

    Attributes
    ----------
    index : tuple of int
        Which of its kind it is.
    tangent : ndarray
        The derivative of ``move`` at 0.
    move : callable
        h → the matrix, moved by h along a curve that keeps the structure.
    scale : float
        The step at which the matrix has changed by its own size.
    """

    index: tuple[int, ...]
    tangent: Array
    move: Callable[[float], Array]
    scale: float


Kind = Callable[[Array], Iterator[Direction]]
"""A matrix → the directions in which it may move."""


def skew(matrix: Array) -> Iterator[Direction]:
    """E_ij − E_ji, i > j: a skew-symmetric matrix stays one."""
    for i, j in _pairs(_square("skew", matrix)):
        tangent = np.zeros(matrix.shape)
        tangent[i, j], tangent[j, i] = 1.0, -1.0
        yield _straight((i, j), matrix, tangent)


def orthogonal(matrix: Array) -> Iterator[Direction]:
    """W (E_ij − E_ji), i > j, along rotations in a coordinate plane: an orthogonal matrix stays one."""
    for i, j in _pairs(_square("orthogonal", matrix)):
        tangent = np.zeros(matrix.shape)
        tangent[:, j], tangent[:, i] = matrix[:, i], -matrix[:, j]
        yield Direction((i, j), tangent, _rotation(matrix, i, j), 1.0)


def similar(matrix: Array) -> Iterator[Direction]:
    """The commutators [T, E_ij], along changes of basis: the eigenvalues stay as they are.

    The last diagonal one is left out: it is minus the sum of the others.
    """
    for i, j in np.ndindex(_square("similar", matrix).shape):
        if i == j == len(matrix) - 1:
            continue
        tangent = np.zeros(matrix.shape)
        tangent[:, j] += matrix[:, i]
        tangent[i] -= matrix[j]
        yield Direction((i, j), tangent, _change_of_basis(matrix, i, j), 1.0)


def scaling(matrix: Array) -> Iterator[Direction]:
    """The matrix itself: what is divided by its spectral radius, or by a norm, stays as it is."""
    yield Direction((), matrix.astype(np.float64), lambda h: (1.0 + h) * matrix, 1.0)


def circulant(block: int) -> Kind:
    """One wrapped diagonal of one block: a matrix of circulant blocks of ``block`` rows and columns stays one.

    Raises
    ------
    OptionError
    """
    k = integer("block", block)

    def circulant_block(matrix: Array) -> Iterator[Direction]:
        if matrix.ndim != 2 or matrix.shape[0] % k or matrix.shape[1] % k:
            raise ShapeError(f"the matrix has shape {matrix.shape}; expected both sizes to be multiples of {k}.")
        rows, columns = np.indices(matrix.shape)
        for p, q, s in np.ndindex(matrix.shape[0] // k, matrix.shape[1] // k, k):
            inside = (rows // k == p) & (columns // k == q)
            yield _straight((p, q, s), matrix, (inside & ((rows - columns) % k == s)).astype(np.float64))

    return circulant_block


def _square(kind: str, matrix: Array) -> Array:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(f"the matrix has shape {matrix.shape}; expected a square one for {kind} directions.")
    return matrix


def _pairs(matrix: Array) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in range(len(matrix)) for j in range(i))


def _straight(index: tuple[int, ...], matrix: Array, tangent: Array) -> Direction:
    """Along a line, for a structure that is a linear space."""
    return Direction(index, tangent, lambda h: matrix + h * tangent, typical(matrix) or 1.0)


def _rotation(matrix: Array, i: int, j: int) -> Callable[[float], Array]:
    """h → W exp(h (E_ij − E_ji))."""

    def move(h: float) -> Array:
        moved = matrix.copy()
        moved[:, j] = math.cos(h) * matrix[:, j] + math.sin(h) * matrix[:, i]
        moved[:, i] = math.cos(h) * matrix[:, i] - math.sin(h) * matrix[:, j]
        return moved

    return move


def _change_of_basis(matrix: Array, i: int, j: int) -> Callable[[float], Array]:
    """h → exp(−h E_ij) T exp(h E_ij)."""

    def move(h: float) -> Array:
        moved = matrix.copy()
        if i == j:
            moved[:, i] *= math.exp(h)
            moved[i] *= math.exp(-h)
        else:
            moved[:, j] += h * moved[:, i]
            moved[i] -= h * moved[j]
        return moved

    return move
