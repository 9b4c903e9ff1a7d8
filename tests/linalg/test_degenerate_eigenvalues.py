"""A leading eigenvalue without a derivative is noticed, named and measured; a near one is not mistaken for it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import block_diag

import enrnn_ref as er
from tests.oracles import mpmath_spectral
from tests.strategies import seeds, with_spectrum


def _rotation(angle, modulus=1.0):
    c, s = modulus * np.cos(angle), modulus * np.sin(angle)
    return np.array([[c, s], [-s, c]])


def _jordan(*blocks):
    """A defective matrix: the block repeated on the diagonal, coupled by the identity above it."""
    block, n = blocks[0], len(blocks[0])
    total = block_diag(*blocks)
    for k in range(len(blocks) - 1):
        total[k * n : (k + 1) * n, (k + 1) * n : (k + 2) * n] = np.eye(n)
    assert block.shape == (n, n)
    return total


def _turned(matrix, seed=0):
    """The same spectrum in a random orthonormal basis: rounding now blurs every degeneracy."""
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal(matrix.shape))[0]
    return basis @ matrix @ basis.T


TIED = {
    "opposite signs": np.diag([0.9, -0.9]),
    "identity": np.eye(3),
    "permutation": np.roll(np.eye(4), 1, axis=0),
    "real and pair": block_diag(np.array([[0.7]]), _rotation(1.0, 0.7)),
    "two pairs": block_diag(_rotation(0.4, 1.3), _rotation(1.9, 1.3), np.array([[0.2]])),
    "same pair twice": block_diag(_rotation(0.4), _rotation(0.4)),
}
DEFECTIVE = {
    "real": _jordan(np.array([[0.9]]), np.array([[0.9]])),
    "negative": _jordan(np.array([[-2.0]]), np.array([[-2.0]])),
    "of order three": _jordan(*[np.array([[0.5]])] * 3),
    "complex": _jordan(_rotation(0.8, 1.1), _rotation(0.8, 1.1)),
    "with company": block_diag(_jordan(np.array([[0.9]]), np.array([[0.9]])), np.array([[0.1]])),
}
ZERO = {
    "zero matrix": np.zeros((3, 3)),
    "of size one": np.zeros((1, 1)),
    "nilpotent": np.diag([1.0, 1.0], 1),
    "nilpotent up to rounding": np.array([[1e-17, 1.0], [0.0, -1e-18]]),
    "nilpotent, strictly triangular": np.triu(np.random.default_rng(0).standard_normal((4, 4)), 1),
}
CASES = [
    pytest.param(kind, matrix, id=f"{kind}: {name}")
    for kind, group in (("tied", TIED), ("defective", DEFECTIVE), ("zero", ZERO))
    for name, matrix in group.items()
]
TURNED = [
    pytest.param(kind, _turned(matrix), id=f"{kind}: {name}, turned")
    for kind, group in (("tied", TIED), ("defective", DEFECTIVE))
    for name, matrix in group.items()
    if not np.array_equal(matrix, np.eye(len(matrix)))
]


@pytest.mark.parametrize(("kind", "matrix"), [*CASES, *TURNED])
def test_is_named_and_measured(kind, matrix):
    with pytest.raises(er.errors.DegenerateEigenvalueError) as caught:
        er.dominant_eigenpair(matrix)
    error = caught.value
    assert error.kind == kind
    assert isinstance(error, (er.errors.EnrnnError, ArithmeticError))
    assert np.isclose(error.modulus, np.abs(np.linalg.eigvals(matrix)).max(), rtol=1e-3, atol=1e-12)
    for number in (error.modulus, error.gap, error.condition):
        assert f"{number:.3g}"[:3] in str(error)
    assert kind in str(error)
    if kind == "tied":
        assert error.gap <= 1e-13
    if kind == "defective":
        assert error.condition >= 1e5
    if kind == "zero":
        assert error.modulus <= 1e-13


@pytest.mark.parametrize(("kind", "matrix"), [*CASES, *TURNED])
def test_proceeding_says_so(kind, matrix):
    pair = er.dominant_eigenpair(matrix, on_degenerate="proceed")
    assert pair.degeneracy.kind == kind
    assert np.isfinite(pair.modulus_gradient).all()
    assert pair.modulus_gradient.any() == (kind == "tied")


@pytest.mark.parametrize(
    ("matrix", "value"),
    [
        (np.diag([0.9, -0.9]), 0.9),
        (np.diag([-0.9, 0.9]), 0.9),
        (block_diag(_rotation(1.9, 1.3), _rotation(0.4, 1.3)), 1.3 * np.exp(0.4j)),
        (block_diag(_rotation(0.3, 0.7), np.array([[-0.7]])), 0.7 * np.exp(0.3j)),
        (block_diag(_rotation(0.3, 0.7), np.array([[0.7]])), 0.7),
    ],
)
def test_of_tied_leaders_the_one_with_the_greatest_real_part_is_taken(matrix, value):
    """... and of a pair its member with non-negative imaginary part; the gradient is that of the chosen one."""
    for basis_seed in (None, 1, 2):
        turned = matrix if basis_seed is None else _turned(matrix, basis_seed)
        pair = er.dominant_eigenpair(turned, on_degenerate="proceed")
        assert np.isclose(pair.value, value, rtol=1e-12)
        # Push the matrix a little so that the chosen one leads alone; the gradient must be continuous there.
        projector = np.outer(pair.right, pair.left.conj()) / np.vdot(pair.left, pair.right)
        nudge = np.real(projector * np.exp(1j * np.angle(pair.value)))
        alone = er.dominant_eigenpair(turned + 1e-6 * nudge)
        assert np.isclose(alone.value, value, rtol=1e-4)
        np.testing.assert_allclose(pair.modulus_gradient, alone.modulus_gradient, atol=1e-4)


@given(
    seed=seeds,
    gap=st.sampled_from((1e-3, 1e-4, 1e-5, 1e-6)),
    leader=st.sampled_from((0.9, -0.9, 0.7 + 0.4j)),
    turn=st.sampled_from((1.0, -1.0)),
)
def test_near_ties_are_differentiable_and_accurate(seed, gap, leader, turn):
    """A relative gap of 1e-6 is a derivative like any other, be the rival at its side or across the plane."""
    rng = np.random.default_rng(seed)
    T = with_spectrum([leader, (1 - gap) * turn * leader, 0.3, 0.1 + 0.2j], 10.0, rng)
    pair = er.dominant_eigenpair(T)
    assert np.isclose(pair.gap, gap * abs(leader), rtol=1e-7)
    exact = mpmath_spectral.modulus_gradient(T).astype(np.float64)
    assert np.linalg.norm(pair.modulus_gradient - exact) <= 1e-12 * pair.condition * np.linalg.norm(exact)


@pytest.mark.parametrize("scale", [1e-100, 1e-12, 1e12, 1e100])
def test_scale_of_the_matrix_does_not_matter(scale):
    T = np.array([[0.5, 1.0], [-0.25, 0.75]])
    plain, scaled = er.dominant_eigenpair(T), er.dominant_eigenpair(scale * T)
    assert np.isclose(scaled.modulus, scale * plain.modulus, rtol=1e-13)
    np.testing.assert_allclose(scaled.modulus_gradient, plain.modulus_gradient, rtol=1e-12)
    for kind, matrix in (("tied", TIED["two pairs"]), ("defective", DEFECTIVE["real"])):
        original, changed = (
            er.dominant_eigenpair(c * matrix, on_degenerate="proceed").degeneracy for c in (1.0, scale)
        )
        assert changed.kind == kind
        for number in ("modulus", "uncertainty"):
            assert np.isclose(getattr(changed, number), scale * getattr(original, number), rtol=1e-6)


def test_a_rival_that_is_known_poorly_ties_from_further_away():
    """The leader .9 is certain; the second modulus lies 1e-6 below, but rounding may move that one by 1e-3."""
    T = block_diag(np.array([[0.9]]), np.array([[1e-6 - 0.9, 1e6], [0.0, -0.5]]))
    with pytest.raises(er.errors.DegenerateEigenvalueError) as caught:
        er.dominant_eigenpair(T)
    assert caught.value.kind == "tied"
    assert np.isclose(caught.value.gap, 1e-6, rtol=1e-6)
    assert np.isclose(caught.value.condition, 1.0)
    T[1, 2] = 1.0  # the same eigenvalues, all of them certain
    assert er.dominant_eigenpair(T).degeneracy is None
