"""What every contender offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext

from enrnn_ref.arrays import Arrays
from enrnn_ref.bench.workload import Workload


class Contender(ABC):
    """Forward and backward of one workload, prepared: what is not the work itself is done by the constructor."""

    def __init__(self, work: Workload) -> None:
        self.work = work

    def setting(self) -> AbstractContextManager[object]:
        """What holds while it runs, outside the clock: number of threads, treatment of subnormal numbers."""
        return nullcontext()

    @abstractmethod
    def run(self) -> object:
        """What is timed; returns when the results are there."""


class Differentiating(Contender):
    """One that finds gradients, which can be compared with ours."""

    @abstractmethod
    def gradients(self) -> Arrays:
        """The gradients of one run, as NumPy, under the names of our parameters, ``matrix`` for R, and ``x``."""
