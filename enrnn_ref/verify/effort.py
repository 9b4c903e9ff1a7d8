"""What a full check costs, told before it begins, and how far it has come."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

Progress = Callable[[str], None]

EVALUATIONS = 18
"""Of the function, for one entry by differences; typical. Its exact derivative takes one."""

WORTH_TELLING = 3.0
"""Seconds from which on a check tells about itself on its own."""


def on_stderr(message: str) -> None:
    """A line on standard error."""
    print(message, file=sys.stderr, flush=True)


class Effort:
    """The announcement of a check, and a line now and then while it runs.

    Parameters
    ----------
    once : callable
        What is done again and again: an evaluation of the function, or of its exact derivative.
    repeats : int
        How often for one entry.
    entries : int
        How many entries will be compared.
    progress : callable or None
        Takes the lines; None keeps silent.
    """

    def __init__(self, once: Callable[[], object], repeats: int, entries: int, progress: Progress | None) -> None:
        started = time.perf_counter()
        once()
        seconds = time.perf_counter() - started
        self.seconds = entries * repeats * seconds
        self._entries, self._done, self._progress = entries, 0, progress if self.seconds >= WORTH_TELLING else None
        self._told = time.perf_counter()
        self._tell(
            f"full check: {entries} entries, {repeats} evaluation(s) each of {1e3 * seconds:.3g} ms, "
            f"about {self.seconds:.0f} s"
        )

    def done(self, name: str) -> None:
        """One more entry, of the argument ``name``."""
        self._done += 1
        if time.perf_counter() - self._told >= WORTH_TELLING:
            self._told = time.perf_counter()
            self._tell(f"{name}: {self._done} of {self._entries} entries")

    def _tell(self, message: str) -> None:
        if self._progress is not None:
            self._progress(message)
