"""Memory of tapes: kept for the next one, never given to two at once."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.backends import memory


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch):
    monkeypatch.setattr(memory.kept, "stretches", deque())


def address(array):
    return array.__array_interface__["data"][0]


def kept_bytes():
    return sum(stretch.nbytes for stretch in memory.kept.stretches)


LENGTH = memory.LARGE_BYTES // 8


def test_an_array_as_numpy_makes_them():
    for shape, dtype in (((LENGTH, 3), np.float64), ((2, 3, LENGTH), np.float32), ((5,), np.float32), ((0, 7), float)):
        array = memory.empty(shape, dtype)
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.flags.aligned


def test_what_was_freed_is_handed_out_again_and_only_then():
    first = memory.empty((3, LENGTH), float)
    view, where = first[1:, ::2], address(first)
    del first
    second = memory.empty((3, LENGTH), float)  # a view of the first one is still there
    assert address(second) != where
    assert not np.shares_memory(second, view)
    assert kept_bytes() == 0
    del view
    assert kept_bytes() == 3 * LENGTH * 8
    third = memory.empty((LENGTH, 3), float)  # the same size in another shape
    assert address(third) == where
    assert kept_bytes() == 0


def test_other_sizes_stay_for_their_turn():
    arrays = {k: memory.empty((k, LENGTH), float) for k in (2, 3)}
    where = {k: address(array) for k, array in arrays.items()}
    arrays.clear()
    for k in (4, 3, 2):
        arrays[k] = memory.empty((k, LENGTH), float)
        assert (address(arrays[k]) == where.get(k)) == (k != 4)
    assert kept_bytes() == 0


def test_no_more_is_kept_than_the_limit_and_the_latest_first(monkeypatch):
    monkeypatch.setattr(memory, "KEPT_BYTES", 3 * LENGTH * 8)
    one, two, other = (memory.empty((k, LENGTH), float) for k in (1, 2, 1))
    where = address(two), address(other)
    del one, two
    assert kept_bytes() == 3 * LENGTH * 8
    del other
    assert kept_bytes() == 3 * LENGTH * 8
    assert [address(stretch) for stretch in memory.kept.stretches] == list(where)
    too_large = memory.empty((4, LENGTH), float)
    del too_large
    assert kept_bytes() == 0


def test_small_arrays_are_left_to_the_c_library():
    assert memory.empty((LENGTH,), float).base is not None
    assert kept_bytes() == LENGTH * 8
    array = memory.empty((LENGTH - 1,), float)
    assert array.base is None
    del array
    assert kept_bytes() == LENGTH * 8


def test_threads_never_share_a_stretch():
    def work(mark):
        for _ in range(50):
            array = memory.empty((LENGTH,), float)
            array[:: LENGTH // 7] = mark
            other = memory.empty((LENGTH,), float)
            other[:: LENGTH // 7] = -mark
            assert np.all(array[:: LENGTH // 7] == mark)
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(1, 5)))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_run_is_its_own_whatever_comes_after_it(monkeypatch, backend):
    """Its states and gradients keep their bits while later runs come and go on the memory of still others."""
    monkeypatch.setattr(memory, "LARGE_BYTES", 1)
    rng = np.random.default_rng(0)
    model = er.ENRNN(3, 4, 5, 2)
    params = model.init(rng)
    xs = rng.standard_normal((6, 7, 4, 3))
    dy = rng.standard_normal((7, 4, 2))
    run = model.forward(params, xs[0], backend=backend)
    before, grads = run.h.copy(), model.backward(run, dy)
    for x in xs[1:]:
        later = model.forward(params, x, backend=backend)
        model.backward(later, dy)
    assert np.array_equal(run.h, before)
    assert not np.shares_memory(run.h, later.h)
    again = model.backward(run, dy)
    for name, gradient in grads.params.items():
        assert np.array_equal(gradient, again.params[name])
    h = later.h
    del run, later
    after = h.copy()
    model.forward(params, xs[0], backend=backend)
    assert np.array_equal(h, after)  # h alone keeps its memory
