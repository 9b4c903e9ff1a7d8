"""Ask five gradient checkers, next to ours, about gradients that are known to be right or wrong.

    python benchmarks/gradient_checkers.py [--repeats N]

Writes benchmarks/results/gradient_checkers.json and .md. Every checker runs with its defaults; what a wrong gradient
differs from, and whether a checker lets that one pass at the same point, is recorded too: a checker that calls
everything wrong there has found nothing. A test asserts our verdicts; times belong to a machine.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import check_grad
from scipy.optimize._numdiff import check_derivative
from threadpoolctl import threadpool_limits

import enrnn_ref as er
from enrnn_ref.bench import interleaved, machine
from enrnn_ref.verify.verdicts import Verdict

RESULTS = Path(__file__).parent / "results"
RIGHT, WRONG, UNDECIDED, NOT_APPLICABLE = "right", "wrong", "undecided", "not applicable"
OPEN = {Verdict.VANISHED, Verdict.ILL_CONDITIONED}  # a report that says no more than this has decided nothing
LONGEST = 120  # characters of a message
THRESHOLD = 1e-6  # of SciPy's two errors; the docstring of check_derivative names it, that of check_grad names none

Arguments = tuple[np.ndarray, ...]
Pullback = Callable[[Arguments, np.ndarray], Arguments]


@dataclass(frozen=True)
class Problem:
    """``function(*arguments)``, an array, and ``pullback(arguments, cotangent)``: NumPy alone, no checker in mind."""

    function: Callable[..., np.ndarray]
    pullback: Pullback
    arguments: Arguments


@dataclass(frozen=True)
class Case:
    """A gradient and the truth about it; made anew for each check, because some have side effects.

    ``right`` is the same problem without the mistake, and None where there is no mistake.
    """

    name: str
    make: Callable[[], Problem]
    right: Callable[[], Problem] | None = None
    compared: bool = True  # whether the mistake can be read off the two gradients

    @property
    def truth(self) -> str:
        return RIGHT if self.right is None else WRONG


@dataclass(frozen=True)
class Answer:
    """A verdict, and what the checker said in its own words or numbers."""

    verdict: str
    told: str = ""


# Right gradients, and the mistakes that people make in them -----------------------------------------------------------


def modrelu(z: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sign(z) * np.maximum(np.abs(z) + b, 0.0)


def modrelu_pullback(z: np.ndarray, b: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A unit at its kink counts as off."""
    dz = u * (np.abs(z) + b > 0.0)
    return dz, dz * np.sign(z)


def modrelu_units(distance: float) -> Problem:
    """Pre-activations of which two rows lie ``distance`` from the kink, one on either side."""
    rng = np.random.default_rng(0)
    b = -rng.uniform(0.25, 0.75, 5)
    z = rng.standard_normal((8, 5))
    z[2], z[5] = -b + distance, b + distance

    def pullback(arguments: Arguments, u: np.ndarray) -> Arguments:
        dz, db = modrelu_pullback(*arguments, u)
        return dz, db.sum(axis=0)

    return Problem(modrelu, pullback, (z, b))


def leading(matrix: np.ndarray) -> tuple[float, np.ndarray]:
    """The spectral radius and its gradient; the leading eigenvalue must be simple, or half of a conjugate pair."""
    values, vectors = np.linalg.eig(matrix)
    k = int(np.argmax(np.abs(values)))
    left = np.linalg.inv(vectors)[k]
    unit = values[k] / np.abs(values[k])
    return float(np.abs(values[k])), (np.conj(unit) * np.outer(left, vectors[:, k])).real


def normalized(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.max(np.abs(np.linalg.eigvals(matrix)))


def normalized_pullback(matrix: np.ndarray, u: np.ndarray, *, constant_radius: bool = False) -> np.ndarray:
    radius, slope = leading(matrix)
    if constant_radius:
        return u / radius
    return u / radius - np.sum(u * matrix) / radius**2 * slope


def spectral(*, gap: float | None = None, constant_radius: bool = False) -> Problem:
    """T / ρ(T): of a random matrix, or of one whose leading eigenvalues are 1 and 1 - ``gap``."""
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((5, 5))
    if gap is not None:
        basis = np.eye(5) + 0.3 * matrix
        matrix = basis @ np.diag([1.0, 1.0 - gap, 0.5, -0.4, 0.2]) @ np.linalg.inv(basis)
    return Problem(normalized, lambda a, u: (normalized_pullback(a[0], u, constant_radius=constant_radius),), (matrix,))


def enrnn() -> Problem:
    """Two coupled blocks, one orthogonal by a scaled Cayley transform and one divided by its spectral radius."""
    rng = np.random.default_rng(2)
    long, short, inputs, steps, batch = 4, 3, 2, 8, 2
    signs = np.array([1.0, -1.0, 1.0, 1.0])
    shapes = [(long, long), (short, short), (long, short), (long + short, inputs)]
    weights = [rng.standard_normal(shape) / 2 for shape in shapes]
    b = rng.uniform(-0.2, 0.1, long + short)
    x = rng.standard_normal((steps, batch, inputs))
    start = rng.standard_normal((batch, long + short))

    def orthogonal(free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        skew, eye = free - free.T, np.eye(long)
        return np.linalg.solve(eye + skew, (eye - skew) * signs), eye + skew

    def states(arguments: Arguments) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
        free, block, coupling, weight, b, x = arguments
        zero = np.zeros((short, long))
        R = np.block([[orthogonal(free)[0], coupling], [zero, normalized(block)]])
        h, z = [start], []
        for t in range(steps):
            z.append(h[-1] @ R.T + x[t] @ weight.T)
            h.append(modrelu(z[-1], b))
        return R, h, z

    def function(*arguments: np.ndarray) -> np.ndarray:
        return np.stack(states(arguments)[1][1:])

    def pullback(arguments: Arguments, u: np.ndarray) -> Arguments:
        free, block, _, weight, b, x = arguments
        R, h, z = states(arguments)
        dR, dweight, db, dx = np.zeros_like(R), np.zeros_like(weight), np.zeros_like(b), np.zeros_like(x)
        dh = np.zeros_like(start)
        for t in reversed(range(steps)):
            dz, dbias = modrelu_pullback(z[t], b, dh + u[t])
            db += dbias.sum(axis=0)
            dR += dz.T @ h[t]
            dweight += dz.T @ x[t]
            dx[t] = dz @ weight
            dh = dz @ R
        W, sum_ = orthogonal(free)
        dskew = -np.linalg.solve(sum_.T, dR[:long, :long]) @ (np.diag(signs) + W).T
        dblock = normalized_pullback(block, dR[long:, long:])
        return dskew - dskew.T, dblock, dR[:long, long:], dweight, db, dx

    return Problem(function, pullback, (*weights, b, x))


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-z))


def lstm_cell() -> Problem:
    """One step; gates in the order input, forget, candidate, output."""
    rng = np.random.default_rng(3)
    inputs, units, batch = 2, 4, 3
    shapes = [(4 * units, inputs), (4 * units, units), (4 * units,), (batch, inputs), (batch, units), (batch, units)]
    arguments = tuple(rng.standard_normal(shape) / 2 for shape in shapes)

    def gates(W: np.ndarray, R: np.ndarray, b: np.ndarray, x: np.ndarray, h: np.ndarray) -> list[np.ndarray]:
        i, f, g, o = np.split(x @ W.T + h @ R.T + b, 4, axis=1)
        return [sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)]

    def function(*arguments: np.ndarray) -> np.ndarray:
        i, f, g, o = gates(*arguments[:5])
        c = f * arguments[5] + i * g
        return np.stack([o * np.tanh(c), c])

    def pullback(arguments: Arguments, u: np.ndarray) -> Arguments:
        W, R, _, x, h, c = arguments
        i, f, g, o = gates(*arguments[:5])
        squashed = np.tanh(f * c + i * g)
        dc = u[1] + u[0] * o * (1 - squashed**2)
        dz = np.concatenate(
            [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), u[0] * squashed * o * (1 - o)], axis=1
        )
        return dz.T @ x, dz.T @ h, dz.sum(axis=0), dz @ W, dz @ R, dc * f

    return Problem(function, pullback, arguments)


def rnn(
    *, transposed: bool = False, without_slope: bool = False, first_step: bool = True, long: bool = False
) -> Problem:
    """A tanh RNN by R, by the input's weight and by x; ``long``: 60 steps, of which only the last state goes out."""
    rng = np.random.default_rng(4)
    units, inputs = 5, 3
    steps = 60 if long else 8
    R = 0.95 * np.linalg.qr(rng.standard_normal((units, units)))[0]
    weight, x = rng.standard_normal((units, inputs)) / 4, rng.standard_normal((steps, inputs)) / 2

    def states(R: np.ndarray, weight: np.ndarray, x: np.ndarray) -> list[np.ndarray]:
        h = [np.zeros(units)]
        for t in range(steps):
            h.append(np.tanh(R @ h[-1] + weight @ x[t]))
        return h

    def function(*arguments: np.ndarray) -> np.ndarray:
        h = states(*arguments)
        return h[-1] if long else np.stack(h[1:])

    def pullback(arguments: Arguments, u: np.ndarray) -> Arguments:
        R, weight, x = arguments
        h = states(*arguments)
        dR, dweight, dx = np.zeros_like(R), np.zeros_like(weight), np.zeros_like(x)
        dh = u if long else np.zeros(units)
        for t in reversed(range(steps)):
            if not long:
                dh = dh + u[t]
            dz = dh if without_slope else dh * (1 - h[t + 1] ** 2)
            dR += np.outer(dz, h[t])
            dweight += np.outer(dz, x[t])
            if t > 0 or first_step:
                dx[t] = weight.T @ dz
            dh = R @ dz if transposed else R.T @ dz
        return dR, dweight, dx

    return Problem(function, pullback, (R, weight, x))


def vanished(factor: float = 1.0, *, alone: bool = False) -> Problem:
    """The last of 50 states by R and by the state at the start, whose gradient is some 1e-27; times ``factor``.

    ``alone``: R is held fixed, so no argument is left that visibly moves the function.
    """
    rng = np.random.default_rng(5)
    units, steps = 4, 50
    R = 0.35 * np.linalg.qr(rng.standard_normal((units, units)))[0]
    start, drive = rng.standard_normal(units), rng.standard_normal((steps, units)) / 2

    def states(R: np.ndarray, start: np.ndarray) -> list[np.ndarray]:
        h = [start]
        for a in drive:
            h.append(np.tanh(R @ h[-1] + a))
        return h

    def pullback(arguments: Arguments, u: np.ndarray) -> Arguments:
        R, h = arguments[0], states(*arguments)
        dR, dh = np.zeros_like(R), u
        for t in reversed(range(steps)):
            dz = dh * (1 - h[t + 1] ** 2)
            dR += np.outer(dz, h[t])
            dh = R.T @ dz
        return dR, factor * dh

    if alone:
        return Problem(lambda start: states(R, start)[-1], lambda a, u: pullback((R, *a), u)[1:], (start,))
    return Problem(lambda R, start: states(R, start)[-1], pullback, (R, start))


def badly_scaled() -> Problem:
    """tanh(a b) with a near 1e8 and b near 1e-8."""
    rng = np.random.default_rng(6)

    def pullback(arguments: Arguments, u: np.ndarray) -> Arguments:
        a, b = arguments
        dz = u * (1 - np.tanh(a * b) ** 2)
        return dz * b, dz * a

    return Problem(lambda a, b: np.tanh(a * b), pullback, (1e8 * rng.uniform(0.5, 1, 6), 1e-8 * rng.uniform(0.5, 1, 6)))


def layer(size: int, *, factor: float = 1.0, in_place: bool = False) -> Problem:
    """tanh(W x); one entry of the gradient of W times ``factor``, or the factor of tanh multiplied in where u lies."""
    rng = np.random.default_rng(7)

    def function(W: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.tanh(W @ x)

    def pullback(arguments: Arguments, u: np.ndarray) -> Arguments:
        W, x = arguments
        slope = 1 - function(W, x) ** 2
        if in_place:
            u *= slope
            dz = u
        else:
            dz = u * slope
        dW = np.outer(dz, x)
        dW[size // 3, size // 2] *= factor
        return dW, W.T @ dz

    return Problem(function, pullback, (rng.standard_normal((size, size)) / np.sqrt(size), rng.standard_normal(size)))


def dropout(*, drawn: bool) -> Problem:
    """A tanh whose outputs are dropped by a mask: one for all calls, or ``drawn`` anew in each."""
    rng = np.random.default_rng(8)
    fixed = rng.random(12) < 0.8

    def mask() -> np.ndarray:
        return rng.random(12) < 0.8 if drawn else fixed

    def pullback(arguments: Arguments, u: np.ndarray) -> Arguments:
        return (u * mask() * (1 - np.tanh(arguments[0]) ** 2),)

    return Problem(lambda x: np.tanh(x) * mask(), pullback, (rng.standard_normal(12),))


def complex_layer(*, conjugated: bool = True) -> Problem:
    """tanh(A z) of complex arrays; without conjugation, z is given Aᵀ where it needs Aᴴ."""
    rng = np.random.default_rng(9)
    A = (rng.standard_normal((4, 3)) + 1j * rng.standard_normal((4, 3))) / 3
    z = (rng.standard_normal(3) + 1j * rng.standard_normal(3)) / 3

    def pullback(arguments: Arguments, u: np.ndarray) -> Arguments:
        A, z = arguments
        dy = u * np.conj(1 - np.tanh(A @ z) ** 2)
        return np.outer(dy, np.conj(z)), (np.conj(A) if conjugated else A).T @ dy

    return Problem(lambda A, z: np.tanh(A @ z), pullback, (A, z))


CASES = (
    Case("ENRNN, 8 steps, all its arrays", enrnn),
    Case("LSTM cell, all its arrays", lstm_cell),
    Case("modReLU, entries 1e-5 from the kink", partial(modrelu_units, 1e-5)),
    Case("modReLU, entries at the kink, slope 0 there", partial(modrelu_units, 0.0)),
    Case("T / ρ(T), leading eigenvalues 1 and 1 - 1e-4", partial(spectral, gap=1e-4)),
    Case("arguments of 1e8 and 1e-8", badly_scaled),
    Case("vanished, 1e-27", vanished),
    Case("vanished, 1e-27, the only argument", partial(vanished, alone=True)),
    Case("one of 10 000 entries off by 1e-6 of itself", partial(layer, 100, factor=1 + 1e-6), partial(layer, 100)),
    Case("vanished, off by 1e-6 of itself", partial(vanished, 1 + 1e-6), vanished),
    Case("vanished, zeros instead", partial(vanished, 0.0), vanished),
    Case("vanished, zeros instead, the only argument", partial(vanished, 0.0, alone=True),
         partial(vanished, alone=True)),
    Case("RNN, R in place of its transpose", partial(rnn, transposed=True), rnn),
    Case("RNN, slope of tanh missing", partial(rnn, without_slope=True), rnn),
    Case("T / ρ(T), ρ taken for a constant", partial(spectral, constant_radius=True), spectral),
    Case("RNN, last of 60 states, dx of the first step missing", partial(rnn, long=True, first_step=False),
         partial(rnn, long=True)),
    Case("dropout with a mask for every call", partial(dropout, drawn=True), partial(dropout, drawn=False), False),
    Case("pullback works in the memory of its cotangent", partial(layer, 6, in_place=True), partial(layer, 6), False),
    Case("complex, one conjugation forgotten", partial(complex_layer, conjugated=False), complex_layer),
)  # fmt: skip


# The checkers ---------------------------------------------------------------------------------------------------------


def ours(problem: Problem) -> Answer:
    """A report that has not passed is a wrong gradient, unless all its open rows say that they could not decide."""
    report = er.verify.check_gradient(problem.function, problem.pullback, problem.arguments, progress=None)
    if report.passed:
        return Answer(RIGHT)
    failed = [row for row in report.rows if not row.passed]
    told = "; ".join(f"{row.name}: {row.verdict}" for row in failed)
    return Answer(UNDECIDED if {row.verdict for row in failed} <= OPEN else WRONG, told)


def torch_function(problem: Problem) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The problem as a function of autograd, and its arguments as tensors that want gradients."""
    torch = importlib.import_module("torch")

    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            ctx.save_for_backward(*tensors)
            return torch.from_numpy(np.array(problem.function(*(t.detach().numpy() for t in tensors))))

        @staticmethod
        def backward(ctx: Any, u: Any) -> Any:
            gradients = problem.pullback(tuple(t.detach().numpy() for t in ctx.saved_tensors), u.resolve_conj().numpy())
            return tuple(torch.from_numpy(np.array(gradient)) for gradient in gradients)

    return Wrapped.apply, tuple(torch.from_numpy(a.copy()).requires_grad_() for a in problem.arguments)


def torch_gradcheck(problem: Problem, **options: Any) -> Answer:
    gradcheck = importlib.import_module("torch.autograd").gradcheck
    function, tensors = torch_function(problem)
    return _raised_or_right(partial(gradcheck, function, tensors, **options))


def jax_function(problem: Problem) -> Callable[..., Any]:
    """The problem as a function with a rule of its own; JAX's gradient by a complex z is the conjugate of ours."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)

    def like(arrays: Sequence[np.ndarray]) -> tuple[Any, ...]:
        return tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays)

    output = like([np.asarray(problem.function(*problem.arguments))])[0]

    def value(*arrays: Any) -> np.ndarray:
        return np.asarray(problem.function(*map(np.asarray, arrays)))

    def gradients(arrays: Any, u: Any) -> Arguments:
        return tuple(map(np.conj, problem.pullback(tuple(map(np.asarray, arrays)), np.asarray(u))))

    @jax.custom_vjp
    def wrapped(*arrays: Any) -> Any:
        return jax.pure_callback(value, output, *arrays)

    wrapped.defvjp(
        lambda *arrays: (wrapped(*arrays), arrays),
        lambda arrays, u: jax.pure_callback(gradients, like(problem.arguments), arrays, u.conj()),
    )
    return wrapped


def jax_check_grads(problem: Problem) -> Answer:
    check_grads = importlib.import_module("jax.test_util").check_grads
    return _raised_or_right(partial(check_grads, jax_function(problem), problem.arguments, order=1, modes=("rev",)))


def _raised_or_right(check: Callable[[], object]) -> Answer:
    """Both libraries raise; whatever else goes wrong inside is taken for a wrong gradient as well, and told."""
    try:
        check()
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        marks = ("Max absolute difference", "ValueError")  # what NumPy says below the first line, and JAX at the end
        told = [*lines[:1], *(line for line in lines if line.startswith(marks))]
        return Answer(WRONG, f"{type(error).__name__}: {'; '.join(told)}"[:LONGEST])
    return Answer(RIGHT)


def scipy_functions(problem: Problem) -> tuple[Callable[..., float], Callable[..., np.ndarray], np.ndarray]:
    """⟨u, function⟩ with a random u, its gradient, and the point: one flat vector."""
    shapes = [a.shape for a in problem.arguments]
    ends = np.cumsum([a.size for a in problem.arguments])[:-1]
    u = np.random.default_rng(0).standard_normal(np.shape(problem.function(*problem.arguments)))

    def parts(flat: np.ndarray) -> Arguments:
        return tuple(part.reshape(shape) for part, shape in zip(np.split(flat, ends), shapes, strict=True))

    def function(flat: np.ndarray) -> float:
        return float(np.sum(u * problem.function(*parts(flat))))

    def gradient(flat: np.ndarray) -> np.ndarray:
        return np.concatenate([part.ravel() for part in problem.pullback(parts(flat), u)])

    return function, gradient, np.concatenate([a.ravel() for a in problem.arguments])


def scipy_check_derivative(problem: Problem) -> Answer:
    if any(np.iscomplexobj(a) for a in problem.arguments):
        return Answer(NOT_APPLICABLE, "real arguments only")
    return _below(check_derivative(*scipy_functions(problem)), THRESHOLD)


def scipy_check_grad(problem: Problem) -> Answer:
    if any(np.iscomplexobj(a) for a in problem.arguments):
        return Answer(NOT_APPLICABLE, "real arguments only")
    function, gradient, point = scipy_functions(problem)
    scale = float(np.linalg.norm(scipy_functions(problem)[1](point)))  # by functions of its own: u may be spoiled
    return _below(check_grad(function, gradient, point) / max(1.0, scale), THRESHOLD)


def _below(error: float, threshold: float) -> Answer:
    return Answer(RIGHT if error <= threshold else WRONG, f"error {error:.1e}")


CHECKERS: dict[str, tuple[Callable[[Problem], Answer], str]] = {
    "enrnn_ref": (
        ours,
        (
            "`enrnn_ref.verify.check_gradient(function, pullback, arguments)`: every entry for two random cotangents, "
            "extrapolated differences, or an exact derivative of the NumPy code once it agrees with them; |a - n| ≤ "
            "what rounding does to a and the estimated error of n"
        ),
    ),
    "gradcheck": (
        torch_gradcheck,
        (
            "`torch.autograd.gradcheck(function, inputs)`: every entry of the Jacobian, central differences of step "
            "1e-6, |a - n| ≤ 1e-5 + 1e-3 |n|"
        ),
    ),
    "gradcheck, fast": (
        partial(torch_gradcheck, fast_mode=True),
        (
            "`torch.autograd.gradcheck(function, inputs, fast_mode=True)`: the Jacobian times a random vector from "
            "either side, one number for each input, the tolerance enlarged to match"
        ),
    ),
    "check_grads": (
        jax_check_grads,
        (
            '`jax.test_util.check_grads(function, arguments, order=1, modes=("rev",))`, `jax_enable_x64`: a central '
            "difference of step 1e-4 along one random direction of all arguments, |a - n| ≤ 1e-5 + 1e-5 |n|"
        ),
    ),
    "check_derivative": (
        scipy_check_derivative,
        (
            "`scipy.optimize._numdiff.check_derivative(f, gradient, x)` ≤ 1e-6, as its docstring says: every entry, "
            "three-point differences, |a - n| / max(1, |n|)"
        ),
    ),
    "check_grad": (
        scipy_check_grad,
        (
            "`scipy.optimize.check_grad(f, gradient, x)` / max(1, ‖gradient‖) ≤ 1e-6: every entry, forward differences "
            "of step 1.5e-8; its documentation names no threshold, so this one is borrowed from its neighbour"
        ),
    ),
}


# The comparison -------------------------------------------------------------------------------------------------------


def mistake(case: Case) -> dict[str, float] | None:
    """Where the wrong gradient is farthest from the right one: the distance, and the right value there."""
    if case.right is None or not case.compared:
        return None
    wrong, right = case.make(), case.right()
    shape = np.shape(right.function(*right.arguments))
    u = np.random.default_rng(0).standard_normal(shape)
    pairs = zip(wrong.pullback(wrong.arguments, u), right.pullback(right.arguments, u), strict=True)
    found = []
    for claimed, true in pairs:
        distance = np.abs(claimed - true)
        worst = np.unravel_index(int(np.argmax(distance)), distance.shape)
        found.append((float(distance[worst]), float(np.abs(true[worst]))))
    distance, value = max(found)
    return {"distance": distance, "right_value": value}


def compared(case: Case, repeats: int) -> dict[str, Any]:
    """Every checker on one case: verdict and seconds; and its verdict on the right gradient at the same point."""
    answers: dict[str, Answer] = {}

    def call(name: str) -> None:
        answers[name] = CHECKERS[name][0](case.make())

    times = interleaved({name: partial(call, name) for name in CHECKERS}, repeats=repeats, warm_up=0)
    of_right = {} if case.right is None else {name: check(case.right()) for name, (check, _) in CHECKERS.items()}
    checkers = {
        name: {
            "verdict": answers[name].verdict,
            "told": answers[name].told,
            "verdict_on_the_right_one": of_right[name].verdict if name in of_right else None,
            "seconds": times[name].to_dict(),
        }
        for name in CHECKERS
    }
    return {"case": case.name, "truth": case.truth, "mistake": mistake(case), "checkers": checkers}


def outcome(result: dict[str, Any], checker: str) -> str:
    """What an answer is worth: "found", "passed", "missed", "false alarm", "blind", "undecided", "not applicable".

    Blind is who calls the wrong gradient wrong, and the right one at the same point too.
    """
    found = result["checkers"][checker]
    if found["verdict"] not in (RIGHT, WRONG):
        return found["verdict"]
    if result["truth"] == RIGHT:
        return "passed" if found["verdict"] == RIGHT else "false alarm"
    if found["verdict"] == RIGHT:
        return "missed"
    return "found" if found["verdict_on_the_right_one"] == RIGHT else "blind"


OUTCOMES = ("passed", "found", "false alarm", "missed", "blind", "undecided", "not applicable")
STARRED = (
    "The right gradient in the place of every wrong one was shown to every checker too; a star (there are {}) marks "
    "that it was called wrong as well, so nothing has been found."
)
KINDS = (
    "Passed and found are the right answers to right and wrong gradients; a false alarm is a right gradient called "
    "wrong, missed is a wrong one called right. Undecided: a report that does not pass and says that differences "
    "cannot tell."
)
WRAPPERS = (
    "Function and pullback are NumPy. PyTorch sees them through `torch.autograd.Function`, JAX through "
    "`jax.custom_vjp` and `jax.pure_callback`, SciPy as the scalar ⟨u, f⟩ of one flat vector. BLAS and "
    "PyTorch run on one thread."
)


def markdown(report: dict[str, Any]) -> str:
    """The report as tables; verdicts that are not the truth are bold."""
    results, head = report["cases"], " | ".join(CHECKERS)
    tallies = {kind: _counts(results, kind) for kind in OUTCOMES}
    lines = [
        "# Checkers of gradients on right and wrong ones, float64 and complex128",
        "",
        f"Verdict and seconds, the median of {report['repeats']} rounds taken in turns. Bold: not the truth. "
        + STARRED.format(sum(map(int, tallies["blind"]))),
        "",
        ", ".join(f"{key} {value}" for key, value in report["machine"].items()),
        "",
        f"| case | truth | {head} |",
        "|---|---|" + "---|" * len(CHECKERS),
        *(_row(result) for result in results),
        "",
        f"| | {head} |",
        "|---|" + "---|" * len(CHECKERS),
        *(f"| {kind} | " + " | ".join(counts) + " |" for kind, counts in tallies.items() if set(counts) != {"0"}),
        "| seconds, all cases | " + " | ".join(_totals(results)) + " |",
        "",
        KINDS,
        "",
        "## How large the mistakes are",
        "",
        "Where the wrong gradient of ⟨u, f⟩, u standard normal, is farthest from the right one.",
        "",
        "| case | distance | right value |",
        "|---|---|---|",
        *(
            f"| {result['case']} | {result['mistake']['distance']:.1e} | {result['mistake']['right_value']:.1e} |"
            for result in results
            if result["mistake"]
        ),
        "",
        "## Settings",
        "",
        "The defaults of each; a is the claimed value, n the numeric one.",
        "",
        *(f"- **{name}**: {settings}" for name, settings in report["settings"].items()),
        "",
        WRAPPERS,
        "",
        "## What was said",
        "",
        *(
            f"- {result['case']}, {name}: {_plain(found['told'])}"
            for result in results
            for name, found in result["checkers"].items()
            if found["told"] and found["verdict"] != RIGHT
        ),
    ]
    return "\n".join(lines) + "\n"


def _row(result: dict[str, Any]) -> str:
    cells = [_cell(result, name) for name in CHECKERS]
    return f"| {result['case']} | {result['truth']} | " + " | ".join(cells) + " |"


def _cell(result: dict[str, Any], name: str) -> str:
    found, kind = result["checkers"][name], outcome(result, name)
    if kind == NOT_APPLICABLE:
        return kind
    verdict = found["verdict"]
    word = f"{verdict}\\*" if kind == "blind" else verdict if kind in ("passed", "found") else f"**{verdict}**"
    return f"{word}, {found['seconds']['median']:.2g} s"


def _counts(results: list[dict[str, Any]], kind: str) -> list[str]:
    return [str(sum(outcome(result, name) == kind for result in results)) for name in CHECKERS]


def _totals(results: list[dict[str, Any]]) -> list[str]:
    return [f"{sum(r['checkers'][name]['seconds']['median'] for r in results):.2g}" for name in CHECKERS]


def _plain(text: str) -> str:
    """One line of Markdown without markup."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="rounds that count (default: 3)")
    repeats = parser.parse_args().repeats
    importlib.import_module("torch").set_num_threads(1)
    logging.getLogger("jax").setLevel(logging.CRITICAL)  # it logs what a callback raises, and raises it as well
    with threadpool_limits(1, user_api="blas"):
        for check, _ in CHECKERS.values():  # what only the first call pays
            check(layer(3))
        results = [compared(case, repeats) for case in CASES]
    report = {
        "repeats": repeats,
        "machine": machine("enrnn-ref", "numpy", "scipy", "torch", "jax"),
        "settings": {name: settings for name, (_, settings) in CHECKERS.items()},
        "cases": results,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "gradient_checkers.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (RESULTS / "gradient_checkers.md").write_text(markdown(report), encoding="utf-8")
    print(markdown(report))


if __name__ == "__main__":
    main()
