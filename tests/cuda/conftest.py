"""These tests run kernels: on a GPU, or on Numba's simulator (NUMBA_ENABLE_CUDASIM=1), which needs none."""

import pytest

from enrnn_ref import backends
from enrnn_ref.backends.cuda.target import SIMULATED


@pytest.fixture
def engine(monkeypatch):
    """The backend, with limits that a test may change."""
    found = backends.get("cuda")
    monkeypatch.setattr(found, "limits", found.limits)
    return found


@pytest.fixture
def one_block(engine):
    """A device that runs one block at a time: the simulator cannot let several meet."""
    if SIMULATED:
        engine.limits = engine.limits._replace(blocks=1)
    return engine
