"""How many threads each library uses, whether it flushes subnormal numbers, and what of that could not be fixed.

Every library has its own switch, and its own moment: XLA reads its setting when JAX is first used, PyTorch's workers
take the flushing mode of the thread that first needs them and keep it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
import numpy as np
from threadpoolctl import ThreadpoolController

from enrnn_ref.backends.cpu import available_threads
from enrnn_ref.errors import OptionError

_XLA = "--xla_cpu_multi_thread_eigen"


@contextmanager
def fixed(threads: int) -> Iterator[None]:
    """The number of threads of ours, within the block, and that of XLA, for good: if JAX was not loaded before.

    Raises
    ------
    OptionError
        There are not as many.
    """
    if not 1 <= threads <= available_threads():
        raise OptionError(f"--threads is {threads}; expected 1 to {available_threads()}, what this machine has.")
    if "jaxlib" not in sys.modules:
        # XLA sizes its pool by NPROC, and by the number of cores where that is not set.
        os.environ["NPROC"] = str(threads)
        given = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if not flag.startswith(_XLA)]
        os.environ["XLA_FLAGS"] = " ".join([*given, f"{_XLA}={'true' if threads > 1 else 'false'}"])
    with numba_threads(threads):
        yield


@contextmanager
def numba_threads(threads: int) -> Iterator[None]:
    """Ours, within the block."""
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        yield
    finally:
        numba.set_num_threads(before)


@contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """OpenBLAS, within the block."""
    with ThreadpoolController().limit(limits=threads, user_api="blas"):
        yield


@contextmanager
def torch_threads(torch: Any, threads: int) -> Iterator[None]:
    """PyTorch and its MKL, within the block; subnormal numbers are flushed there and nowhere else."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


def in_force(threads: int, libraries: dict[str, Any]) -> dict[str, str]:
    """What each library says it uses, and whether it flushes: found out, not taken from a setting."""
    found = {"asked for": str(threads), "numba": str(numba.get_num_threads())}
    with blas_threads(threads):
        pools = ThreadpoolController().select(user_api="blas").info()
    found["OpenBLAS"] = " and ".join(sorted({str(pool["num_threads"]) for pool in pools})) or "not found"
    if "torch" in libraries:
        torch = libraries["torch"]
        with torch_threads(torch, threads):
            found["PyTorch"] = f"{torch.get_num_threads()}, {_flushes(_halved_by_torch(torch))}"
    if "jax" in libraries:
        halved = _halved_by_jax(libraries["jax"])
        found["XLA"] = f"{_xla_threads()}, {_flushes(halved)}"
    return found


def _flushes(halves: np.ndarray[Any, Any]) -> str:
    """Halves of the smallest normal number, on as many threads as a large array is given to."""
    flushed = np.count_nonzero(halves == 0.0)
    if flushed == halves.size:
        return "flushes subnormal numbers"
    return "keeps subnormal numbers" if flushed == 0 else "flushes subnormal numbers on some of its threads"


def _smallest() -> np.ndarray[Any, Any]:
    return np.full(1 << 20, np.finfo(np.float32).tiny)


def _halved_by_torch(torch: Any) -> np.ndarray[Any, Any]:
    halves: np.ndarray[Any, Any] = (torch.from_numpy(_smallest()) * 0.5).numpy()
    return halves


def _halved_by_jax(jax: Any) -> np.ndarray[Any, Any]:
    return np.asarray(jax.jit(lambda array: array * np.float32(0.5))(_smallest()))


def _xla_threads() -> str:
    """Threads of XLA's pool, where the system lets us count them."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return f"NPROC {os.environ.get('NPROC', 'not set')}"
    names = [(task / "comm").read_text() for task in tasks.iterdir()]
    return str(sum("XLAEigen" in name for name in names))
