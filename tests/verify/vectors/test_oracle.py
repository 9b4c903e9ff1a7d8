"""The oracle against what it is not made of: difference quotients in 80 digits, exact fractions, algebra."""

from __future__ import annotations

import ast
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import enrnn_ref.verify.vectors.oracle
from enrnn_ref.verify.vectors.cases import recipes
from enrnn_ref.verify.vectors.oracle import linear
from enrnn_ref.verify.vectors.oracle.arithmetic import DISTURBANCE_BITS, Arithmetic, Disturbed, Raw, nearest_float
from enrnn_ref.verify.vectors.oracle.draw import Tensor, draw
from enrnn_ref.verify.vectors.oracle.evaluate import Point, compute
from enrnn_ref.verify.vectors.oracle.layout import MODELS
from enrnn_ref.verify.vectors.oracle.spectral import spectral_radius
from enrnn_ref.verify.vectors.oracle.tape import Number, Tape

STEP = Fraction(1, 10**25)
"""Of a central difference, whose error is its square; rounding adds 1e-80 / 1e-25."""

TOLERANCE = 1e-45


class Exact(Arithmetic):
    """Takes fractions too, so that an input can be moved by less than a float64 can hold."""

    def given(self, value: float | Fraction) -> Raw:
        if isinstance(value, Fraction):
            return self.divide(self.integer(value.numerator), self.integer(value.denominator))
        return super().given(value)


def moved(tensor: Tensor, direction: Tensor, step: Fraction) -> Tensor:
    """tensor + step · direction."""
    pairs = zip(tensor.entries, direction.entries, strict=True)
    return Tensor(tensor.shape, tuple(Fraction(a) + step * Fraction(b) for a, b in pairs))  # type: ignore[arg-type]


def moved_point(point: Point, name: str | None, step: Fraction) -> Point:
    """The point with one of its arrays moved along its direction, or all of them."""

    def group(kind: str, tensors: dict[str, Tensor], directions: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            key: moved(tensor, directions[key], step) if name in (None, f"{kind} {key}") else tensor
            for key, tensor in tensors.items()
        }

    x = moved(point.x, point.dx, step) if name in (None, "x") else point.x
    params, state = group("params", point.params, point.dparams), group("state", point.state, point.dinitial)
    return Point(params, x, state, point.dy, point.dstate, point.dparams, point.dx, point.dinitial)


OUTPUTS = ("y", "state")
SMALL = [
    next(r for r in recipes(model) if r.id.endswith("nnrnn-one-unit" if model == "nnrnn" else ("-last", "-rnn-last")))
    for model in MODELS
]
SPECIAL = [
    r
    for model in MODELS
    for r in recipes(model)
    if r.id
    in (
        "enrnn-negative-leader",
        "enrnn-complex-leader",
        "enrnn-eps-zero",
        "scurnn-released",
        "gru-reset-before",
        "lstm-peephole-and-projection",
        "scheduledrestartlstm-form-b",
        "bidirectional-lstm-all-no-readout",
    )
]


@pytest.mark.parametrize("recipe", SMALL + SPECIAL, ids=lambda recipe: recipe.id)
def test_gradient_and_tangent_are_the_difference_quotients(recipe) -> None:
    point, arithmetic = recipe.point(), Exact()
    found = compute(arithmetic, recipe.model, recipe.options, point)

    def quotients(name: str | None) -> dict[tuple[str, ...], list[Any]]:
        ahead, behind = (
            compute(Exact(), recipe.model, recipe.options, moved_point(point, name, sign * STEP), found.tape.decisions)
            for sign in (1, -1)
        )
        step = arithmetic.context.mpf(STEP.numerator) / STEP.denominator
        return {
            path: [
                (arithmetic.wrap(a) - arithmetic.wrap(b)) / (2 * step)
                for a, b in zip(entries, behind.arrays[path][1], strict=True)
            ]
            for path, (_, entries) in ahead.arrays.items()
            if path[0] in OUTPUTS
        }

    along_all = quotients(None)
    for path, entries in along_all.items():
        tangent = [arithmetic.wrap(entry) for entry in found.arrays[("tangent", *path)][1]]
        assert max(abs(a - b) for a, b in zip(tangent, entries, strict=True)) < TOLERANCE

    cotangents = {("y",): point.dy} | {("state", key): tensor for key, tensor in point.dstate.items()}
    directions = {"x": point.dx}
    directions |= {f"params {key}": tensor for key, tensor in point.dparams.items()}
    directions |= {f"state {key}": tensor for key, tensor in point.dinitial.items()}
    for name, direction in directions.items():
        loss = sum(
            arithmetic.context.mpf(bar) * entry
            for path, entries in quotients(name).items()
            for bar, entry in zip(cotangents[path].entries, entries, strict=True)
        )
        gradient = found.arrays[("gradients", *name.split(" "))][1]
        product = sum(arithmetic.wrap(entry) * along for entry, along in zip(gradient, direction.entries, strict=True))
        assert abs(product - loss) < TOLERANCE * (1 + abs(loss)), name


def numbers(tape: Tape, label: str, *shape: int) -> linear.Matrix:
    drawn = iter(draw(label, shape, least=0.125, most=0.875).entries)
    return [[tape.given(next(drawn)) for _ in range(shape[1])] for _ in range(shape[0])]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_slopes_of_the_spectral_radius_are_the_difference_quotients(size: int) -> None:
    entries = draw(f"matrix {size}", (size, size), least=0.125, most=0.875).entries

    def radius(values: list[float | Fraction]) -> tuple[Tape, Number]:
        tape = Tape(Exact())
        flat = [tape.given(value) for value in values]  # type: ignore[arg-type]
        return tape, spectral_radius(tape, [flat[i * size : (i + 1) * size] for i in range(size)])

    tape, found = radius(list(entries))
    context = tape.arithmetic.context
    gradient = tape.gradient({found.index: tape.arithmetic.one})
    eigenvalues = context.eig(context.matrix([entries[i * size : (i + 1) * size] for i in range(size)]))[0]
    assert abs(tape.arithmetic.wrap(found.raw) - max(map(abs, eigenvalues))) < TOLERANCE
    for k in range(size * size):
        ahead, behind = (
            radius([Fraction(value) + sign * STEP * (j == k) for j, value in enumerate(entries)])[1].raw
            for sign in (1, -1)
        )
        quotient = (context.make_mpf(ahead) - context.make_mpf(behind)) * 10**25 / 2
        assert abs(context.make_mpf(gradient[k]) - quotient) < TOLERANCE


def test_solve_inverts_and_the_exponential_is_the_series_of_mpmath() -> None:
    tape = Tape(Arithmetic())
    a, b = numbers(tape, "a", 5, 5), numbers(tape, "b", 5, 3)
    again = linear.multiply(tape, a, linear.solve(tape, a, b))
    assert largest(linear.subtract(again, b)) < 1e-70
    exponential, context = linear.exponential(tape, a), tape.arithmetic.context
    expected = context.expm(context.matrix([[tape.arithmetic.wrap(x.raw) for x in row] for row in a]))
    assert (
        max(abs(tape.arithmetic.wrap(exponential[i][j].raw) - expected[i, j]) for i in range(5) for j in range(5))
        < 1e-70
    )


def largest(matrix: linear.Matrix) -> float:
    return max(abs(nearest_float(x.raw)) for row in matrix for x in row)


def test_rounding_to_float64_is_that_of_exact_fractions() -> None:
    arithmetic = Arithmetic()
    least = 2.0**-1074
    given = [1 + Fraction(1, 2**53), 1 + Fraction(3, 2**53), Fraction(1, 3), Fraction(7, 10**320), Fraction(1, 2**1075)]
    given += [Fraction(3, 2**1075), Fraction(1, 2**1076), Fraction(2**1000 + 1), Fraction(-5, 7), Fraction(0)]
    for value in given:
        raw = arithmetic.divide(arithmetic.integer(value.numerator), arithmetic.integer(value.denominator))
        assert nearest_float(raw) == float(value)
    assert nearest_float(arithmetic.given(least)) == least


def test_a_disturbed_result_moves_by_delta_in_either_direction_and_zero_stays() -> None:
    exact, disturbed = Arithmetic(), Disturbed("label")
    product = exact.multiply(exact.given(0.75), exact.given(0.3))
    seen = set()
    for _ in range(64):
        moved_by = exact.subtract(disturbed.result(product), product)
        seen.add(round(nearest_float(exact.divide(moved_by, product)) * 2.0**DISTURBANCE_BITS, 6))
    assert seen == {1.0, -1.0}
    assert disturbed.result(exact.zero) == exact.zero
    assert disturbed.integer(3) == exact.integer(3)
    assert Disturbed("a").signs(64) == Disturbed("a").signs(64) != Disturbed("b").signs(64)


def test_a_disturbed_tape_follows_the_branches_of_the_first() -> None:
    """At |z| + b = 0, where a disturbance alone would decide."""
    recipe = next(r for r in recipes("rnn") if r.id == "rnn-kink")
    exact = compute(Arithmetic(), recipe.model, recipe.options, recipe.point())
    assert 0.0 in exact.tape.margins
    for k in range(4):
        again = compute(Disturbed(str(k)), recipe.model, recipe.options, recipe.point(), exact.tape.decisions)
        for path, (_, entries) in exact.arrays.items():
            for a, b in zip(entries, again.arrays[path][1], strict=True):
                assert math.isclose(nearest_float(a), nearest_float(b), rel_tol=1e-15, abs_tol=1e-25)


def test_the_oracle_shares_no_code_with_what_it_judges() -> None:
    folder = Path(enrnn_ref.verify.vectors.oracle.__file__).parent
    allowed = ("enrnn_ref.errors", "enrnn_ref.verify.vectors.oracle")
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith(("numpy", "scipy")), (file.name, name)
                assert not name.startswith("enrnn_ref") or name.startswith(allowed), (file.name, name)
