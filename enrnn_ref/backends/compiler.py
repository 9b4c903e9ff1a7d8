"""How this package compiles for the CPU: one table of options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core.registry import CPUDispatcher

from enrnn_ref.backends.cache import KernelCache


# fastmath stays off: the order of operations and NaN must survive.
# error_model="numpy" gives division the meaning it has on arrays and lets loops vectorise; nogil lets threads run.
# What is called per unit is always inlined: a call in the innermost loop would keep it from being vectorised.
def jit(function: Callable[..., Any], *, inlined: bool = False, kept_as: str | None = None) -> Callable[..., Any]:
    """Compile for the CPU with the options of this package; ``kept_as``: the name under which it is kept on disk."""
    compiled: Callable[..., Any] = numba.njit(error_model="numpy", nogil=True, forceinline=inlined)(function)
    if kept_as is not None and isinstance(compiled, CPUDispatcher):  # it is not where Numba is switched off
        compiled._cache = KernelCache(kept_as)  # type: ignore[attr-defined]
    return compiled
