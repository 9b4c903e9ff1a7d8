"""Training steps whose arrays stay on a GPU, and their launches by themselves.

A step that the host begins is as long as what the device does, and what the device waits for the host. All launches of
one, queued again behind some waiting, are what it does alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.backends.cuda.arrays import entrywise
from enrnn_ref.bench.sizes import Size
from enrnn_ref.losses import mean_squared_error
from enrnn_ref.models import ENRNN
from enrnn_ref.optimizers import RMSprop
from enrnn_ref.tasks.base import Batch, Task
from enrnn_ref.training import Experiment


class _Drawn(Task):
    """The same random sequences in every step, each with a number to answer, as the adding problem has it."""

    name, readout, unit, baseline_text = "drawn", "last", "mean squared error", "always answering 0"
    output_size, baseline = 1, 1.0

    def __init__(self, size: Size) -> None:
        rng, self.input_size = np.random.default_rng(0), size.inputs
        x = rng.standard_normal((size.steps, size.batch, size.inputs), np.float32)
        self._batch = Batch(x, rng.standard_normal((size.batch, 1), np.float32))

    def batch(self, step: int) -> Batch:
        return self._batch

    def test_batches(self) -> Iterator[Batch]:
        yield self._batch

    def loss(self, y: Array, batch: Batch) -> tuple[float, Array]:
        return mean_squared_error(y, batch.target)


class DeviceStep:
    """Steps of an ENRNN, each begun before the numbers of the one before are read, as a training loop does."""

    def __init__(self, size: Size) -> None:
        model = ENRNN(size.inputs, size.long, size.short, 1, readout="last", on_degenerate="proceed")
        self._experiment = Experiment(model, _Drawn(size), RMSprop(1e-4), backend="cuda")
        self._begun = self._experiment.begin(self._experiment.start(seed=0))

    def run(self) -> float:
        """One step is begun, and the loss of the one before it comes to the host."""
        before, self._begun = self._begun, self._experiment.begin(self._begun.state)
        loss: float = before.settled()["train_loss"]
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
