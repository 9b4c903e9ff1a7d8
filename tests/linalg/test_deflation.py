"""A deflation proves that a leader leads: the dense method agrees, and nothing degenerate passes.

[EN-18], [EN-19], [EN-20], [EN-21], [EN-22]
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrnn_ref.linalg.deflation import Deflation, _norms, certified
from enrnn_ref.linalg.eigenpair import eigenpair_of
from tests.linalg.test_tracking import real, rotation, surrounded
from tests.strategies import seeds

SQUARINGS = 16


def squares(matrix):
    """The norms of powers, as logarithms, and the last power, scaled."""
    logarithms, exponent, power = [], 0.0, matrix
    for _ in range(SQUARINGS + 1):
        norm = np.linalg.norm(power)
        logarithms.append(exponent + math.log2(norm) if norm > 0 else -math.inf)
        last, shift = power, math.frexp(norm)[1]
        power, exponent = (power * 2.0**-shift) @ (power * 2.0**-shift), 2 * (exponent + shift)
    return tuple(logarithms), last


def deflated(matrix):
    """The whole method with NumPy, step by step as the derivation has it; and U, V."""
    n, norm = len(matrix), np.linalg.norm(matrix)
    power = squares(matrix)[1]
    rng = np.random.default_rng(0)
    u, w = (np.linalg.qr(p @ (p @ (p @ rng.standard_normal((n, 2)))))[0] for p in (power, power.T))
    for q in (1, 2):
        cross = u[:, :q].T @ w[:, :q]
        inverse = np.linalg.inv(cross) if np.linalg.det(cross) else cross
        v = w[:, :q] @ inverse
        section = v.T @ matrix @ u[:, :q]
        own = inverse @ section.T @ cross
        residual = np.linalg.norm(matrix @ u[:, :q] - u[:, :q] @ section)
        residual += np.linalg.norm(matrix.T @ w[:, :q] - w[:, :q] @ own)
        if residual <= 2e-12 * norm:
            break
    powers = squares(matrix - u[:, :q] @ section @ v.T)[0]
    room = ((0, 2 - q), (0, 2 - q))
    report = Deflation(n, norm, np.pad(section, room), np.pad(inverse, room), q == 2, float(residual), powers)
    return report, np.pad(u[:, :q], ((0, 0), room[0])), np.pad(v, ((0, 0), room[0]))


def assert_proved(matrix, tolerance=1e-10):
    report, u, v = deflated(matrix)
    found, dense = certified(report), eigenpair_of(matrix)
    assert dense.degeneracy is None
    assert abs(found.value - dense.value) <= tolerance * dense.modulus
    assert abs(found.condition - dense.condition) <= tolerance * dense.condition
    gap = abs(found.value) - found.second
    assert gap == dense.gap or 0 < gap <= dense.gap + tolerance * dense.modulus
    slope = v @ found.slope @ u.T
    assert np.linalg.norm(slope - dense.modulus_gradient) <= tolerance * np.linalg.norm(dense.modulus_gradient)
    return gap / dense.gap


LEADERS = {
    "real": [real(1.0)],
    "negative": [real(-1.0)],
    "pair": [rotation(0.7)],
    "pair whose power is real": [rotation(np.pi / 2)],
    "pair near the axis": [rotation(1e-4)],
    "below another of almost its modulus": [real(1.0), real(-0.998)],
    "pair with a pair": [rotation(1.0), rotation(2.0, 0.998)],
}


@pytest.mark.parametrize("size", [3, 4, 6, 17, 40])
@pytest.mark.parametrize("kind", LEADERS)
def test_the_dense_method_agrees(kind, size):
    leaders = LEADERS[kind]
    if sum(map(len, leaders)) < size:
        assert assert_proved(surrounded(*leaders, size=size)) > (0.5 if size > 4 else 0)


@pytest.mark.parametrize("block", [real(0.3), rotation(2.0, 5.0)])
def test_a_leader_without_a_second_has_an_infinite_gap(block):
    assert math.isnan(assert_proved(block))  # both gaps are infinite


DEGENERATE = {
    "tied": [real(1.0), real(-1.0)],
    "pair tied with a number": [rotation(1.0), real(1.0)],
    "tied pairs": [rotation(1.0), rotation(2.0)],
    "equal": [real(1.0), real(1.0)],
    "defective": [np.array([[1.0, 1.0], [0.0, 1.0]])],
    "defective pair": [np.block([[rotation(1.0), np.eye(2)], [np.zeros((2, 2)), rotation(1.0)]])],
    "nearly tied": [real(1.0), real(-1.0 + 1e-7)],
    "nearly defective": [np.array([[1.0, 1.0], [1e-14, 1.0]])],
    "nearly on the axis": [np.array([[1.0, 1e-8], [-1e-8, 1.0]])],
    "zero": [np.array([[0.0, 1.0], [0.0, 0.0]])],
}


@pytest.mark.parametrize("size", [2, 4, 17])
@pytest.mark.parametrize("kind", DEGENERATE)
def test_what_is_degenerate_is_left_to_the_dense_method(kind, size):
    leaders = DEGENERATE[kind]
    if sum(map(len, leaders)) <= size:
        bulk, coupling = (0.0, 0.0) if kind == "zero" else (0.8, 0.05)
        matrix = surrounded(*leaders, size=size, bulk=bulk, coupling=coupling)
        with np.errstate(all="ignore"):
            assert certified(deflated(matrix)[0]) is None


@settings(max_examples=150)
@given(
    seed=seeds,
    size=st.integers(2, 20),
    stretch=st.sampled_from((0.0, 1.0, 4.0)),
    tie=st.sampled_from((None, 1e-2, 1e-4, 1e-6, 1e-8, 1e-12, 0.0)),
)
def test_never_one_that_does_not_lead(seed, size, stretch, tie):
    """Whatever the matrix, what is certified is the dense method's leader, and nothing that it calls degenerate."""
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((size, size)) * np.exp(stretch * rng.standard_normal(size))
    if tie is not None:
        modulus = eigenpair_of(matrix).modulus
        matrix[0, 1:], matrix[0, 0] = 0.0, (1 + tie) * modulus * rng.choice((-1, 1))
    with np.errstate(all="ignore"):
        report = deflated(matrix)[0]
    found, dense = certified(report), eigenpair_of(matrix)
    if found is not None:
        assert dense.degeneracy is None
        assert abs(found.value - dense.value) <= 1e-8 * dense.modulus
        assert abs(found.value) - found.second <= dense.gap * (1 + 1e-6)


@given(seed=seeds, distance=st.sampled_from((1e-1, 1e-2, 1e-4)), size=st.integers(2, 8))
def test_the_norms_hold_for_every_matrix_nearby(seed, distance, size):
    """[EN-13], relative to powers of a modulus."""
    rng = np.random.default_rng(seed)
    matrix, error = rng.standard_normal((2, size, size)) / math.sqrt(size)
    aside = matrix + distance * error / np.linalg.norm(error)
    report = Deflation(size, 1.0, np.eye(2), np.eye(2), True, 0.0, squares(matrix)[0][:5])
    bounds = _norms(report, 2.0, distance)
    for j, bound in enumerate(bounds):
        assert np.linalg.norm(np.linalg.matrix_power(aside, 2**j)) <= bound * 2.0**2**j
    assert bounds[0] <= 1.01 * (np.linalg.norm(matrix) + distance) / 2.0


class TestEveryPartOfTheProof:
    """Without it a report is refused; each of these is far from what a right one says."""

    REPORT = deflated(surrounded(*LEADERS["pair"]))[0]

    def test_all_of_it_is_accepted(self):
        assert certified(self.REPORT) is not None

    @pytest.mark.parametrize("residual", [1e-9, math.nan, math.inf])
    def test_a_residual(self, residual):
        assert certified(replace(self.REPORT, residual=residual)) is None

    @pytest.mark.parametrize("raised", [1e-3, 1.0, 100.0])
    def test_powers_that_do_not_fall(self, raised):
        powers = tuple(2**j * raised for j in range(SQUARINGS + 1))
        assert certified(replace(self.REPORT, powers=powers)) is None

    def test_powers_that_rise_too_high_before_they_fall(self):
        """A transient of 2^100 is no matter for the modulus, but rounding in it is."""
        powers = tuple(100.0 if 2 < j < 8 else power for j, power in enumerate(self.REPORT.powers))
        assert certified(replace(self.REPORT, powers=powers)) is None

    @pytest.mark.parametrize("factor", [3e3, 1e6])
    def test_a_bad_condition(self, factor):
        """Rounding reaches further then; and the second is near what the dense method might call defective."""
        assert certified(replace(self.REPORT, inverse=factor * self.REPORT.inverse)) is None
