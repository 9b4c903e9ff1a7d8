"""W = T/(rho(T)+eps): golden numbers, the promised radius, the exact pullback, the released switch."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import enrnn_ref as er
from enrnn_ref.parametrizations import EigenvalueNormalized
from tests.oracles import mpmath_spectral
from tests.oracles.golden import COMPLEX_PAIR, REAL_LEADER
from tests.parametrizations.laws import assert_refuses
from tests.strategies import EPSILONS, moderate, normal, relative_error, seeds, spectra

matrices = st.integers(1, 8).flatmap(lambda n: spectra(n, **moderate))


def radius(matrix):
    return np.abs(np.linalg.eigvals(matrix.astype(np.float64))).max()


@pytest.mark.parametrize("eps", [0.0, 0.01])
def test_golden_complex_pair(eps):
    T, G = COMPLEX_PAIR["T"], COMPLEX_PAIR["G"]
    pair = er.dominant_eigenpair(T)
    assert np.isclose(pair.modulus, COMPLEX_PAIR["modulus"], rtol=1e-12)
    assert np.isclose(pair.value, COMPLEX_PAIR["value"], rtol=1e-11)
    np.testing.assert_allclose(pair.modulus * pair.modulus_gradient, COMPLEX_PAIR["C"], rtol=1e-12)
    p = EigenvalueNormalized(2, eps)
    value = p.evaluate({"free": T})
    np.testing.assert_allclose(value.matrix, COMPLEX_PAIR["eps"][eps]["W"], rtol=1e-12)
    np.testing.assert_allclose(p.pullback(value, G)["free"], COMPLEX_PAIR["eps"][eps]["dT"], rtol=1e-12)


def test_golden_real_leader():
    T, G = REAL_LEADER["T"], REAL_LEADER["G"]
    pair = er.dominant_eigenpair(T)
    assert np.isclose(pair.modulus, REAL_LEADER["modulus"], rtol=1e-12)
    np.testing.assert_allclose(pair.modulus * pair.modulus_gradient, REAL_LEADER["C"], rtol=1e-12)
    p = EigenvalueNormalized(3, 0.0)
    np.testing.assert_allclose(p.pullback(p.evaluate({"free": T}), G)["free"], REAL_LEADER["dT"], rtol=1e-12)


@settings(max_examples=25)
@given(seed=seeds, size=st.integers(1, 24), eps=st.sampled_from(EPSILONS))
def test_pullback_against_fifty_digits(seed, size, eps):
    """Random matrices nobody prepared: 1e-12 times the condition number of the leader."""
    T, G = np.random.default_rng(seed).standard_normal((2, size, size))
    p = EigenvalueNormalized(size, eps)
    exact = mpmath_spectral.pullback(T, G, eps)
    found = p.pullback(p.evaluate({"free": T}), G)["free"]
    scale = np.linalg.norm(G) / (radius(T) + eps)  # the gradient itself may cancel, to nothing for size one
    assert np.linalg.norm(found - exact) <= 1e-12 * er.dominant_eigenpair(T).condition * scale


@given(spectrum=matrices, eps=st.sampled_from(EPSILONS))
def test_radius_is_the_promised_one(spectrum, eps):
    """rho(W) = rho/(rho+eps): one for eps = 0, below one otherwise."""
    T = spectrum.matrix
    p = EigenvalueNormalized(len(T), eps)
    value = p.evaluate({"free": T})
    promised = radius(T) / (radius(T) + eps)
    assert np.isclose(radius(value.matrix), promised, rtol=1e-12)
    assert p.violation(value) <= 1e-12
    assert (promised < 1) == (eps > 0)
    # A single direction: W stays a positive multiple of T.
    np.testing.assert_allclose(value.matrix * (radius(T) + eps), T, rtol=1e-12)


def test_violation_measures_the_distance():
    p = EigenvalueNormalized(2, 0.0)
    value = p.evaluate({"free": COMPLEX_PAIR["T"]})
    assert np.isclose(p.violation(replace(value, matrix=1.25 * value.matrix)), 0.25, rtol=1e-12)


def test_violation_of_an_unnormalised_matrix_is_what_exceeds_one():
    p = EigenvalueNormalized(2, 0.0, "switch")
    value = p.evaluate({"free": np.diag([0.9, 0.1])})
    assert p.violation(value) == 0.0
    assert np.isclose(p.violation(replace(value, matrix=np.diag([1.5, 0.1]))), 0.5, rtol=1e-12)
    never = EigenvalueNormalized(2, 0.0, "never")
    assert never.violation(never.evaluate({"free": np.diag([1.5, 0.1])})) == 0.0


def test_radius_holds_after_every_gradient_step():
    rng = np.random.default_rng(0)
    for eps in (0.0, 0.01):
        p, T = EigenvalueNormalized(4, eps), rng.standard_normal((4, 4))
        for _ in range(200):
            value = p.evaluate({"free": T})
            assert p.violation(value) <= 1e-12
            T = T - 0.05 * p.pullback(value, rng.standard_normal((4, 4)))["free"]


@pytest.mark.parametrize("eps", [0.0, 0.3])
def test_never_leaves_the_matrix_alone(eps):
    T, G = np.random.default_rng(0).standard_normal((2, 4, 4))
    p = EigenvalueNormalized(4, eps, "never")
    value = p.evaluate({"free": T})
    np.testing.assert_array_equal(value.matrix, T)
    np.testing.assert_array_equal(p.pullback(value, G)["free"], G)
    np.testing.assert_array_equal(p.tangent(value, {"free": G}), G)
    assert value.buffers == {}


def _of_radius(rho, rng):
    T = rng.standard_normal((3, 3))
    return T * (rho / radius(T))


@pytest.mark.parametrize("eps", [0.0, 0.2])
def test_switch_is_the_released_rule(eps):
    """Radii .9, 1.1, .8 give flags 0, 1, 1: W has radius .9 at first, then rho/(rho+eps) for ever after."""
    p, rng = EigenvalueNormalized(3, eps, "switch"), np.random.default_rng(1)
    always = EigenvalueNormalized(3, eps)
    buffers, flags = None, []
    for rho, normalised in ((0.9, False), (1.1, True), (0.8, True)):
        T, G = _of_radius(rho, rng), rng.standard_normal((3, 3))
        value = p.evaluate({"free": T}, buffers)
        buffers = value.buffers
        flags.append(bool(buffers["switched"]))
        assert np.isclose(radius(value.matrix), rho / (rho + eps) if normalised else rho, rtol=1e-12)
        expected = always.pullback(always.evaluate({"free": T}), G)["free"] if normalised else G
        np.testing.assert_array_equal(p.pullback(value, G)["free"], expected)
        tangent = always.tangent(always.evaluate({"free": T}), {"free": G}) if normalised else G
        np.testing.assert_array_equal(p.tangent(value, {"free": G}), tangent)
    assert flags == [False, True, True]


def test_switch_lives_in_the_buffers_and_nowhere_else():
    p, rng = EigenvalueNormalized(3, 0.0, "switch"), np.random.default_rng(2)
    start = p.initial_buffers()
    assert not start["switched"]
    assert start["switched"].shape == ()
    assert start["switched"].dtype == bool
    large, small = ({"free": _of_radius(rho, rng)} for rho in (1.1, 0.8))
    assert p.evaluate(large).buffers["switched"]
    assert not p.evaluate(small).buffers["switched"]  # the object has not learnt anything
    raised = p.evaluate(large, start).buffers
    assert not start["switched"]  # nor was the buffer handed over changed
    assert p.evaluate(small, raised).buffers["switched"]


def test_switch_does_not_act_at_a_radius_of_exactly_one():
    """The rule is rho > 1."""
    value = EigenvalueNormalized(2, 0.0, "switch").evaluate({"free": np.diag([1.0, 0.5])})
    assert not value.buffers["switched"]


@pytest.mark.parametrize("normalize", ["always", "never", "switch"])
def test_size_zero(normalize):
    p = EigenvalueNormalized(0, normalize=normalize)
    value = p.evaluate({"free": np.zeros((0, 0))})
    assert value.matrix.shape == (0, 0)
    assert p.pullback(value, np.zeros((0, 0)))["free"].shape == (0, 0)
    assert p.violation(value) == 0.0


def test_float32_is_computed_in_float64():
    T, G = np.random.default_rng(0).standard_normal((2, 6, 6)).astype(np.float32)
    p = EigenvalueNormalized(6, 1e-3)
    short, long = p.evaluate({"free": T}), p.evaluate({"free": T.astype(np.float64)})
    np.testing.assert_array_equal(short.matrix, long.matrix.astype(np.float32))  # rounded once
    found, exact = p.pullback(short, G)["free"], p.pullback(long, G.astype(np.float64))["free"]
    assert relative_error(found, exact) <= 4 * 2.0**-24


@pytest.mark.parametrize("size", [2, 8, 64])
def test_even_initialisation_is_normal_with_eigenvalues_in_the_disc(size):
    """T = X diag X^T with eigenvalues gamma e^{±it}, |gamma| <= 1, t in [0, pi/2]."""
    T = EigenvalueNormalized(size).init(np.random.default_rng(size), np.float64)["free"]
    np.testing.assert_allclose(T @ T.T, T.T @ T, atol=1e-14)
    values = np.linalg.eigvals(T)
    assert (np.abs(values) <= 1).all()
    moduli = np.sort(np.abs(values))
    np.testing.assert_allclose(moduli[::2], moduli[1::2], atol=1e-12)  # gamma comes in pairs
    turned = np.where(values.real < 0, -values, values)  # gamma may be negative
    assert (np.abs(np.angle(turned)) <= np.pi / 2 + 1e-9).all()


def test_initial_moduli_are_uniform():
    """|gamma| ~ U[0, 1], both signs of gamma."""
    gammas, signs = [], []
    for seed in range(100):
        T = EigenvalueNormalized(8).init(np.random.default_rng(seed), np.float64)["free"]
        values = np.linalg.eigvals(T)
        gammas.extend(np.sort(np.abs(values))[::2])
        signs.extend(np.sign(values.real))
    assert abs(np.mean(gammas) - 0.5) < 5 / np.sqrt(12 * len(gammas))
    assert abs(np.mean(signs)) < 5 / np.sqrt(len(signs) / 2)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_odd_initialisation_does_not_expand(size):
    T = EigenvalueNormalized(size).init(np.random.default_rng(size), np.float64)["free"]
    assert np.linalg.norm(T, 2) <= 1 + 1e-12


@given(spectrum=matrices, eps=st.sampled_from(EPSILONS), seed=seeds)
def test_derivative_formula_written_out(spectrum, eps, seed):
    """dT = (G - <G, W> C/rho)/(rho+eps): with the inner 1/rho, not 1/(rho+eps)."""
    T = spectrum.matrix
    G = normal(np.random.default_rng(seed), T.shape, T.dtype)
    p, pair = EigenvalueNormalized(len(T), eps), er.dominant_eigenpair(T)
    value = p.evaluate({"free": T})
    C = pair.modulus * pair.modulus_gradient
    expected = (G - np.sum(G * value.matrix) * C / pair.modulus) / (pair.modulus + eps)
    scale = np.linalg.norm(G) / (pair.modulus + eps) * pair.condition
    assert np.linalg.norm(p.pullback(value, G)["free"] - expected) <= 1e-13 * scale


DEGENERATE = [
    ("tied", np.diag([0.9, -0.9])),
    ("defective", np.array([[0.9, 1.0], [0.0, 0.9]])),
    ("zero", np.array([[0.0, 1.0], [0.0, 0.0]])),
]


@pytest.mark.parametrize(("kind", "T"), DEGENERATE)
def test_derivatives_of_a_degenerate_matrix_raise(kind, T):
    p = EigenvalueNormalized(2, 0.1)
    value = p.evaluate({"free": T})  # the matrix itself exists
    assert value.degeneracy.kind == kind
    for derivative in (lambda: p.pullback(value, np.ones((2, 2))), lambda: p.tangent(value, {"free": np.ones((2, 2))})):
        with pytest.raises(er.errors.DegenerateEigenvalueError) as caught:
            derivative()
        assert caught.value.kind == kind


@pytest.mark.parametrize(("kind", "T"), DEGENERATE)
def test_proceeding_takes_the_documented_choice(kind, T):
    p, eps = EigenvalueNormalized(2, 0.1, on_degenerate="proceed"), 0.1
    value, G = p.evaluate({"free": T}), np.array([[1.0, 2.0], [3.0, -4.0]])
    assert value.degeneracy.kind == kind
    rho = radius(T)
    # Tied: the leader is +0.9, whose modulus grows with T[0, 0] alone. Defective and zero: rho counts as constant.
    slope = np.array([[1.0, 0.0], [0.0, 0.0]]) if kind == "tied" else np.zeros((2, 2))
    expected = (G - np.sum(G * value.matrix) * slope) / (rho + eps)
    np.testing.assert_allclose(p.pullback(value, G)["free"], expected, rtol=1e-6)
    expected = (G - value.matrix * np.sum(slope * G)) / (rho + eps)
    np.testing.assert_allclose(p.tangent(value, {"free": G}), expected, rtol=1e-6)


@pytest.mark.parametrize("tiny", [1e-17, 1e-310])
def test_a_radius_of_zero_up_to_rounding_divides_nothing(tiny):
    """The radius counts as constant, however small the number that stands for it."""
    p, G = EigenvalueNormalized(2, 0.1, on_degenerate="proceed"), np.array([[1.0, 2.0], [3.0, -4.0]])
    value = p.evaluate({"free": np.array([[tiny, 1.0], [0.0, 0.0]])})
    assert value.degeneracy.kind == "zero"
    np.testing.assert_allclose(p.pullback(value, G)["free"], G / 0.1, rtol=1e-15)
    np.testing.assert_allclose(p.tangent(value, {"free": G}), G / 0.1, rtol=1e-15)


def test_no_normalised_matrix_exists_where_radius_and_eps_are_zero():
    T = np.zeros((3, 3))
    with pytest.raises(er.errors.DegenerateEigenvalueError) as caught:
        EigenvalueNormalized(3, 0.0).evaluate({"free": T})
    assert caught.value.kind == "zero"


def test_proceeding_where_radius_and_eps_are_zero_leaves_the_matrix_alone():
    T, G = np.zeros((3, 3)), np.random.default_rng(0).standard_normal((3, 3))
    p = EigenvalueNormalized(3, 0.0, on_degenerate="proceed")
    value = p.evaluate({"free": T})
    assert value.degeneracy.kind == "zero"
    np.testing.assert_array_equal(value.matrix, T)
    np.testing.assert_array_equal(p.pullback(value, G)["free"], G)
    np.testing.assert_array_equal(p.tangent(value, {"free": G}), G)


def test_an_unnormalised_matrix_may_be_degenerate():
    """W = T has a derivative everywhere: neither "never" nor a switch that is still open has anything to raise."""
    for rule in ("never", "switch"):
        p = EigenvalueNormalized(2, 0.0, rule)
        value = p.evaluate({"free": np.diag([0.9, -0.9])})
        assert value.degeneracy is None
        np.testing.assert_array_equal(p.pullback(value, np.eye(2))["free"], np.eye(2))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"size": -1}, ["size", "-1"]),
        ({"size": 2.0}, ["size", "2.0"]),
        ({"size": 3, "eps": -0.1}, ["eps", "-0.1"]),
        ({"size": 3, "eps": np.nan}, ["eps", "nan"]),
        ({"size": 3, "eps": np.inf}, ["eps", "inf"]),
        ({"size": 3, "eps": "small"}, ["eps", "small"]),
        ({"size": 3, "normalize": "sometimes"}, ["normalize", "sometimes", "always", "never", "switch"]),
        ({"size": 3, "on_degenerate": "ignore"}, ["on_degenerate", "ignore", "raise", "proceed"]),
    ],
)
def test_bad_settings(arguments, words):
    assert_refuses(lambda: EigenvalueNormalized(**arguments), *words)


@pytest.mark.parametrize("eps", [1e-6, 1e-3, 0.3])
@pytest.mark.parametrize("free", [-200.0, 0.37, 100.0])
def test_the_radial_part_keeps_its_digits(free, eps):
    """One unit: W = T/(|T| + eps), slope eps/(|T| + eps)^2, whatever is left after the cancellation [EN-9]."""
    p = EigenvalueNormalized(1, eps)
    value = p.evaluate({"free": np.array([[free]])})
    exact = 1.1 * eps / (abs(free) + eps) ** 2
    assert np.isclose(p.pullback(value, np.array([[1.1]]))["free"][0, 0], exact, rtol=1e-14, atol=0)
    assert np.isclose(p.tangent(value, {"free": np.array([[1.1]])})[0, 0], exact, rtol=1e-14, atol=0)
