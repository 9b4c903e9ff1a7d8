"""Character-level language model: predict the next character of any text."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from importlib import import_module

import numpy as np
import numpy.typing as npt

from enrnn_ref import losses
from enrnn_ref.arrays import Array, float_dtype, integer
from enrnn_ref.errors import DataError, OptionError
from enrnn_ref.tasks.base import Batch, Task, one_hot
from enrnn_ref.tasks.files import as_path, read_bytes

TEST_SHARE = 10  # without a test file, the last 1/10 of the text is held back

Ids = npt.NDArray[np.int64]


class Text(Task):
    """One-hot characters in, the next character out; bits per character.

    A text of N characters is cut into B contiguous rows of ⌊(N−1)/B⌋ steps, and a batch is the next ``length`` steps of
    every row. Only the first batch of a pass is ``fresh``; the others continue from the state the one before ended in.
    A training pass drops what is left of the rows after the last whole batch; the test keeps it as a shorter batch.

    The baseline knows how often each character occurs in the training text (plus one, so that none is impossible) and
    nothing else. It is the cross-entropy of the predicted test characters under these frequencies.

    Parameters
    ----------
    path : str or path, optional
        A UTF-8 text file. Default: the topics of ``pydoc_data.topics``, in the order of their names.
    length : int
        Time steps of a batch, the reach of truncated backpropagation.
    batch_size : int
        B, the number of rows.
    test_path : str or path, optional
        A UTF-8 text file to test on. Default: the last tenth of the text, which is then not trained on.
    vocabulary : str, optional
        The characters in the order of their classes, for a model trained on another text. Default: the sorted
        characters of the text at ``path``.
    dtype : float32 or float64

    Attributes
    ----------
    vocabulary : str
    train_text, test_text : str

    Raises
    ------
    DataError
        A file is missing, empty, not UTF-8 or too short, or holds characters outside the vocabulary.
    OptionError
        A setting is out of range.
    """

    name = "text"
    readout = "all"
    unit = "bits per character"
    baseline_text = "character frequencies of the training text"

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        length: int = 100,
        batch_size: int = 32,
        test_path: str | os.PathLike[str] | None = None,
        vocabulary: str | None = None,
        dtype: npt.DTypeLike = "float32",
    ) -> None:
        self.length = integer("length", length)
        self.batch_size = integer("batch_size", batch_size)
        self.dtype = float_dtype(dtype)

        text = _default_text() if path is None else _read_text("path", path)
        self.vocabulary = "".join(sorted(set(text))) if vocabulary is None else _checked_vocabulary(vocabulary)
        self.input_size = self.output_size = len(self.vocabulary)
        if test_path is None:
            cut = len(text) - len(text) // TEST_SHARE
            self.train_text, self.test_text = text[:cut], text[cut:]
        else:
            self.train_text, self.test_text = text, _read_text("test_path", test_path)

        train, test = self.encode(self.train_text, "the training text"), self.encode(self.test_text, "the test text")
        self._train = _rows(train, self.batch_size, self.length, "the training text")
        self._test = _rows(test, self.batch_size, 1, "the test text")
        frequencies = np.bincount(train, minlength=self.input_size) + 1
        _, predicted = self._test
        self.baseline = float(-np.mean(np.log2(frequencies / frequencies.sum())[predicted]))

    def encode(self, text: str, name: str = "text") -> Ids:
        """Classes (N,) of the characters; DataError naming those outside the vocabulary, OptionError for no string."""
        if not isinstance(text, str):
            raise OptionError(f"{name} is {text!r}; expected a string.")
        unknown = "".join(sorted(set(text) - set(self.vocabulary)))
        if unknown:
            raise DataError(
                f"{name} holds {len(unknown)} character(s) that are not among the {len(self.vocabulary)} of the "
                f"vocabulary: {unknown[:20]!r}{' …' if len(unknown) > 20 else ''}."
            )
        classes = {character: index for index, character in enumerate(self.vocabulary)}
        return np.fromiter((classes[character] for character in text), np.int64, len(text))

    def decode(self, classes: Ids) -> str:
        """The text of classes (N,); the inverse of :meth:`encode`."""
        return "".join(self.vocabulary[index] for index in classes)

    def batch(self, step: int) -> Batch:
        chunks = self._train[0].shape[1] // self.length
        return self._chunk(self._train, integer("step", step, least=0) % chunks)

    def test_batches(self) -> Iterator[Batch]:
        for index in range(math.ceil(self._test[0].shape[1] / self.length)):
            yield self._chunk(self._test, index)

    def loss(self, y: Array, batch: Batch) -> tuple[float, Array]:
        return losses.softmax_cross_entropy(y, batch.target, base=2.0)

    def _chunk(self, rows: tuple[Ids, Ids], index: int) -> Batch:
        window = slice(index * self.length, (index + 1) * self.length)
        inputs, targets = (np.ascontiguousarray(ids[:, window].T) for ids in rows)
        return Batch(one_hot(inputs, self.input_size, self.dtype), targets, fresh=index == 0)


def _rows(ids: Ids, rows: int, least: int, name: str) -> tuple[Ids, Ids]:
    """Inputs and targets (rows, steps): row b goes on where row b − 1 ends, a target is the input one step on."""
    steps = (len(ids) - 1) // rows
    if steps < least:
        raise DataError(
            f"{name} has {len(ids)} characters; expected at least {rows * least + 1} for {rows} rows (batch_size) of "
            f"{least} step(s) and one character to predict."
        )
    used = rows * steps
    return ids[:used].reshape(rows, steps), ids[1 : used + 1].reshape(rows, steps)


def _default_text() -> str:
    try:
        topics: dict[str, str] = import_module("pydoc_data.topics").topics
    except ImportError as error:
        raise DataError("This Python comes without pydoc_data.topics; name a text file with path=.") from error
    return "".join(topics[name] for name in sorted(topics))


def _read_text(name: str, value: str | os.PathLike[str]) -> str:
    path = as_path(name, value)
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}.") from error


def _checked_vocabulary(vocabulary: object) -> str:
    if not isinstance(vocabulary, str) or not vocabulary or len(set(vocabulary)) != len(vocabulary):
        raise OptionError(f"vocabulary is {vocabulary!r}; expected a string of characters, each of them once.")
    return vocabulary
