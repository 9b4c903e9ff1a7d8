"""Time loops. ``get(name)`` imports a backend when it is first asked for."""

from __future__ import annotations

import functools
import time

from enrnn_ref.arrays import choice, lies_on_device
from enrnn_ref.backends.base import Backend as Backend

NAMES = ("reference", "cpu", "cuda")

IMPORTED = time.time()
"""When this process read the sources that it compiles."""


def get(name: object) -> Backend:
    """The backend called ``name``.

    Raises
    ------
    OptionError
        There is no such backend.
    BackendUnavailable
        It exists but cannot run here.
    """
    return _load(choice("backend", name, NAMES))


def at(array: object) -> Backend:
    """The backend to compute with where an array lies: on a device, or in readable NumPy on the host.

    Raises
    ------
    BackendUnavailable
        It lies on a device that cannot be used here.
    """
    return _load("cuda" if lies_on_device(array) else "reference")


@functools.cache
def _load(name: str) -> Backend:
    if name == "reference":
        from enrnn_ref.backends.reference import ReferenceBackend  # noqa: PLC0415 (only on first use)

        return ReferenceBackend()
    if name == "cpu":
        from enrnn_ref.backends.cpu import CpuBackend  # noqa: PLC0415 (brings Numba)

        return CpuBackend()
    from enrnn_ref.backends.cuda.backend import CudaBackend  # noqa: PLC0415 (brings a CUDA target)

    return CudaBackend()
