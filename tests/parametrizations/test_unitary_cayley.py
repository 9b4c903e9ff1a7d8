"""W = (I+A)^{-1}(I-A)D with A skew-Hermitian, as a real matrix: laws, golden numbers, and JAX on the complex map."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrnn_ref.errors import NotFiniteError
from enrnn_ref.linalg import skew_matrix
from enrnn_ref.parametrizations import ScaledCayley
from enrnn_ref.parametrizations.unitary_cayley import UnitaryCayley
from tests.parametrizations import laws
from tests.strategies import dtypes, normal, normals, relative_error, seeds

jax.config.update("jax_enable_x64", True)

ORDERS = ("paper", "released")


def oracle(raw, order):
    """R, written with complex numbers from the two formulas; nothing of the package."""
    n = raw["phase"].size
    strict, whole = np.triu_indices(n, 1), np.triu_indices(n)
    X = jnp.zeros((n, n)).at[strict].set(raw["skew_real"])
    Y = jnp.zeros((n, n)).at[whole].set(raw["skew_imag"])
    A = X - X.T + 1j * (Y + Y.T - jnp.diag(jnp.diag(Y)))
    D = jnp.diag(jnp.exp(1j * raw["phase"]))
    if order == "released":
        A = A.T
    Q = jnp.linalg.solve(jnp.eye(n) + A, jnp.eye(n) - A)
    W = Q @ D if order == "paper" else D @ Q
    return jnp.block([[W.real, -W.imag], [W.imag, W.real]])


@partial(jax.jit, static_argnums=3)
def differentiated_oracle(raw, draw, G, order):
    """R, its derivative along ``draw``, and the gradients of <R, G>."""
    R, tangent = jax.jvp(lambda raw: oracle(raw, order), (raw,), (draw,))
    return R, tangent, jax.grad(lambda raw: jnp.sum(G * oracle(raw, order)))(raw)


def complex_of(R):
    n = len(R) // 2
    return R[:n, :n] + 1j * R[n:, :n]


def skew_hermitian(raw, n):
    Y = np.zeros((n, n))
    Y[np.triu_indices(n)] = raw["skew_imag"]
    return skew_matrix(raw["skew_real"].astype(float), n) + 1j * (Y + np.triu(Y, 1).T)


def condition(raw, n):
    """cond(I + A) is at most this: I + A is normal with eigenvalues 1 + iw."""
    return np.sqrt(1 + np.linalg.norm(skew_hermitian(raw, n), 2) ** 2)


@st.composite
def points(draw, dtypes=dtypes, scales=(0.3, 1.0, 10.0)):
    n = draw(st.integers(1, 6))
    p, rng = UnitaryCayley(n, draw(st.sampled_from(ORDERS))), np.random.default_rng(draw(seeds))
    return p, normals(rng, p.shapes, draw(dtypes), draw(st.sampled_from(scales))), rng


@given(point=points())
def test_pullback_is_the_adjoint_of_the_tangent(point):
    p, raw, rng = point
    laws.assert_pullback_is_adjoint_of_tangent(p, raw, rng)


@given(point=points(dtypes=st.just(np.float64)))
def test_tangent_is_the_limit_of_differences(point):
    p, raw, rng = point
    laws.assert_tangent_is_the_limit_of_differences(p, raw, rng)


@given(point=points(dtypes=st.just(np.float64)))
def test_missing_directions_count_as_zero(point):
    p, raw, rng = point
    laws.assert_missing_directions_count_as_zero(p, raw, rng)


@given(point=points())
def test_nothing_is_modified(point):
    p, raw, rng = point
    laws.assert_nothing_is_modified(p, raw, rng)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [UnitaryCayley(1), UnitaryCayley(4, "released"), UnitaryCayley(5)], ids=lambda p: p.shape)
def test_initialisation(p, dtype):
    laws.assert_initialisation_is_declared(p, dtype)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [1, 4])
def test_agrees_with_automatic_differentiation_of_the_complex_map(n, order):
    """[UC-1] to [UC-8]: the matrix, the tangent, and the gradient of every free number."""
    p, rng = UnitaryCayley(n, order), np.random.default_rng(n)
    for scale in (0.3, 1.0, 10.0):
        raw, draw = (normals(rng, p.shapes, np.float64, size) for size in (scale, 1.0))
        value, G = p.evaluate(raw), normal(rng, p.shape, np.float64)
        R, tangent, gradients = differentiated_oracle(raw, draw, G, order)
        # Two solves with I + A and one product, each backward stable, in both computations.
        bound = 64 * n * np.finfo(np.float64).eps * condition(raw, n)
        assert np.abs(value.matrix - R).max() <= bound
        size = sum(np.abs(array).sum() for array in draw.values())
        assert np.abs(p.tangent(value, draw) - tangent).max() <= bound * size
        for key, gradient in p.pullback(value, G).items():
            assert np.abs(gradient - gradients[key]).max(initial=0.0) <= bound * np.linalg.norm(G)


@given(point=points(scales=(1e-3, 1.0, 1e3)))
def test_is_unitary_and_has_the_real_form(point):
    p, raw, _ = point
    value = p.evaluate(raw)
    R, n = value.matrix, p.size
    bound = 16 * n * (np.finfo(R.dtype).eps + condition(raw, n) * np.finfo(np.float64).eps)
    W = complex_of(R.astype(np.float64))
    assert np.abs(W @ W.conj().T - np.eye(n)).max() <= bound
    assert p.violation(value) <= bound
    np.testing.assert_array_equal(R[:n, :n], R[n:, n:])
    np.testing.assert_array_equal(R[:n, n:], -R[n:, :n])


def test_golden_numbers():
    """W and the phases' gradient as printed; the printed gradient is that of all entries of A, Re tr(M* dA)."""
    raw = {
        "skew_real": np.array([0.5, 0.0, 0.4]),
        "skew_imag": np.array([0.1, 0.2, 0.0, -0.3, 0.0, 0.2]),
        "phase": np.array([0.3, 1.1, -2.0]),
    }
    W = np.array(
        [
            [0.6310716058 - 0.030329839j, 0.0393244219 - 0.7205357881j, -0.0286172046 - 0.281587558j],
            [0.7201165769 + 0.0463718416j, -0.1514179531 + 0.4211280644j, 0.1969623451 + 0.4901136189j],
            [0.2805349789 - 0.0375582592j, 0.2171712512 + 0.4814999195j, -0.6204095252 - 0.5059407069j],
        ]
    )
    upper = np.array([-7.176504801 - 2.987048953j, 8.2204063251 - 1.96673935j, 13.183794498 + 0.9048979841j])
    diagonal = np.array([-6.929601379, 6.590196198, 1.0207692568])
    phase = np.array([3.0206599831051086, -3.813332671993422, -1.7507600755559116])
    p = UnitaryCayley(3)
    value = p.evaluate(raw)
    assert np.abs(complex_of(value.matrix) - W).max() <= 1e-10  # ten printed decimals, in both parts
    G = np.arange(1.0, 10.0).reshape(3, 3)  # dRe W; dIm W is its transpose
    gradients = p.pullback(value, np.block([[G, 0 * G], [G.T, 0 * G]]))
    free_imag = [diagonal[0], 2 * upper[0].imag, 2 * upper[1].imag, diagonal[1], 2 * upper[2].imag, diagonal[2]]
    printed = 2 * 0.51e-9  # half a unit of the ninth decimal, doubled with the entry
    np.testing.assert_allclose(gradients["skew_real"], 2 * upper.real, rtol=0, atol=printed)
    np.testing.assert_allclose(gradients["skew_imag"], free_imag, rtol=0, atol=printed)
    np.testing.assert_allclose(gradients["phase"], phase, rtol=1e-12)


def test_every_block_of_the_real_form_takes_part_in_the_gradient():
    """Each number of W stands twice in R; a gradient that arrives at either place counts."""
    p, rng = UnitaryCayley(3), np.random.default_rng(0)
    value, zero = p.evaluate(normals(rng, p.shapes, np.float64)), np.zeros((3, 3))
    P, Q = rng.standard_normal((2, 3, 3))
    top = p.pullback(value, np.block([[P, -Q], [zero, zero]]))
    bottom = p.pullback(value, np.block([[zero, zero], [Q, P]]))
    for key, gradient in top.items():
        np.testing.assert_allclose(gradient, bottom[key], rtol=1e-13, atol=1e-13)
        assert np.abs(gradient).max() > 0.1


def test_released_order_is_the_transposed_matrix():
    paper, released = (UnitaryCayley(4, order) for order in ORDERS)
    raw = normals(np.random.default_rng(1), paper.shapes, np.float64)
    W, other = (complex_of(p.evaluate(raw).matrix) for p in (paper, released))
    np.testing.assert_array_equal(other, W.T)
    A, D = skew_hermitian(raw, 4), np.diag(np.exp(1j * raw["phase"]))
    np.testing.assert_allclose((np.eye(4) + A) @ W, (np.eye(4) - A) @ D, atol=1e-14)
    np.testing.assert_allclose(other, D @ np.linalg.solve(np.eye(4) + A.T, np.eye(4) - A.T), atol=1e-14)


def test_real_skew_and_no_phase_is_the_orthogonal_map():
    """skew_imag = 0 and phase = 0: the scaled Cayley transform without signs, and twice its gradient (both blocks)."""
    p, orthogonal, rng = UnitaryCayley(5), ScaledCayley(5, 0), np.random.default_rng(2)
    skew, G = rng.standard_normal(10), rng.standard_normal((5, 5))
    value = p.evaluate({"skew_real": skew, "skew_imag": np.zeros(15), "phase": np.zeros(5)})
    expected = orthogonal.evaluate({"skew": skew})
    zero = np.zeros((5, 5))
    assert relative_error(value.matrix, np.kron(np.eye(2), expected.matrix)) <= 1e-14
    gradient = p.pullback(value, np.block([[G, zero], [zero, G]]))["skew_real"]
    assert relative_error(gradient, 2 * orthogonal.pullback(expected, G)["skew"]) <= 1e-13


def test_initial_law():
    """A real with angles up to a right angle, and phases uniform on the circle."""
    p = UnitaryCayley(601)
    raw = p.init(np.random.default_rng(0), np.float64)
    assert not raw["skew_imag"].any()
    skew = skew_matrix(raw["skew_real"], 601)
    angles = 2 * np.arctan(np.abs(np.diag(skew, 1)[::2]))
    assert (angles > 0).all()
    assert (angles <= np.pi / 2).all()
    assert np.count_nonzero(skew) == 600
    phase = raw["phase"]
    assert ((phase >= 0) & (phase < 2 * np.pi)).all()
    for k in (1, 2):  # mean of e^{ikt} over 601 uniform angles: standard deviation 1/sqrt(601)
        assert abs(np.exp(1j * k * phase).mean()) < 4 / np.sqrt(601)


def test_violation_measures_the_distance():
    p = UnitaryCayley(3)
    raw = normals(np.random.default_rng(3), p.shapes, np.float64)
    value = p.evaluate(raw)
    assert np.isclose(p.violation(replace(value, matrix=1.1 * value.matrix)), 0.21, rtol=1e-12)
    bent = np.repeat([1.0, -1.0], 3)[:, None] * value.matrix  # orthogonal still, but of no complex matrix
    assert np.isclose(p.violation(replace(value, matrix=bent)), 2 * np.abs(bent[:3]).max(), rtol=1e-12)


def test_stays_unitary_over_many_steps():
    """W is rebuilt from A, so rounding does not pile up."""
    p, rng = UnitaryCayley(4), np.random.default_rng(4)
    raw = p.init(rng, np.float64)
    for _ in range(5_000):
        raw = {key: array + 0.02 * rng.standard_normal(array.shape) for key, array in raw.items()}
    assert p.violation(p.evaluate(raw)) <= 16 * 4 * np.finfo(np.float64).eps * condition(raw, 4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0,), ["size", "0"]),
        ((2.5,), ["size", "2.5"]),
        ((True,), ["size", "True"]),
        ((3, "reversed"), ["order", "reversed", "paper", "released"]),
        ((3, None), ["order", "None"]),
    ],
)
def test_bad_settings(arguments, words):
    laws.assert_refuses(lambda: UnitaryCayley(*arguments), *words)


@pytest.mark.parametrize("size", [2.0**60, 2.0**600, 1.7e308])
@pytest.mark.parametrize("part", ["skew_real", "skew_imag"])
def test_entries_beyond_the_reach_of_float64_are_named(size, part):
    """A is singular itself; the identity that should help is lost to rounding, and what is solved is not unitary."""
    p = UnitaryCayley(5)
    raw = {key: np.full(shape, size if key == part else 1.0) for key, shape in p.shapes.items()}
    with pytest.raises(NotFiniteError, match=r"skew_real and skew_imag have entries up to .*; expected smaller ones"):
        p.evaluate(raw)


def test_large_entries_are_no_fault_where_the_matrix_stays_unitary():
    p = UnitaryCayley(5)
    value = p.evaluate(normals(np.random.default_rng(5), p.shapes, np.float64, 1e300))
    assert p.violation(value) <= 64 * 5 * np.finfo(np.float64).eps
