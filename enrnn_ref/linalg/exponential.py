"""The exponential of a skew-symmetric matrix, its derivative and its pullback (derivations/09-exponential.md).

Two routes to the same numbers. :class:`SkewExponential` takes the matrix apart once, in real arithmetic, and every map
is then a handful of products; :class:`BlockExponential` asks a general exponential of size 2n, and is the check.
"""

from __future__ import annotations

import numpy as np
import scipy

from enrnn_ref.arrays import Array
from enrnn_ref.errors import NotFiniteError


class SkewExponential:
    """P = expm(A) of a real skew-symmetric A through its planes of rotation [EX-2].

    Parameters
    ----------
    skew : ndarray (n, n) float64
        A = −Aᵀ exactly; n ≥ 0.

    Attributes
    ----------
    matrix : ndarray (n, n) float64
        P, real by construction and orthogonal to rounding [EX-1], however large A is.
    angles : ndarray (⌈n/2⌉,) float64
        By how much each plane turns, ≥ 0 and not reduced modulo 2π; the plane of an unpaired unit has angle 0.

    Raises
    ------
    NotFiniteError
        A is so large that its norm overflows.

    Notes
    -----
    Costs one reduction to Hessenberg form and one singular value decomposition of half the size; the derivative in
    either direction costs four products more. Ties, A = 0 and large A need no special case [EX-6].
    """

    def __init__(self, skew: Array) -> None:
        x, y, self.angles = _planes(skew)
        half = self.angles / 2
        c, s = np.cos(half), np.sin(half)
        self._planes = np.hstack([x, y])
        # The planes turned by half their angle, forwards and backwards: P^½ [X Y] and P^-½ [X Y].
        self._ahead = np.hstack([x * c - y * s, x * s + y * c])
        self._behind = np.hstack([x * c + y * s, y * c - x * s])
        self.matrix: Array = self._ahead @ self._behind.T  # [EX-2]
        self._difference = _sinc(half[:, np.newaxis] - half)
        self._sum = _sinc(half[:, np.newaxis] + half)

    def tangent(self, direction: Array) -> Array:
        """L(A, E), the derivative of expm at A along E [EX-3], for any real E (n, n) [EX-7]."""
        derivative: Array = self._ahead @ self._weighted(direction) @ self._behind.T
        return derivative

    def pullback(self, cotangent: Array) -> Array:
        """L(Aᵀ, G) (n, n), the gradient for unconstrained A given G = dL/dP [EX-8].

        That of the free entry a_ij, i < j, is Y_ij − Y_ji [EX-9].
        """
        gradient: Array = self._behind @ self._weighted(cotangent) @ self._ahead.T
        return gradient

    def _weighted(self, matrix: Array) -> Array:
        """The matrix in the basis of the planes, each 2×2 block with its two parts weighted [EX-7]."""
        m = len(self.angles)
        inner = self._planes.T @ matrix @ self._planes
        xx, xy, yx, yy = inner[:m, :m], inner[:m, m:], inner[m:, :m], inner[m:, m:]
        near, far = self._difference / 2, self._sum / 2
        turning, stretching = near * (xx + yy), far * (xx - yy)
        curl, shear = near * (xy - yx), far * (xy + yx)
        return np.block([[turning + stretching, shear + curl], [shear - curl, turning - stretching]])


class BlockExponential:
    """P = expm(A) and its derivatives by general exponentials of sizes n and 2n: the same interface, and the check.

    Parameters and attributes are those of :class:`SkewExponential`, but for ``angles``.
    """

    def __init__(self, skew: Array) -> None:
        self._skew = skew
        self.matrix: Array = scipy.linalg.expm(skew)

    def tangent(self, direction: Array) -> Array:
        """L(A, E) [EX-4]."""
        return frechet_block(self._skew, direction)

    def pullback(self, cotangent: Array) -> Array:
        """L(Aᵀ, G) [EX-8]."""
        return frechet_block(self._skew.T, cotangent)


def frechet_block(matrix: Array, direction: Array) -> Array:
    """L(A, E) as the corner of expm([[A, E], [0, A]]) [EX-4]; A and E are any square matrices of one size.

    L is linear in E, which is brought to the size of A by a power of two first: a large E would cost squarings, and
    with them digits.
    """
    n = len(matrix)
    largest = float(np.abs(direction).max(initial=0.0))
    exponent = int(np.frexp(largest)[1]) - int(np.frexp(max(1.0, np.abs(matrix).max(initial=0.0)))[1])
    block = np.block([[matrix, np.ldexp(direction, -exponent)], [np.zeros((n, n)), matrix]])
    corner: Array = np.ldexp(scipy.linalg.expm(block)[:n, n:], exponent)
    return corner


def _planes(skew: Array) -> tuple[Array, Array, Array]:
    """X, Y (n, m) and angles ω (m,), m = ⌈n/2⌉, with A = X Ω Yᵀ − Y Ω Xᵀ and [X Y][X Y]ᵀ = I [EX-5].

    For even n the columns are orthonormal. An odd n is made even by one more unit that nothing is coupled to; X and Y
    are then the first n rows of what belongs to n + 1, and no formula changes.
    """
    n = len(skew)
    m = (n + 1) // 2
    basis, band = _tridiagonal(skew)
    # Even rows couple to odd columns only, so all of it is one bidiagonal matrix of half the size.
    bidiagonal = np.zeros((m, m))
    bidiagonal[np.arange(n // 2), np.arange(n // 2)] = band[::2]
    bidiagonal[np.arange(1, m), np.arange(m - 1)] = -band[1::2]
    odd = np.zeros((n, m))
    odd[:, : n // 2] = basis[:, 1::2]
    if n == 0:
        return odd, odd, np.zeros(0)
    left, angles, right = scipy.linalg.svd(bidiagonal, check_finite=False)
    return basis[:, ::2] @ left, odd @ right.T, angles


def _tridiagonal(skew: Array) -> tuple[Array, Array]:
    """Orthogonal Q (n, n) and t (n-1,): QᵀAQ has t above the diagonal, −t below it and zeros elsewhere.

    The Hessenberg form of a skew matrix is tridiagonal; of the rounding errors in it the symmetric part is dropped.
    """
    n = len(skew)
    if n < 3:
        return np.eye(n), skew.diagonal(1)
    work = int(scipy.linalg.lapack.dgehrd_lwork(n)[0])
    reduced, tau, _ = scipy.linalg.lapack.dgehrd(skew, lwork=work)
    band = reduced.diagonal(1) / 2 - reduced.diagonal(-1) / 2
    if not np.isfinite(band).all():
        raise NotFiniteError(
            f"skew has entries up to {np.abs(skew).max():.3g}, so large that its norm overflows; expected smaller ones."
        )
    basis, _ = scipy.linalg.lapack.dorghr(reduced, tau, lwork=work)
    return basis, band


def _sinc(x: Array) -> Array:
    """sin(x)/x, with 1 at 0."""
    safe = np.where(x == 0.0, 1.0, x)
    return np.where(x == 0.0, 1.0, np.sin(safe) / safe)
