"""The eigenpair and its refinement at points where a small mistake shows."""

import numpy as np
import pytest

from enrnn_ref.linalg.eigenpair import _Spectrum, dominant_eigenpair
from enrnn_ref.linalg.refinement import refined_eigenpair
from enrnn_ref.linalg.skew import skew_matrix, skew_vector
from tests.strategies import with_spectrum


def turned(matrix, seed=3):
    """The same spectrum in a random orthonormal basis."""
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal(matrix.shape))[0]
    return basis @ matrix @ basis.T


def eigenpair(matrix, k):
    """Value, right and left vector as a dense routine has them."""
    import scipy.linalg

    values, left, right = scipy.linalg.eig(matrix, left=True, right=True)
    return values[k], right[:, k], left[:, k]


MATRICES = {
    "real": (with_spectrum([0.9, -0.4, 0.3 + 0.5j, 0.2], 10.0, np.random.default_rng(1)), 0.9),
    "pair": (with_spectrum([0.2 + 0.7j, 0.5, -0.3], 10.0, np.random.default_rng(2)), 0.2 + 0.7j),
    # a normal matrix turns every vector u of a pair by 90 degrees: its transpose times itself is zero
    "rotation": (turned(with_spectrum([0.3 + 0.6j, 0.4, -0.2], 1.0, np.random.default_rng(0))), 0.3 + 0.6j),
}


@pytest.mark.parametrize("name", MATRICES)
def test_three_steps_gain_the_fourth_power_of_the_error(name):
    """From a value and vectors off by 1e-4, two steps would leave 1e-12."""
    matrix, target = MATRICES[name]
    values = np.linalg.eigvals(matrix)
    value, right, left = eigenpair(matrix, int(np.abs(values - target).argmin()))
    rng = np.random.default_rng(5)
    off = 1e-4 * rng.standard_normal((2, 2, len(matrix)))
    if value.imag == 0.0:
        off[:, 1] = 0.0
    start = [vector + a + 1j * b for vector, (a, b) in zip((right, left), off, strict=True)]
    off_value = value + 1e-4 * (1 + 1j * (value.imag != 0.0))
    eigenvalue, u, v = refined_eigenpair(matrix, complex(off_value), *start)
    exact = matrix.astype(np.longdouble)
    assert np.abs(exact @ u - eigenvalue * u).max() <= 1e-14
    assert np.abs(exact.T @ v - np.conj(eigenvalue) * v).max() <= 1e-14
    assert abs(complex(eigenvalue) - value) <= 1e-12
    assert np.isrealobj(u) == np.isrealobj(v) == (value.imag == 0.0)


def test_skew_storage_is_row_by_row():
    vector = np.arange(1.0, 7.0)
    matrix = skew_matrix(vector, 4)
    np.testing.assert_array_equal(matrix[0], [0, 1, 2, 3])
    np.testing.assert_array_equal(matrix[1], [-1, 0, 4, 5])
    np.testing.assert_array_equal(matrix[2], [-2, -4, 0, 6])
    np.testing.assert_array_equal(skew_vector(matrix), vector)


class TestWhatCountsAsDegenerate:
    """The thresholds of [EN-10] and [EN-12], from either side: numbers in place of a decomposition."""

    @staticmethod
    def spectrum(values, conditions, backward_error=1e-10, norm=1.0):
        spectrum = object.__new__(_Spectrum)
        spectrum.values, spectrum.conditions = np.array(values, complex), np.array(conditions, float)
        spectrum.moduli = np.abs(spectrum.values)
        spectrum.backward_error, spectrum.norm = backward_error, norm
        return spectrum

    def test_uncertainty(self):
        spectrum = self.spectrum([1.0, 0.5, 0.2], [1.0, 1e3, 1e9], norm=4.0)
        expected = [3e-10, 3e-7, 2e-5]  # the last: the root of 1e-10 · 4
        np.testing.assert_allclose(spectrum.uncertainties, expected, rtol=1e-12)

    @pytest.mark.parametrize(("modulus", "zero"), [(2.98e-10, True), (3.02e-10, False)])
    def test_zero(self, modulus, zero):
        k, kind = self.spectrum([modulus, 0.0, 0.0], [1.0] * 3).leader()
        assert k == 0
        assert (kind == "zero") == zero

    def test_zero_at_the_threshold_itself(self):
        assert self.spectrum([2 * 2.0**-30, 0.0], [1.0, 1.0], backward_error=2.0**-30).leader() == (0, "zero")

    @pytest.mark.parametrize(("gap", "kind"), [(0.98, "tied"), (1.02, None)])
    @pytest.mark.parametrize("conditions", [[1.0, 7.0, 1.0], [7.0, 1.0, 1.0]])
    def test_tied(self, gap, kind, conditions):
        """Within the sum of both uncertainties, here 3·8·1e-10, and whichever is the less certain of the two."""
        assert self.spectrum([-1.0, 1.0 - gap * 24e-10, 0.1], conditions).leader() == (1 if kind else 0, kind)

    def test_tied_at_the_threshold_itself(self):
        unit = 2.0**-30
        spectrum = self.spectrum([1.0, unit * 4 - 1.0], [1.0, 1.0], backward_error=unit)
        assert spectrum.leader() == (0, "tied")

    @pytest.mark.parametrize(("factor", "kind"), [(0.98, "tied"), (1.02, "defective")])
    def test_defective_by_condition(self, factor, kind):
        """A condition of a hundredth of 1/√u at least, u relative to the modulus."""
        condition = factor * 1e-2 * np.sqrt(4.0 / 1e-10)
        values = [4.0, 4.0 - 1e-10 * condition, 0.1]
        assert self.spectrum(values, [condition, condition, 1.0]).leader() == (0, kind)

    def test_defective_at_the_smallest_condition_itself(self):
        condition = 1e-2 * np.sqrt(4.0 / 2.0**-30)
        values = [4.0, 4.0 - 2.0**-30]
        assert self.spectrum(values, [condition] * 2, backward_error=2.0**-30).leader() == (0, "defective")

    @pytest.mark.parametrize(("factor", "kind"), [(0.98, "defective"), (1.0, "defective"), (1.02, None)])
    def test_defective_by_distance(self, factor, kind):
        """Within sixteen times the backward error times the condition; beside it, not at the same modulus."""
        unit, condition = 2.0**-40, 2.0**16
        values = [1.0, 1.0 - factor * 16 * unit * condition]
        assert self.spectrum(values, [condition, 1.0], backward_error=unit, norm=1e-6).leader() == (0, kind)

    def test_of_equal_moduli_the_greater_real_part_leads_and_then_the_greater_imaginary_part(self):
        values = [0.6 - 0.8j, 0.6 + 0.8j, -0.8 + 0.6j, -0.8 - 0.6j]
        assert self.spectrum(values, [1.0] * 4).leader() == (1, "tied")

    def test_the_conjugate_is_no_rival(self):
        """Pairs as LAPACK has them: side by side, the positive imaginary part first."""
        spectrum = self.spectrum([0.5, 0.6 + 0.8j, 0.6 - 0.8j, 0.3], [1.0] * 4)
        np.testing.assert_array_equal(spectrum.rivals(1), [0, 3])
        np.testing.assert_array_equal(spectrum.rivals(2), [0, 3])
        np.testing.assert_array_equal(spectrum.rivals(0), [1, 2, 3])
        np.testing.assert_allclose([spectrum.gap(1), spectrum.gap(0)], [0.5, 0.0])
        assert spectrum.leader() == (1, None)
        assert self.spectrum([0.6 + 0.8j, 0.6 - 0.8j], [1.0] * 2).gap(0) == np.inf
        twice = self.spectrum([0.6 + 0.8j, 0.6 - 0.8j, 0.6 + 0.8j, 0.6 - 0.8j], [1.0] * 4)
        np.testing.assert_array_equal(twice.rivals(1), [2, 3])  # one conjugate is the same mode, the other is not
        np.testing.assert_array_equal(self.spectrum([0.7j, -0.7j, 0.2], [1.0] * 3).rivals(0), [2])
        twice = self.spectrum([0.7, 0.7, 0.2], [1.0] * 3)
        np.testing.assert_array_equal(twice.rivals(0), [1, 2])
        np.testing.assert_array_equal(twice.rivals(1), [0, 2])  # a real eigenvalue has no conjugate beside it
        np.testing.assert_array_equal(self.spectrum([1 + 1j, 1 - 1j, 0.2], [1.0] * 3).rivals(0), [2])

    @pytest.mark.parametrize(("distance", "near"), [(0.198, True), (0.202, False)])
    def test_a_neighbour_is_nearer_than_the_own_conjugate(self, distance, near):
        value = 0.5 + 0.1j
        assert self.spectrum([value, value.conjugate(), value + distance], [1.0] * 3).has_neighbour(0) == near
        mirrored = [value, value.conjugate(), value.conjugate() + distance]
        assert self.spectrum(mirrored, [1.0] * 3).has_neighbour(1) == near
        assert self.spectrum([value, value.conjugate()], [1.0] * 2).has_neighbour(0) is False
        assert self.spectrum([0.5, 0.1], [1.0] * 2).has_neighbour(0) is True

    def test_as_near_as_the_conjugate_is_not_nearer(self):
        value = 0.5 + 0.25j
        for other, near in ((0.25j, False), (2.0**-50 + 0.25j, True)):
            assert self.spectrum([value, value.conjugate(), other], [1.0] * 3).has_neighbour(0) is near


@pytest.mark.parametrize("exponent", [-900, 900])
def test_the_scale_is_that_of_the_largest_magnitude(exponent):
    """Of a matrix whose large entries are negative too: nothing overflows, nothing is lost."""
    matrix = -np.abs(np.random.default_rng(7).integers(1, 9, (4, 4)) / 8.0)
    matrix[0, 1] = 2.0**-1000 if exponent < 0 else 2.0**-200
    pair, scaled = dominant_eigenpair(matrix), dominant_eigenpair(np.ldexp(matrix, exponent))
    assert scaled.modulus == np.ldexp(pair.modulus, exponent)
    np.testing.assert_array_equal(scaled.modulus_gradient, pair.modulus_gradient)


def test_derivative_of_a_pair_against_its_definition():
    """Re(conj(λ) conj(v) uᵀ / v*u)/ρ, with vectors as a dense routine has them, refined and not."""
    matrix, target = MATRICES["pair"]
    pair = dominant_eigenpair(matrix)
    index = int(np.abs(np.linalg.eigvals(matrix) - target).argmin())
    value, u, v = eigenpair(matrix, index)
    expected = np.real(np.conj(value) * np.outer(v.conj(), u) / np.vdot(v, u)) / abs(value)
    np.testing.assert_allclose(pair.modulus_gradient, expected, rtol=1e-12, atol=1e-13)
    spectrum = _Spectrum(matrix)
    k, _ = spectrum.leader()
    for refine in (True, False):
        found = spectrum.modulus_gradient(k, refine=refine)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(spectrum.norm, np.linalg.norm(matrix), rtol=1e-15)
    assert spectrum.backward_error == 2.0**-52 * spectrum.norm


@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_all_eigenvectors_right_and_left(n):
    """Real ones, and both of every pair."""
    matrix = np.random.default_rng(n).standard_normal((n, n))
    spectrum = _Spectrum(matrix)
    tolerance = 1e3 * n * np.finfo(float).eps * np.linalg.norm(matrix)
    assert np.abs(matrix @ spectrum.right - spectrum.right * spectrum.values).max() <= tolerance
    assert np.abs(matrix.T @ spectrum.left - spectrum.left * spectrum.values.conj()).max() <= tolerance
    np.testing.assert_allclose(np.linalg.norm(spectrum.right, axis=0), 1.0)
    np.testing.assert_allclose(np.linalg.norm(spectrum.left, axis=0), 1.0)
    assert n < 7 or 0 < np.count_nonzero(spectrum.values.imag) < n


@pytest.mark.parametrize("slant", [0.0, 3.0])
def test_a_degeneracy_tells_the_uncertainty_of_its_leader(slant):
    """And not of its neighbours, whose conditions are other ones."""
    matrix = np.array([[0.5, 7.0, 0.0, 0.0], [0.0, 0.2, 0.0, 0.0], [0.0, 0.0, 1.0, slant], [0.0, 0.0, 0.0, -1.0]])
    pair = dominant_eigenpair(matrix, on_degenerate="proceed")
    found = pair.degeneracy
    assert found is not None
    assert found.kind == "tied"
    assert pair.value == 1.0
    assert pair.condition == pytest.approx(np.hypot(1.0, slant / 2))
    uncertainty = 4 * np.finfo(float).eps * np.linalg.norm(matrix) * pair.condition
    assert found.uncertainty == pytest.approx(uncertainty, rel=1e-9, abs=0.0)
