"""Laws of any differentiable function, given as a Problem; each returns a row.

They need no reference values. Tolerances are zero where the law is exact in floating point, and else what rounding
makes of the two sides, measured by moving the inputs by one unit in the last place.
"""

from __future__ import annotations

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.verify import conditioning
from enrnn_ref.verify.laws.rows import dot, exact
from enrnn_ref.verify.problem import Problem
from enrnn_ref.verify.report import Row, worst_row
from enrnn_ref.verify.sample import cotangent


def adjoint_identity(problem: Problem, output_cotangent: Array, seed: int = 0) -> Row:
    """⟨Jv, u⟩ = ⟨v, Jᵀu⟩ between tangent and pullback, for a random v in one argument at a time.

    Errors are relative to the sum of absolute products of both sides, so an argument of tiny gradient counts like any
    other. The tolerance is a few units in the last place of that sum, or what rounding does to either side, if larger.
    """
    assert problem.tangent is not None
    tangent = problem.tangent
    rng = np.random.default_rng([seed, 1])
    u = output_cotangent
    directions = {name: cotangent(rng, array.shape, problem.dtype) for name, array in problem.arrays.items()}

    def sides(arrays: Arrays) -> Arrays:
        gradients = problem.pullback(arrays, u)
        found = {}
        for name, v in directions.items():
            jv = tangent(arrays, problem.direction(name, v))
            g = gradients[name]
            found[name] = np.array([dot(jv, u), dot(v, g), dot(abs(jv), abs(u)), dot(abs(v), abs(g))])
        return found

    base = sides(problem.arrays)
    samples = conditioning.responses(sides, problem.arrays, base, rng)
    samples += conditioning.noise(sides, problem.arrays, base, rng)
    errors, tolerances, scales = {}, {}, {}
    for name, (forward, reverse, *terms) in base.items():
        spread = max(float(np.abs(sample[name][:2]).max()) for sample in samples)
        scales[name] = sum(terms)
        errors[name] = np.array(abs(forward - reverse))
        tolerances[name] = np.array(conditioning.SAFETY * max(spread, conditioning.unit(problem.dtype) * sum(terms)))
    return worst_row("adjoint identity", "law", errors, tolerances, scales)


def linearity(problem: Problem, output_cotangent: Array, seed: int = 0) -> Row:
    """The pullback of αu + βw is α times that of u plus β times that of w."""
    rng = np.random.default_rng([seed, 2])
    u, w = output_cotangent, cotangent(rng, output_cotangent.shape, problem.dtype)
    a, b = (problem.dtype.type(factor) for factor in (-1.25, 0.7))

    def pulled(arrays: Arrays) -> Arrays:
        parts = {"u": arrays["cotangent u"], "w": arrays["cotangent w"]}
        point = {name: array for name, array in arrays.items() if name in problem.arrays}
        parts["both"] = a * parts["u"] + b * parts["w"]
        return {f"{part} {name}": g for part, c in parts.items() for name, g in problem.pullback(point, c).items()}

    arrays = {**problem.arrays, "cotangent u": u, "cotangent w": w}
    base = pulled(arrays)
    floors = conditioning.rounding(pulled, arrays, base, rng).floor
    errors, tolerances, scales = {}, {}, {}
    for name in problem.arrays:
        parts = [base[f"{part} {name}"].astype(np.float64) for part in ("u", "w", "both")]
        errors[name] = np.abs(a * parts[0] + b * parts[1] - parts[2])
        weights = {"u": abs(a), "w": abs(b), "both": 1.0}
        tolerances[name] = np.sum([c * floors[f"{part} {name}"] for part, c in weights.items()], axis=0)
        scales[name] = abs(a * parts[0]) + abs(b * parts[1])
    return worst_row("linearity in the cotangent", "law", errors, tolerances, scales)


def zero_cotangent(problem: Problem, output_cotangent: Array) -> Row:
    """A zero cotangent pulls back to exact zeros."""
    gradients = problem.pullback(problem.arrays, np.zeros_like(output_cotangent))
    return exact("zero cotangent", {name: (g, np.zeros_like(g)) for name, g in gradients.items()})
