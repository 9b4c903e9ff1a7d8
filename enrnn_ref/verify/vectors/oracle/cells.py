"""One step of every kind of cell, for one sequence: pre-activations and old states to new states."""

from __future__ import annotations

from collections.abc import Sequence

from enrnn_ref.verify.vectors.oracle.tape import Number, magnitude, relu, sigmoid, sqrt, tanh

Numbers = list[Number]


def activation(name: str, z: Numbers, bias: Sequence[Number]) -> Numbers:
    """f(z), entry by entry; modReLU takes the bias, to the others it has been added already."""
    if name == "modrelu":
        return [modrelu(x, b) for x, b in zip(z, bias, strict=True)]
    if name == "identity":
        return z
    function = {"tanh": tanh, "relu": relu}[name]
    return [function(x) for x in z]


def modrelu(z: Number, bias: Number) -> Number:
    """sign(z) max(|z| + b, 0); 0 with slopes 0 at z = 0, and slopes 0 at |z| + b = 0."""
    sign = z.tape.sign(z)
    if sign == 0:
        return z.tape.constant(0)
    length = relu((-z if sign < 0 else z) + bias)
    return -length if sign < 0 else length


def complex_modrelu(x: Number, y: Number, bias: Number, smoothing: float) -> tuple[Number, Number]:
    """z max(m + b, 0)/(m + ε) for z = x + iy and m = √(|z|² + ε); with ε = 0, 0 with slopes 0 at z = 0."""
    tape = x.tape
    square = x * x + y * y
    if smoothing:
        square = square + tape.given(smoothing)
    elif tape.sign(square) == 0:
        return tape.constant(0), tape.constant(0)
    modulus = sqrt(square)
    gain = relu(modulus + bias) / (modulus + tape.given(smoothing) if smoothing else modulus)
    return x * gain, y * gain


def lstm(
    z: Sequence[Numbers], c: Sequence[Number], peephole: Sequence[Sequence[Number]] | None = None
) -> tuple[Numbers, Numbers]:
    """c' = σ(f) c + σ(i) tanh(g) and σ(o) tanh(c') for z = (i, f, g, o); peepholes on i and f see c, that on o c'."""
    i, f, g, o = z
    if peephole is not None:
        i = [x + p * old for x, p, old in zip(i, peephole[0], c, strict=True)]
        f = [x + p * old for x, p, old in zip(f, peephole[1], c, strict=True)]
    new = [
        sigmoid(forget) * old + sigmoid(enter) * tanh(candidate)
        for enter, forget, candidate, old in zip(i, f, g, c, strict=True)
    ]
    if peephole is not None:
        o = [x + p * c_new for x, p, c_new in zip(o, peephole[2], new, strict=True)]
    return [sigmoid(out) * tanh(c_new) for out, c_new in zip(o, new, strict=True)], new


def gru_mix(update: Numbers, candidate: Numbers, h: Sequence[Number]) -> Numbers:
    """(1 − z) n + z h for the gate z = σ(update)."""
    gates = [sigmoid(x) for x in update]
    return [(1 - z) * n + z * old for z, n, old in zip(gates, candidate, h, strict=True)]


def adaptive_momentum(
    u: Numbers, v: Sequence[Number], s: Sequence[Number], momentum: float, step: float, decay: float
) -> tuple[Numbers, Numbers, Numbers]:
    """v' = μ v + ε u, s' = β|s| + (1 − β) u², and v'/√(s' + 1e-16)."""
    tape = u[0].tape
    mu, eps, beta, floor = (tape.given(value) for value in (momentum, step, decay, 1e-16))
    velocity = [mu * old + eps * x for old, x in zip(v, u, strict=True)]
    square = [beta * magnitude(old) + (1 - beta) * (x * x) for old, x in zip(s, u, strict=True)]
    out = [x / sqrt(y + floor) for x, y in zip(velocity, square, strict=True)]
    return out, velocity, square


def momentum(u: Numbers, v: Sequence[Number], factors: Sequence[Number], step: float) -> Numbers:
    """m v + ε u."""
    eps = u[0].tape.given(step)
    return [m * old + eps * x for m, old, x in zip(factors, v, u, strict=True)]


def schedule(phase: Number, restart: int) -> tuple[Number, Number]:
    """k/(k + 3) and the next phase, for the count k = max(⌊phase + ¼⌋, 0), modulo ``restart`` unless that is 0.

    A count is a whole number: nothing depends on it smoothly, and its derivative is zero.
    """
    tape = phase.tape
    k = tape.decide(lambda: int(tape.arithmetic.wrap(phase.raw) * 4 + 1) // 4)
    k = max(k, 0)
    if restart:
        k %= restart
    return tape.constant(k) / tape.constant(k + 3), tape.constant(0 if k + 1 == restart else k + 1)
