"""These tests compile for a GPU without having one: numba-cuda must be installed (extra ``cuda``)."""

import pytest

from enrnn_ref.backends.cuda.target import TARGET


def pytest_sessionstart(session):
    if TARGET != "numba-cuda":
        pytest.exit(f"the CUDA target is {TARGET!r}; expected 'numba-cuda', installed by 'enrnn-ref[cuda]'", 1)
