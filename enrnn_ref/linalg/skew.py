"""Skew-symmetric matrices stored as their strict upper triangle, so that every stored entry is free."""

from __future__ import annotations

import functools

import numpy as np

from enrnn_ref.arrays import Array


def skew_matrix(vector: Array, size: int) -> Array:
    """A (size, size) with A[i, j] = vector[k], A[j, i] = -vector[k], in the order of ``np.triu_indices(size, 1)``."""
    matrix = np.zeros((size, size), vector.dtype)
    matrix[_upper(size)] = vector
    return matrix - matrix.T


def skew_vector(matrix: Array) -> Array:
    """The strict upper triangle of ``matrix``, shape (n(n-1)/2,)."""
    return matrix[_upper(len(matrix))]


@functools.lru_cache(maxsize=8)
def identity(size: int) -> Array:
    """I, float64; read-only."""
    matrix = np.eye(size)
    matrix.flags.writeable = False
    return matrix


@functools.lru_cache(maxsize=8)  # making it costs more than using it
def _upper(size: int) -> Array:
    """Where the strict upper triangle is, row by row: the order of ``np.triu_indices``."""
    return np.tri(size, k=-1, dtype=bool).T
