"""The laws that hold for every backend, on problems that hypothesis draws."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrnn_ref import backends
from enrnn_ref.backends.base import States, Step, parts, room
from enrnn_ref.backends.cuda import rule
from enrnn_ref.backends.cuda.target import SIMULATED
from enrnn_ref.cells import ComplexModRelu, GruAfter, Lstm, ModRelu
from tests.backends import test_contract as contract
from tests.gated_cell import GatedCell
from tests.mutants.systems import case

CELLS = (ModRelu(), Lstm(), GruAfter(), ComplexModRelu(), GatedCell())


@contextlib.contextmanager
def few_blocks(engine, rung):
    """One block, where blocks would meet and cannot, on the simulator."""
    if engine.name != "cuda" or rung != "grid" or not SIMULATED:
        yield
        return
    before, engine.limits = engine.limits, engine.limits._replace(blocks=1)
    try:
        yield
    finally:
        engine.limits = before


@settings(max_examples=60)
@given(
    cell=st.sampled_from(CELLS),
    times=st.integers(1, 4),
    batch=st.integers(1, 5),
    n=st.integers(1, 6),
    rung=st.sampled_from(rule.RUNGS),
    dtype=st.sampled_from((np.float32, np.float64)),
    direct=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_loops_of_any_size_give_what_the_readable_ones_give(cell, times, batch, n, rung, dtype, direct, seed):
    rng = np.random.default_rng(seed)
    gates, width, others = len(cell.recurrent), cell.output_components * n, sum(cell.memory.values())

    def normal(*shape):
        return rng.standard_normal(shape).astype(dtype)

    matrix = normal(gates * n, width) / np.sqrt(width, dtype=dtype)
    everywhere = ((slice(0, gates * n), slice(0, width)),)
    theta, drive = normal(sum(cell.parameters.values()), n), normal(times, batch, cell.gates * n)
    initial, dfinal = (States(normal(batch, width), normal(others, batch, n)) for _ in range(2))
    dh = normal(times, batch, width) if direct else None
    found = {}
    for name in ("reference", "cuda"):
        engine = backends.get(name)
        step = Step(engine.take(matrix), engine.take(theta), parts(cell, everywhere, n))
        tape = room(engine, cell, times, States(*map(engine.take, initial)), projected=False)
        engine.copy(tape.z, engine.take(drive))
        with rule.forced(rung), few_blocks(engine, rung):
            engine.forward(cell, step, tape)
            direct_there = None if dh is None else engine.take(dh)
            back = engine.backward(cell, step, tape, direct_there, States(*map(engine.take, dfinal)))
        found[name] = [engine.give(a) for a in (tape.z, *tape.states, back.dz, *back.dinitial, back.dtheta)]
    # Orders of summation, over four steps of maps whose slopes are a few units at most.
    tolerance = 2000 * np.finfo(dtype).eps
    for array, expected in zip(found["cuda"], found["reference"], strict=True):
        scale = max(1.0, np.abs(expected).max(initial=0.0))
        np.testing.assert_allclose(array, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("name", ["enrnn", "lstm", "gru-before", "projected", "scurnn"])
def test_tangent_and_backward_are_adjoint(name):
    point = case(name, times=4, batch=3)
    along, gradients = point.tangent("cuda"), point.gradients("cuda")
    directions, cotangents = point.directions(), point.cotangents()
    forward = [array * cotangents[key] for key, array in along.items()]
    backward = [directions[key] * gradients[key] for key in gradients]
    size = sum(np.abs(terms).sum() for terms in (*forward, *backward))
    difference = sum(terms.sum() for terms in forward) - sum(terms.sum() for terms in backward)
    assert abs(difference) <= 100 * np.finfo(np.float64).eps * size


def test_a_backend_s_promises():
    contract.test_forward_gives_states_and_the_tape("cuda")
    contract.test_products_over_time("cuda")
    contract.test_arrays_are_filled_and_added_to_where_the_backend_computes("cuda")
    for axis in range(3):
        contract.test_joined_arrays_are_new("cuda", axis)
    for kinds in ((np.float64, np.float32), (np.float32, np.float32), (np.float32, np.float64)):
        contract.test_copies_are_new_and_of_the_wanted_dtype("cuda", kinds)
    for direct in (True, False):
        contract.test_backward_modifies_nothing("cuda", direct)


@pytest.mark.parametrize("name", ["enrnn", "lstm-peephole", "relayed"])
def test_the_same_bits_from_run_to_run(name):
    point = case(name, times=3, batch=2)
    for found in (point.values, point.gradients, point.tangent):
        once, again = found("cuda"), found("cuda")
        for key, array in once.items():
            np.testing.assert_array_equal(array, again[key], err_msg=key)


@pytest.mark.parametrize("name", ["enrnn", "gru-before", "momentumlstm"])
def test_states_kept_here_and_there_give_the_same_gradients(name):
    """A pass by segments sums over other stretches of time."""
    point = case(name, times=4, batch=2)
    whole = point.gradients("reference")
    run = point.run("cuda", checkpoint_every=1)
    found = point.model.backward(run, point.y_cotangent, point.state_cotangent)
    for key, array in found.params.items():
        np.testing.assert_allclose(array, whole[key], rtol=1e-9, atol=1e-11, err_msg=key)


@pytest.mark.parametrize(("times", "batch"), [(1, 1), (1, 3), (3, 1)])
@pytest.mark.parametrize("name", ["enrnn", "enrnn-short", "lstm-last", "gru"])
def test_the_smallest_sizes(name, times, batch):
    point = case(name, times=times, batch=batch)
    for found in (point.values, point.gradients):
        expected = found("reference")
        for key, array in found("cuda").items():
            np.testing.assert_allclose(array, expected[key], rtol=1e-9, atol=1e-11, err_msg=key)
