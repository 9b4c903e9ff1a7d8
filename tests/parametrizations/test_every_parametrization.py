"""The laws of laws.py over every parametrization."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import enrnn_ref as er
from enrnn_ref.parametrizations import (
    CoupledBlocks,
    EigenvalueNormalized,
    ExponentialOrthogonal,
    Free,
    NonNormalSchur,
    ScaledCayley,
    UnitaryCayley,
)
from tests.parametrizations import laws
from tests.strategies import dtypes, moderate, seeds, spectra


@st.composite
def points(draw, dtypes=dtypes):
    """A parametrization, a point, the condition number of its leading eigenvalue, a generator."""
    rng, dtype = np.random.default_rng(draw(seeds)), draw(dtypes)
    kind = draw(st.sampled_from(("free", "cayley", "normalized", "blocks", "unitary", "exponential", "schur")))
    long, short = draw(st.permutations((3, 4, 5, 6)))[:2]
    raw, condition = {}, 1.0
    if kind == "free":
        p = Free(long, short)
        return p, {"matrix": rng.standard_normal(p.shape).astype(dtype)}, 1.0, rng
    if kind in ("unitary", "exponential", "schur"):
        smooth = {
            "unitary": UnitaryCayley(long, draw(st.sampled_from(("paper", "released")))),
            "exponential": ExponentialOrthogonal(long, method=draw(st.sampled_from(("spectral", "block")))),
            "schur": NonNormalSchur(2 * (long // 2), draw(st.sampled_from(("strict", "released")))),
        }[kind]
        return smooth, {key: rng.standard_normal(shape).astype(dtype) for key, shape in smooth.shapes.items()}, 1.0, rng
    cayley = ScaledCayley(long, draw(st.integers(0, long)))
    skew = (draw(st.sampled_from((0.3, 1.0, 10.0))) * rng.standard_normal(cayley.shapes["skew"])).astype(dtype)
    if kind == "cayley":
        return cayley, {"skew": skew}, 1.0, rng
    eps, rule = draw(st.sampled_from((0.0, 1e-3, 0.3))), draw(st.sampled_from(("always", "never", "switch")))
    normalized = EigenvalueNormalized(short, eps, rule)
    T = draw(spectra(short, **moderate)).matrix.astype(dtype)
    condition = er.dominant_eigenpair(T).condition
    if kind == "normalized":
        return normalized, {"free": T}, condition, rng
    p = CoupledBlocks(cayley, normalized, coupled=draw(st.booleans()))
    raw = {"skew": skew, "short": T}
    if p.coupled:
        raw["coupling"] = rng.standard_normal((long, short)).astype(dtype)
    return p, raw, condition, rng


@settings(max_examples=60)
@given(point=points())
def test_pullback_is_the_adjoint_of_the_tangent(point):
    p, raw, condition, rng = point
    laws.assert_pullback_is_adjoint_of_tangent(p, raw, rng, condition)


@settings(max_examples=40)
@given(point=points(dtypes=st.just(np.float64)))
def test_tangent_is_the_limit_of_differences(point):
    p, raw, condition, rng = point
    laws.assert_tangent_is_the_limit_of_differences(p, raw, rng, condition)


@given(point=points(dtypes=st.just(np.float64)))
def test_missing_directions_count_as_zero(point):
    p, raw, _, rng = point
    laws.assert_missing_directions_count_as_zero(p, raw, rng)


@given(point=points())
def test_nothing_is_modified(point):
    p, raw, _, rng = point
    laws.assert_nothing_is_modified(p, raw, rng)


@given(point=points())
def test_what_is_kept_is_no_state(point):
    p, raw, _, _ = point
    laws.assert_what_is_kept_is_no_state(p, raw)


def test_the_sign_of_a_zero_is_part_of_a_point():
    p = Free(1, 2)
    assert np.signbit(p.evaluate({"matrix": np.array([[-0.0, 1.0]])}).matrix[0, 0])
    assert not np.signbit(p.evaluate({"matrix": np.array([[0.0, 1.0]])}).matrix[0, 0])


def test_the_buffers_are_part_of_a_point():
    p, free = EigenvalueNormalized(2, 0.5, "switch"), {"free": np.diag([0.9, 0.1])}
    for switched in (False, True):
        value = p.evaluate(free, {"switched": np.array(switched)})
        assert value.matrix[0, 0] == (0.9 / (0.9 + 0.5) if switched else 0.9)


@given(point=points())
def test_matrix_has_the_declared_shape_and_dtype(point):
    p, raw, _, _ = point
    matrix = p.evaluate(raw).matrix
    assert matrix.shape == p.shape
    assert matrix.dtype == next(iter(raw.values())).dtype


EXAMPLES = [
    Free(3, 5),
    ScaledCayley(5, 2),
    ScaledCayley(4, 0),
    ScaledCayley(1, 1),
    ScaledCayley(0, 0),
    EigenvalueNormalized(4),
    EigenvalueNormalized(5, 0.0),
    EigenvalueNormalized(0),
    EigenvalueNormalized(3, normalize="never"),
    EigenvalueNormalized(3, normalize="switch"),
    CoupledBlocks(ScaledCayley(3, 1), EigenvalueNormalized(4)),
    CoupledBlocks(ScaledCayley(3, 1), EigenvalueNormalized(4), coupled=False),
    CoupledBlocks(ScaledCayley(0, 0), EigenvalueNormalized(4)),
    CoupledBlocks(ScaledCayley(4, 1), EigenvalueNormalized(0)),
    UnitaryCayley(4),
    UnitaryCayley(5, "released"),
    ExponentialOrthogonal(4),
    ExponentialOrthogonal(5, rebase_every=2),
    NonNormalSchur(4),
    NonNormalSchur(6, "released"),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", EXAMPLES, ids=lambda p: f"{type(p).__name__}{p.shape}")
def test_initialisation(p, dtype):
    laws.assert_initialisation_is_declared(p, dtype)
