"""What a backend promises to the models above it (backends/base.py)."""

import numpy as np
import pytest

from enrnn_ref import backends
from enrnn_ref.backends.base import States, Step, parts, room
from tests.gated_cell import GatedCell
from tests.strategies import BACKENDS

T, B, N = 5, 3, 4
CELL = GatedCell()


def _arguments(seed=0):
    rng = np.random.default_rng(seed)
    everywhere = ((slice(0, 2 * N), slice(0, N)),)
    step = Step(rng.standard_normal((2 * N, N)), rng.standard_normal((3, N)), parts(CELL, everywhere, N))
    initial = States(rng.standard_normal((B, N)), rng.standard_normal((1, B, N)))
    return rng, step, rng.standard_normal((T, B, 2 * N)), initial


def _forward(backend, step, drive, initial):
    tape = room(backend, CELL, len(drive), States(*map(backend.take, initial)), projected=False)
    backend.copy(tape.z, backend.take(drive))
    backend.forward(CELL, _there(backend, step), tape)
    return tape


def _there(backend, step):
    return Step(backend.take(step.matrix), backend.take(step.theta), step.parts)


@pytest.mark.parametrize("name", BACKENDS)
def test_forward_gives_states_and_the_tape(name):
    _, step, drive, initial = _arguments()
    backend = backends.get(name)
    tape = _forward(backend, step, drive, initial)
    h, memory, z = map(backend.give, (*tape.states, tape.z))
    assert tape.emitted is tape.relayed is None
    assert h.shape == (T + 1, B, N)
    assert memory.shape == (T + 1, 1, B, N)
    np.testing.assert_array_equal(h[0], initial.h)
    np.testing.assert_array_equal(memory[0], initial.memory)
    for t in range(T):
        np.testing.assert_allclose(z[t], drive[t] + h[t] @ step.matrix.T, rtol=1e-13, atol=1e-14)
        after = CELL.step(tuple(np.split(z[t], 2, axis=1)), (h[t], *memory[t]), tuple(step.theta))
        np.testing.assert_allclose((h[t + 1], *memory[t + 1]), after, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("name", BACKENDS)
def test_backward_modifies_nothing(name, direct):
    """A run may be differentiated any number of times, with cotangents that its caller keeps."""
    rng, step, drive, initial = _arguments()
    backend = backends.get(name)
    tape = _forward(backend, step, drive, initial)
    dh = rng.standard_normal((T, B, N)) if direct else None
    dfinal = States(rng.standard_normal((B, N)), rng.standard_normal((1, B, N)))
    dh, dfinal = (None if dh is None else backend.take(dh)), States(*map(backend.take, dfinal))
    step = _there(backend, step)
    on_engine = [step.matrix, step.theta, tape.z, *tape.states, *dfinal, *([dh] if direct else [])]

    def given():
        return [backend.give(array).copy() for array in on_engine]

    def arrays():
        found = backend.backward(CELL, step, tape, dh, dfinal)
        assert found.dh is None
        return [backend.give(array) for array in (found.dz, *found.dinitial, found.dtheta)]

    before = given()
    first = arrays()
    for array, copy in zip(given(), before, strict=True):
        np.testing.assert_array_equal(array, copy)
    for once, again in zip(first, arrays(), strict=True):
        np.testing.assert_array_equal(once, again)
    assert [array.shape for array in first] == [(T, B, 2 * N), (B, N), (1, B, N), (3, N)]


NOT_OWN = {
    "a list": [1.0, 2.0],
    "a subclass": np.ma.array([1.0, 2.0]),
    "by columns": np.asfortranarray(np.ones((2, 3))),
    "read-only": np.broadcast_to(1.0, (2,)),
    "whole numbers": np.arange(3),
    "half precision": np.ones(2, np.float16),
    "extended precision": np.ones(2, np.longdouble),
}


@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_own_arrays_are_told_from_others(name):
    """What is its own is not looked at again."""
    backend = backends.get(name)
    assert all(backend.owns(np.ones((2, 3), dtype)) for dtype in (np.float32, np.float64))
    assert [case for case, array in NOT_OWN.items() if backend.owns(array)] == []


LAYOUTS = {
    "some sequences": lambda dh: np.repeat(dh, 2, axis=1)[:, ::2],
    "neighbouring sequences": lambda dh: np.concatenate([dh, dh], axis=1)[:, :B],
    "from the last time": lambda dh: dh[::-1].copy()[::-1],
    "by columns": np.asfortranarray,
    "fields of records": lambda dh: _records(dh)["dh"],
    "one for all times": lambda dh: np.broadcast_to(dh[:1], dh.shape),
    "one number": lambda dh: np.broadcast_to(dh[0, 0, 0], dh.shape),
}


def _records(dh):
    records = np.zeros(len(dh), [("dh", dh.dtype, dh.shape[1:]), ("more", np.int8)])
    records["dh"] = dh
    return records


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_backward_takes_gradients_in_any_layout(name, layout):
    rng, step, drive, initial = _arguments()
    backend, reference = backends.get(name), backends.get("reference")
    tape, other = (_forward(engine, step, drive, initial) for engine in (backend, reference))
    dh = LAYOUTS[layout](rng.standard_normal((T, B, N)))
    dfinal = States(np.zeros((B, N)), np.zeros((1, B, N)))
    found, expected = (backend.backward(CELL, step, tape, each, dfinal) for each in (dh, dh.copy("C")))
    assert dh.strides != dh.copy("C").strides
    np.testing.assert_array_equal(found.dz, expected.dz)
    by_hand = reference.backward(CELL, step, other, dh.copy("C"), dfinal)
    np.testing.assert_allclose(found.dz, by_hand.dz, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_gradient_of_one_number(name):
    """One time, one sequence, one unit: no less of a gradient."""
    rng, backend = np.random.default_rng(5), backends.get(name)
    everywhere = ((slice(0, 2), slice(0, 1)),)
    step = Step(rng.standard_normal((2, 1)), rng.standard_normal((3, 1)), parts(CELL, everywhere, 1))
    initial = States(rng.standard_normal((1, 1)), rng.standard_normal((1, 1, 1)))
    tape = _forward(backend, step, rng.standard_normal((1, 1, 2)), initial)
    dh, nothing = backend.take(rng.standard_normal((1, 1, 1))), np.zeros((1, 1, 1))
    memory = backend.take(nothing)
    direct = backend.backward(CELL, _there(backend, step), tape, dh, States(backend.take(nothing[0]), memory))
    final = backend.backward(CELL, _there(backend, step), tape, None, States(dh[0], memory))
    assert backend.give(direct.dz).any()
    np.testing.assert_array_equal(backend.give(direct.dz), backend.give(final.dz))


@pytest.mark.parametrize("name", BACKENDS)
def test_products_over_time(name):
    rng, backend = np.random.default_rng(1), backends.get(name)
    x, weight, bias = rng.standard_normal((T, B, 6)), rng.standard_normal((7, 6)), rng.standard_normal(7)
    dz, expected = rng.standard_normal((T, B, 7)), np.einsum("tbi,oi->tbo", x, weight)
    x_there, dz_there, weight_there, bias_there = map(backend.take, (x, dz, weight, bias))
    for offset, sum_ in ((bias_there, expected + bias), (None, expected)):
        np.testing.assert_allclose(backend.give(backend.affine(x_there, weight_there, offset)), sum_, atol=1e-13)
    product, total = backend.correlate(dz_there, x_there), backend.total(dz_there)
    np.testing.assert_allclose(backend.give(product), np.einsum("tbo,tbi->oi", dz, x), atol=1e-13)
    np.testing.assert_allclose(backend.give(total), dz.sum(axis=(0, 1)), atol=1e-13)


@pytest.mark.parametrize("name", BACKENDS)
def test_arrays_are_filled_and_added_to_where_the_backend_computes(name):
    """Whole ones and slices, of one to three axes; a term may have the last axes only."""
    rng, backend = np.random.default_rng(2), backends.get(name)
    host, term = rng.standard_normal((T, B, 8)), rng.standard_normal(3)
    there = backend.take(host.copy())
    backend.clear(there[1:2])
    backend.copy(there[2:, :, 1:4], backend.take(host[:-2, :, 4:7]))
    backend.add(there[..., 5:8], backend.take(term))
    backend.add(there[0, 1:], there[3, 1:])
    expected = host.copy()
    expected[1] = 0
    expected[2:, :, 1:4] = host[:-2, :, 4:7]
    expected[..., 5:8] += term
    expected[0, 1:] += expected[3, 1:]
    np.testing.assert_array_equal(backend.give(there), expected)
    assert there.shape == expected.shape
    assert there.dtype == expected.dtype
    np.testing.assert_array_equal(backend.give(backend.zeros((2, 3), np.float32)), np.zeros((2, 3), np.float32))
    double = backend.empty((T, B, 8), np.float64)
    single = backend.take(host.astype(np.float32))
    backend.copy(double, single)
    np.testing.assert_array_equal(backend.give(double), host.astype(np.float32).astype(np.float64))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", BACKENDS)
def test_joined_arrays_are_new(name, axis):
    backend, host = backends.get(name), np.random.default_rng(3).standard_normal((T, B, N))
    cut = 1 + axis % 2
    ends = (slice(0, cut), slice(cut, None), slice(0, 0))
    parts = [backend.take(host)[(*[slice(None)] * axis, end)] for end in ends]
    np.testing.assert_array_equal(backend.give(backend.joined(parts, axis)), host)
    (alone,) = parts[:1]
    copy = backend.joined([alone])
    backend.clear(copy)
    np.testing.assert_array_equal(backend.give(alone), host[(*[slice(None)] * axis, ends[0])])
    np.testing.assert_array_equal(backend.give(backend.joined([alone[0, 0]])), host[0, 0][: alone.shape[2]])


@pytest.mark.parametrize("kinds", [(np.float64, np.float32), (np.float32, np.float32), (np.float32, np.float64)])
@pytest.mark.parametrize("name", BACKENDS)
def test_copies_are_new_and_of_the_wanted_dtype(name, kinds):
    """Few and many, of every shape: more than go through one launch where arrays are on a device."""
    rng, backend, (old, new) = np.random.default_rng(4), backends.get(name), kinds
    shapes = [(), (0, 3), (7,), *((k, 2, 3) for k in range(1, 17))]
    hosts = {str(k): rng.standard_normal(shape).astype(old) for k, shape in enumerate(shapes)}
    theres = {key: backend.take(host.copy()) for key, host in hosts.items()}
    for keys in (list(hosts), ["1"], []):
        found = backend.copies({key: theres[key] for key in keys}, new)
        assert list(found) == keys
        for key, array in found.items():
            assert array.dtype == new
            np.testing.assert_array_equal(backend.give(array), hosts[key].astype(new), strict=True)
            backend.clear(array)
    for key, host in hosts.items():
        np.testing.assert_array_equal(backend.give(theres[key]), host)


@pytest.mark.parametrize("name", BACKENDS)
def test_only_a_device_does_later_what_it_is_asked_for(name):
    assert backends.get(name).ahead == (name == "cuda")
