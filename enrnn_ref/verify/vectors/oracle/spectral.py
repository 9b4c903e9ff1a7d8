"""The spectral radius of a matrix as one operation of the tape."""

from __future__ import annotations

from typing import Any

from enrnn_ref.verify.vectors.oracle.arithmetic import DISTURBANCE_BITS, Disturbed
from enrnn_ref.verify.vectors.oracle.linear import Matrix
from enrnn_ref.verify.vectors.oracle.tape import Number, Tape


def spectral_radius(tape: Tape, matrix: Matrix) -> Number:
    """ρ = |λ| of the eigenvalue λ of largest modulus, with the slope ∂ρ/∂T_ij = Re(conj(λ)/|λ| · conj(w_i) v_j/(w*v)).

    v and w are the right and left eigenvectors, T v = λ v and w*T = λ w*. In a disturbed arithmetic the matrix is moved
    by δ‖T‖ as a whole before it is decomposed, which is what a backward stable method does to it; an entry-by-entry
    disturbance would flatter a badly scaled matrix.
    """
    arithmetic = tape.arithmetic
    context, n = arithmetic.context, len(matrix)
    t = context.matrix([[arithmetic.wrap(x.raw) for x in row] for row in matrix])
    if isinstance(arithmetic, Disturbed):
        size = context.ldexp(context.norm(t), -DISTURBANCE_BITS) / n
        t += size * context.matrix([arithmetic.signs(n) for _ in range(n)])
    value, left, right = leader(context, t)
    radius = abs(value)
    weight = context.conj(value) / radius / sum(left[k] * right[k] for k in range(n))
    entries = [x for row in matrix for x in row]
    slopes = [arithmetic.result(context.re(weight * left[i] * right[j])._mpf_) for i in range(n) for j in range(n)]
    return tape.record(arithmetic.result(radius._mpf_), entries, slopes)


def leader(context: Any, matrix: Any) -> tuple[Any, list[Any], list[Any]]:
    """An eigenvalue of largest modulus (of a conjugate pair either, their slopes are the same), the row vector w* with
    w*T = λ w*, and the column vector v with T v = λ v."""
    values, left, right = context.eig(matrix, left=True, right=True)
    k = max(range(len(values)), key=lambda j: abs(values[j]))
    return values[k], [left[k, i] for i in range(matrix.rows)], [right[i, k] for i in range(matrix.rows)]
