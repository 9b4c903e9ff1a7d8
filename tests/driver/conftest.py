"""These tests run the host's code on a driver that computes nothing (driver.c): numba-cuda and a C compiler are needed.

Nothing here says what a kernel computes, and no number that comes out means anything.
"""

import gc

import pytest

from tests.driver.driver import DRIVER


def pytest_sessionstart(session):
    from enrnn_ref.backends.cuda.target import TARGET, cuda

    if TARGET != "numba-cuda":
        pytest.exit(f"the CUDA target is {TARGET!r}; expected 'numba-cuda', installed by 'enrnn-ref[cuda]'", 1)
    if DRIVER is not None and cuda.get_current_device().name != "No device 0":
        pytest.exit("another driver was loaded before that of these tests; expected them to run by themselves", 1)


@pytest.fixture(autouse=True)
def driver():
    """The driver, which has nothing to tell yet; what a test leaves of violations fails it."""
    if DRIVER is None:
        pytest.skip("there is no C compiler, 'cc' or 'gcc', to build tests/driver/driver.c with")
    DRIVER.forget()
    yield DRIVER
    DRIVER.recover()
    gc.collect()
    assert DRIVER.violations == []


@pytest.fixture
def nothing_kept(monkeypatch):
    """Memory that nobody uses goes back to the driver, so that whoever goes on using it is found."""
    from enrnn_ref.backends.cuda import crossing, memory

    for kept in (memory.kept, crossing.kept):
        kept.stretches.clear()
        monkeypatch.setattr(kept, "_most", lambda: 0)
