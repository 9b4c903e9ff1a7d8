"""A decaying state reaches subnormal numbers; the compiled backend flushes them to zero, forward and backward."""

import numpy as np
import pytest

import enrnn_ref as er

ACTIVATIONS = ["modrelu", "tanh"]


def threshold(dtype):
    """Smallest normal number over machine epsilon: what lies below is set to zero (backends/cpu.py)."""
    info = np.finfo(dtype)
    return float(info.tiny) / float(info.eps)


def _decayed(dtype, activation):
    """A pure short-term network with contraction .5 per step, kicked by its initial state alone, long enough to die."""
    model = er.ENRNN(3, 0, 4, 2, eps=1.0, activation=activation)
    params = model.init(0, dtype)
    basis = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    params["short"] = ((basis * [1.0, -0.99, 0.98, 0.97]) @ basis.T).astype(dtype)
    params["readout"] = np.random.default_rng(2).standard_normal((2, 4)).astype(dtype)
    times = 200 if dtype == np.float32 else 1200
    x = np.zeros((times, 5, 3), dtype)
    state = {"h": np.random.default_rng(3).standard_normal((5, 4)).astype(dtype)}
    return model, params, x, state


def _is_subnormal(array):
    return (array != 0) & (np.abs(array) < np.finfo(array.dtype).tiny)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_states_decay_to_zero_without_passing_through_subnormals(dtype, activation):
    model, params, x, state = _decayed(dtype, activation)
    flushed, plain = (model.forward(params, x, state, backend=name) for name in ("cpu", "reference"))
    assert _is_subnormal(plain.h).any()  # the run does reach them
    assert not _is_subnormal(flushed.h).any()
    smallest = np.abs(flushed.h[flushed.h != 0]).min()
    assert threshold(dtype) <= smallest < 1e3 * threshold(dtype)  # flushed at the threshold, not before
    assert not flushed.state["h"].any()
    # Below the threshold lies what the next steps make of it: halved each time, so twice the threshold in all.
    rounding = 400 * np.finfo(dtype).eps * np.abs(plain.h).max(axis=(1, 2))
    difference = np.abs(flushed.h - plain.h).max(axis=(1, 2))
    assert (difference <= rounding + 8 * threshold(dtype)).all()
    assert np.abs(flushed.h[50] - plain.h[50]).max() <= 400 * np.finfo(dtype).eps * np.abs(plain.h[50]).max()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_carried_back_decay_to_zero_too(dtype, activation):
    model, params, x, state = _decayed(dtype, activation)
    x = np.random.default_rng(4).standard_normal(x.shape).astype(dtype)  # the states live on, the gradient dies
    gradients = {}
    for name in ("cpu", "reference"):
        run = model.forward(params, x, state, backend=name)
        dy = np.zeros_like(run.y)
        dy[-1] = 1
        gradients[name] = model.backward(run, dy)
    flushed, plain = gradients["cpu"], gradients["reference"]
    assert _is_subnormal(plain.x).any()
    assert not flushed.x[0].any()
    assert not flushed.state["h"].any()
    nonzero = np.abs(flushed.x[flushed.x != 0])
    # dx is dz times the input weights, which were drawn below 0.01 and may take it under the threshold itself.
    assert nonzero.min() >= 1e-6 * threshold(dtype)
    assert np.abs(flushed.x - plain.x).max() <= 400 * np.finfo(dtype).eps * np.abs(plain.x).max() + 8 * threshold(dtype)
    for key, gradient in flushed.params.items():
        assert np.isfinite(gradient).all()
        scale = np.abs(plain.params[key]).max(initial=0.0)
        bound = 4000 * np.finfo(dtype).eps * scale + 1000 * threshold(dtype)
        assert np.abs(gradient - plain.params[key]).max(initial=0.0) <= bound


@pytest.mark.parametrize(("dtype", "times"), [(np.float32, 130), (np.float64, 1000)])
def test_tangents_are_flushed_as_values_are(dtype, times):
    """Stopped between the threshold and the underflow, where the readable backend still has something left."""
    model, params, x, state = _decayed(dtype, "modrelu")
    x = np.random.default_rng(4).standard_normal(x.shape).astype(dtype)[:times]  # the states live on
    direction = {"h": np.ones_like(state["h"])}
    flushed, plain = (
        model.tangent(params, x, {}, state=state, dstate=direction, backend=name) for name in ("cpu", "reference")
    )
    assert plain.state["h"].any()
    assert np.abs(plain.state["h"]).max() < threshold(dtype)
    assert not flushed.state["h"].any()
    assert not _is_subnormal(flushed.y).any()


def test_not_a_number_is_not_flushed():
    """Overflow must stay visible."""
    model = er.RNN(1, 2, activation="identity")
    params = {"recurrent": np.full((2, 2), 1e30, np.float32), "input": np.ones((2, 1), np.float32)}
    params["bias"] = np.zeros(2, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # NumPy warns where compiled code does not
        run = model.forward(params, np.ones((6, 3, 1), np.float32))
    assert not np.isfinite(run.h[-1]).any()


def test_ordinary_small_numbers_are_left_alone():
    """What is small but above the threshold keeps its bits."""
    for dtype in (np.float32, np.float64):
        model = er.RNN(1, 2, activation="identity")
        params = {"recurrent": np.eye(2, dtype=dtype), "input": np.zeros((2, 1), dtype), "bias": np.zeros(2, dtype)}
        small = dtype(2 * threshold(dtype))
        state = {"h": np.array([[small, -small]])}
        run = model.forward(params, np.zeros((3, 1, 1), dtype), state)
        np.testing.assert_array_equal(run.h, np.broadcast_to(state["h"], run.h.shape))
        below = {"h": np.array([[small, -small]]) / 4}
        assert not model.forward(params, np.zeros((3, 1, 1), dtype), below).h[1:].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_threshold_itself_is_left_alone(dtype):
    """And the number next to it is not."""
    model = er.RNN(1, 2, activation="identity")
    params = {"recurrent": np.eye(2, dtype=dtype), "input": np.zeros((2, 1), dtype), "bias": np.zeros(2, dtype)}
    at = dtype(threshold(dtype))
    for size, kept in ((at, 1), (np.nextafter(at, dtype(0)), 0)):
        state = {"h": np.array([[size, -size]])}
        run = model.forward(params, np.zeros((3, 1, 1), dtype), state)
        np.testing.assert_array_equal(run.h[1:], np.broadcast_to(kept * state["h"], (3, 1, 2)))
