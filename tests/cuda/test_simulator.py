"""What the simulator does for these tests that it would not do by itself."""

import time

import numpy as np

from enrnn_ref import backends
from enrnn_ref.backends.cuda.sums import DOUBLE
from enrnn_ref.backends.cuda.target import cuda, kernel

THREADS = 8


@kernel
def share(found):
    held = cuda.shared.array(THREADS, DOUBLE)
    own = cuda.threadIdx.x
    held[own] = own + 1
    cuda.syncthreads()
    for k in range(THREADS):
        found[own] += held[k]


def test_threads_that_ask_at_once_share_an_array(monkeypatch):
    """However long it takes to make one."""
    found, empty = backends.get("cuda").zeros((THREADS,), np.float64), np.empty

    def slow(*arguments, **options):
        time.sleep(0.01)
        return empty(*arguments, **options)

    monkeypatch.setattr(np, "empty", slow)
    share[1, THREADS](found.data)
    np.testing.assert_array_equal(found.copy_to_host(), np.full(THREADS, THREADS * (THREADS + 1) / 2))
