"""expm of a skew matrix: orthogonal, and its derivative by two routes, against mpmath, JAX and each other."""

from functools import partial

import jax
import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from enrnn_ref.errors import NotFiniteError
from enrnn_ref.linalg.exponential import BlockExponential, SkewExponential, frechet_block
from enrnn_ref.linalg.skew import skew_matrix
from tests.strategies import normal, seeds

jax.config.update("jax_enable_x64", True)

UNIT = float(np.finfo(np.float64).eps)
ROUTES = [SkewExponential, BlockExponential]
routes = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)


def random_skew(rng, size, scale=1.0):
    return skew_matrix(normal(rng, (size * (size - 1) // 2,), np.float64, scale), size)


def with_angles(rng, angles, size):
    """A skew matrix that turns random planes by ``angles``; known to rounding only."""
    A = np.zeros((size, size))
    even = 2 * np.arange(len(angles))
    A[even, even + 1] = angles
    Q = np.linalg.qr(rng.standard_normal((size, size)))[0]
    A = Q @ (A - A.T) @ Q.T
    return (A - A.T) / 2


def bound(A):
    """Rounding moves A by n·u·|A|, expm(A) by as much, and each of the few products that follow adds n·u."""
    return 8 * max(1, len(A)) * UNIT * (1 + (np.linalg.norm(A, 2) if len(A) else 0.0))


def largest(difference):
    return float(np.abs(difference).max(initial=0.0))


matrices = st.builds(
    lambda size, scale, seed: random_skew(np.random.default_rng(seed), size, scale),
    st.integers(0, 9),
    st.sampled_from((0.0, 1e-300, 1e-8, 1e-2, 1.0, 10.0)),
    seeds,
)


@given(A=matrices, seed=seeds)
def test_the_two_routes_agree(A, seed):
    rng = np.random.default_rng(seed)
    E, G = (rng.standard_normal(A.shape) for _ in range(2))
    planes, block = SkewExponential(A), BlockExponential(A)
    # Scaling and squaring may lose another factor of a few |A|.
    tolerance = 8 * bound(A)
    assert largest(planes.matrix - block.matrix) <= tolerance
    assert largest(planes.tangent(E) - block.tangent(E)) <= tolerance * np.linalg.norm(E)
    assert largest(planes.pullback(G) - block.pullback(G)) <= tolerance * np.linalg.norm(G)


@given(size=st.integers(0, 9), scale=st.sampled_from((0.0, 1e-300, 1.0, 30.0, 1e8, 1e150)), seed=seeds)
def test_is_orthogonal_whatever_the_size_of_its_argument(size, scale, seed):
    """[EX-1]."""
    P = SkewExponential(random_skew(np.random.default_rng(seed), size, scale)).matrix
    assert largest(P.T @ P - np.eye(size)) <= 8 * max(1, size) * UNIT
    assert np.isclose(np.linalg.det(P), 1.0, rtol=1e-12)


def long_exponential(A):
    return np.array(mpmath.expm(mpmath.matrix(A.tolist())).tolist(), dtype=object)


def fifty_digits(A, E):
    """expm(A) and L(A, E) as float64 arrays, by a block exponential in fifty digits."""
    n = len(A)
    with mpmath.workdps(50):
        whole = long_exponential(np.block([[A, E], [np.zeros((n, n)), A]]))
        return whole[:n, :n].astype(np.float64), whole[:n, n:].astype(np.float64)


def special(size):
    """Ties, nearly ties, multiples of 2 pi, large angles, none: where a formula with a quotient would fail."""
    rng, pairs = np.random.default_rng(size), size // 2
    return {
        "random": random_skew(rng, size),
        "zero": np.zeros((size, size)),
        "tiny": random_skew(rng, size, 1e-12),
        "large": random_skew(rng, size, 10.0),
        "tied": with_angles(rng, np.full(pairs, 1.3), size),
        "nearly tied": with_angles(rng, 1.3 + 1e-9 * np.arange(pairs), size),
        "nearly zero": with_angles(rng, 1e-9 * np.arange(1, pairs + 1), size),
        "half turns": with_angles(rng, np.full(pairs, np.pi), size),
        "whole turns": with_angles(rng, 2 * np.pi * np.arange(1, pairs + 1), size),
        "some zero": with_angles(rng, np.append(np.full(pairs - 1, 0.7), 0.0), size),
    }


@pytest.mark.parametrize("kind", special(2))
@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_against_fifty_digits(size, kind):
    """Value [EX-2], tangent [EX-7] and pullback [EX-8], to 1e-12 times the conditioning."""
    A, rng = special(size)[kind], np.random.default_rng(size)
    E, G = (rng.standard_normal(A.shape) for _ in range(2))
    value = SkewExponential(A)
    P, L = fifty_digits(A, E)
    _, Y = fifty_digits(A.T, G)
    assert bound(A) <= 1e-12 * (1 + np.linalg.norm(A, 2))
    assert largest(value.matrix - P) <= bound(A)
    assert largest(value.tangent(E) - L) <= bound(A) * np.linalg.norm(E)
    assert largest(value.pullback(G) - Y) <= bound(A) * np.linalg.norm(G)


@routes
@pytest.mark.parametrize("size", [3, 6])
def test_against_automatic_differentiation(route, size):
    """JAX differentiates its own scaling and squaring, in either direction."""
    rng = np.random.default_rng(size)
    A, E, G = random_skew(rng, size), rng.standard_normal((size, size)), rng.standard_normal((size, size))
    P, L = jax.jvp(jax.scipy.linalg.expm, (A,), (E,))
    Y = jax.vjp(jax.scipy.linalg.expm, A)[1](G)[0]
    value = route(A)
    tolerance = 8 * bound(A)
    assert largest(value.matrix - P) <= tolerance
    assert largest(value.tangent(E) - L) <= tolerance * np.linalg.norm(E)
    assert largest(value.pullback(G) - Y) <= tolerance * np.linalg.norm(G)


@given(A=matrices, seed=seeds)
def test_pullback_is_the_adjoint_of_the_tangent_and_neither_amplifies(A, seed):
    """[EX-8]: all weights of [EX-7] are at most one."""
    rng = np.random.default_rng(seed)
    E, G = (rng.standard_normal(A.shape) for _ in range(2))
    for value in (SkewExponential(A), BlockExponential(A)):
        L, Y = value.tangent(E), value.pullback(G)
        assert abs(np.sum(L * G) - np.sum(Y * E)) <= 8 * bound(A) * np.linalg.norm(E) * np.linalg.norm(G)
        assert np.linalg.norm(L) <= np.linalg.norm(E) * (1 + 8 * bound(A))


@pytest.mark.parametrize("size", [2, 5, 6])
def test_complex_spectral_form(size):
    """[EX-6], with the eigenvectors of a Hermitian routine."""
    rng = np.random.default_rng(size)
    A, E = random_skew(rng, size), rng.standard_normal((size, size))
    mu, Q = np.linalg.eigh(-1j * A)
    phi = np.exp(0.5j * (mu[:, None] + mu)) * np.sinc((mu[:, None] - mu) / (2 * np.pi))
    expected = Q @ (phi * (Q.conj().T @ E @ Q)) @ Q.conj().T
    assert largest(SkewExponential(A).tangent(E) - expected) <= 8 * bound(A) * np.linalg.norm(E)


def test_angles_are_those_of_the_planes():
    """[EX-5]; an odd size has one plane too many, which turns by nothing."""
    rng = np.random.default_rng(0)
    for size, given_angles, expected in (
        (6, [0.3, 2.0, 9.0], [9.0, 2.0, 0.3]),
        (7, [0.3, 2.0, 9.0], [9.0, 2.0, 0.3, 0.0]),
        (1, [], [0.0]),
        (0, [], []),
    ):
        A = with_angles(rng, np.array(given_angles), size)
        assert SkewExponential(A).angles.shape == (len(expected),)
        assert largest(SkewExponential(A).angles - np.array(expected)) <= bound(A)


def test_a_size_at_which_the_reduction_works_in_blocks():
    rng = np.random.default_rng(0)
    A, E = random_skew(rng, 171, 0.1), rng.standard_normal((171, 171))
    value = SkewExponential(A)
    assert largest(value.matrix - scipy.linalg.expm(A)) <= bound(A)
    assert largest(value.tangent(E) - frechet_block(A, E)) <= bound(A) * np.linalg.norm(E)


@pytest.mark.parametrize("scale", [1e-200, 1e-5, 1e5, 1e200])
def test_the_block_form_is_linear_whatever_the_size_of_the_direction(scale):
    rng = np.random.default_rng(1)
    A, E = random_skew(rng, 4), rng.standard_normal((4, 4))
    assert largest(frechet_block(A, scale * E) / scale - frechet_block(A, E)) <= 8 * bound(A) * np.linalg.norm(E)
    assert not frechet_block(A, 0 * E).any()


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("exponent", [-1070, -40, 40, 1020])
def test_a_power_of_two_passes_through_the_block_form_to_the_bit(exponent, sign):
    """Wherever the direction lies, down to subnormal numbers, and whatever the sign of its entries."""
    rng = np.random.default_rng(1)
    A, E = random_skew(rng, 4), sign * rng.integers(1, 8, (4, 4))
    np.testing.assert_array_equal(frechet_block(A, np.ldexp(E, exponent)), np.ldexp(frechet_block(A, E), exponent))


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-300])
def test_the_derivative_at_next_to_nothing_is_the_direction(scale):
    """However small the matrix is, the direction keeps its digits."""
    E = np.random.default_rng(1).standard_normal((4, 4))
    for value in (SkewExponential, BlockExponential):
        found = value(skew_matrix(np.full(6, scale), 4))
        assert largest(found.tangent(E) - E) <= bound(np.zeros((4, 4))) * np.linalg.norm(E)
        assert largest(found.pullback(E) - E) <= bound(np.zeros((4, 4))) * np.linalg.norm(E)


def test_the_block_form_takes_any_matrix():
    """Upper triangular and defective: exp of the Jordan block is known."""
    A, E = np.array([[0.5, 1.0], [0.0, 0.5]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    step = jax.jvp(jax.scipy.linalg.expm, (A,), (E,))[1]
    assert largest(frechet_block(A, E) - step) <= 8 * bound(A) * np.exp(1.0)


def test_arguments_are_left_alone():
    rng = np.random.default_rng(2)
    A, E = random_skew(rng, 5), rng.standard_normal((5, 5))
    A_before, E_before = A.copy(), E.copy()
    for route in ROUTES:
        value = route(A)
        for use in (value.tangent, value.pullback, partial(frechet_block, A)):
            use(E)
    np.testing.assert_array_equal(A, A_before)
    np.testing.assert_array_equal(E, E_before)


def test_a_norm_beyond_float64_is_named():
    with pytest.raises(NotFiniteError, match=r"skew has entries up to 1.5e\+308"):
        SkewExponential(skew_matrix(np.full(10, 1.5e308), 5))
