"""What a training loop needs of a task: batches that are a pure function of the step, a loss, and a baseline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array
from enrnn_ref.errors import OptionError


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences and what is asked of them.

    Attributes
    ----------
    x : ndarray, shape (T, B, I)
        Inputs, time-major.
    target : ndarray
        What :meth:`Task.loss` compares the output with: numbers of the output's shape, or int64 class labels of the
        output's shape without its last axis.
    mask : ndarray or None
        Weights of the labels, of their shape; None weighs all the same.
    fresh : bool
        True: start from the zero state. False: continue from the final state of the batch before (truncated
        backpropagation through time); row b of this batch is the continuation of row b of that one.
    """

    x: Array
    target: Array
    mask: Array | None = None
    fresh: bool = True

    @property
    def weight(self) -> float:
        """How many terms the mean in the loss runs over: the weight of this batch in an average over batches."""
        return float(self.target.size if self.mask is None else self.mask.sum())


class Task(ABC):
    """Data with the loss and the baseline that belong to it.

    Attributes
    ----------
    name : str
        As in the registry, :data:`enrnn_ref.tasks.TASKS`.
    input_size, output_size : int
        I and O of a model for this task.
    readout : {"last", "all"}
        Where the model reads out.
    baseline : float
        Loss of the best answer that needs no memory, or of another trivial one that ``baseline_text`` names.
    unit : str
        Of the loss and the baseline.
    """

    name: ClassVar[str]
    readout: ClassVar[Literal["last", "all"]]
    baseline_text: ClassVar[str]
    unit: ClassVar[str]
    input_size: int
    output_size: int
    baseline: float

    @abstractmethod
    def batch(self, step: int) -> Batch:
        """Training batch number ``step`` (from 0): a pure function of the task's settings and ``step``."""

    @abstractmethod
    def test_batches(self) -> Iterator[Batch]:
        """The test set in a fixed order; the last batch may be smaller (see :attr:`Batch.weight`)."""

    @abstractmethod
    def loss(self, y: Array, batch: Batch) -> tuple[float, Array]:
        """The loss in ``unit``, and the gradient of exactly this number with respect to ``y``.

        Where a model is trained with ``backend="cuda"``, ``y`` lies on the device, and so must the gradient; the loss
        may. :mod:`enrnn_ref.losses` take ``y`` there; NumPy needs ``y.copy_to_host()``.
        """


LARGEST_BATCH = 2**31
"""Numbers in the inputs of one batch, 8 GiB in float32: what is larger is a slip of the pen, not a wish."""


def require_moderate_batch(name: str, length: int, steps: int, batch_size: int, channels: int) -> None:
    """Raise OptionError, before anything is allocated, if x (steps, batch_size, channels) is beyond reason."""
    if steps * batch_size * channels > LARGEST_BATCH:
        raise OptionError(
            f"{name} is {length}, and a batch of {batch_size} such sequences would hold "
            f"{steps * batch_size * channels:.3g} numbers; expected at most {LARGEST_BATCH}."
        )


def one_hot(labels: npt.NDArray[np.int64], classes: int, dtype: npt.DTypeLike) -> Array:
    """Array (..., classes) that is 1 at ``labels`` (...) and 0 elsewhere; labels are trusted."""
    encoded = np.zeros((*labels.shape, classes), dtype)
    np.put_along_axis(encoded, labels[..., np.newaxis], 1, axis=-1)
    return encoded
