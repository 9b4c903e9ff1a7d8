"""The same ENRNN in PyTorch with ``torch.compile``.

The whole loop cannot be compiled in bearable time: it is unrolled, and its code grows with T. So, as one does, a
stretch of a few steps is compiled and called again and again.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable
from typing import Any

from enrnn_ref.bench.contenders.torch_eager import Tensor, TorchEager, step
from enrnn_ref.bench.workload import Workload

STRETCH = 16  # steps at most that are compiled together


def stretch_of(steps: int) -> int:
    """The longest stretch that divides T: then there is one length, and one compilation."""
    return max(length for length in range(1, min(STRETCH, steps) + 1) if steps % length == 0)


class TorchCompile(TorchEager):
    """A compiled stretch of time; the parametrization, once in a pass, is left to eager."""

    def __init__(self, work: Workload, *, free: bool = False) -> None:
        super().__init__(work, free=free)
        self._stretch = stretch_of(work.size.steps)
        self._compiled = _compiled(self.torch, self._stretch, work.size, work.dtype.name)

    def _states(self, drive: Tensor, transposed: Tensor, bias: Tensor) -> Tensor:
        h, states = self.start, []
        for stretch in drive.split(self._stretch):
            part, h = self._compiled(h, stretch, transposed, bias)
            states.append(part)
        return self.torch.cat(states)


@functools.lru_cache(maxsize=1)
def _compiled(torch: Any, length: int, *case: Hashable) -> Any:
    """For one size and dtype. PyTorch counts the versions of a function and gives up at some number; so what was
    compiled for the case before is forgotten."""
    torch.compiler.reset()

    def states(h: Tensor, drive: Tensor, transposed: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        found = []
        for t in range(length):
            h = step(h, drive[t], transposed, bias)
            found.append(h)
        return torch.stack(found), h

    return torch.compile(states, fullgraph=True, dynamic=False)
