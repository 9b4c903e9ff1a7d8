"""Memory of the device is kept for the next array of its size, and is nobody's while any view of the last one is."""

from collections import deque

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref import backends
from enrnn_ref.backends.cuda import memory
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.target import CudaAPIError, cuda
from tests.mutants.systems import case


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch):
    monkeypatch.setattr(memory.kept, "stretches", deque())


def made(*shape, dtype=np.float32):
    return DeviceArray(memory.device_array(shape, dtype))


def address(array):
    return array.__cuda_array_interface__["data"][0]


def kept_addresses():
    return [address(DeviceArray(stretch)) for stretch in memory.kept.stretches]


def kept_bytes():
    return sum(stretch.nbytes for stretch in memory.kept.stretches)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (7,), (), (0, 5), 6], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_an_array_as_numba_makes_them(shape, dtype):
    found, expected = memory.device_array(shape, dtype), cuda.device_array(shape, dtype)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert found.strides == expected.strides
    assert found.is_c_contiguous()
    assert found.copy_to_host().shape == expected.shape


@pytest.mark.parametrize(
    "view_of",
    [
        lambda array: array[1:],
        lambda array: array[:, 2:4],
        lambda array: array.T,
        lambda array: array.reshape(24),
        lambda array: array.data.reshape(24)[2:5],
    ],
    ids=["rows", "columns", "transpose", "reshaped", "numba"],
)
def test_any_view_keeps_the_memory(view_of):
    first = made(4, 6)
    view, where = view_of(first), address(first)
    del first
    assert address(made(4, 6)) != where
    assert where not in kept_addresses()
    del view
    assert where in kept_addresses()


def test_the_very_size_is_handed_out_again():
    first = made(4, 6)
    where = address(first)
    del first
    assert kept_bytes() == 96
    other, same = made(4, 5), made(12, dtype=np.float64)  # 80 bytes, and 96
    assert address(other) != where
    assert address(same) == where
    assert kept_bytes() == 0


def test_no_more_is_kept_than_the_limit(monkeypatch):
    monkeypatch.setattr(memory.kept, "_most", lambda: 100)
    one, two, three = made(10), made(12), made(30)
    del one, two
    assert kept_bytes() == 88
    del three
    assert kept_bytes() == 0


def test_what_is_kept_is_given_up_where_the_device_has_no_room(monkeypatch):
    make, asked = cuda.device_array, []

    def full_once(shape, dtype=np.float64):
        if dtype == np.uint8:  # a stretch
            asked.append(shape)
        if asked == [20]:
            raise CudaAPIError(2, "Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")
        return make(shape, dtype)

    first = made(3)
    del first
    assert kept_bytes() == 12
    monkeypatch.setattr(memory.cuda, "device_array", full_once)
    assert made(5).shape == (5,)
    assert asked == [20, 20]
    assert kept_bytes() == 20


def test_a_run_is_its_own_whatever_comes_after_it():
    """Its results keep their bits while later runs come and go on the memory of still others."""
    point, engine = case("lstm", times=3, batch=2), backends.get("cuda")
    params, rng = {key: engine.take(array) for key, array in point.params.items()}, np.random.default_rng(0)
    run = point.model.forward(params, engine.take(point.x), backend="cuda")
    dy = engine.take(rng.standard_normal(run.y.shape))
    kept, gradients = run.y.copy_to_host(), point.model.backward(run, dy).params
    for _ in range(3):
        later = point.model.forward(params, engine.take(rng.standard_normal(point.x.shape)), backend="cuda")
        point.model.backward(later, dy)
    np.testing.assert_array_equal(run.y.copy_to_host(), kept)
    for key, array in point.model.backward(run, dy).params.items():
        np.testing.assert_array_equal(array.copy_to_host(), gradients[key].copy_to_host())


def test_a_training_step_makes_no_new_memory(monkeypatch):
    """From the second one on."""
    model, engine = er.RNN(2, 3, 1, readout="last"), backends.get("cuda")
    params = {key: engine.take(array) for key, array in model.init(0).items()}
    x, dy, new = np.ones((4, 5, 2)), np.ones((5, 1)), []
    make = memory.kept._new
    monkeypatch.setattr(memory.kept, "_new", lambda size: new.append(size) or make(size))
    for _ in range(3):
        new.clear()
        run = model.forward(params, engine.take(x), backend="cuda")
        model.backward(run, engine.take(dy))
    assert not new
