"""What a run hands out, what it does not let be written to, and how its work is cut up."""

import functools
import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref import backends
from enrnn_ref.backends import cpu
from enrnn_ref.models.time_blocks import at_gates
from enrnn_ref.parametrizations import Parametrization


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("readout", ["all", "last"])
def test_views_of_the_tape_are_read_only(backend, readout):
    """The states are kept for the backward pass: a caller who could change them would change gradients."""
    model = er.RNN(2, 3, readout=readout)
    run = model.forward(model.init(0), np.ones((4, 5, 2)), backend=backend)
    assert not run.y.flags.writeable
    assert not run.h.flags.writeable
    assert not model.forward(model.init(0), np.ones((4, 5, 2)), keep=False, backend=backend).y.flags.writeable


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_stack_shows_the_states_of_its_last_layer(backend):
    layers = [er.LSTM(2, 3), er.RNN(3, 4)]
    stack, x = er.Stacked(layers), np.random.default_rng(0).standard_normal((5, 3, 2))
    params = stack.init(0)
    below, above = (
        {key.partition(".")[2]: array for key, array in params.items() if key.startswith(name)} for name in ("0", "1")
    )
    run = stack.forward(params, x, backend=backend)
    between = layers[0].forward(below, x, backend=backend).y
    np.testing.assert_array_equal(run.h, layers[1].forward(above, between, backend=backend).h)
    assert not run.h.flags.writeable
    assert stack.forward(params, x, keep=False, backend=backend).h is None


def test_only_the_readable_backend_takes_longdouble():
    model = er.RNN(2, 3)
    params = {key: array.astype(np.longdouble) for key, array in model.init(0).items()}
    x = np.ones((4, 5, 2), np.longdouble)
    assert model.forward(params, x, backend="reference").y.dtype == np.longdouble
    with pytest.raises(er.errors.DtypeError):
        model.forward(params, x, backend="cpu")


def test_only_maps_without_lapack_take_longdouble():
    assert not Parametrization.longdouble
    for model, longdouble in ((er.RNN(2, 3), True), (er.GRU(2, 3), True), (er.ScoRNN(2, 3), False)):
        assert model.longdouble == longdouble
    model = er.ScoRNN(2, 3)
    params = {key: array.astype(np.longdouble) for key, array in model.init(0).items()}
    with pytest.raises(er.errors.DtypeError):
        model.forward(params, np.ones((4, 5, 2), np.longdouble), backend="reference")


@pytest.mark.parametrize("model", [er.RNN(2, 3), er.ScoRNN(2, 3), er.ENRNN(2, 3, 4), er.LSTM(2, 3)])
def test_most_models_have_no_term_of_the_loss_of_their_own(model):
    value, grads = model.penalty(model.init(0))
    assert value == 0.0
    assert grads.keys() == model.shapes.keys()
    assert not any(array.any() for array in grads.values())


@pytest.mark.parametrize("batch", [1, 600, 1100])
@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_products_over_time_whatever_the_batch(name, batch):
    """A block of time holds many steps, one, or, with more sequences than a block has rows, still one."""
    backend, rng = backends.get(name), np.random.default_rng(0)
    x, dz, weight = (rng.standard_normal(shape) for shape in ((5, batch, 2), (5, batch, 3), (3, 2)))
    close = {"rtol": 1e-12, "atol": 1e-10}
    np.testing.assert_allclose(backend.affine(x, weight, np.ones(3)), np.einsum("tbi,oi->tbo", x, weight) + 1, **close)
    np.testing.assert_allclose(backend.correlate(dz, x), np.einsum("tbo,tbi->oi", dz, x), **close)
    np.testing.assert_allclose(backend.total(dz), dz.sum(axis=(0, 1)), **close)


@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_sums_over_time_are_longer_than_those_over_sequences(name):
    """Large terms at two times cancel around small ones that a float32 sum over time would lose."""
    backend = backends.get(name)
    dz = np.repeat(np.array([2.0**25, 1.0, -(2.0**25)], np.float32), 1024).reshape(3, 1024, 1)
    np.testing.assert_array_equal(backend.correlate(dz, np.ones_like(dz)), [[1024.0]])
    np.testing.assert_array_equal(backend.total(dz), [1024.0])


@pytest.mark.parametrize(
    ("gates", "sizes"), [((0, 1, 2, 3), [12]), ((0, 1, 3), [6, 3]), ((0, 2, 3), [3, 6]), ((1, 3), [3, 3]), ((2,), [3])]
)
def test_gates_side_by_side_are_taken_in_one_piece(gates, sizes):
    """Views, in the order of the gates; of four gates of three units."""
    dz = np.random.default_rng(0).standard_normal((2, 5, 12))
    found = at_gates(dz, gates, 3)
    assert [piece.shape[2] for piece in found] == sizes
    assert all(np.shares_memory(piece, dz) for piece in found)
    expected = np.concatenate([dz[..., 3 * gate : 3 * gate + 3] for gate in gates], axis=2)
    np.testing.assert_array_equal(np.concatenate(found, axis=2), expected)


@pytest.fixture
def three_threads(monkeypatch):
    monkeypatch.setattr(cpu, "PARALLEL_WORK", 100)
    monkeypatch.setattr(cpu.numba, "get_num_threads", lambda: 3)


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_threads_share_what_is_worth_it(length, three_threads):
    """Neighbouring shares of all, none of them empty; a single one below the least work for two threads."""
    backend = cpu.CpuBackend()
    assert backend.shares(length, 99) == [slice(0, length)]
    found = [(share.start, share.stop) for share in backend.shares(length, 100)]
    assert len(found) == min(length, 3)
    assert [lo for lo, _ in found] == [0, *(hi for _, hi in found[:-1])]
    assert found[-1][1] == length
    assert all(length // 3 <= hi - lo <= -(-length // 3) for lo, hi in found)


def test_a_backend_with_threads_of_its_own_asks_for_no_others(three_threads):
    assert len(cpu.CpuBackend(2).shares(7, 100)) == 2


@pytest.mark.parametrize("items", [2, 3])
def test_passes_run_side_by_side(items, three_threads):
    """In the order of the items, whichever ends first."""
    ended = threading.Event()

    def work(engine, item):  # the first ends last, which it could not if it ran before the others began
        assert ended.wait(20) if item == 0 else ended.set() is None
        return item

    assert cpu.CpuBackend().each(work, range(items)) == list(range(items))


@pytest.mark.parametrize(
    ("threads", "parts"),
    [(4, [4]), (4, [2, 2]), (4, [2, 1, 1]), (4, [1, 1, 1, 1]), (2, [1, 1, 1, 1, 1]), (1, [1, 1, 1])],
)
def test_each_pass_has_its_part_of_the_threads(threads, parts, monkeypatch):
    """More passes than threads wait for their turn."""
    monkeypatch.setattr(cpu, "PARALLEL_WORK", 100)
    side_by_side = min(threads, len(parts))
    lock, now, most, together = threading.Lock(), [0], [0], threading.Event()

    def work(engine, item):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] == min(2, side_by_side):  # the machine may have fewer processors than these threads
                together.set()
        assert together.wait(20)
        with lock:
            now[0] -= 1
        return item, len(engine.shares(7, 100))

    found = cpu.CpuBackend(threads).each(work, range(len(parts)))
    assert found == list(enumerate(parts))
    assert most[0] <= side_by_side


def test_one_thread_takes_one_pass_after_the_other():
    threads = cpu.CpuBackend(1).each(lambda engine, item: threading.current_thread(), range(3))
    assert set(threads) == {threading.current_thread()}


@pytest.mark.parametrize("failing", [0, 2])
def test_what_fails_is_raised_when_nothing_runs_any_more(failing, three_threads):
    ended = []

    def work(engine, item):
        if item == failing:
            raise KeyError(item)
        time.sleep(0.05)
        ended.append(item)

    with pytest.raises(KeyError):
        cpu.CpuBackend().each(work, range(3))
    assert sorted(ended) == [item for item in range(3) if item != failing]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_threads_of_its_own(three_threads):
    """Those of its parent do not run in it: it would wait for them for ever."""
    passes = functools.partial(cpu.CpuBackend().each, lambda engine, item: item, range(3))
    assert passes() == [0, 1, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads that others have started
        child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(passes() != [0, 1, 2])
    assert os.waitpid(child, 0)[1] == 0


def test_the_work_to_share_is_counted_in_multiply_adds(monkeypatch):
    """Of the recurrent products alone, and three of them as a tangent; of a share's sequences in its pass."""
    works, piped, pipeline = [], [], cpu.CpuBackend.pipeline
    monkeypatch.setattr(
        cpu.CpuBackend, "shares", lambda _, length, count: works.append(count) or [slice(0, 2), slice(2, length)]
    )
    monkeypatch.setattr(
        cpu.CpuBackend, "pipeline", lambda *arguments: piped.append(arguments[-1]) or pipeline(*arguments)
    )
    times, batch, m, n = 4, 5, 2, 3
    model, x = er.LSTM(m, n), np.random.default_rng(0).standard_normal((times, batch, m))
    params = model.init(0)
    run = model.forward(params, x)
    model.backward(run, run.y)  # over the shares of the forward pass
    model.tangent(params, x, {})
    assert sorted(piped) == sorted(2 * [times * share * 4 * n * n for share in (2, 3)])
    assert works == [factor * times * batch * 4 * n * n for factor in (1, 3)]


def test_blocks_cover_the_states():
    assert er.LSTM(2, 4, projection_size=3).blocks == {"all": slice(0, 3)}
    assert er.ENRNN(2, 3, 4).blocks == {"long": slice(0, 3), "short": slice(3, 7)}


@pytest.mark.parametrize("model", [er.RNN(2, 3), er.ENRNN(2, 3, 4), er.ExpRNN(2, 4, rebase_every=1)])
def test_after_an_update_the_recurrent_matrix_is_the_same(model):
    """Whatever a parametrization does to its arrays and buffers there; the other arrays are as they were."""
    params = {key: 0.3 * np.random.default_rng(0).standard_normal(shape) for key, shape in model.shapes.items()}
    moved, buffers = model.after_update(params)
    assert moved.keys() == params.keys()
    close = {"rtol": 1e-13, "atol": 1e-14}
    np.testing.assert_allclose(model.recurrent_matrix(moved, buffers), model.recurrent_matrix(params), **close)
    for key in ("input", "bias"):
        np.testing.assert_array_equal(moved[key], params[key])


class Watched:
    """Stands in for a cell or a parametrization, and counts what it is asked for."""

    def __init__(self, part):
        self._part, self.asked = part, []

    def __getattr__(self, name):
        self.asked.append(name)
        return getattr(self._part, name)


@pytest.mark.parametrize("model", [er.RNN(2, 3), er.MomentumRNN(2, 3)], ids=["no filter", "filter"])
def test_a_copy_computes_with_what_stands_in_for_its_parts(model):
    """Forward and backward; the model itself does not."""
    x, params = np.random.default_rng(0).standard_normal((4, 5, 2)), model.init(0)
    own = [Watched(part) for part in (model.parametrization, model.cell, model.filter)]
    twin = model._replaced(*own[:2], own[2] if model.filter else None)
    for other in (model, twin):
        for part in own:
            part.asked.clear()
        run = other.forward(params, x, backend="reference")
        other.backward(run, np.ones_like(run.y))
        for part, methods in zip(own, (["begin", "pullback"], *2 * [["step", "pullback"]]), strict=True):
            used = other is twin and part._part is not None
            assert all((method in part.asked) == used for method in methods)
    assert twin.cell is own[1]
    assert twin.filter is (own[2] if model.filter else None)
    assert twin.parametrization is own[0]
