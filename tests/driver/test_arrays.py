"""Arrays cross to the device and back whatever their strides, and what lies there stays there."""

import gc

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref import backends
from enrnn_ref.backends.cuda.arrays import DeviceArray, to_device
from enrnn_ref.backends.cuda.target import cuda
from enrnn_ref.losses import mean_squared_error, softmax_cross_entropy
from tests.cuda.test_placement import Foreign, all_foreign, foreign
from tests.mutants.systems import case

SEQUENCE = np.ones((7, 2))
MODELS = {
    "rnn": er.RNN(2, 4, 1, readout="last"),
    "enrnn": er.ENRNN(2, 3, 2, 1, readout="last"),
    "lstm": er.LSTM(2, 4, 1, readout="last"),
    "bidirectional": er.Bidirectional(er.LSTM(2, 4), er.RNN(2, 3), 1, readout="last"),
}


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_what_comes_from_the_device_goes_back_to_it(name, driver):
    """Without a copy: nothing comes to the host before it is asked for."""
    point = case(name, times=3, batch=2)
    lent = all_foreign(point.params), foreign(point.x), all_foreign(point.state)
    cotangents = foreign(point.y_cotangent), all_foreign(point.state_cotangent)
    driver.forget()
    run = point.model.forward(*lent, backend="cuda")
    grads = point.model.backward(run, *cotangents)
    found = {"y": run.y, **run.state, **grads.params, "x": grads.x}
    assert all(isinstance(array, DeviceArray) for array in found.values())
    assert driver.calls("cuMemcpyDtoH") == 0
    for key, array in {**point.params, "x": point.x}.items():
        assert (grads.x if key == "x" else grads.params[key]).copy_to_host().shape == array.shape


KEYS = [
    (slice(1, 4),),
    (2,),
    (slice(None), slice(1, 2)),
    (slice(1, 3), 2),
    (Ellipsis, slice(2, 4)),
    (3, 1, slice(1, 3)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_view_lies_where_numpy_s_does(key, dtype):
    """A view of a view, too: where it begins, its strides, how many axes the compiler is told of, and in what order."""
    host = np.arange(5 * 3 * 7, dtype=dtype).reshape(5, 3, 7)
    whole = DeviceArray(to_device(host))
    first, expected = whole[key], host[key]
    for found, wanted in ((first, expected), (first[..., 1:2], expected[..., 1:2])):
        ours, theirs = found.__cuda_array_interface__, wanted.__array_interface__
        begin = ours["data"][0] - whole.__cuda_array_interface__["data"][0]
        assert begin == theirs["data"][0] - host.__array_interface__["data"][0]
        assert found.shape == wanted.shape
        assert found.data.strides == wanted.strides
        told = found.data._numba_type_
        assert (told.ndim, told.layout == "C") == (wanted.ndim, wanted.flags.c_contiguous)
        if wanted.flags.c_contiguous:
            np.testing.assert_array_equal(found.copy_to_host(), wanted, strict=True)
            np.testing.assert_array_equal(found.reshape(wanted.size).copy_to_host(), wanted.ravel())


def test_a_stream_that_an_array_names_is_waited_for(driver):
    model = MODELS["lstm"]
    x, stream = foreign(SEQUENCE[:, np.newaxis]), cuda.stream()
    for named, waits in ((1, 0), (stream.handle, 1)):
        lent = Foreign(x.data)
        lent.__cuda_array_interface__ = {**x.__cuda_array_interface__, "stream": int(named)}
        driver.forget()
        model.forward(model.init(0), lent, backend="cuda")
        assert driver.calls("cuStreamSynchronize") == waits


@pytest.mark.parametrize("there", [False, True], ids=["host", "device"])
@pytest.mark.parametrize("name", MODELS)
def test_an_axis_that_was_added_has_no_stride(name, there):
    """One sequence, one time, one output: NumPy gives such an axis a stride of 0."""
    model = MODELS[name]
    move = foreign if there else np.asarray
    params = model.init(0)
    for x in (SEQUENCE[:, np.newaxis], SEQUENCE[np.newaxis]):
        batch = x.shape[1]
        assert 0 in x.strides
        state = {key: move(np.ones(shape[-1])[np.newaxis]) for key, shape in model.state_shapes(1).items()}
        run = model.forward(params, move(x), state if batch == 1 else None, backend="cuda")
        grads = model.backward(run, move(np.ones(batch)[:, np.newaxis]))
        assert grads.x.shape == x.shape
        model.tangent(params, x, {}, dx=x, backend="cuda")


def test_losses_of_targets_that_have_no_stride():
    y = DeviceArray(cuda.to_device(np.ones((5, 1))))
    _, dy = mean_squared_error(y, np.arange(5.0)[:, np.newaxis])
    assert dy.shape == y.shape
    logits = DeviceArray(cuda.to_device(np.ones((4, 1, 3))))
    _, dlogits = softmax_cross_entropy(logits, np.zeros(4, int)[:, np.newaxis])
    assert dlogits.shape == logits.shape


def test_a_parameter_of_one_column():
    model = er.RNN(1, 1, 1)
    params = {key: array.ravel()[:, np.newaxis] if array.ndim == 2 else array for key, array in model.init(0).items()}
    x = np.ones((7, 3, 1))
    model.backward(model.forward(params, x, backend="cuda"), x)


def test_a_pass_takes_its_memory_from_the_one_before(driver):
    point = case("lstm", times=3, batch=2)
    for _ in range(3):
        driver.forget()
        point.gradients("cuda")
        point.tangent("cuda")
    assert driver.launches
    assert driver.calls("cuMemAlloc") + driver.calls("cuMemFree") == 0


@pytest.mark.usefixtures("nothing_kept")
def test_memory_is_given_back(driver):
    """All that a pass takes, once nobody has its results."""
    point = case("lstm", times=3, batch=2)
    point.gradients("cuda")
    left = memory_left()
    for _ in range(3):
        point.gradients("cuda")
        point.tangent("cuda")
    assert driver.calls("cuMemAlloc") > 30
    assert memory_left() == left


def memory_left():
    gc.collect()
    context = cuda.current_context()
    context.memory_manager.deallocations.clear()
    return context.get_memory_info().free


def test_what_is_sent_may_be_changed_at_once_and_memory_for_it_does_not_grow(driver):
    engine = backends.get("cuda")
    for number in range(5):
        source = np.full(1000, float(number))
        there = engine.take(source)
        source[:] = -1.0
        np.testing.assert_array_equal(engine.give(there), np.full(1000, float(number)))
    driver.forget()
    for _ in range(5):
        engine.give(engine.take(source))
    assert driver.calls("cuMemHostAlloc") == 0
    first, second = engine.take(source), engine.take(2 * source)  # before the device has taken the first
    np.testing.assert_array_equal(engine.give(first), source)
    np.testing.assert_array_equal(engine.give(second), 2 * source)
