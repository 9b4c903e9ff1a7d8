"""The leading eigenpair: its defining equations, its diagnostics, and the derivative of its modulus."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import enrnn_ref as er
from tests.oracles import mpmath_spectral
from tests.strategies import moderate, seeds, spectra, with_spectrum

matrices = st.integers(2, 8).flatmap(spectra)
tame = st.integers(2, 8).flatmap(lambda n: spectra(n, **moderate))


@given(spectrum=matrices)
def test_defining_equations(spectrum):
    T = spectrum.matrix
    pair = er.dominant_eigenpair(T)
    residual = 64 * np.finfo(np.float64).eps * np.linalg.norm(T)
    assert np.linalg.norm(T @ pair.right - pair.value * pair.right) <= residual
    assert np.linalg.norm(pair.left.conj() @ T - pair.value * pair.left.conj()) <= residual
    assert np.isclose(np.linalg.norm(pair.right), 1, rtol=1e-14)
    assert np.isclose(np.linalg.norm(pair.left), 1, rtol=1e-14)
    assert np.isclose(pair.modulus, abs(pair.value), rtol=1e-15)
    assert pair.value.imag >= 0
    rounding = 4 * len(T) * np.finfo(float).eps  # of a product of two unit vectors, however small it is
    assert abs(1 / pair.condition - abs(np.vdot(pair.left, pair.right))) <= rounding
    assert pair.degeneracy is None


@given(spectrum=tame)
def test_leader_is_the_largest_and_of_the_kind_that_was_asked_for(spectrum):
    pair = er.dominant_eigenpair(spectrum.matrix)
    assert np.isclose(pair.modulus, np.abs(np.linalg.eigvals(spectrum.matrix)).max(), rtol=1e-12)
    kind = "complex" if pair.value.imag else "positive" if pair.value.real > 0 else "negative"
    assert kind == spectrum.leader


@given(spectrum=st.integers(3, 8).flatmap(lambda n: spectra(n, **moderate)))
def test_gap_is_the_distance_to_the_second_modulus(spectrum):
    """The conjugate of the leader is not a rival."""
    pair = er.dominant_eigenpair(spectrum.matrix)
    assert np.isclose(pair.gap, spectrum.gap * pair.modulus, rtol=1e-9)


@pytest.mark.parametrize("T", [[[2.0]], [[0.0, 1.0], [-1.0, 0.3]]])
def test_gap_is_infinite_without_a_rival(T):
    assert er.dominant_eigenpair(np.array(T)).gap == np.inf


def test_normal_matrix_has_condition_one():
    T = with_spectrum([0.9, -0.4, 0.3 + 0.5j], 1.0, np.random.default_rng(0))
    assert np.isclose(er.dominant_eigenpair(T).condition, 1.0, rtol=1e-13)


def test_condition_of_a_known_matrix():
    """[[a, c], [0, b]]: u = e_1, v = (a - b, c)/norm."""
    a, b, c = 1.5, 1.0, 20.0
    pair = er.dominant_eigenpair(np.array([[a, c], [0, b]]))
    assert np.isclose(pair.condition, np.hypot(a - b, c) / (a - b), rtol=1e-13)
    assert np.isclose(pair.gap, a - b, rtol=1e-13)


@given(spectrum=matrices)
def test_modulus_gradient_against_fifty_digits(spectrum):
    """Nearly tied, ill-conditioned: no error is raised, and nothing is lost but to the leader's own condition."""
    T = spectrum.matrix
    pair = er.dominant_eigenpair(T)
    exact = mpmath_spectral.modulus_gradient(T).astype(np.float64)
    assert np.linalg.norm(pair.modulus_gradient - exact) <= 1e-12 * pair.condition * np.linalg.norm(exact)


@settings(max_examples=12)
@given(seed=seeds, size=st.integers(2, 24))
def test_modulus_gradient_of_random_matrices(seed, size):
    """The bar for matrices nobody prepared: 1e-12 times the condition number."""
    T = np.random.default_rng(seed).standard_normal((size, size))
    pair = er.dominant_eigenpair(T)
    exact = mpmath_spectral.modulus_gradient(T).astype(np.float64)
    assert np.linalg.norm(pair.modulus_gradient - exact) <= 1e-12 * pair.condition * np.linalg.norm(exact)
    assert np.isclose(pair.condition, mpmath_spectral.leader(T).condition, rtol=1e-10)


@given(spectrum=tame)
def test_homogeneity(spectrum):
    """rho is homogeneous of degree one: <d rho/dT, T> = rho (C of the derivation is rho d rho/dT, <C, T> = rho^2)."""
    pair = er.dominant_eigenpair(spectrum.matrix)
    assert np.isclose(np.sum(pair.modulus_gradient * spectrum.matrix), pair.modulus, rtol=1e-11)


@given(spectrum=tame)
def test_transposed_matrix_has_the_transposed_gradient(spectrum):
    T = spectrum.matrix
    pair, transposed = er.dominant_eigenpair(T), er.dominant_eigenpair(T.T)
    assert np.isclose(pair.modulus, transposed.modulus, rtol=1e-12)
    difference = np.linalg.norm(pair.modulus_gradient - transposed.modulus_gradient.T)
    assert difference <= 1e-12 * pair.condition * np.linalg.norm(pair.modulus_gradient)


def test_float32_is_computed_in_float64():
    T = np.random.default_rng(3).standard_normal((5, 5)).astype(np.float32)
    short, long = er.dominant_eigenpair(T), er.dominant_eigenpair(T.astype(np.float64))
    assert short.modulus_gradient.dtype == np.float64
    np.testing.assert_array_equal(short.modulus_gradient, long.modulus_gradient)


@pytest.mark.parametrize(
    ("matrix", "error", "words"),
    [
        (np.ones((2, 3)), er.errors.ShapeError, ["(2, 3)", "(n, n)"]),
        (np.ones(4), er.errors.ShapeError, ["(4,)", "(n, n)"]),
        (np.ones((0, 0)), er.errors.ShapeError, ["(0, 0)", "at least 1"]),
        (np.eye(2, dtype=int), er.errors.DtypeError, ["int64", "float64"]),
        (np.eye(2, dtype=complex), er.errors.DtypeError, ["complex128", "float64"]),
        (np.array([[1.0, np.nan], [0.0, 2.0]]), er.errors.NotFiniteError, ["(0, 1)"]),
    ],
    ids=["not square", "vector", "empty", "integers", "complex", "NaN"],
)
def test_bad_input(matrix, error, words):
    with pytest.raises(error) as caught:
        er.dominant_eigenpair(matrix)
    for word in ["matrix", *words]:
        assert word in str(caught.value)


def test_unknown_policy():
    with pytest.raises(er.errors.OptionError, match=r"on_degenerate.*'ignore'.*'raise', 'proceed'"):
        er.dominant_eigenpair(np.eye(2), on_degenerate="ignore")


@pytest.mark.parametrize("distance", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("size", [4, 17, 40])
def test_derivative_keeps_its_digits_beside_a_close_neighbour(size, distance):
    """The matrix is exact, so a close second eigenvalue costs no digits beyond the leader's own condition."""
    rng = np.random.default_rng([size, round(1 / distance)])
    X = rng.standard_normal((size, size))
    T = X @ np.diag(np.r_[1.0, 1.0 - distance, rng.uniform(-0.5, 0.5, size - 2)]) @ np.linalg.inv(X)
    pair = er.dominant_eigenpair(T)
    exact = mpmath_spectral.modulus_gradient(T).astype(np.float64)
    assert np.linalg.norm(pair.modulus_gradient - exact) <= 1e-12 * pair.condition * np.linalg.norm(exact)


@pytest.mark.parametrize("exponent", [-1070, -900, -300, 300, 900, 1010])
def test_powers_of_two_change_nothing_but_the_modulus(exponent):
    """rho(cT) = c rho(T) and the derivative is the same, over the whole range of float64."""
    T = np.ldexp(np.random.default_rng(7).integers(-8, 9, (5, 5)).astype(np.float64), -3)
    pair, scaled = er.dominant_eigenpair(T), er.dominant_eigenpair(np.ldexp(T, exponent))
    assert scaled.modulus == np.ldexp(pair.modulus, exponent)
    assert scaled.gap == np.ldexp(pair.gap, exponent)
    assert scaled.condition == pair.condition
    assert np.array_equal(scaled.modulus_gradient, pair.modulus_gradient)


@pytest.mark.parametrize("rest", [np.array([[0.5, 1.0], [0.0, 0.5]]), np.array([[0.0, 1.0], [0.0, 0.0]])])
def test_a_defective_second_eigenvalue_is_no_tie(rest):
    T = np.block([[np.ones((1, 1)), np.zeros((1, 2))], [np.zeros((2, 1)), rest]])
    pair = er.dominant_eigenpair(T)
    assert pair.gap == 1.0 - rest[0, 0]
    assert np.array_equal(pair.modulus_gradient, np.diag([1.0, 0.0, 0.0]))


def test_an_ill_conditioned_rival_within_its_own_uncertainty_is_a_tie():
    """The leader is known to rounding, the second modulus is not: which of them leads cannot be said."""
    condition = 1e6
    T = np.array([[-1.0, 0.0, 0.0], [0.0, 1.0 - 1e-10, condition], [0.0, 0.0, 0.0]])
    with pytest.raises(er.errors.DegenerateEigenvalueError) as caught:
        er.dominant_eigenpair(T)
    assert caught.value.kind == "tied"
    T[1, 2] = 0.0
    assert er.dominant_eigenpair(T).value == -1.0


@pytest.mark.parametrize("height", [1e-1, 1e-4, 1e-7])
def test_derivative_keeps_its_digits_for_a_pair_near_the_real_axis(height):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((6, 6))
    D = np.diag(np.r_[1.0, 1.0, rng.uniform(-0.5, 0.5, 4)])
    D[0, 1], D[1, 0] = -height, height
    T = X @ D @ np.linalg.inv(X)
    pair = er.dominant_eigenpair(T)
    exact = mpmath_spectral.modulus_gradient(T).astype(np.float64)
    assert np.linalg.norm(pair.modulus_gradient - exact) <= 1e-13 * pair.condition * np.linalg.norm(exact)
