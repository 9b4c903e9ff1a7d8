"""Arrays that lie on the device are taken where they are, and results are given back on the same side."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref import backends
from enrnn_ref.backends.cuda import arrays, target
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.crossing import Later
from enrnn_ref.backends.cuda.target import CudaAPIError, cuda, interface_of
from tests.cuda.test_every_system import assert_alike
from tests.cuda.told import told_of_a_map
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


def test_entries_that_do_not_follow_each_other_are_copied_from_any_number_of_axes():
    host = np.random.default_rng(0).standard_normal((2, 3, 4, 5, 3))
    copied = backends.get("cuda").adopt(Foreign(cuda.to_device(host)[:, 1:, :, 1:4]))
    assert copied.contiguous
    np.testing.assert_array_equal(copied.copy_to_host(), host[:, 1:, :, 1:4])


@pytest.mark.parametrize("key", [(slice(None), None), None, (slice(None), None, slice(None, 1))], ids=str)
def test_an_axis_of_one_entry_has_a_stride_on_the_device(key):
    """NumPy gives a new axis the stride 0, by which Numba knows an array that is broadcast: it would not reshape it."""
    host = np.arange(6.0).reshape(6, 1)[key]
    taken = backends.get("cuda").take(host)
    assert taken.data.strides == np.empty(host.shape).strides
    assert taken.contiguous
    np.testing.assert_array_equal(taken.reshape(host.size).copy_to_host(), host.ravel())


def test_the_stream_is_named_in_which_an_array_is_written():
    """Who takes an array has to wait for it; 1 is the default stream in version 3 of the interface."""
    interface = DeviceArray(cuda.to_device(np.ones(3))).__cuda_array_interface__
    assert (interface["stream"], interface["version"]) == (1, 3)


@pytest.mark.parametrize("readout", ["all", "last"])
@pytest.mark.parametrize("output_size", [None, 2])
def test_what_is_shown_of_a_tape_may_be_written_to(output_size, readout):
    """Nothing on a device is read-only: results are no part of the tape, and what was lent is not changed."""
    model = er.ENRNN(4, 3, 2, output_size, readout=readout)
    params, x = model.init(0), np.random.default_rng(1).standard_normal((3, 2, 4))
    lent = foreign(x)
    run = model.forward(params, lent, backend="cuda")
    dy = foreign(np.random.default_rng(2).standard_normal(run.y.shape))
    first = model.backward(run, dy)
    for shown in (run.y, run.h, *run.state.values(), first.x):
        backends.get("cuda").clear(shown)
        assert not shown.copy_to_host().any()
    second = model.backward(run, dy)
    expected = model.backward(model.forward(params, x), dy.data.copy_to_host())
    assert_alike(on_host({"x": second.x}), {"x": expected.x})
    assert_alike(second.params, expected.params)
    np.testing.assert_array_equal(lent.data.copy_to_host(), x)


class Numbered(Foreign):
    """It says on which GPU it lies, as arrays of CuPy, PyTorch and JAX do."""

    def __init__(self, data, number):
        super().__init__(data)
        self.number = number

    def __dlpack_device__(self):
        return 2, self.number


def test_an_array_of_another_gpu_is_refused():
    """Its address means something else here, or nothing."""
    model = er.RNN(2, 3)
    params, x = model.init(0), cuda.to_device(np.ones((3, 2, 2)))
    expected = model.forward(params, np.ones((3, 2, 2)))
    run = model.forward(params, Numbered(x, target.device_number()), backend="cuda")
    assert_alike(on_host({"y": run.y}), {"y": expected.y})
    with pytest.raises(er.errors.PlacementError, match=r"^x lies on GPU 7; expected an array on GPU \d"):
        model.forward(params, Numbered(x, 7), backend="cuda")


@pytest.fixture
def crossed(monkeypatch):
    """The bytes of all that crosses, in either direction."""
    found = []
    to_device, to_host = arrays.to_device, DeviceArray.copy_to_host
    monkeypatch.setattr(arrays, "to_device", lambda array: found.append(array.nbytes) or to_device(array))
    monkeypatch.setattr(DeviceArray, "copy_to_host", lambda array: found.append(array.nbytes) or to_host(array))
    read = Later.read
    monkeypatch.setattr(Later, "read", lambda later: found.append(later._numbers.nbytes) or read(later))
    return found


def bytes_of_a_pass(crossed, point, given):
    """Of the second pass: the first brings constants, such as where the gates stand."""
    x, dy, state = foreign(point.x), foreign(point.y_cotangent), all_foreign(point.state)
    params = given(point.params)
    for _ in range(2):
        crossed.clear()
        point.model.backward(point.model.forward(params, x, state, backend="cuda"), dy)
    return sum(crossed)


SEVERAL = ("enrnn", "lstm-peephole", "gru", "stacked", "bidirectional")


@pytest.mark.parametrize("name", SEVERAL)
def test_what_crosses_does_not_grow_with_the_sequences(name, crossed):
    """Weights of the host and the sums of their gradients cross; inputs, tapes, outputs and states do not."""
    few, many = (
        bytes_of_a_pass(crossed, case(name, times=times, batch=batch), dict) for times, batch in ((2, 2), (5, 3))
    )
    assert few == many > 0


@pytest.mark.parametrize("name", SEVERAL)
def test_parameters_of_the_device_stay_there(name, crossed):
    """Only of R a few numbers are told: whether it could be made there."""
    point = case(name, times=3, batch=2)
    told = [numbers for _, recurrence, _, _ in point.model.recurrences({}) for numbers in told_of_a_map(recurrence)]
    assert bytes_of_a_pass(crossed, point, all_foreign) == 8 * sum(told)


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
    with pytest.raises(er.errors.ShapeError, match=r"x has shape \(3, 2, 2, 5\)"):
        model.forward(point.params, Foreign(cuda.to_device(np.zeros((3, 2, 4, 5)))[:, :, 1:3]), backend="cuda")
    masked = foreign(point.x)
    masked.__cuda_array_interface__["mask"] = foreign(point.x > 0)
    with pytest.raises(er.errors.DtypeError, match="x is a masked array"):
        model.forward(point.params, masked, backend="cuda")


def test_parameters_of_a_device_are_not_looked_at_but_where_no_result_exists():
    point = case("enrnn", times=3, batch=2)

    def with_nan(name):
        broken = dict(point.params, **{name: np.full_like(point.params[name], np.nan)})
        return point.model.forward(all_foreign(broken), point.x, backend="cuda")

    assert np.isnan(with_nan("input").y).all()
    for name in ("skew", "short"):
        with pytest.raises(er.errors.NotFiniteError, match=r"holds .* NaN"):
            with_nan(name)
    with pytest.raises(er.errors.ParameterError, match="params is a list"):
        point.model.forward([foreign(point.x)], point.x, backend="cuda")


class Refusing:
    """A tensor of PyTorch whose gradient is wanted does not hand out its memory."""

    @property
    def __cuda_array_interface__(self):
        raise RuntimeError("it requires grad")


def test_what_the_driver_says_of_an_array_is_told_from_what_its_owner_says(monkeypatch):
    point = case("enrnn", times=3, batch=2)
    with pytest.raises(er.errors.PlacementError, match=r"x does not hand out .* it requires grad; .*\.detach\(\)"):
        point.model.forward(point.params, Refusing(), backend="cuda")

    def lost(value):
        raise CudaAPIError(700, "CUDA_ERROR_ILLEGAL_ADDRESS")

    monkeypatch.setattr("enrnn_ref.backends.cuda.algebra.array_of", lost)
    with pytest.raises(er.errors.DeviceError, match="ILLEGAL_ADDRESS"):
        point.model.forward(point.params, foreign(point.x), backend="cuda")


class TestArraysOfTheDevice:
    HOST = np.random.default_rng(1).standard_normal((4, 3, 5))

    def there(self):
        return DeviceArray(cuda.to_device(self.HOST))

    ALONG = (2, -1, np.int64(1), slice(1, 3), slice(-1, None), slice(3, 3))

    @pytest.mark.parametrize("key", [*ALONG, (slice(None), 1), (..., slice(2, 4)), (0, ..., -1), (1, 2)], ids=str)
    def test_slices_are_those_of_numpy(self, key):
        found, expected = self.there()[key], self.HOST[key]
        assert found.shape == expected.shape
        assert found.size == expected.size
        assert found.nbytes == expected.nbytes
        np.testing.assert_array_equal(found.copy_to_host(), expected)

    def test_a_slice_costs_the_same_whatever_the_lengths(self, monkeypatch):
        """Numba's own goes through every piece of memory that a slice consists of."""
        array = self.there()

        def counted(data, key):
            raise AssertionError(f"Numba is asked for {key}")

        monkeypatch.setattr(type(array.data), "__getitem__", counted)
        assert array[1:, :, 2:4][0].shape == (3, 2)

    def test_of_a_slice_another_can_be_taken(self):
        found = self.there()[1:, :, 1:4][:, 1, 1:]
        np.testing.assert_array_equal(found.copy_to_host(), self.HOST[1:, :, 1:4][:, 1, 1:])

    OTHERS = (None, [0, 1], 1.0, "x", True, (..., 0, ...), np.array([1, 0]))
    STEPS = (slice(None, None, 2), (0, slice(None, None, -1)), (0, 0, 0, 0))

    @pytest.mark.parametrize("key", [*STEPS, *OTHERS], ids=str)
    def test_what_is_not_a_stretch_of_every_axis_is_refused(self, key):
        with pytest.raises(IndexError, match="expected integers and slices without a step"):
            self.there()[key]
        with pytest.raises(IndexError):
            self.there()[4]

    def test_an_entry_is_an_array_without_axes(self):
        array = self.there()
        backends.get("cuda").clear(array[1, 2, 3])
        expected = self.HOST.copy()
        expected[1, 2, 3] = 0
        np.testing.assert_array_equal(array.copy_to_host(), expected)
        assert array[1, 2, 4].copy_to_host() == self.HOST[1, 2, 4]

    def test_numpy_does_not_take_one_for_something_else(self):
        with pytest.raises(er.errors.PlacementError, match=r"DeviceArray\(shape=\(4, 3, 5\).*copy_to_host"):
            np.asarray(self.there())
        with pytest.raises(TypeError):
            list(self.there())

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

    def test_other_libraries_see_the_same_memory(self):
        array = self.there()
        engine = backends.get("cuda")
        engine.clear(engine.adopt(Foreign(array.data))[1, 2])
        expected = self.HOST.copy()
        expected[1, 2] = 0
        np.testing.assert_array_equal(array.copy_to_host(), expected)


def test_what_a_model_does_between_passes_is_done_where_its_parameters_lie():
    """The penalty and its gradients, and the move of a base: the host's own, and given back on the device."""
    model = er.Stacked(
        [er.NnRNN(2, 4, lower_decay=0.2, modulus_penalty=0.3), er.RNN(4, 5), er.ExpRNN(5, 3, 1, rebase_every=1)]
    )
    params = {key: array + 0.1 for key, array in model.init(0).items()}
    buffers = model.forward(params, np.ones((3, 2, 2))).buffers
    taken = {key: DeviceArray(cuda.to_device(array)) for key, array in params.items()}

    expected, gradients = model.penalty(params)
    value, found = model.penalty(taken)
    assert value == expected > 0
    assert_same_arrays(on_host(found), gradients)

    moved, after = model.after_update(params, buffers)
    assert any(not np.array_equal(moved[key], params[key]) for key in params)
    found, buffers_found = model.after_update(taken, buffers)
    assert_same_arrays(on_host(found), moved)
    assert_same_arrays(buffers_found, after)
    assert all(found[key] is not taken[key] for key in taken)


def assert_same_arrays(found, expected):
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key, strict=True)
