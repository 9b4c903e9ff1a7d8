"""Products of one block beside the loop over another: in order, side by side, and nothing runs on after an error."""

import threading
import time

import numba
import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.backends import cpu
from enrnn_ref.backends.base import Stages
from enrnn_ref.backends.reference import ReferenceBackend
from enrnn_ref.models import time_blocks
from tests.strategies import flat

WAIT = 20
ENGINES = [cpu.CpuBackend(1), cpu.CpuBackend(2), cpu.CpuBackend(3), ReferenceBackend()]


def stages(did):
    """Three that write down what they did, and hand on the item and how often it was handed on."""

    def stage(name):
        def work(item):
            did.append((name, item))
            return item + 100

        return work

    return [stage(name) for name in ("before", "loop", "after")]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: f"{engine.name} {getattr(engine, '_given', '')}")
@pytest.mark.parametrize("items", [1, 2, 3, 5])
def test_each_stage_takes_every_item_once_and_in_order(engine, items):
    did = []
    engine.pipeline(Stages(*stages(did)), range(items), cpu.PARALLEL_WORK)
    for hops, name in enumerate(("before", "loop", "after")):
        assert [item for stage, item in did if stage == name] == [100 * hops + item for item in range(items)]


def threads_of(engine, items, multiply_adds):
    """The threads in which the loop ran, and those of the other two stages."""
    loop, others = set(), set()

    def other(item):
        others.add(threading.current_thread())
        return item

    def looping(item):
        loop.add(threading.current_thread())
        return item

    engine.pipeline(Stages(other, looping, other), range(items), multiply_adds)
    return loop, others


def test_the_calling_thread_loops_and_another_does_the_products():
    here = {threading.current_thread()}
    loop, others = threads_of(cpu.CpuBackend(2), 4, cpu.PARALLEL_WORK)
    assert loop == here
    assert others > here  # which begins with the first item and ends the last, alone


@pytest.mark.parametrize("items", [2, 3])
def test_two_items_are_worth_a_second_thread(items):
    here = {threading.current_thread()}
    assert threads_of(cpu.CpuBackend(2), items, cpu.PARALLEL_WORK)[1] > here


@pytest.mark.parametrize(
    ("threads", "items", "work"),
    [(1, 4, cpu.PARALLEL_WORK), (2, 1, cpu.PARALLEL_WORK), (2, 4, cpu.PARALLEL_WORK - 1)],
)
def test_one_thread_does_all_where_a_second_one_brings_nothing(threads, items, work, monkeypatch):
    """Nor is one woken."""
    here = {threading.current_thread()}
    monkeypatch.setattr(cpu, "_pool", None)
    assert threads_of(cpu.CpuBackend(threads), items, work) == (here, here)


def test_the_loop_over_one_item_waits_for_no_product_of_another():
    """While item 1 loops, item 0 is ended and item 2 begun: the loop waits here for both to have happened."""
    begun, ended = ([threading.Event() for _ in range(3)] for _ in range(2))

    def before(item):
        begun[item].set()
        return item

    def loop(item):
        if item == 1:
            assert ended[0].wait(WAIT)
            assert begun[2].wait(WAIT)
        return item

    stages = Stages(before, loop, lambda item: ended[item].set())
    cpu.CpuBackend(2).pipeline(stages, range(3), cpu.PARALLEL_WORK)
    assert all(event.is_set() for event in ended)


@pytest.mark.parametrize("failing", ["before", "loop", "after"])
def test_an_error_is_raised_when_nothing_runs_any_more(failing):
    running = []

    def stage(name):
        def work(item):
            running.append(name)
            time.sleep(0.02 if name != failing else 0.0)
            running.remove(name)
            if name == failing and item == 1:
                raise KeyError(name)
            return item

        return work

    with pytest.raises(KeyError, match=failing):
        cpu.CpuBackend(2).pipeline(Stages(*map(stage, ("before", "loop", "after"))), range(4), cpu.PARALLEL_WORK)
    assert not running


@pytest.mark.parametrize("checkpoint_every", [None, 7])
@pytest.mark.parametrize(
    "model",
    [
        er.ENRNN(3, 4, 5, 2),
        er.ENRNN(3, 4, 5, 2, readout="last"),
        er.GRU(3, 6, reset="before"),
        er.LSTM(3, 7, 4, projection_size=5),
        er.MomentumRNN(3, 6, 2),
    ],
    ids=["all", "last", "relayed", "projected", "filtered"],
)
def test_gradients_have_the_same_bits(model, checkpoint_every, monkeypatch):
    """Whether a second thread does the products of a single sequence or not."""
    monkeypatch.setattr(cpu, "PARALLEL_WORK", 1)
    monkeypatch.setattr(time_blocks, "GRADIENT_BYTES", 1)
    monkeypatch.setattr(time_blocks, "LEAST_ROWS", 3)
    rng, found = np.random.default_rng(0), []
    params = {key: rng.standard_normal(shape) / 3 for key, shape in model.shapes.items()}
    x = rng.standard_normal((20, 1, 3))
    state = {key: rng.standard_normal(shape) for key, shape in model.state_shapes(1).items()}
    before = numba.get_num_threads()
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            run = model.forward(params, x, state, checkpoint_every=checkpoint_every)
            found.append({"y": run.y} | flat(model.backward(run, np.cos(run.y), {"h": np.sin(run.state["h"])})))
    finally:
        numba.set_num_threads(before)
    for key, array in found[0].items():
        assert array.any()
        np.testing.assert_array_equal(found[1][key], array, err_msg=key)
