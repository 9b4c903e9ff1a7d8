"""The leading eigenpair from that of the step before, with a proof that it leads (derivations/03-spectral-radius.md).

A high power of the matrix separates the moduli: it makes a few iterations out of hundreds, and its norm says what the
norm of the matrix itself does not. So one power serves the iteration and the inclusion of the spectrum. A doubtful case
is not decided here: the answer is None, and the dense method decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from enrnn_ref.arrays import Array

SMALLEST = 32
"""Below this size the dense method is all there is."""

FEWEST_SQUARINGS, MOST_SQUARINGS = 3, 6
"""The powers of T tried are 8, 16, 32 and 64."""

DECAY = 0.2
"""One more squaring costs as much as eight iterations; it is taken while an iteration gains less than this factor."""

ROUNDS = 5
"""Attempts at the inclusion, each after one more iteration, before the dense method is asked."""

BULKY = 0.5
"""From this size on, of ‖P₂₂‖ next to the leader, a higher power is worth more than a better basis."""

CANDIDATES = 12
"""As many eigenvalues may contend for the second modulus."""

WIDE_STEP = 0.05
"""Relative distance, among the moduli of the power, that separates them well from the rest."""

CONTENDERS_TOLERANCE = 2e-12
"""Residual, in units of ‖T‖, with which their invariant subspace is known well enough."""

CORRECTIONS = 40
"""Steps at most towards an invariant subspace. Whether they were enough is for the residuals to say."""

TRANSIENT = 4
"""After as many steps a change that grows is rounding, or no convergence."""

CONVERGED = 1e-13
"""Change of vectors of length one."""

WORST_INVERSE = 1e-3
"""Distance from the identity that X⁻¹X may have."""

_EPS = float(np.finfo(np.float64).eps)


def columns(size: int) -> int:
    """How many columns a tracked basis has: an eighth of the size, at least 16; none below :data:`SMALLEST`."""
    return max(16, -(-size // 8)) if size >= SMALLEST else 0


def leading_basis(values: Array, right: Array) -> Array:
    """Orthonormal basis (n, columns(n)) of the leading eigenvectors, to start the tracking from.

    Parameters
    ----------
    values : ndarray (n,) complex128
    right : ndarray (n, n) complex128
        Right eigenvectors of a real matrix, a column each.
    """
    n = len(values)
    order = [j for j in np.argsort(-np.abs(values), kind="stable") if values[j].imag >= 0.0]
    parts: list[Array] = []
    for j in order:
        parts += [right[:, j].real, right[:, j].imag] if values[j].imag else [right[:, j].real]
    chosen = np.array(parts[: columns(n)]).reshape(-1, n).T
    return _orthonormal(chosen) if chosen.size else chosen


@dataclass(frozen=True, eq=False)
class Tracked:
    """A leader that is proved to lead.

    Attributes
    ----------
    value : complex
        With imaginary part ≥ 0.
    right, left : ndarray (n,) complex128, of unit 2-norm
    second : float
        The second modulus.
    basis : ndarray (n, columns(n)) float64
        Where the next step starts from.
    """

    value: complex
    right: Array
    left: Array
    second: float
    basis: Array


def tracked_leader(matrix: Array, start: Array) -> Tracked | None:
    """The leading eigenpair of ``matrix``, or None where this method cannot prove that it leads.

    Parameters
    ----------
    matrix : ndarray (n, n) float64, entries of order one
    start : ndarray (n, columns(n)) float64
        Near the leading invariant subspace. A bad one costs time or ends in None; it never makes the proof wrong.

    Notes
    -----
    Implements [EN-13] to [EN-17].
    """
    # A useless start may overflow or be singular; every comparison below refuses what is not a number.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        try:
            # How an array lies in memory decides which routine of a library multiplies it, and so the last bits.
            return _attempted(np.ascontiguousarray(matrix), np.ascontiguousarray(start))
        except np.linalg.LinAlgError:
            return None


def _attempted(matrix: Array, start: Array) -> Tracked | None:
    found = _power_and_basis(matrix, start)
    if found is None:
        return None
    power, basis = found
    for attempt in range(ROUNDS):
        projection = _projection(power, basis)
        inclusion = None if projection is None else _inclusion(projection)
        if projection is not None and inclusion is not None:
            return _polished(matrix, projection, inclusion)
        if attempt < ROUNDS - 1:
            crowded = projection is not None and projection.rest >= BULKY * abs(projection.values[0])
            if crowded and power.degree < 2**MOST_SQUARINGS:
                power = _squared(power)
            basis = _orthonormal(power.matrix @ basis)
    return None


def _tolerances(matrix: Array) -> tuple[float, float]:
    """How far the matrix may be from one that the result belongs to exactly: the leader, and the second modulus.

    The first is a few times what a dense routine asks for. The second is wider: the lower an eigenvalue lies, the fewer
    digits a power keeps of its vectors. The proof covers the wider one.
    """
    norm = float(np.linalg.norm(matrix))
    rounding = 4 * len(matrix) * _EPS * norm
    return rounding, max(rounding, CONTENDERS_TOLERANCE * norm)


@dataclass(frozen=True, eq=False)
class _Power:
    """P with ‖P − 2^(−exponent) T^degree‖_F ≤ error, for every T within the wider tolerance [EN-13]."""

    matrix: Array
    norm: float
    error: float
    degree: int = 1
    exponent: int = 0

    def level(self, modulus: float) -> float:
        """Modulus of an eigenvalue of P, given that of the eigenvalue of T."""
        return math.ldexp(modulus**self.degree, -self.exponent)


def _squared(power: _Power) -> _Power:
    """[EN-13]: the square, scaled to a norm of order one, and its error."""
    n = len(power.matrix)
    rounding = n * _EPS / (1 - n * _EPS) * power.norm**2
    error = 2 * power.norm * power.error + power.error**2 + rounding
    square = power.matrix @ power.matrix
    norm = float(np.linalg.norm(square))
    shift = int(np.frexp(norm)[1])
    square *= math.ldexp(1.0, -shift)
    return _Power(
        square, math.ldexp(norm, -shift), math.ldexp(error, -shift), 2 * power.degree, 2 * power.exponent + shift
    )


def _power_and_basis(matrix: Array, start: Array) -> tuple[_Power, Array] | None:
    """A power with which an iteration gains enough, and the basis after some; the triangular factor tells the gain."""
    power, basis = _Power(matrix, float(np.linalg.norm(matrix)), _tolerances(matrix)[1]), start
    for squarings in range(1, MOST_SQUARINGS + 1):
        power = _squared(power)
        if not power.norm > power.error:  # zero or nilpotent
            return None
        if squarings >= FEWEST_SQUARINGS:
            decomposition: Any = scipy.linalg.qr(power.matrix @ basis, mode="economic", check_finite=False)
            basis, triangle = decomposition
            sizes = np.sort(np.abs(np.diag(triangle)))
            if sizes[0] <= DECAY * sizes[-3]:
                break
    return power, _orthonormal(power.matrix @ basis)


@dataclass(frozen=True, eq=False)
class _Projection:
    """A power in the basis Q and its complement, and the eigenvectors X of the part within Q [EN-14].

    ``down`` and ``up`` are the norms of the rows of X⁻¹P₁₂ and of the columns of P₂₁X, ``heights`` those of the rows of
    X⁻¹, ``rest`` is ‖P₂₂‖. ``error`` bounds what rounding does to each of the four parts.
    """

    power: _Power
    basis: Array
    values: Array
    vectors: Array
    inverse: Array
    down: Array
    up: Array
    heights: Array
    rest: float
    error: float


def _projection(power: _Power, basis: Array) -> _Projection | None:
    matrix, n = power.matrix, len(power.matrix)
    image, coimage = matrix @ basis, basis.T @ matrix
    within = basis.T @ image
    below = image - basis @ within
    beside = coimage - within @ basis.T
    rest = power.norm**2 - sum(float(np.linalg.norm(part)) ** 2 for part in (within, below, beside))
    values, vectors = np.linalg.eig(within)
    order = np.argsort(-np.abs(values), kind="stable")
    values, vectors = values[order], vectors[:, order]
    try:
        inverse = np.linalg.inv(vectors)
    except np.linalg.LinAlgError:
        return None
    doubt = float(np.linalg.norm(inverse @ vectors - np.eye(len(values))))
    if not doubt < WORST_INVERSE:
        return None
    doubt /= 1 - doubt
    # Rounding in the products, Q for the orthonormal basis next to it, and X for the eigenvectors.
    skewness = float(np.linalg.norm(basis.T @ basis - np.eye(basis.shape[1])))
    defect = float(np.linalg.norm(within @ vectors - vectors * values, axis=0).max())
    rounding = (8 * n * _EPS * math.sqrt(basis.shape[1]) + 4 * skewness) * power.norm
    across = np.linalg.norm(_times(beside.T, inverse.T), axis=0)
    heights = np.linalg.norm(inverse, axis=1)
    return _Projection(
        power=power,
        basis=basis,
        values=values,
        vectors=vectors,
        inverse=inverse,
        down=across + doubt * np.linalg.norm(across),
        up=np.linalg.norm(_times(below, vectors), axis=0),
        heights=heights + doubt * np.linalg.norm(heights),
        rest=math.sqrt(max(rest, 0.0) + 4 * rounding * power.norm),
        error=power.error + rounding + defect,
    )


@dataclass(frozen=True)
class _Inclusion:
    """Of the eigenvalues of a power exactly ``leaders`` lie above ``first``, and exactly ``total`` above ``second``."""

    leaders: int
    total: int
    first: float
    second: float


def _inclusion(p: _Projection) -> _Inclusion | None:
    """[EN-15] and [EN-16] for a single leader or a pair; None where the discs are too large to tell."""
    moduli = np.abs(p.values)
    floor = p.rest + p.error
    # A pair of T may have a real double eigenvalue as its power, so a real leader of the power may be two.
    for leaders in (1, 2) if p.values[0].imag == 0.0 else (2,):
        following = float(moduli[leaders])
        if not floor < following:
            continue
        circle = (floor + following) / 2
        radius = _radius(p, circle - floor)
        if not moduli[leaders - 1] - radius > following + radius:
            continue
        # The discs of those that contend for the second modulus must not touch the others' or the circle.
        totals = np.arange(leaders + 1, min(leaders + CANDIDATES, len(moduli) - 1) + 1)
        rungs = np.maximum(moduli[totals], circle)
        free = moduli[totals - 1] - radius > rungs + radius
        if free.any():
            # Their subspace converges the better, the further the rest is: the first place that will do, or the best.
            steps = np.where(free, 1.0 - moduli[totals] / moduli[totals - 1], 0.0)
            k = int(np.argmax(steps >= min(WIDE_STEP, float(steps.max()))))
            return _Inclusion(leaders, int(totals[k]), following + radius, float(rungs[k]) + radius)
    return None


def _radius(p: _Projection, distance: float) -> float:
    """[EN-15]: every eigenvalue of the power outside the circle is as close as this to one of ``values``."""
    down, up = (p.down + p.heights * p.error) / distance, p.up + p.error
    balance = math.sqrt(p.error * float(down.sum()) / float(p.heights @ up))
    return float((down + balance * p.heights) @ (up + p.error / balance))


def _polished(matrix: Array, p: _Projection, inclusion: _Inclusion) -> Tracked | None:
    """The pair and the second modulus to full accuracy; residuals in T itself tie them to the inclusion [EN-17]."""
    leaders, total = inclusion.leaders, inclusion.total
    tolerance, wider = _tolerances(matrix)
    right = _invariant(p.power.matrix, p.basis, p.values, p.vectors, p.inverse, total)
    left = _invariant(p.power.matrix.T, p.basis, p.values, p.inverse.T, p.vectors.T, leaders)
    span = _orthonormal(right)
    image = matrix @ span
    section = span.T @ image
    values, vectors = np.linalg.eig(section)
    order = np.argsort(-np.abs(values), kind="stable")
    k = order[0] if values[order[0]].imag >= 0.0 else order[1]
    lowest, second = float(np.abs(values[order[-1]])), float(np.abs(values[order[leaders]]))
    if (values[k].imag != 0.0) != (leaders == 2):
        return None
    if not (np.linalg.norm(image - span @ section) <= wider and p.power.level(lowest) > inclusion.second):
        return None

    u = _times(span, vectors[:, [k]])[:, 0]
    lead = _real(u[:, None], np.array([leaders == 2]))
    # A left eigenvector is the conjugate of a right one of the transpose, within the span of ``left``.
    mates, combinations = np.linalg.eig(np.linalg.solve(lead.T @ left, lead.T @ (matrix.T @ left)))
    w = _times(left, combinations[:, [int(np.argmax(mates.imag))]])[:, 0]
    u, w = u / np.linalg.norm(u), w / np.linalg.norm(w)
    image = _times(matrix, u[:, None])[:, 0]
    value = complex((w @ image) / (w @ u))
    residual = np.linalg.norm(image - value * u)
    coresidual = np.linalg.norm(_times(matrix.T, w[:, None])[:, 0] - value * w)
    if not (residual + coresidual <= tolerance and p.power.level(abs(value)) > inclusion.first):
        return None
    if leaders == 1:
        value = complex(value.real)
    return Tracked(value, _turned(u), _turned(w.conj()), second, p.basis)


def _turned(vector: Array) -> Array:
    """With its largest entry real and positive."""
    largest = vector[np.argmax(np.abs(vector))]
    turned: Array = vector * (abs(largest) / largest)
    return turned


def _invariant(power: Array, basis: Array, values: Array, vectors: Array, inverse: Array, count: int) -> Array:
    """Basis (n, count) of the invariant subspace of ``power`` that belongs to the first ``count`` of ``values``.

    A pair gives two columns, real and imaginary part. In QXC + B, B orthogonal to Q, C follows from B by the projected
    problem, and B is an iteration in which the power damps what lies outside of Q.
    """
    own = np.flatnonzero(values[:count].imag >= 0.0)
    paired = values[own].imag > 0.0
    # LAPACK puts a pair side by side, and the order by modulus is stable.
    partner = np.arange(len(values)) + np.sign(values.imag).astype(int)
    order = np.concatenate([own, partner[own[paired]]])
    below = values[count:, None]
    unit = np.zeros((len(values), len(own)), np.complex128)
    unit[own, np.arange(len(own))] = 1.0

    def with_twins(block: Array) -> Array:
        """Rows along the eigenvectors, columns of ``own``: those of their conjugates behind them."""
        return np.concatenate([block, block[partner][:, paired].conj()], axis=1)

    c, b, last = unit, np.zeros((len(power), count)), np.inf
    for step in range(CORRECTIONS):
        image = power @ (basis @ _real(vectors @ c, paired) + b)
        inner = basis.T @ image
        parts = inverse @ _complex(inner, paired)
        block = with_twins(parts)[order]
        # c' block − D c' is what B brings in, with D for the diagonal of the block: both agree in the limit.
        incoming = parts[count:] - below * c[count:]
        turned = (with_twins(c)[count:] @ block[:, : len(own)]) - c[count:] * values[own]
        new_c = unit.copy()
        new_c[count:] = (incoming - turned) / (values[own] - below)
        inverted = np.linalg.inv(block)[:, : len(own)]
        mixed = inverted[: len(own)].copy()
        mixed[paired] += inverted[len(own) :]
        mixed = np.concatenate([mixed, 1j * (inverted[: len(own)][paired] - inverted[len(own) :])])
        new_b = (image - basis @ inner) @ _real(mixed, paired)
        change = float(np.linalg.norm(new_c - c) + np.linalg.norm(new_b - b))
        c, b = new_c, new_b
        if change <= CONVERGED or (change >= last and step >= TRANSIENT):
            break
        last = change
    return basis @ _real(vectors @ c, paired) + b


def _real(block: Array, paired: Array) -> Array:
    """The real parts of all columns, then the imaginary parts of those that have a conjugate."""
    return np.concatenate([block.real, block.imag[:, paired]], axis=1)


def _complex(block: Array, paired: Array) -> Array:
    """What :func:`_real` took apart."""
    whole = block[:, : len(paired)].astype(np.complex128)
    whole[:, paired] += 1j * block[:, len(paired) :]
    return whole


def _times(matrix: Array, block: Array) -> Array:
    """A real matrix times a complex block, without a complex copy of the matrix."""
    product = matrix @ np.concatenate([block.real, block.imag], axis=1)
    count = block.shape[1]
    result: Array = product[:, :count] + 1j * product[:, count:]
    return result


def _orthonormal(block: Array) -> Array:
    """Orthonormal basis of the range, by Householder reflections."""
    decomposition: Any = scipy.linalg.qr(block, mode="economic", check_finite=False)
    basis: Array = decomposition[0]
    return basis
