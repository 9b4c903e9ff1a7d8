"""<J v, u> = <v, J^T u>: the tangent and the backward pass share no pullback, so each checks the other."""

import numpy as np
from hypothesis import given, settings

from tests.strategies import EVERY_KIND, direction_of, flat, problems, seeds


def _sum_of_products(left, right):
    """The inner product and the sum of absolute products over matching arrays, both in longdouble."""
    value = size = np.longdouble(0)
    for key, array in left.items():
        products = array.astype(np.longdouble) * right[key]
        value, size = value + products.sum(), size + np.abs(products).sum()
    return value, size


@settings(max_examples=60)
@given(problem=problems(), seed=seeds)
def test_tangent_and_backward_are_adjoint(problem, seed):
    _assert_adjoint(problem, seed)


@settings(max_examples=150)
@given(problem=problems(kinds=EVERY_KIND, backends=("reference",)), seed=seeds)
def test_they_are_for_every_model(problem, seed):
    """On the readable backend, which compiles nothing; that the other one agrees is a law of its own."""
    _assert_adjoint(problem, seed)


def _assert_adjoint(problem, seed):
    direction = direction_of(problem, np.random.default_rng(seed))
    tangent, gradients = problem.tangent(direction), problem.backward()
    forward, forward_size = _sum_of_products({"y": tangent.y, **tangent.state}, {"y": problem.dy, **problem.dstate})
    backward, backward_size = _sum_of_products(
        flat(gradients), {**direction.params, "x": direction.x, **{f"state {k}": a for k, a in direction.state.items()}}
    )
    # A few ulps of the sum of absolute products; the leader's condition number multiplies the error of d rho.
    few = 4 * problem.spectral_condition
    assert abs(forward - backward) <= few * problem.unit_roundoff * (forward_size + backward_size)
