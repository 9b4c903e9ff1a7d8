"""This package: an ENRNN from its free parameters, and LSTM and GRU for the layers of the same name."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from itertools import cycle

import numpy as np

from enrnn_ref.arrays import Arrays
from enrnn_ref.bench.contenders.base import Differentiating
from enrnn_ref.bench.threads import numba_threads
from enrnn_ref.bench.workload import Workload
from enrnn_ref.models import GRU, LSTM, Recurrence
from enrnn_ref.models.run import Gradients, Run
from enrnn_ref.parametrizations.base import Value

STEP = 1e-3  # what an entry changes by at most: the released learning rate


class Ours(Differentiating):
    """``model.forward`` and ``model.backward``: R is made from the free arrays and its gradient pulled back.

    A model keeps R while no bit of its parameters changes. In training they change in every step, so two sets take
    turns here, as far apart as two steps are; buffers go from one pass to the next, as there.
    """

    def __init__(self, work: Workload, *, backend: str = "cpu", threads: int | None = None) -> None:
        super().__init__(work)
        self.model: Recurrence = work.model
        self.turns = cycle(two_steps(work.params))
        self.buffers = self.model.initial_buffers()
        self.start = {"h": work.start}
        self.dy = work.dy
        self._backend, self._threads = backend, threads or work.threads

    def setting(self) -> AbstractContextManager[object]:
        return nullcontext() if self._backend == "reference" else numba_threads(self._threads)

    def run(self) -> Gradients:
        return self.model.backward(self.forward(), self.dy)

    def forward(self) -> Run:
        """The first half."""
        run = self.model.forward(next(self.turns), self.work.x, self.start, buffers=self.buffers, backend=self._backend)
        self.buffers = run.buffers
        return run

    def materialise(self) -> Value:
        """R alone."""
        value = self.model.evaluate(next(self.turns), self.buffers)
        self.buffers = value.buffers
        return value

    def gradients(self) -> Arrays:
        found = self.run()
        return {**found.params, "x": found.x}


def two_steps(params: Arrays) -> tuple[Arrays, Arrays]:
    """``params`` themselves, and an optimiser step further."""
    rng = np.random.default_rng(3)
    further = {
        name: array + (STEP * rng.uniform(-1, 1, array.shape)).astype(array.dtype) * (name != "bias")
        for name, array in params.items()
    }
    return params, further


class Fresh(Ours):
    """The same work on numbers of ordinary size: what a decayed size is compared with."""

    def __init__(self, work: Workload) -> None:
        super().__init__(work)
        rng = np.random.default_rng(1)
        self.start = {"h": rng.standard_normal(work.start.shape).astype(work.dtype)}
        self.dy = rng.standard_normal(work.dy.shape, np.float32).astype(work.dtype, copy=False)


class Gated(Ours):
    """Our LSTM or GRU of the same width, with the weights that the layer of PyTorch is given too."""

    def __init__(self, work: Workload, kind: type[LSTM] | type[GRU]) -> None:
        super().__init__(work)
        self.model = kind(work.size.inputs, work.size.units)
        self.turns = cycle(two_steps(self.model.init(0, work.dtype)))
        self.buffers = self.model.initial_buffers()
        shapes = self.model.state_shapes(work.size.batch)
        self.start = {name: np.zeros(shape, work.dtype) for name, shape in shapes.items()} | self.start
