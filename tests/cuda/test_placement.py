"""Arrays that lie on the device are taken where they are, and results are given back on the same side."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref import backends
from enrnn_ref.backends.cuda import arrays
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.target import SIMULATED, cuda, interface_of
from tests.cuda.test_every_system import assert_alike
from tests.mutants.systems import SYSTEMS, case


class Foreign:
    """An array of another library: what it lends is its interface."""

    def __init__(self, data):
        self.data, self.__cuda_array_interface__ = data, interface_of(data)


def foreign(array):
    return Foreign(cuda.to_device(array))


def all_foreign(named):
    return {key: foreign(array) for key, array in named.items()}


def on_host(named):
    assert all(isinstance(array, DeviceArray) for array in named.values())
    return {key: array.copy_to_host() for key, array in named.items()}


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_comes_from_the_device_goes_back_to_it(name):
    point = case(name, times=3, batch=2)
    model = point.model
    state = all_foreign(point.state) or None
    run = model.forward(all_foreign(point.params), foreign(point.x), state, backend="cuda")
    grads = model.backward(run, foreign(point.y_cotangent), all_foreign(point.state_cotangent))
    expected = point.run("reference")
    assert_alike(on_host({"y": run.y, **run.state}), {"y": expected.y, **expected.state})
    if expected.h is not None:
        assert_alike(on_host({"h": run.h}), {"h": expected.h})
    found = on_host({**grads.params, "x": grads.x, **{f"state {key}": array for key, array in grads.state.items()}})
    assert_alike(found, point.gradients("reference"))


@pytest.mark.parametrize("name", ["enrnn", "lstm-peephole", "scurnn", "stacked", "bidirectional"])
def test_a_tangent_comes_from_where_its_input_lies(name):
    point = case(name, times=3, batch=2)
    along = point.directions()
    dparams = {key: along[key] for key in point.params}
    dstate = {key: along[f"state {key}"] for key in point.state}
    found = point.model.tangent(
        point.params, foreign(point.x), dparams, dx=foreign(along["x"]), state=all_foreign(point.state),
        dstate=all_foreign(dstate), backend="cuda",
    )  # fmt: skip
    assert_alike(on_host({"y": found.y, **found.state}), point.tangent("reference"))


def test_parameters_may_lie_on_the_other_side():
    point = case("enrnn", times=3, batch=2)
    expected = point.gradients("reference")
    run = point.model.forward(point.params, foreign(point.x), all_foreign(point.state), backend="cuda")
    grads = point.model.backward(run, foreign(point.y_cotangent), all_foreign(point.state_cotangent))
    assert_alike(dict(grads.params), {key: expected[key] for key in point.params})
    run = point.model.forward(all_foreign(point.params), point.x, point.state, backend="cuda")
    grads = point.model.backward(run, point.y_cotangent, point.state_cotangent)
    assert_alike({**on_host(grads.params), "x": grads.x}, {key: expected[key] for key in (*point.params, "x")})


def test_nothing_is_copied_that_need_not_be():
    """The memory of the input is the other library's own, unless its entries do not follow each other."""
    engine, data = backends.get("cuda"), cuda.to_device(np.random.default_rng(0).standard_normal((4, 3, 2)))
    adopted = engine.adopt(Foreign(data))
    assert adopted.__cuda_array_interface__["data"] == interface_of(data)["data"]
    assert engine.adopt(adopted) is adopted
    strided = engine.adopt(Foreign(data[:, 1:]))
    assert strided.contiguous
    np.testing.assert_array_equal(strided.copy_to_host(), data.copy_to_host()[:, 1:])


@pytest.mark.parametrize("name", ["enrnn", "lstm-peephole", "gru", "stacked", "bidirectional"])
def test_what_crosses_does_not_grow_with_the_sequences(name, monkeypatch):
    """Weights and the sums of their gradients cross; inputs, tapes, outputs and states do not."""
    crossed = []
    to_device, to_host = arrays.to_device, DeviceArray.copy_to_host
    monkeypatch.setattr(arrays, "to_device", lambda array: crossed.append(array.nbytes) or to_device(array))
    monkeypatch.setattr(DeviceArray, "copy_to_host", lambda array: crossed.append(array.nbytes) or to_host(array))

    def bytes_of_a_pass(times, batch):
        point = case(name, times=times, batch=batch)
        x, dy, state = foreign(point.x), foreign(point.y_cotangent), all_foreign(point.state)
        crossed.clear()
        run = point.model.forward(point.params, x, state, backend="cuda")
        point.model.backward(run, dy)
        return sum(crossed)

    assert bytes_of_a_pass(2, 2) == bytes_of_a_pass(5, 3) > 0


CALLS = {
    "state": lambda point, side, other: forward(point, side, {"h": other(point.state["h"])}),
    "dy": lambda point, side, other: backward(point, side, other(point.y_cotangent)),
    "dstate": lambda point, side, other: backward(
        point, side, side(point.y_cotangent), {"h": other(point.state_cotangent["h"])}
    ),
    "dx": lambda point, side, other: point.model.tangent(
        point.params, side(point.x), {}, dx=other(point.x), backend="cuda"
    ),
}


def forward(point, side, state=None):
    return point.model.forward(point.params, side(point.x), state, backend="cuda")


def backward(point, side, *cotangents):
    return point.model.backward(forward(point, side), *cotangents)


def here(array):
    return array


@pytest.mark.parametrize("misplaced", CALLS)
def test_arrays_of_two_sides_are_refused_by_name(misplaced):
    point = case("enrnn", times=3, batch=2)
    with pytest.raises(er.errors.PlacementError, match=rf"^{misplaced}.* on the host; expected .* of the device"):
        CALLS[misplaced](point, foreign, here)
    with pytest.raises(er.errors.PlacementError, match=rf"^{misplaced}.* a CUDA device; expected .* on the host"):
        CALLS[misplaced](point, here, foreign)


def test_other_arrays_of_the_device_are_refused_by_name():
    point = case("enrnn", times=3, batch=2)
    model = point.model
    with pytest.raises(er.errors.PlacementError, match=r"x is a .*Foreign in the memory of a CUDA device"):
        model.forward(point.params, foreign(point.x), backend="reference")
    with pytest.raises(er.errors.DtypeError, match="x has dtype int64"):
        model.forward(point.params, foreign(np.zeros(point.x.shape, np.int64)), backend="cuda")
    with pytest.raises(er.errors.DtypeError, match="x has dtype float32 but its companions are float64"):
        model.forward(point.params, foreign(point.x.astype(np.float32)), backend="cuda")
    with pytest.raises(er.errors.ShapeError, match=r"x has shape \(3, 2, 5\)"):
        model.forward(point.params, foreign(np.zeros((3, 2, 5))), backend="cuda")


class TestArraysOfTheDevice:
    HOST = np.random.default_rng(1).standard_normal((4, 3, 5))

    def there(self):
        return DeviceArray(cuda.to_device(self.HOST))

    ALONG = (2, -1, slice(1, 3), slice(-1, None), slice(3, 3))

    @pytest.mark.parametrize("key", [*ALONG, (slice(None), 1), (..., slice(2, 4)), (0, ..., -1), (1, 2)], ids=str)
    def test_slices_are_those_of_numpy(self, key):
        found, expected = self.there()[key], self.HOST[key]
        assert found.shape == expected.shape
        assert found.size == expected.size
        assert found.nbytes == expected.nbytes
        np.testing.assert_array_equal(found.copy_to_host(), expected)

    def test_a_slice_of_all_is_the_array_itself(self):
        array = self.there()
        assert array[:, 0:3] is array
        assert len(array) == 4
        assert repr(array) == "DeviceArray(shape=(4, 3, 5), dtype=float64)"

    def test_what_is_not_contiguous_is_not_reshaped(self):
        array = self.there()
        assert array.reshape(12, 5).shape == (12, 5)
        with pytest.raises(AssertionError):
            array[..., :2].reshape(24)

    @pytest.mark.skipif(not SIMULATED, reason="the memory of a device is not NumPy's")
    def test_other_libraries_see_the_same_memory(self):
        array = self.there()
        view = np.asarray(type("View", (), {"__array_interface__": array.__cuda_array_interface__})())
        view[1, 2, 3] = 7.0
        assert array.copy_to_host()[1, 2, 3] == 7.0
