"""How this package compiles for the CPU: one table of options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


# fastmath stays off: the order of operations and NaN must survive.
# error_model="numpy" gives division the meaning it has on arrays and lets loops vectorise; nogil lets threads run.
# What is called per unit is always inlined: a call in the innermost loop would keep it from being vectorised.
def jit(function: Callable[..., Any], *, inlined: bool = False) -> Callable[..., Any]:
    """Compile for the CPU with the options of this package."""
    compiled: Callable[..., Any] = numba.njit(error_model="numpy", nogil=True, forceinline=inlined)(function)
    return compiled
