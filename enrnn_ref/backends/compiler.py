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
def jit(
    function: Callable[..., Any], *, inlined: bool = False, kept_as: str | None = None, bare: bool = False
) -> Callable[..., Any]:
    """Compile for the CPU with the options of this package.

    Parameters
    ----------
    function : function
    inlined : bool
        Into whatever calls it.
    kept_as : str or None
        The name under which it is kept on disk; None: it is not.
    bare : bool
        It makes no arrays, so references to them need not be counted, up and down again by atomic additions for every
        view, of which a step of time takes a dozen. And of those it is called with, none shares memory with one that is
        written to: before a loop runs in vector instructions every pair that LLVM does not know apart is compared; more
        than 128, and it gives up.
    """
    compiled: Callable[..., Any] = numba.njit(error_model="numpy", nogil=True, forceinline=inlined)(function)
    if isinstance(compiled, CPUDispatcher):  # it is not where Numba is switched off
        if kept_as is not None:
            compiled._cache = KernelCache(kept_as)  # type: ignore[attr-defined]
        if bare:  # Numba has no option for these flags of its own
            compiled._compiler._customize_flags = _bare  # type: ignore[attr-defined]
    return compiled


def _bare(flags: Any) -> Any:
    flags.noalias, flags.nrt = True, False
    return flags
