"""The dominant eigenpair of a real matrix and the derivative of its modulus (derivations/03-spectral-radius.md)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy

from enrnn_ref.arrays import Array, choice, float_array
from enrnn_ref.errors import DegenerateEigenvalueError, OptionError, ShapeError
from enrnn_ref.linalg.refinement import refined_eigenpair
from enrnn_ref.linalg.tracking import Tracked, columns, leading_basis, tracked_leader

POLICIES = ("raise", "proceed")
METHODS = ("dense", "tracked")

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Degeneracy:
    """Why the leading eigenvalue has no derivative.

    Attributes
    ----------
    kind : str
        ``"tied"`` (another eigenvalue, not its conjugate, has the same modulus), ``"defective"`` (it coincides with
        another one and shares its eigenvector) or ``"zero"``.
    modulus, gap, condition : float
        Its modulus, how far the second modulus lies below, and its condition number.
    uncertainty : float
        What rounding alone can move it by, n·u·‖T‖·condition [EN-10]: the yardstick for "the same".
    """

    kind: str
    modulus: float
    gap: float
    condition: float
    uncertainty: float

    def message(self) -> str:
        """One sentence: which degeneracy, by how much, and the way out."""
        what = {
            "tied": "is tied: the second modulus is as large up to rounding, so the spectral radius has a kink here",
            "defective": "is defective: it shares its eigenvector with another one, and its derivative is unbounded",
            "zero": "is zero: the modulus has a kink at 0",
        }[self.kind]
        return (
            f"The leading eigenvalue {what} (modulus {self.modulus:.6g}, gap {self.gap:.3g}, "
            f"condition {self.condition:.3g}, rounding moves it by {self.uncertainty:.3g}); move the matrix off this "
            f"point, or pass on_degenerate='proceed' to go on with the choice of [EN-12]."
        )

    def error(self) -> DegenerateEigenvalueError:
        return DegenerateEigenvalueError(
            self.message(), kind=self.kind, modulus=self.modulus, gap=self.gap, condition=self.condition
        )


@dataclass(frozen=True)
class Eigenpair:
    """An eigenvalue of largest modulus with its vectors [EN-1].

    Attributes
    ----------
    value : complex
        λ; of a conjugate pair the one with non-negative imaginary part.
    modulus : float
        ρ = \\|λ\\|.
    right, left : ndarray (n,) complex128
        Tu = λu and v*T = λv*, of unit 2-norm.
    gap : float
        ρ minus the second modulus (the conjugate of λ does not count); infinity where there is no second. From a
        deflation [EN-21] a lower bound of it.
    condition : float
        1 / \\|v*u\\| ≥ 1 [EN-10].
    slope : callable
        Computes ``modulus_gradient``.
    degeneracy : Degeneracy or None
        None when the derivative exists.
    basis : ndarray (n, columns) float64 or None
        Orthonormal, near the leading invariant subspace: where ``method="tracked"`` may start on a matrix nearby. None
        from ``method="dense"``; without columns where the matrix is too small for tracking.
    fell_back : bool
        Whether there was a start and the dense method had to decide nevertheless.
    """

    value: complex
    modulus: float
    right: Array
    left: Array
    gap: float
    condition: float
    slope: Callable[[], Array]
    degeneracy: Degeneracy | None
    basis: Array | None = None
    fell_back: bool = False

    @property
    def constant(self) -> bool:
        """Whether the modulus counts as locally constant: the leader is defective or zero [EN-12]."""
        return self.degeneracy is not None and self.degeneracy.kind != "tied"

    @functools.cached_property
    def modulus_gradient(self) -> Array:
        """∂ρ/∂T = Re(conj(λ) S)/ρ [EN-4], (n, n) in float64; zero where the modulus counts as constant.

        Where the matrix lies, and computed when it is first asked for: a forward pass does not need it.
        """
        return self.slope()


def dominant_eigenpair(
    matrix: Array, *, on_degenerate: str = "raise", method: str = "dense", start: Eigenpair | Array | None = None
) -> Eigenpair:
    """The eigenvalue of largest modulus, its vectors, its gap, its condition and the derivative of its modulus.

    Computed in float64, whatever the dtype of ``matrix``.

    Parameters
    ----------
    matrix : ndarray (n, n), n ≥ 1, float32 or float64
    on_degenerate : {"raise", "proceed"}
        What to do where the modulus has no derivative; "proceed" makes the choice of [EN-12] and records it in
        ``degeneracy``.
    method : {"dense", "tracked"}
        "dense": LAPACK's routine. "tracked": from ``start``, and only where it is proved to lead, at a distance from
        all others that no rounding bridges; otherwise the dense method, with ``fell_back`` set.
    start : Eigenpair or ndarray (n, columns), optional
        What an earlier tracked call on a matrix nearby returned, or its ``basis``. Without it a tracked call is dense,
        and returns a basis for the next.

    Raises
    ------
    DegenerateEigenvalueError
        The leader is tied, defective or zero, and ``on_degenerate`` is "raise".
    ShapeError, DtypeError, NotFiniteError
        ``matrix`` is not a square, finite, real floating-point matrix; ``start`` is of another size.
    OptionError
        An unknown option; a ``start`` for the dense method, or one that has no basis.

    Notes
    -----
    Implements [EN-1], [EN-3] in gradient form [EN-4], [EN-10], and by the tracked method [EN-13] to [EN-17]. Both
    methods return the same to rounding, vectors up to a factor of modulus one.
    """
    choice("on_degenerate", on_degenerate, POLICIES)
    choice("method", method, METHODS)
    matrix = float_array("matrix", matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ShapeError(f"matrix has shape {matrix.shape}; expected (n, n) with n of at least 1.")
    basis = _basis_of(start, method, len(matrix))
    wide = matrix.astype(np.float64)
    pair = eigenpair_of(wide) if method == "dense" else tracked_eigenpair_of(wide, basis)
    if pair.degeneracy is not None and on_degenerate == "raise":
        raise pair.degeneracy.error()
    return pair


def eigenpair_of(matrix: Array) -> Eigenpair:
    """:func:`dominant_eigenpair` of a checked float64 matrix; a degeneracy is recorded, never raised.

    The matrix is scaled by a power of two, which rounds nothing, so that no product in it overflows or underflows.
    """
    scaled, exponent = _scaled(matrix)
    return _dense(_Spectrum(scaled), exponent)


def tracked_eigenpair_of(matrix: Array, start: Array | None) -> Eigenpair:
    """:func:`eigenpair_of`, from a basis near the leading invariant subspace where that is certain to be right.

    Where either method may be used both make the same decision, as tracking keeps away from all that is degenerate.
    """
    scaled, exponent = _scaled(matrix)
    usable = start is not None and start.size > 0
    found = tracked_leader(scaled, start) if start is not None and usable else None
    if found is not None:
        pair = _certain(scaled, found, exponent)
        if pair is not None:
            return pair
    spectrum = _Spectrum(scaled)
    basis = leading_basis(spectrum.values, spectrum.right)
    return replace(_dense(spectrum, exponent), basis=basis, fell_back=usable)


def _basis_of(start: Eigenpair | Array | None, method: str, size: int) -> Array | None:
    """The checked basis of ``start``."""
    if start is None:
        return None
    if method == "dense":
        raise OptionError("start is given with method 'dense'; expected it with method 'tracked' alone.")
    basis = start.basis if isinstance(start, Eigenpair) else start
    if basis is None:
        raise OptionError("start is an Eigenpair without a basis; expected one that method 'tracked' returned.")
    basis = float_array("start", basis).astype(np.float64)
    if basis.shape != (size, columns(size)):
        raise ShapeError(
            f"start has shape {basis.shape}; expected {(size, columns(size))} for a matrix of size {size}."
        )
    return basis


def _scaled(matrix: Array) -> tuple[Array, int]:
    """The matrix times 2^(-exponent), with entries of order one."""
    exponent = math.frexp(np.abs(matrix).max())[1]
    return np.ldexp(matrix, -exponent), exponent


def _certain(matrix: Array, found: Tracked, exponent: int) -> Eigenpair | None:
    """A tracked leader as an Eigenpair; None near anything that the dense method might call degenerate."""
    modulus = abs(found.value)
    condition = 1.0 / abs(complex(np.vdot(found.left, found.right)))
    gap = modulus - found.second
    if not stands_alone(found.value, gap, condition, float(np.linalg.norm(matrix))):
        return None
    value = complex(math.ldexp(found.value.real, exponent), math.ldexp(found.value.imag, exponent))
    modulus, gap = math.ldexp(modulus, exponent), math.ldexp(gap, exponent)
    slope = functools.partial(_tracked_gradient, found)
    return Eigenpair(value, modulus, found.right, found.left, gap, condition, slope, None, found.basis)


def stands_alone(value: complex, gap: float, condition: float, norm: float) -> bool:
    """Whether a leader of a matrix of this norm is clear of all that the dense method might call degenerate."""
    backward_error = _EPS * norm
    # The dense method calls a leader tied within twice the most that rounding moves an eigenvalue by [EN-10], and
    # defective from a condition of 1e-2 / sqrt(u) on; a factor of ten keeps the two from disagreeing. A pair may be two
    # real eigenvalues where rounding could have lifted it off the axis.
    near = 20 * math.sqrt(backward_error * norm)
    single = condition < 1e-3 * math.sqrt(abs(value) / backward_error)
    return gap > near and single and not 0.0 < value.imag <= near


def _tracked_gradient(found: Tracked) -> Array:
    """∂ρ/∂T [EN-4], of rank two."""
    u, v = found.right, found.left
    weighted = v.conj() * (found.value.conjugate() / abs(found.value) / np.vdot(v, u))
    gradient: Array = np.stack([weighted.real, -weighted.imag], axis=1) @ np.stack([u.real, u.imag])
    return gradient


def _dense(spectrum: _Spectrum, exponent: int) -> Eigenpair:
    """The leader of a decomposition, of the matrix before it was scaled."""
    k, kind = spectrum.leader()
    value, condition = complex(spectrum.values[k]), float(spectrum.conditions[k])
    slope: Callable[[], Array]
    if kind in ("defective", "zero"):
        slope = functools.partial(np.zeros_like, spectrum.matrix)  # [EN-12]: the modulus counts as locally constant
    else:
        slope = functools.partial(spectrum.modulus_gradient, k, refine=kind is None and spectrum.has_neighbour(k))
    scaled = [value.real, value.imag, abs(value), spectrum.gap(k), float(spectrum.uncertainties[k])]
    real, imaginary, modulus, gap, uncertainty = np.ldexp(scaled, exponent).tolist()
    degeneracy = None if kind is None else Degeneracy(kind, modulus, gap, condition, uncertainty)
    right, left = spectrum.right[:, k], spectrum.left[:, k]
    return Eigenpair(complex(real, imaginary), modulus, right, left, gap, condition, slope, degeneracy)


class _Spectrum:
    """Eigenvalues of a matrix with entries of order one, their vectors and conditions, and what rounding does."""

    def __init__(self, matrix: Array) -> None:
        self.matrix = matrix
        self.values, self.left, self.right = _decomposed(matrix)
        self.moduli = np.abs(self.values)
        with np.errstate(divide="ignore"):
            self.conditions = 1.0 / np.abs(np.einsum("ij,ij->j", self.left.conj(), self.right))
        self.norm = math.sqrt(np.vdot(matrix, matrix))
        self.backward_error = _EPS * self.norm

    @functools.cached_property
    def uncertainties(self) -> Array:
        """What rounding may move each eigenvalue by: n·u·‖T‖·condition [EN-10].

        First-order theory ends at a double eigenvalue, which rounding moves by no more than about sqrt(u)·‖T‖.
        """
        first_order = len(self.values) * self.backward_error * self.conditions
        moved: Array = np.minimum(first_order, math.sqrt(self.backward_error * self.norm))
        return moved

    def rivals(self, k: int) -> list[int]:
        """All other eigenvalues but the conjugate of k, which is the same mode."""
        imaginary = self.values[k].imag  # LAPACK puts a pair side by side, the positive imaginary part first
        same = (k, k + 1 if imaginary > 0.0 else k - 1) if imaginary != 0.0 else (k,)
        return [j for j in range(len(self.values)) if j not in same]

    def gap(self, k: int) -> float:
        """By how much the second modulus lies below that of k; infinity where there is none."""
        moduli: list[float] = self.moduli.tolist()
        return max(0.0, moduli[k] - max([moduli[j] for j in self.rivals(k)], default=-math.inf))

    def leader(self) -> tuple[int, str | None]:
        """Index of the leader, with imaginary part ≥ 0, and its degeneracy if it has one [EN-10] [EN-12]."""
        moduli = self.moduli.tolist()
        largest = max(moduli)
        k = self._preferred([j for j, modulus in enumerate(moduli) if modulus == largest])
        if largest <= len(moduli) * self.backward_error:
            return k, "zero"
        if self._merged(k):
            return k, "defective"
        moved = self.uncertainties.tolist()
        reach = [j for j in self.rivals(k) if largest - moduli[j] <= moved[k] + moved[j]]
        if reach:
            return self._preferred([*reach, k]), "tied"
        return k, None

    def _preferred(self, indices: list[int]) -> int:
        """Of leaders that are equal to rounding the one with the greatest real part, then imaginary part [EN-12]."""
        return max(indices, key=lambda j: (self.values[j].real, self.values[j].imag))

    def _merged(self, k: int) -> bool:
        """Whether k cannot be told from a defective eigenvalue.

        Rounding splits merged eigenvalues to a distance of about the error it makes in each, backward error times
        condition, and leaves a condition of 1/sqrt(u) or more. Neighbours with a small condition are a mere tie.
        """
        condition = float(self.conditions[k])
        if not condition >= 1e-2 * math.sqrt(float(self.moduli[k]) / self.backward_error):
            return False
        distances = np.abs(self.values - self.values[k])
        distances[k] = np.inf
        return bool(distances.min() <= 16 * self.backward_error * condition)

    def has_neighbour(self, k: int) -> bool:
        """Whether another mode lies closer to k than its own conjugate.

        The routine's errors in the two vectors of a pair near the real axis cancel in the derivative; those that
        another mode causes do not.
        """
        width, distances = 2 * abs(float(self.values[k].imag)), np.abs(self.values - self.values[k]).tolist()
        return width == 0.0 or min([distances[j] for j in self.rivals(k)], default=math.inf) < width

    def modulus_gradient(self, k: int, *, refine: bool) -> Array:
        """∂ρ/∂T = Re(conj(λ) S)/ρ with S = conj(v) uᵀ / (v*u) [EN-4]; a tied pair is taken as it comes."""
        value, u, v = self.values[k], self.right[:, k], self.left[:, k]
        if refine:
            value, u, v = refined_eigenpair(self.matrix, value, u, v)
        return _modulus_gradient(value, u, v)


def _decomposed(matrix: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues, left and right eigenvectors (a column each) of a real matrix, complex128.

    LAPACK's own routine: at ten rows ``scipy.linalg.eig`` takes as long again around it.
    """
    n = len(matrix)
    lapack: Any = scipy.linalg.lapack
    real, imaginary, left, right, unconverged = lapack.dgeev(matrix, lwork=_workspace(n))
    if unconverged:
        raise np.linalg.LinAlgError(f"{unconverged} eigenvalues of a {n} x {n} matrix did not converge.")
    both = _complex_columns(np.concatenate([left, right]), imaginary)
    return real + 1j * imaginary, both[:n], both[n:]


@functools.lru_cache(maxsize=8)
def _workspace(size: int) -> int:
    """What the routine wants for a matrix of this size."""
    lapack: Any = scipy.linalg.lapack
    return int(lapack.dgeev_lwork(size)[0])


def _complex_columns(vectors: Array, imaginary: Array) -> Array:
    """LAPACK's real form: of a pair, real and imaginary part of the vector whose eigenvalue has a positive one."""
    (upper,) = (imaginary > 0.0).nonzero()
    columns, parts = vectors.astype(np.complex128), vectors[:, upper + 1]
    columns.imag[:, upper] = parts
    columns.real[:, upper + 1] = vectors[:, upper]
    columns.imag[:, upper + 1] = -parts
    return columns


def _modulus_gradient(value: Any, right: Array, left: Array) -> Array:
    """∂ρ/∂T [EN-4] of an eigenvalue with its vectors, in any precision."""
    weighted = left.conj() * (value.conjugate() / abs(value) / np.vdot(left, right))
    gradient: Array = weighted.real[:, np.newaxis] * right.real
    if right.dtype.kind == "c":
        gradient -= weighted.imag[:, np.newaxis] * right.imag
    return gradient.astype(np.float64)
