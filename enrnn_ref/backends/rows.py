"""What keeps LLVM from taking all sequences together when it asks whether arrays overlap.

Before a loop over the units runs in vector instructions, what it reads and what it writes must be seen not to overlap.
LLVM likes to ask once for all sequences. But gates alternate in memory, (B, G, n): from the first sequence to the last
they do lie among each other, though those of one sequence do not. The answer was yes, always, and loops that write
several gates ran unit by unit, at a sixth of their speed.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.extending import intrinsic, overload


def alone(b: int) -> int:
    """b; compiled code takes the result for any number, so that the question is put for this sequence alone."""
    return b


@intrinsic
def _unknown(typingctx: Any, b: Any) -> Any:
    """b, through assembly of no instructions: LLVM does not look inside."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = arguments[0].type
        return builder.asm(ir.FunctionType(kind, [kind]), "", "=r,0", arguments, side_effect=False)

    return b(b), generate


@overload(alone, jit_options={"forceinline": True})
def _compiled_alone(b: Any) -> Any:
    def alone(b: Any) -> Any:
        return _unknown(b)  # type: ignore[call-arg]

    return alone
