"""Losses of outputs on the device: what the host's give."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref import losses
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.target import cuda
from tests.cuda.test_placement import Foreign, foreign
from tests.test_losses import DTYPES, SHAPES, problem

TERMS = 200  # additions of float64, and two exponentials


def assert_same(found, expected):
    (value, gradient), (expected_value, expected_gradient) = found, expected
    assert isinstance(value, DeviceArray)
    assert (value.shape, value.dtype) == ((), np.float64)
    assert float(value) == pytest.approx(expected_value, rel=TERMS * np.finfo(np.float64).eps, abs=0)
    assert isinstance(gradient, DeviceArray)
    assert gradient.dtype == expected_gradient.dtype
    unit = np.finfo(gradient.dtype).eps
    floor = TERMS * np.finfo(np.float64).eps * np.abs(expected_gradient).max()
    np.testing.assert_allclose(gradient.copy_to_host(), expected_gradient, rtol=TERMS * unit, atol=floor)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_squared_error_is_that_of_the_host(shape, dtype):
    y, target = np.random.default_rng(1).normal(size=(2, *shape)).astype(dtype)
    expected = losses.mean_squared_error(y, target)
    assert_same(losses.mean_squared_error(foreign(y), target), expected)
    assert_same(losses.mean_squared_error(foreign(y), foreign(target)), expected)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_cross_entropy_is_that_of_the_host(shape, dtype, masked):
    logits, labels, mask = problem(shape, 2, dtype)
    mask = mask if masked else None
    expected = losses.softmax_cross_entropy(logits, labels, mask, base=2)
    assert_same(losses.softmax_cross_entropy(foreign(logits), labels, mask, base=2), expected)


def test_large_logits_do_not_overflow():
    logits = np.array([[3e4, -3e4, 0.0], [-3e4, 3e4, 0.0]], np.float32)
    value, dlogits = losses.softmax_cross_entropy(foreign(logits), np.array([0, 0]))
    assert float(value) == 3e4
    np.testing.assert_array_equal(dlogits.copy_to_host(), [[0, 0, 0], [-0.5, 0.5, 0]])


def test_bad_arguments_are_refused_by_name():
    y = np.ones((3, 2))
    labels = np.zeros(3, int)
    with pytest.raises(er.errors.PlacementError, match=r"target is a .* in the memory of a CUDA device"):
        losses.mean_squared_error(y, foreign(y))
    for label, mask, name in ((foreign(labels), None, "labels"), (labels, foreign(y[:, 0].copy()), "mask")):
        with pytest.raises(er.errors.PlacementError, match=f"{name} lies in the memory of a CUDA device"):
            losses.softmax_cross_entropy(foreign(y), label, mask)
    with pytest.raises(er.errors.ShapeError, match="target"):
        losses.mean_squared_error(foreign(y), y[:2])


@pytest.mark.parametrize("large", [np.inf, 1.2e154])
def test_what_leaves_the_range_is_seen_in_the_value(large):
    """A square, or only the sum of two threads' squares."""
    value, _ = losses.mean_squared_error(foreign(np.array([[large, large], [0, 0]])), np.zeros((2, 2)))
    assert float(value) == np.inf


def test_entries_of_the_output_need_not_follow_each_other():
    y, target = np.random.default_rng(1).normal(size=(2, 3, 2, 4, 5))
    expected = losses.mean_squared_error(y[..., 1:3], target[..., 1:3])
    part = DeviceArray(cuda.to_device(y))[..., 1:3].data
    assert_same(losses.mean_squared_error(Foreign(part), target[..., 1:3]), expected)
