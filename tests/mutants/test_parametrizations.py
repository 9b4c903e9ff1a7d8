"""A broken promise is measured: values whose matrix was moved away from the invariant, by a known amount."""

from dataclasses import replace

import numpy as np
import pytest

from enrnn_ref.parametrizations import (
    CoupledBlocks,
    EigenvalueNormalized,
    ExponentialOrthogonal,
    NonNormalSchur,
    ScaledCayley,
    UnitaryCayley,
)
from tests.strategies import with_spectrum

ROUNDING = {"rtol": 1e-12, "atol": 1e-13}


def at_random(p, seed=0, **buffers):
    rng = np.random.default_rng(seed)
    return p.evaluate({key: rng.standard_normal(shape) for key, shape in p.shapes.items()}, **buffers)


@pytest.mark.parametrize(
    "p", [ScaledCayley(5, 2), ExponentialOrthogonal(5), UnitaryCayley(3)], ids=lambda p: str(p.shape)
)
@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_lengths_that_are_not_one(p, factor):
    value = at_random(p)
    found = p.violation(replace(value, matrix=factor * value.matrix))
    np.testing.assert_allclose(found, abs(factor**2 - 1), **ROUNDING)


@pytest.mark.parametrize(
    "p", [ScaledCayley(5, 2), ExponentialOrthogonal(5), UnitaryCayley(3)], ids=lambda p: str(p.shape)
)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_columns_that_are_not_at_right_angles(p, sign):
    """The largest entry of the Gram matrix is off its diagonal, of either sign."""
    value = at_random(p)
    n = len(value.matrix)
    shear = np.eye(n)
    shear[0, 1] = sign * 0.5
    found = p.violation(replace(value, matrix=value.matrix @ shear))
    np.testing.assert_allclose(found, 0.5, **ROUNDING)


@pytest.mark.parametrize("block", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_real_form_that_is_not_that_of_a_complex_matrix(block, sign):
    """Multiplied from both sides by orthogonal matrices R stays orthogonal and loses its form."""
    p = UnitaryCayley(3)
    value = at_random(p)
    moved = value.matrix.copy()
    moved[3 * block[0], 3 * block[1] + 1] += sign * 1e-3
    found = p.violation(replace(value, matrix=moved))
    gram = np.abs(moved.T @ moved - np.eye(6)).max()
    np.testing.assert_allclose(found, max(1e-3, gram), **ROUNDING)
    swapped = value.matrix[[1, 0, 2, 3, 4, 5]]
    form = max(np.abs(swapped[:3, :3] - swapped[3:, 3:]).max(), np.abs(swapped[3:, :3] + swapped[:3, 3:]).max())
    np.testing.assert_allclose(p.violation(replace(value, matrix=swapped)), form, **ROUNDING)


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_a_spectral_radius_that_is_not_the_promised_one(factor):
    p = EigenvalueNormalized(4, 0.3)
    free = with_spectrum([0.9, -0.4, 0.3 + 0.5j], 10.0, np.random.default_rng(1))
    value = p.evaluate({"free": free})
    promised = 0.9 / 1.2
    np.testing.assert_allclose(p.violation(value), 0.0, atol=1e-13)
    found = p.violation(replace(value, matrix=factor * value.matrix))
    np.testing.assert_allclose(found, abs(factor - 1) * promised, **ROUNDING)


@pytest.mark.parametrize(("rule", "expected"), [("switch", 0.8), ("never", 0.0)])
def test_a_matrix_that_is_not_normalised_may_be_as_large_as_one(rule, expected):
    """... before the switch; nothing is promised without a rule."""
    p = EigenvalueNormalized(4, 0.3, rule)
    value = p.evaluate({"free": with_spectrum([0.9, -0.4, 0.3 + 0.5j], 10.0, np.random.default_rng(1))})
    assert p.violation(value) == 0.0
    np.testing.assert_allclose(p.violation(replace(value, matrix=2 * value.matrix)), expected, **ROUNDING)


def test_the_switch_is_thrown_above_one_and_not_at_one():
    p = EigenvalueNormalized(2, 0.3, "switch")
    for modulus, switched in ((1.0, False), (np.nextafter(1.0, 2.0), True)):
        value = p.evaluate({"free": np.diag([modulus, 0.25])})
        assert bool(value.buffers["switched"]) == switched


@pytest.mark.parametrize(
    ("spectrum", "kind"), [(np.diag([2.0, -2.0, 1.0]), "tied"), (np.eye(3) + np.eye(3, k=1), "defective")]
)
def test_the_choice_where_the_radius_has_no_derivative(spectrum, kind):
    """[EN-12]: of tied leaders that with the greatest real part is differentiated, a defective one is constant."""
    p = EigenvalueNormalized(3, eps=0.0, on_degenerate="proceed")
    value = p.evaluate({"free": spectrum})
    assert value.degeneracy.kind == kind
    dmatrix = np.random.default_rng(0).standard_normal((3, 3))
    free = p.pullback(value, dmatrix)["free"]
    if kind == "tied":
        slope = np.diag([1.0, 0.0, 0.0])
        np.testing.assert_allclose(free, (dmatrix - np.sum(dmatrix * spectrum) / 2 * slope) / 2, **ROUNDING)
        np.testing.assert_allclose(np.sum(free * spectrum), 0, **ROUNDING)  # scaling T changes nothing
    else:
        np.testing.assert_allclose(free, dmatrix, **ROUNDING)


def test_of_two_blocks_the_larger_violation_counts():
    p = CoupledBlocks(ScaledCayley(3, 1), EigenvalueNormalized(4, 0.3))
    value = at_random(p, 2)
    assert p.violation(value) <= 1e-14
    for entry in (-0.3, 0.3):
        moved = value.matrix.copy()
        moved[4, 1] = entry
        assert p.violation(replace(value, matrix=moved)) == 0.3
    coupling = value.matrix.copy()
    coupling[1, 4] += 7.0
    assert p.violation(replace(value, matrix=coupling)) <= 1e-14
    long, short, both = value.matrix.copy(), value.matrix.copy(), value.matrix.copy()
    for moved in (long, both):
        moved[:3, :3] *= 1.25
    for moved in (short, both):
        moved[3:, 3:] *= 0.5
    radius = 0.5 * value.short.eigenpair.modulus / value.short.divisor
    np.testing.assert_allclose(p.violation(replace(value, matrix=long)), 0.5625, **ROUNDING)
    np.testing.assert_allclose(p.violation(replace(value, matrix=short)), radius, **ROUNDING)
    np.testing.assert_allclose(p.violation(replace(value, matrix=both)), 0.5625, **ROUNDING)


class TestSchurForm:
    """W = P Θ Pᵀ with an entry of Θ that does not belong there; all relative to the norm of W."""

    P = NonNormalSchur(6)

    def moved(self, p, change):
        value = at_random(p, 3)
        schur = value.schur.copy()
        change(schur, value)
        basis = value.exponential.matrix
        matrix = basis @ schur @ basis.T
        return replace(value, matrix=matrix), np.linalg.norm(matrix, 2)

    @pytest.mark.parametrize("sign", [-1.0, 1.0])
    def test_above_the_blocks(self, sign):
        def change(schur, _):
            schur[1, 4] += sign * 0.7

        value, norm = self.moved(self.P, change)
        np.testing.assert_allclose(self.P.violation(value), 0.7 / norm, **ROUNDING)

    def test_below_the_blocks_everything_is_allowed(self):
        def change(schur, _):
            schur[4, 1] += 5.0

        assert self.P.violation(self.moved(self.P, change)[0]) <= 1e-14

    @pytest.mark.parametrize("block", [0, 1, 2])
    def test_moduli_of_the_blocks(self, block):
        def change(schur, _):
            schur[2 * block : 2 * block + 2, 2 * block : 2 * block + 2] *= 1.5

        value, norm = self.moved(self.P, change)
        np.testing.assert_allclose(
            self.P.violation(value), 0.5 * abs(value.modulus[block]) / norm, rtol=1e-10, atol=1e-13
        )
        released = NonNormalSchur(6, "released")
        value, _ = self.moved(released, change)
        assert released.violation(value) <= 1e-14

    def test_a_basis_that_is_not_orthogonal(self):
        value = at_random(self.P, 3)

        class Basis:
            matrix = value.exponential.matrix @ np.diag([1.0, 1.0, 1.25, 1.0, 1.0, 1.0])

        assert self.P.violation(replace(value, exponential=Basis)) >= 0.5625 - 1e-13

    def test_a_matrix_of_zeros_is_off_by_the_moduli_themselves(self):
        value = at_random(self.P, 3)
        found = self.P.violation(replace(value, matrix=0 * value.matrix))
        np.testing.assert_allclose(found, np.abs(value.modulus).max(), rtol=1e-14)

    def test_no_units_break_no_promise(self):
        p = NonNormalSchur(0)
        assert p.violation(at_random(p)) == 0.0
