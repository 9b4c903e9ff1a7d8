"""A training step whose arrays stay on a GPU, and its launches by themselves.

A step that the host makes is as long as what the device does, and what the device waits for the host. All launches of
one, queued again behind some waiting, are what it does alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from enrnn_ref import backends
from enrnn_ref.backends.cuda.arrays import entrywise
from enrnn_ref.bench.sizes import Size
from enrnn_ref.losses import mean_squared_error
from enrnn_ref.models import ENRNN
from enrnn_ref.optimizers import RMSprop


class DeviceStep:
    """Steps of an ENRNN on random sequences, its last state read out, as the adding problem has it; float32."""

    def __init__(self, size: Size) -> None:
        rng, take = np.random.default_rng(0), backends.get("cuda").take
        self._model = ENRNN(size.inputs, size.long, size.short, 1, readout="last", on_degenerate="proceed")
        self._params = {name: take(array) for name, array in self._model.init(rng, np.float32).items()}
        self._x = take(rng.standard_normal((size.steps, size.batch, size.inputs), np.float32))
        self._target = take(rng.standard_normal((size.batch, 1), np.float32))
        self._rule = RMSprop(1e-4)
        self._state = self._rule.init(self._params)

    def run(self) -> float:
        """One step; its loss comes to the host."""
        run = self._model.forward(self._params, self._x, backend="cuda")
        loss, dy = mean_squared_error(run.y, self._target)
        grads = self._model.backward(run, dy)
        self._params, self._state = self._rule.step(self._params, grads.params, self._state)
        return loss


def launches_of(run: Callable[[], object]) -> list[Callable[[], None]]:
    """What repeats each launch that ``run`` makes, on the same arrays, which it keeps."""
    kernels: Any = type(entrywise(1, 1, False))
    choose, found = kernels.__getitem__, []

    def chosen(kernel: Any, shape: Any) -> Callable[..., None]:
        def launch(*arguments: Any) -> None:
            def again() -> None:
                choose(kernel, shape)(*arguments)

            found.append(again)
            again()

        return launch

    kernels.__getitem__ = chosen
    try:
        run()
    finally:
        kernels.__getitem__ = choose
    return found
