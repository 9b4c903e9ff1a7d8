"""What a backend promises to the models above it (backends/base.py)."""

import numpy as np
import pytest

from enrnn_ref import backends
from enrnn_ref.backends.base import States, Step, room
from tests.gated_cell import GatedCell
from tests.strategies import BACKENDS

T, B, N = 5, 3, 4
CELL = GatedCell()


def _arguments(seed=0):
    rng = np.random.default_rng(seed)
    everywhere = ((slice(0, 2 * N), slice(0, N)),)
    step = Step(rng.standard_normal((2 * N, N)), rng.standard_normal((3, N)), everywhere)
    initial = States(rng.standard_normal((B, N)), rng.standard_normal((1, B, N)))
    return rng, step, rng.standard_normal((T, B, 2 * N)), initial


def _forward(backend, step, drive, initial):
    tape = room(CELL, len(drive), initial, projected=False)
    tape.z[...] = drive
    backend.forward(CELL, step, tape)
    return tape


@pytest.mark.parametrize("name", BACKENDS)
def test_forward_gives_states_and_the_tape(name):
    _, step, drive, initial = _arguments()
    tape = _forward(backends.get(name), step, drive, initial)
    (h, memory), z = tape.states, tape.z
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
    given = [step.matrix, step.theta, tape.z, *tape.states, *dfinal, *([dh] if direct else [])]
    before = [array.copy() for array in given]

    def arrays():
        found = backend.backward(CELL, step, tape, dh, dfinal)
        assert found.dh is None
        return found.dz, *found.dinitial, found.dtheta

    first = arrays()
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    for once, again in zip(first, arrays(), strict=True):
        np.testing.assert_array_equal(once, again)
    assert [array.shape for array in first] == [(T, B, 2 * N), (B, N), (1, B, N), (3, N)]


@pytest.mark.parametrize("name", BACKENDS)
def test_a_tape_may_write_its_states_among_those_of_other_sequences(name):
    """The same bits as on its own, and nothing beside them is touched; from there backward too."""
    rng, step, drive, initial = _arguments()
    backend, whole, first = backends.get(name), np.full((T + 1, 2 + B + 1, N), np.nan), 2
    own = _forward(backend, step, drive, initial)
    tape = room(CELL, T, initial, projected=False, within=(whole, first))
    tape.z[...] = drive
    backend.forward(CELL, step, tape)
    np.testing.assert_array_equal(whole[:, first : first + B], own.states.h)
    assert np.isnan(whole[:, :first]).all()
    assert np.isnan(whole[:, first + B :]).all()
    dfinal = States(rng.standard_normal((B, N)), rng.standard_normal((1, B, N)))
    found, expected = (backend.backward(CELL, step, each, None, dfinal) for each in (tape, own))
    np.testing.assert_array_equal(found.dz, expected.dz)
    np.testing.assert_array_equal(found.dinitial.h, expected.dinitial.h)


@pytest.mark.parametrize("name", BACKENDS)
def test_products_over_time(name):
    rng, backend = np.random.default_rng(1), backends.get(name)
    x, weight, bias = rng.standard_normal((T, B, 6)), rng.standard_normal((7, 6)), rng.standard_normal(7)
    np.testing.assert_allclose(backend.affine(x, weight, bias), np.einsum("tbi,oi->tbo", x, weight) + bias, atol=1e-13)
    np.testing.assert_allclose(backend.affine(x, weight, None), np.einsum("tbi,oi->tbo", x, weight), atol=1e-13)
    dz = rng.standard_normal((T, B, 7))
    np.testing.assert_allclose(backend.correlate(dz, x), np.einsum("tbo,tbi->oi", dz, x), atol=1e-13)
    np.testing.assert_allclose(backend.total(dz), dz.sum(axis=(0, 1)), atol=1e-13)
