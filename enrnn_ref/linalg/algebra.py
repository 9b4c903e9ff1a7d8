"""Where arrays lie, and what maps are written with there beside the operators + − * / @ and .T, .astype, .copy.

A map that asks :func:`algebra_of` its arrays is written once, for the host and for every device whose arrays name an
algebra of their own (attribute ``algebra``). What this package calls an array of a device has those operators too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.linalg.eigenpair import Eigenpair
from enrnn_ref.linalg.shifted import Shifted, ShiftedLu
from enrnn_ref.linalg.skew import skew_matrix, skew_vector


class ClaimedLeader(NamedTuple):
    """A leading eigenpair that a device has found, before the host knows whether it leads.

    Attributes
    ----------
    modulus
        ρ, a number that matrices are divided by, and to which one is added.
    proved : function
        The eigenpair, or None where it is not proved to lead; waits until that is known.
    """

    modulus: Any
    proved: Callable[[], Eigenpair | None]


class Algebra(ABC):
    """Linear algebra on arrays that lie in one place. Matrices are float64 unless something else is said.

    Attributes
    ----------
    adopt : callable or None
        How an array that lies there is taken as one of this algebra's (see :func:`~enrnn_ref.arrays.float_array`).
        None: this is the host, where arrays are looked at.
    """

    adopt: Callable[[object], Array] | None = None

    @abstractmethod
    def fetch(self, array: Array) -> Array:
        """An array of this algebra on the host."""

    @abstractmethod
    def bring(self, array: Array) -> Array:
        """An array of the host, or of this algebra, as one of this algebra."""

    def fetch_all(self, named: Mapping[str, Array]) -> Arrays:
        return {name: self.fetch(array) for name, array in named.items()}

    def bring_all(self, named: Mapping[str, Array]) -> Arrays:
        return {name: self.bring(array) for name, array in named.items()}

    @abstractmethod
    def seal(self, array: Array) -> None:
        """Make an array read-only, where there is such a thing."""

    @abstractmethod
    def constant(self, entries: Array) -> Array:
        """A few numbers of the host that do not change; they are brought once."""

    @abstractmethod
    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """An array of zeros, of any dtype."""

    @abstractmethod
    def skew_matrix(self, vector: Array, size: int) -> Array:
        """A (size, size) with the vector above the diagonal, row by row, and its negative below."""

    @abstractmethod
    def skew_vector(self, matrix: Array) -> Array:
        """The strict upper triangle, (n(n-1)/2,)."""

    @abstractmethod
    def shifted(self, skew: Array) -> Shifted:
        """I + A, prepared to solve with; NotFiniteError, now or when settled, where it is singular in float64."""

    @abstractmethod
    def plus_diagonal(self, matrix: Array, entries: Array) -> Array:
        """M + diag(d); ``entries`` is a :meth:`constant`."""

    @abstractmethod
    def inner(self, a: Array, b: Array) -> Any:
        """⟨A, B⟩ = Σ a_ij b_ij, which matrices are multiplied by."""

    @abstractmethod
    def block_triangular(self, first: Array, beside: Array | None, last: Array) -> Array:
        """[[first, beside], [0, last]], of any one dtype; None stands for zeros."""

    @abstractmethod
    def claimed_leader(self, matrix: Array) -> ClaimedLeader | None:
        """The leading eigenpair, found without the host's methods; None where these are the only ones."""


class HostAlgebra(Algebra):
    """NumPy's arrays."""

    def fetch(self, array: Array) -> Array:
        return array

    def bring(self, array: Array) -> Array:
        return array

    def seal(self, array: Array) -> None:
        array.flags.writeable = False

    def constant(self, entries: Array) -> Array:
        return entries

    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        return np.zeros(shape, dtype)

    def skew_matrix(self, vector: Array, size: int) -> Array:
        return skew_matrix(vector, size)

    def skew_vector(self, matrix: Array) -> Array:
        return skew_vector(matrix)

    def shifted(self, skew: Array) -> Shifted:
        return ShiftedLu(skew)

    def plus_diagonal(self, matrix: Array, entries: Array) -> Array:
        summed = matrix.copy()
        summed.ravel()[:: len(entries) + 1] += entries
        return summed

    def inner(self, a: Array, b: Array) -> Any:
        return np.add.reduce(a * b, axis=None)

    def block_triangular(self, first: Array, beside: Array | None, last: Array) -> Array:
        rows, n = len(first), len(first) + len(last)
        whole = np.zeros((n, n), last.dtype)
        whole[:rows, :rows], whole[rows:, rows:] = first, last
        if beside is not None:
            whole[:rows, rows:] = beside
        return whole

    def claimed_leader(self, matrix: Array) -> ClaimedLeader | None:
        return None


HOST = HostAlgebra()


def algebra_of(array: object) -> Algebra:
    """The algebra of the arrays of this kind."""
    algebra: Algebra = getattr(array, "algebra", HOST)
    return algebra
