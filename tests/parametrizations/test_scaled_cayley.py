"""W = (I+A)^{-1}(I-A)D: orthogonal, with the determinant of D, and its printed golden numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrnn_ref.errors import NotFiniteError
from enrnn_ref.linalg import skew_matrix
from enrnn_ref.parametrizations import ScaledCayley
from tests.oracles.golden import SCALED_CAYLEY
from tests.parametrizations.laws import assert_refuses
from tests.strategies import dtypes, relative_error, seeds


def test_golden_numbers():
    p = ScaledCayley(3, SCALED_CAYLEY["negative_ones"])
    value = p.evaluate({"skew": SCALED_CAYLEY["skew"]})
    assert relative_error(value.matrix, SCALED_CAYLEY["W"]) < 1e-12
    np.testing.assert_allclose(value.matrix, SCALED_CAYLEY["W"], rtol=1e-12)
    np.testing.assert_allclose(p.pullback(value, SCALED_CAYLEY["G"])["skew"], SCALED_CAYLEY["dA"], rtol=1e-12)


@given(size=st.integers(1, 9), scale=st.sampled_from((1e-3, 1.0, 1e3)), dtype=dtypes, seed=seeds, data=st.data())
def test_is_orthogonal_with_the_determinant_of_its_signs(size, scale, dtype, seed, data):
    negative_ones = data.draw(st.integers(0, size))
    p = ScaledCayley(size, negative_ones)
    skew = (scale * np.random.default_rng(seed).standard_normal(p.shapes["skew"])).astype(dtype)
    value = p.evaluate({"skew": skew})
    W = value.matrix.astype(np.float64)
    # I + A is normal with eigenvalues 1 ± ia: what solving with it costs is at most its condition number.
    condition = np.sqrt(1 + np.linalg.norm(skew_matrix(skew, size).astype(np.float64), 2) ** 2)
    bound = 8 * size * (np.finfo(dtype).eps + condition * np.finfo(np.float64).eps)
    assert np.abs(W @ W.T - np.eye(size)).max() <= bound
    assert np.isclose(np.linalg.det(W), (-1.0) ** negative_ones, rtol=1e-4)
    assert p.violation(value) <= bound


def test_violation_measures_the_distance():
    p = ScaledCayley(3, 1)
    value = p.evaluate({"skew": np.array([0.5, -0.2, 0.3])})
    assert np.isclose(p.violation(replace(value, matrix=1.1 * value.matrix)), 0.21, rtol=1e-12)


def test_zero_skew_gives_the_signs_themselves():
    """+1 first, then ``negative_ones`` times -1."""
    value = ScaledCayley(5, 2).evaluate({"skew": np.zeros(10)})
    np.testing.assert_array_equal(value.matrix, np.diag([1.0, 1.0, 1.0, -1.0, -1.0]))


def test_definition():
    """(I+A) W = (I-A) D."""
    p, rng = ScaledCayley(4, 1), np.random.default_rng(0)
    skew = rng.standard_normal(6)
    A = skew_matrix(skew, 4)
    D = np.diag([1.0, 1.0, 1.0, -1.0])
    np.testing.assert_allclose((np.eye(4) + A) @ p.evaluate({"skew": skew}).matrix, (np.eye(4) - A) @ D, atol=1e-14)


def test_initialisation_turns_planes_by_at_most_a_right_angle():
    """The spectrum of Cayley(A) is e^{±it}, t in [0, pi/2]; a unit without a partner has eigenvalue one."""
    for size in (6, 7):
        p = ScaledCayley(size, 0)
        W = p.evaluate(p.init(np.random.default_rng(size), np.float64)).matrix
        angles = np.sort(np.abs(np.angle(np.linalg.eigvals(W))))
        assert (angles <= np.pi / 2 + 1e-12).all()
        assert (angles[size % 2 :] > 1e-3).all()
        np.testing.assert_allclose(angles[size % 2 :][::2], angles[size % 2 :][1::2], atol=1e-12)
        if size % 2:
            assert angles[0] < 1e-12


def test_initial_angles_are_uniform():
    p = ScaledCayley(2000, 0)
    skew = skew_matrix(p.init(np.random.default_rng(0), np.float64)["skew"], 2000)
    angles = 2 * np.arctan(np.abs(np.diag(skew, 1)[::2]))
    assert (angles > 0).all()
    assert abs(angles.mean() - np.pi / 4) < 5 * np.pi / 2 / np.sqrt(12 * angles.size)
    assert not np.diag(skew, 1)[1::2].any()


def test_stays_orthogonal_over_many_steps():
    """W is rebuilt from A, so rounding does not pile up: 10^4 random steps later it is as orthogonal as at first."""
    p, rng = ScaledCayley(5, 2), np.random.default_rng(0)
    skew = p.init(rng, np.float64)["skew"]
    for _ in range(10_000):
        skew = skew + 0.05 * rng.standard_normal(skew.shape)
    assert p.violation(p.evaluate({"skew": skew})) <= 40 * np.finfo(np.float64).eps


@pytest.mark.parametrize(
    ("size", "negative_ones", "words"),
    [
        (-1, 0, ["size", "-1"]),
        (2.5, 0, ["size", "2.5"]),
        (3, -1, ["negative_ones", "-1"]),
        (3, 4, ["negative_ones", "4", "3"]),
        (3, True, ["negative_ones", "True"]),
        (3, None, ["negative_ones", "None"]),
    ],
)
def test_bad_settings(size, negative_ones, words):
    assert_refuses(lambda: ScaledCayley(size, negative_ones), *words)


def test_entries_beyond_the_reach_of_float64_are_named():
    """Of odd size, A is singular itself; the identity that should help is lost to rounding."""
    skew = 2.0**600 * np.random.default_rng(0).integers(1, 3, 10)
    with pytest.raises(NotFiniteError, match=r"skew has entries up to 8.3e\+180"):
        ScaledCayley(5, 1).evaluate({"skew": skew})
