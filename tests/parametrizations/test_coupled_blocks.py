"""R = [[W_L, W_C], [0, W_S]]."""

from dataclasses import replace

import numpy as np
import pytest

from enrnn_ref.parametrizations import CoupledBlocks, EigenvalueNormalized, ScaledCayley


def _blocks(coupled=True):
    return CoupledBlocks(ScaledCayley(3, 1), EigenvalueNormalized(4, 0.1), coupled=coupled)


@pytest.mark.parametrize("coupled", [True, False])
def test_each_block_is_in_its_place(coupled):
    rng, p = np.random.default_rng(0), _blocks(coupled)
    raw = p.init(rng, np.float64)
    assert ("coupling" in raw) is coupled
    R = p.evaluate(raw).matrix
    np.testing.assert_array_equal(R[:3, :3], p.long.evaluate({"skew": raw["skew"]}).matrix)
    np.testing.assert_array_equal(R[3:, 3:], p.short.evaluate({"free": raw["short"]}).matrix)
    np.testing.assert_array_equal(R[:3, 3:], raw["coupling"] if coupled else np.zeros((3, 4)))
    np.testing.assert_array_equal(R[3:, :3], np.zeros((4, 3)))


def test_gradient_of_the_zero_block_goes_nowhere():
    rng, p = np.random.default_rng(1), _blocks()
    value = p.evaluate(p.init(rng, np.float64))
    G = np.zeros((7, 7))
    G[3:, :3] = rng.standard_normal((4, 3))
    for key, gradient in p.pullback(value, G).items():
        assert not gradient.any(), key


def test_violation_is_the_worst_of_its_blocks():
    p = _blocks()
    value = p.evaluate(p.init(np.random.default_rng(2), np.float64))
    assert p.violation(value) <= 1e-12
    for block, least in ((slice(3), 0.2), (slice(3, 7), 0.08)):
        spoiled = value.matrix.copy()
        spoiled[block, block] *= 1.1
        assert p.violation(replace(value, matrix=spoiled)) >= least
    spoiled = value.matrix.copy()
    spoiled[5, 1] = -0.5
    assert p.violation(replace(value, matrix=spoiled)) >= 0.5


def test_coupling_is_glorot_uniform():
    p = CoupledBlocks(ScaledCayley(100, 1), EigenvalueNormalized(200))
    coupling = p.init(np.random.default_rng(3), np.float64)["coupling"]
    limit = np.sqrt(6 / 300)
    assert np.abs(coupling).max() <= limit
    assert np.isclose(coupling.var(), limit**2 / 3, rtol=0.03)
