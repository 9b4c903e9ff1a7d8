"""The recurrent matrix of every model, from its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from enrnn_ref.verify.vectors.oracle import linear
from enrnn_ref.verify.vectors.oracle.linear import Matrix, Vector
from enrnn_ref.verify.vectors.oracle.spectral import spectral_radius
from enrnn_ref.verify.vectors.oracle.tape import Tape, cos, sin

Options = Mapping[str, Any]


def scaled_cayley(tape: Tape, skew: Vector, size: int, negative_ones: int) -> Matrix:
    """(I + A)⁻¹ (I − A) D, with −1 in the last ``negative_ones`` places of D."""
    if size == 0:
        return []
    a, eye = linear.skew(tape, skew, size), linear.eye(tape, size)
    w = linear.solve(tape, linear.add(eye, a), linear.subtract(eye, a))
    return [[-x if j >= size - negative_ones else x for j, x in enumerate(row)] for row in w]


def normalized(tape: Tape, free: Matrix, eps: float, rule: str) -> Matrix:
    """T/(ρ(T) + ε); T as it is with the rule "never", and with "switch" while ρ(T) ≤ 1."""
    if rule == "never" or not free:
        return free
    radius = spectral_radius(tape, free)
    if rule == "switch" and tape.sign(radius - 1) <= 0:
        return free
    divisor = radius + tape.given(eps)
    return [[x / divisor for x in row] for row in free]


def coupled_blocks(tape: Tape, options: Options, params: Mapping[str, Any]) -> Matrix:
    """[[scaled Cayley, coupling], [0, normalised]]."""
    long, short = options["long_size"], options["short_size"]
    upper = scaled_cayley(tape, params["skew"], long, options["negative_ones"])
    lower = normalized(tape, params["short"], options["eps"], options["normalize"])
    zero = [[tape.constant(0)] * long for _ in range(short)]
    coupling = params["coupling"] if options["coupled"] else [[tape.constant(0)] * short for _ in range(long)]
    return linear.blocks([[upper, coupling], [zero, lower]])


def unitary_cayley(tape: Tape, options: Options, params: Mapping[str, Any]) -> Matrix:
    """[[Re W, −Im W], [Im W, Re W]] of W = (I + A)⁻¹ (I − A) D, D = diag(e^iθ); of Wᵀ with the released order.

    A = X + iY, X skew and Y symmetric, is written as the real matrix [[X, −Y], [Y, X]].
    """
    n = options["hidden_size"]
    x, y = linear.skew(tape, params["skew_real"], n), linear.symmetric(tape, params["skew_imag"], n)
    a, eye = _embedded(x, y), linear.eye(tape, 2 * n)
    w = linear.solve(tape, linear.add(eye, a), linear.subtract(eye, a))
    real, imag = [row[:n] for row in w[:n]], [row[:n] for row in w[n:]]
    c, s = [cos(angle) for angle in params["phase"]], [sin(angle) for angle in params["phase"]]
    turned_real = [[p[j] * c[j] - q[j] * s[j] for j in range(n)] for p, q in zip(real, imag, strict=True)]
    turned_imag = [[p[j] * s[j] + q[j] * c[j] for j in range(n)] for p, q in zip(real, imag, strict=True)]
    if options["order"] == "released":
        turned_real, turned_imag = linear.transpose(turned_real), linear.transpose(turned_imag)
    return _embedded(turned_real, turned_imag)


def exponential_orthogonal(tape: Tape, options: Options, params: Mapping[str, Any]) -> Matrix:
    """e^A."""
    return linear.exponential(tape, linear.skew(tape, params["skew"], options["hidden_size"]))


def schur(tape: Tape, options: Options, params: Mapping[str, Any]) -> Matrix:
    """P Θ Pᵀ with P = e^A and Θ the 2×2 blocks γ (cos θ, −sin θ; sin θ, cos θ) plus the free entries below them."""
    n = options["hidden_size"]
    theta = [[tape.constant(0)] * n for _ in range(n)]
    for k in range(n // 2):
        gamma, angle = params["modulus"][k], params["angle"][k]
        x, y = gamma * cos(angle), gamma * sin(angle)
        theta[2 * k][2 * k] = theta[2 * k + 1][2 * k + 1] = x
        theta[2 * k][2 * k + 1], theta[2 * k + 1][2 * k] = -y, y
    for entry, (i, j) in zip(params["lower"], free_below_diagonal(n, options["mask"]), strict=True):
        theta[i][j] = theta[i][j] + entry
    p = exponential_orthogonal(tape, options, params)
    return linear.multiply(tape, linear.multiply(tape, p, theta), linear.transpose(p))


def free_below_diagonal(size: int, mask: str) -> list[tuple[int, int]]:
    """Where ``lower`` goes: below the diagonal, row by row; with the strict mask outside the 2×2 blocks only."""
    places = [(i, j) for i in range(size) for j in range(i)]
    return [(i, j) for i, j in places if mask == "released" or i // 2 != j // 2]


def _embedded(real: Matrix, imag: Matrix) -> Matrix:
    """[[Re, −Im], [Im, Re]]."""
    return linear.blocks([[real, [[-x for x in row] for row in imag]], [imag, real]])
