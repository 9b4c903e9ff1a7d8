"""Losses: the value by its definition, the gradient as the derivative of the value, the public door."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrnn_ref.errors import DataError, DtypeError, NotFiniteError, OptionError, ShapeError
from enrnn_ref.losses import mean_squared_error, softmax_cross_entropy

SHAPES = [(5, 3, 4), (3, 7, 2), (4, 6), (9,)]
DTYPES = [np.float32, np.float64]


def entropy_by_definition(logits, labels, weights):
    """Σ m (log Σ exp − logit of the label) / Σ m, position by position; analytic, so it also takes complex logits."""
    total = 0.0
    for position in np.ndindex(labels.shape):
        total += weights[position] * (np.log(np.exp(logits[position]).sum()) - logits[position][labels[position]])
    return total / weights.sum()


def problem(shape, seed, dtype=np.float64):
    """Logits, labels and a mask with zeros and unequal weights."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2.0, size=shape).astype(dtype)
    weights = rng.uniform(0.1, 3.0, shape[:-1]) * (rng.uniform(size=shape[:-1]) < 0.8)
    return logits, rng.integers(0, shape[-1], shape[:-1]), np.maximum(weights, 0.01 * (weights.sum() == 0))


# ------------------------------------------------------------------------------------------------ mean squared error


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_squared_error_is_a_mean_over_all_entries(shape, dtype):
    rng = np.random.default_rng(1)
    y, target = rng.normal(size=(2, *shape)).astype(dtype)
    value, dy = mean_squared_error(y, target)
    squares = [(float(a) - float(b)) ** 2 for a, b in zip(y.flat, target.flat, strict=True)]
    assert value == pytest.approx(math.fsum(squares) / y.size, rel=8 * np.finfo(np.float64).eps, abs=0)
    assert dy.dtype == dtype
    assert dy.shape == shape


@given(seed=st.integers(0, 99), shape=st.sampled_from(SHAPES))
def test_the_gradient_of_the_squared_error_is_exact_along_any_direction(seed, shape):
    # A quadratic has no third derivative: its central difference carries rounding errors only.
    rng = np.random.default_rng(seed)
    y, target, direction = rng.normal(size=(3, *shape))
    slope = (mean_squared_error(y + direction, target)[0] - mean_squared_error(y - direction, target)[0]) / 2
    dy = mean_squared_error(y, target)[1]
    scale = mean_squared_error(y + direction, target)[0] + mean_squared_error(y - direction, target)[0]
    assert np.vdot(dy, direction) == pytest.approx(slope, abs=16 * np.finfo(np.float64).eps * scale)


# ---------------------------------------------------------------------------------------------- softmax cross-entropy


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape", SHAPES[:3])
def test_the_entropy_and_its_gradient_follow_the_definition(shape, masked):
    logits, labels, mask = problem(shape, seed=2)
    weights = mask if masked else np.ones(labels.shape)
    value, dlogits = softmax_cross_entropy(logits, labels, mask if masked else None)
    eps = np.finfo(np.float64).eps
    assert value == pytest.approx(entropy_by_definition(logits, labels, weights), rel=32 * eps, abs=0)

    # Complex step: the derivative of the definition without any difference, hence to rounding.
    step = 1e-100
    for entry in np.ndindex(shape):
        moved = logits.astype(complex)
        moved[entry] += 1j * step
        exact = entropy_by_definition(moved, labels, weights).imag / step
        assert dlogits[entry] == pytest.approx(exact, abs=32 * eps * weights.max() / weights.sum())


def test_a_single_position_needs_no_other_axes():
    value, dlogits = softmax_cross_entropy(np.zeros(4), np.int64(2))
    assert value == pytest.approx(math.log(4), rel=1e-15, abs=0)
    np.testing.assert_allclose(dlogits, [0.25, 0.25, -0.75, 0.25], rtol=1e-15)


@given(seed=st.integers(0, 99), shape=st.sampled_from(SHAPES[:3]))
def test_adding_a_number_to_all_logits_of_a_position_changes_nothing(seed, shape):
    logits, labels, mask = problem(shape, seed)
    shift = np.random.default_rng(seed).uniform(-5, 5, (*shape[:-1], 1))
    value, dlogits = softmax_cross_entropy(logits, labels, mask)
    shifted_value, shifted_dlogits = softmax_cross_entropy(logits + shift, labels, mask)
    assert shifted_value == pytest.approx(value, rel=1e-13, abs=0)
    np.testing.assert_allclose(shifted_dlogits, dlogits, rtol=0, atol=1e-13 * np.abs(dlogits).max())
    # The same law for the gradient: nothing along the direction (1, …, 1).
    np.testing.assert_allclose(dlogits.sum(-1), 0, atol=1e-14)


@given(seed=st.integers(0, 99), shape=st.sampled_from(SHAPES[:3]))
def test_renaming_the_classes_permutes_the_gradient(seed, shape):
    logits, labels, mask = problem(shape, seed)
    order = np.random.default_rng(seed).permutation(shape[-1])
    value, dlogits = softmax_cross_entropy(logits, labels, mask)
    renamed_value, renamed = softmax_cross_entropy(logits[..., order], np.argsort(order)[labels], mask)
    assert renamed_value == pytest.approx(value, rel=1e-14, abs=0)
    np.testing.assert_allclose(renamed, dlogits[..., order], rtol=1e-13, atol=1e-18)


@given(seed=st.integers(0, 99), shape=st.sampled_from(SHAPES[:3]))
def test_a_masked_position_might_as_well_not_exist(seed, shape):
    logits, labels, _ = problem(shape, seed)
    keep = np.random.default_rng(seed).uniform(size=labels.shape) < 0.6
    keep.flat[0] = True
    value, dlogits = softmax_cross_entropy(logits, labels, keep)
    kept_value, kept_dlogits = softmax_cross_entropy(logits[keep], labels[keep])
    assert value == pytest.approx(kept_value, rel=1e-14, abs=0)
    np.testing.assert_allclose(dlogits[keep], kept_dlogits, rtol=1e-14)
    assert not dlogits[~keep].any()


@given(seed=st.integers(0, 99), factor=st.floats(1e-3, 1e3))
def test_only_the_ratios_of_the_weights_count(seed, factor):
    logits, labels, mask = problem((5, 3, 4), seed)
    value, dlogits = softmax_cross_entropy(logits, labels, mask)
    scaled_value, scaled_dlogits = softmax_cross_entropy(logits, labels, factor * mask)
    assert scaled_value == pytest.approx(value, rel=1e-14, abs=0)
    np.testing.assert_allclose(scaled_dlogits, dlogits, rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_are_nats_by_the_logarithm_of_two(dtype):
    logits, labels, mask = problem((5, 3, 4), 7, dtype)
    nats, dlogits = softmax_cross_entropy(logits, labels, mask)
    bits, found = softmax_cross_entropy(logits, labels, mask, base=2)
    assert bits == pytest.approx(nats / math.log(2), rel=1e-14, abs=0)
    np.testing.assert_allclose(found, dlogits / math.log(2), rtol=2 * np.finfo(dtype).eps)
    assert softmax_cross_entropy(np.zeros((1, 8)), [3], base=2)[0] == pytest.approx(3, rel=1e-15)


@pytest.mark.parametrize("base", [1, 0.5, -2.0, np.nan, "2", True])
def test_a_base_is_a_number_above_one(base):
    with pytest.raises(OptionError, match=r"base is .*; expected a"):
        softmax_cross_entropy(np.zeros((1, 8)), [3], base=base)


def test_equal_logits_cost_the_logarithm_of_the_number_of_classes():
    value, _ = softmax_cross_entropy(np.full((4, 3, 7), 5.0, np.float32), np.zeros((4, 3), np.uint8))
    assert value == pytest.approx(math.log(7), rel=1e-15, abs=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_logits_neither_overflow_nor_lose_the_loss(dtype):
    logits = np.array([[3e4, -3e4, 0.0], [-3e4, 3e4, 0.0]], dtype)
    value, dlogits = softmax_cross_entropy(logits, np.array([0, 0]))
    assert value == 3e4  # 0 for the first row, 6e4 for the second
    np.testing.assert_array_equal(dlogits, np.array([[0, 0, 0], [-0.5, 0.5, 0]], dtype))


def test_float32_logits_are_averaged_in_float64():
    # 2·10⁵ equal terms: a running float32 sum would be off in the fourth digit, float32 arithmetic in the seventh.
    logits = np.tile(np.array([0.1, 0.7, -0.4], np.float32), (200_000, 1))
    value, dlogits = softmax_cross_entropy(logits, np.full(200_000, 2))
    terms = [float(z) for z in logits[0]]
    assert value == pytest.approx(math.log(sum(map(math.exp, terms))) - terms[2], rel=1e-13, abs=0)
    assert dlogits.dtype == np.float32


# ------------------------------------------------------------------------------------------------------ public door


@pytest.mark.parametrize("layout", ["plain", "fortran", "reversed", "strided", "read-only"])
def test_memory_layout_does_not_matter_and_inputs_are_left_alone(layout):
    logits, labels, mask = problem((5, 3, 4), seed=3)
    target = np.random.default_rng(4).normal(size=logits.shape)

    def laid_out(array):
        if layout == "fortran":
            return np.asfortranarray(array)
        if layout == "reversed":
            return array[::-1].copy()[::-1]
        if layout == "strided":
            return np.repeat(array, 2, axis=0)[::2]
        array = array.copy()
        array.flags.writeable = layout == "plain"
        return array

    plain, odd = (logits, labels, mask, target), [laid_out(a) for a in (logits, labels, mask, target)]
    before = [a.copy() for a in odd]
    for function, arguments in ((softmax_cross_entropy, slice(0, 3)), (mean_squared_error, slice(0, 4, 3))):
        value, dy = function(*plain[arguments])
        odd_value, odd_dy = function(*odd[arguments])
        assert odd_value == value
        np.testing.assert_array_equal(odd_dy, dy)
    for array, copy in zip(odd, before, strict=True):
        np.testing.assert_array_equal(array, copy)


LOGITS, LABELS = np.zeros((5, 3, 4)), np.zeros((5, 3), int)
BAD_ENTROPY = [
    ((LOGITS.astype(int), LABELS), DtypeError, "logits has dtype int64"),
    ((LOGITS.astype(np.float16), LABELS), DtypeError, "logits has dtype float16"),
    ((np.full((5, 3, 4), np.nan), LABELS), NotFiniteError, "logits holds 60 NaN"),
    ((np.float64(1.0), np.int64(0)), ShapeError, r"logits has shape \(\)"),
    ((np.zeros((0, 3, 4)), LABELS[:0]), ShapeError, "at least one entry"),
    ((LOGITS, LABELS.T), ShapeError, "batch-first"),
    ((LOGITS, LABELS[:4]), ShapeError, r"labels has shape \(4, 3\); expected \(5, 3\)"),
    ((LOGITS, LABELS[..., None]), ShapeError, r"expected \(5, 3\)"),
    ((LOGITS, LABELS.astype(float)), DtypeError, "labels has dtype float64; expected integers"),
    ((LOGITS, LABELS.astype(bool)), DtypeError, "labels has dtype bool"),
    ((LOGITS, [[0, 1], [2]]), DtypeError, "labels is not an array"),
    ((LOGITS, LABELS + 4), DataError, r"15 value\(s\) outside \[0, 4\), the first is 4"),
    ((LOGITS, LABELS - 1), DataError, "the first is -1"),
    ((LOGITS, LABELS, np.zeros((5, 3))), DataError, "mask is zero everywhere"),
    ((LOGITS, LABELS, np.zeros((5, 3), bool)), DataError, "mask is zero everywhere"),
    ((LOGITS, LABELS, np.full((5, 3), -1.0)), DataError, "15 negative"),
    ((LOGITS, LABELS, np.full((5, 3), np.inf)), NotFiniteError, "mask holds"),
    ((LOGITS, LABELS, np.ones((5, 3), int)), DtypeError, "mask has dtype int64"),
    ((LOGITS, LABELS, [[True], [True, False]]), DtypeError, "mask is not an array"),
    ((LOGITS, LABELS, np.ones((3, 5))), ShapeError, "mask has shape .* batch-first"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_ENTROPY)
def test_bad_input_of_the_entropy_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        softmax_cross_entropy(*arguments)


BAD_SQUARES = [
    ((LOGITS, LOGITS.transpose(1, 0, 2)), ShapeError, "batch-first"),
    ((LOGITS, LOGITS[:, :, :1]), ShapeError, r"target has shape \(5, 3, 1\); expected \(5, 3, 4\)"),
    ((LOGITS[:0], LOGITS[:0]), ShapeError, "at least one entry"),
    ((LOGITS, LOGITS.astype(complex)), DtypeError, "target has dtype complex128"),
    ((LOGITS, np.full(LOGITS.shape, np.inf)), NotFiniteError, "target holds"),
    ((LABELS, LABELS), DtypeError, "y has dtype int64"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_SQUARES)
def test_bad_input_of_the_squared_error_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        mean_squared_error(*arguments)
