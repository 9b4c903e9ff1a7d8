"""The driver finds what is planted: a check that cannot fail would be none."""

import gc
from types import SimpleNamespace

import numpy as np
import pytest
from cuda.bindings import driver as bindings

from enrnn_ref.backends.cuda.target import DRIVER_ERRORS, cuda, kernel


@cuda.jit
def store(x, value):
    x[0] = value


@cuda.jit
def store_first(pair, value):
    pair[0][0] = value
    pair[1][0] = value


@cuda.jit
def meet(x, value):
    cuda.cg.this_grid().sync()
    x[cuda.grid(1)] = value


def bounded(x, value):
    x[0] = value


def lent(array, **changes):
    """Its memory under another description."""
    return cuda.as_cuda_array(SimpleNamespace(__cuda_array_interface__=array.__cuda_array_interface__ | changes))


@pytest.fixture
def found(driver):
    """Run what is refused, and return the one violation, which is forgotten then."""

    def of(planted, *arguments):
        with pytest.raises(DRIVER_ERRORS):
            planted(*arguments)
        (violation,) = driver.violations
        driver.forget()
        return violation

    return of


@pytest.fixture
def array():
    return cuda.to_device(np.ones((3, 4)))


def test_what_is_right_is_not_reported(array, driver):
    store_first[1, 32]((array[0], array[1]), 2.0)
    meet[132, 32](array.reshape(12), 2.0)
    assert [launch.cooperative for launch in driver.launches] == [False, True]


def test_an_array_that_was_freed(array, found):
    freed = cuda.to_device(np.ones(5))
    interface = freed.__cuda_array_interface__
    del freed
    gc.collect()
    cuda.current_context().memory_manager.deallocations.clear()
    stale = lent(array, **interface)
    assert "which was freed" in found(store[1, 1], stale, 2.0)
    assert "which was freed" in found(stale.copy_to_host)


@pytest.mark.parametrize(
    "changes", [{"shape": (3, 5)}, {"shape": (13,)}, {"shape": (2, 2), "strides": (96, 8)}], ids=str
)
def test_an_array_that_reaches_over_its_end(changes, array, found):
    assert "which is over the end" in found(store[1, 1], lent(array, **changes), 2.0)


def test_an_array_in_a_tuple(array, found):
    longer = lent(array, shape=(13,))
    assert "which is over the end" in found(store_first[1, 1], (array.reshape(12), longer), 2.0)


def test_a_block_of_too_many_threads(array, found):
    assert "1056 threads" in found(store[1, 1056], array[0], 2.0)
    assert "96 threads" in found(kernel(bounded, threads=64)[1, 96], array[0], 2.0)


def test_too_many_blocks(array, found):
    assert "65536 blocks" in found(store[(1, 65536), 1], array[0], 2.0)


def test_more_blocks_that_meet_than_are_resident(array):
    """Which is found before the driver is asked to launch them, by the occupancy that it tells."""
    with pytest.raises(ValueError, match=r"exceeds the limit \(264\)"):
        meet[265, 1024](array[0], 2.0)


def test_too_much_shared_memory(array, found):
    assert "49160 bytes shared" in found(store[1, 1, 0, 49160], array[0], 2.0)


def test_a_stream_that_is_not_known(array, found):
    assert "is not known" in found(store[1, 1, cuda.external_stream(4096)], array[0], 2.0)


def test_a_copy_over_the_end(array, found):
    assert "which is over the end" in found(lent(array, shape=(13,)).copy_to_host)


def test_a_copy_that_nobody_has_waited_for(array):
    here, event = cuda.pinned_array((3, 4)), cuda.event()
    array.copy_to_host(here, cuda.default_stream())
    event.record()
    assert np.isnan(here).all()
    event.synchronize()
    np.testing.assert_array_equal(here, np.ones((3, 4)))


def test_an_event_is_no_reason_for_what_is_queued_behind_it(array):
    here, event = cuda.pinned_array((3, 4)), cuda.event()
    event.record()
    array.copy_to_host(here, cuda.default_stream())
    event.synchronize()
    assert np.isnan(here).all()
    cuda.synchronize()
    np.testing.assert_array_equal(here, np.ones((3, 4)))


def test_what_is_sent_is_read_later(array):
    here = cuda.pinned_array((3, 4))
    here[...] = 2.0
    array.copy_to_device(here, cuda.default_stream())
    here[...] = 3.0
    np.testing.assert_array_equal(array.copy_to_host(), np.full((3, 4), 3.0))


def test_a_copy_to_memory_that_the_device_may_not_write(array, found):
    assert "may move" in found(array.copy_to_host, np.empty((3, 4)), cuda.default_stream())
    assert "may move" in found(array.copy_to_device, np.empty((3, 4)), cuda.default_stream())


def test_a_call_without_a_context(driver):
    popped = bindings.cuCtxPopCurrent()[1]
    try:
        (code, _) = bindings.cuMemAlloc(8)
    finally:
        bindings.cuCtxPushCurrent(popped)
    assert code == bindings.CUresult.CUDA_ERROR_INVALID_CONTEXT
    assert len(driver.violations) == 1
    driver.forget()


def test_what_it_does_not_have_is_told_by_name():
    with pytest.raises(RuntimeError, match="cuMemcpyPeer"):
        bindings.cuMemcpyPeer(0, 0, 0, 0, 8)
