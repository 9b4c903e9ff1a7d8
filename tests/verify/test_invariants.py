"""Invariants of matrices: kept by what the parametrizations make, in both dtypes, and lost by a small change."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.errors import NotFiniteError, OptionError, ShapeError
from enrnn_ref.parametrizations import (
    CoupledBlocks,
    EigenvalueNormalized,
    ExponentialOrthogonal,
    Free,
    NonNormalSchur,
    ScaledCayley,
    UnitaryCayley,
)
from enrnn_ref.verify import Verdict, laws
from tests.strategies import with_spectrum

DTYPES = [np.float32, np.float64]
EVERY = [
    Free(3, 5),
    ScaledCayley(5, 2),
    EigenvalueNormalized(4),
    EigenvalueNormalized(6, normalize="never"),
    CoupledBlocks(ScaledCayley(3, 1), EigenvalueNormalized(4)),
    UnitaryCayley(4),
    ExponentialOrthogonal(5),
    NonNormalSchur(6),
    NonNormalSchur(6, "released"),
]
PROMISING = [p for p in EVERY if not isinstance(p, Free) and getattr(p, "normalize", "") != "never"]


def drawn(parametrization, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return {key: rng.standard_normal(shape).astype(dtype) for key, shape in parametrization.shapes.items()}


def matrix_of(parametrization, dtype, seed=0):
    return parametrization.evaluate(drawn(parametrization, dtype, seed)).matrix


def circulant_blocks(rng, down, across, block):
    generators = rng.standard_normal((down, across, block))
    a, b = np.indices((block, block))
    return np.block([[w[(a - b) % block] for w in row] for row in generators])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("p", EVERY, ids=lambda p: f"{type(p).__name__}{p.shape}")
def test_every_parametrization_keeps_its_promise(p, dtype, seed):
    row = laws.invariant(p, drawn(p, dtype, seed))
    assert row.passed, row
    assert type(p).__name__ in row.name
    assert row.group == "invariant"


@pytest.mark.parametrize("p", PROMISING, ids=lambda p: f"{type(p).__name__}{p.shape}")
def test_and_is_caught_when_it_does_not(p, monkeypatch):
    evaluate = type(p)._evaluate

    def careless(self, raw, buffers):
        value = evaluate(self, raw, buffers)
        value.matrix[-1] += 1e-9
        return value

    monkeypatch.setattr(type(p), "_evaluate", careless)
    assert laws.invariant(p, drawn(p, np.float64)).verdict is Verdict.WRONG


def test_those_of_a_composition_carry_its_prefixes():
    model = er.Stacked([er.ScoRNN(3, 4), er.ExpRNN(4, 5)])
    rows = laws.of_model(model, model.init(0))
    assert [row.name for row in rows] == ["0.invariant of ScaledCayley", "1.invariant of ExponentialOrthogonal"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 5, 40])
def test_orthogonality(size, dtype):
    w = matrix_of(ScaledCayley(size, 1), dtype, size).copy()
    assert laws.orthogonality(w).passed
    w[0, 0] += dtype(40 * size * np.finfo(dtype).eps)
    assert laws.orthogonality(w).verdict is Verdict.WRONG


@pytest.mark.parametrize("dtype", DTYPES)
def test_unitarity(dtype):
    r = matrix_of(UnitaryCayley(5), dtype)
    assert laws.unitarity(r).passed
    orthogonal = matrix_of(ScaledCayley(10, 3), dtype)  # orthogonal, but of no complex matrix
    row = laws.unitarity(orthogonal)
    assert laws.orthogonality(orthogonal).passed
    assert row.verdict is Verdict.WRONG
    assert "the form" in row.detail
    scaled = laws.unitarity(r * dtype(1 + 1e3 * np.finfo(dtype).eps))
    assert scaled.verdict is Verdict.WRONG
    assert "the columns" in scaled.detail


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("condition", [1.0, 100.0])
@pytest.mark.parametrize("leader", [0.9, -0.9, 0.9 * np.exp(0.7j)])
def test_spectral_radius(leader, condition, dtype):
    w = with_spectrum([leader, 0.4, -0.2 + 0.3j, 0.1], condition, np.random.default_rng(1)).astype(dtype)
    row = laws.spectral_radius(w, 0.9)
    assert row.passed, row
    assert row.tolerance < 1e4 * np.finfo(dtype).eps * condition
    wrong = laws.spectral_radius(w, 0.9 - 0.9e5 * np.finfo(dtype).eps)
    assert wrong.verdict is Verdict.WRONG if condition == 1.0 else wrong.error > 0
    assert laws.spectral_radius(w, 0.8).verdict is Verdict.WRONG


def test_a_radius_that_rounding_decides_is_no_answer():
    assert laws.spectral_radius(np.eye(9) + np.eye(9, k=1), 1.0).verdict is Verdict.ILL_CONDITIONED
    assert laws.spectral_radius(np.eye(9) + np.eye(9, k=1), 1e-3).verdict is not Verdict.PASSED
    assert laws.spectral_radius(np.eye(9), 1.0).passed
    assert laws.spectral_radius(np.zeros((3, 3)), 0.0).passed


def test_spectrum():
    wanted = np.array([0.9, -0.3 + 0.4j, -0.3 - 0.4j])
    w = with_spectrum([0.9, -0.3 + 0.4j], 3.0, np.random.default_rng(2))
    assert laws.spectrum(wanted, w).passed
    assert laws.spectrum(wanted * (1 + 1e-9), w).verdict is Verdict.WRONG
    with pytest.raises(ShapeError, match="requested"):
        laws.spectrum(wanted[np.newaxis], w)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("down", "across", "block"), [(2, 3, 4), (1, 1, 5), (3, 2, 1)])
def test_circulant(down, across, block, dtype):
    rng = np.random.default_rng(block)
    w = circulant_blocks(rng, down, across, block)
    assert laws.circulant(w.astype(dtype), block).passed
    assert laws.circulant(w.T.astype(dtype), block).passed  # the first row as generator
    rounded = np.fft.irfft(np.fft.rfft(w, axis=0), len(w), axis=0).astype(dtype)  # as a transform leaves it
    assert laws.circulant(rounded, block).passed
    if block > 1:
        w[-1, -1] += 1e3 * np.finfo(dtype).eps * np.abs(w).max()
        assert laws.circulant(w.astype(dtype), block).verdict is Verdict.WRONG


def test_a_matrix_that_is_circulant_as_a_whole_is_not_in_blocks():
    w = circulant_blocks(np.random.default_rng(0), 1, 1, 6)
    assert laws.circulant(w, 6).passed
    assert laws.circulant(w, 3).verdict is Verdict.WRONG


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: laws.orthogonality(np.ones((2, 3))), ShapeError),
        (lambda: laws.orthogonality(np.full((2, 2), np.nan)), NotFiniteError),
        (lambda: laws.unitarity(np.eye(3)), ShapeError),
        (lambda: laws.spectral_radius(np.ones(3), 1.0), ShapeError),
        (lambda: laws.spectral_radius(np.eye(3), -1.0), OptionError),
        (lambda: laws.circulant(np.eye(5), 2), ShapeError),
        (lambda: laws.circulant(np.eye(4), 0), OptionError),
        (lambda: laws.invariant("cayley", {}), OptionError),
    ],
)
def test_bad_input(call, error):
    with pytest.raises(error):
        call()
