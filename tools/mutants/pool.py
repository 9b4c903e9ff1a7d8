"""Processes that judge mutants: forked from one that has imported everything but the package itself."""

from __future__ import annotations

import ast
import gc
import os
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tools.mutants import child
from tools.mutants.suite import Suite

FORGOTTEN = ("", "linalg", "parametrizations", "cells", "filters", "backends", "optimizers", "models", "losses")
"""The rooms of the package that are changed, or import what is; "" is the package itself."""

TIMEOUT = "timeout"
"""Stands for the failing test where the time limit ended it: a loop that never ends is noticed."""


@dataclass(frozen=True)
class Task:
    """A mutant to be judged: ``apply`` changes ``tree``; ``limit`` in seconds."""

    path: str
    tree: ast.Module
    apply: Callable[[], None]
    suite: Suite
    limit: float
    label: Any


@dataclass(frozen=True)
class Outcome:
    """``failed`` is the test that failed, TIMEOUT, or None."""

    label: Any
    failed: str | None
    seconds: float


@dataclass
class _Running:
    task: Task
    process: int
    started: float
    received: bytes = b""


def preload(tests: Iterable[str]) -> None:
    """Import what the tests import, and forget the package and the tests again: every child imports them anew."""
    import pytest  # noqa: PLC0415 (the environment must be set before)

    child.set_compiler(False)
    status = pytest.main([*child.OPTIONS, "-q", "--collect-only", *tests])
    if status:
        raise SystemExit(f"The tests cannot be collected: pytest ended with status {int(status)}.")
    import enrnn_ref.backends.cpu  # noqa: F401, PLC0415 (brings Numba)

    for name in [name for name in sys.modules if is_forgotten(name)]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()
    gc.disable()  # a child lives for seconds
    warnings.filterwarnings("ignore", message=".*fork.*")


def is_forgotten(name: str) -> bool:
    """Whether a module is changed or judges changes. What stands below these and above them is imported once for all:
    the tests do without it, or the unchanged file would fail them."""
    package, _, rest = name.partition(".")
    if package == "enrnn_ref":
        return rest.partition(".")[0] in FORGOTTEN
    return package in ("tests", "conftest")


def run(tasks: Iterable[Task], jobs: int, likely: Callable[[str], Sequence[str]]) -> Iterator[Outcome]:
    """Judge tasks, ``jobs`` at a time; outcomes come as they end. ``likely`` tells the tests to begin with."""
    waiting, running = iter(tasks), {}
    exhausted = False
    while True:
        while not exhausted and len(running) < jobs:
            task = next(waiting, None)
            if task is None:
                exhausted = True
            else:
                pipe, started = _fork(task, likely(task.path))
                running[pipe] = started
        if not running:
            return
        ready, _, _ = select.select(list(running), [], [], 0.5)
        for pipe in ready:
            data = os.read(pipe, 1 << 16)
            running[pipe].received += data
            if not data:
                yield _finished(running.pop(pipe), pipe)
        now = time.monotonic()
        for pipe, entry in list(running.items()):
            if now - entry.started > entry.task.limit:
                with suppress(ProcessLookupError):
                    os.kill(entry.process, signal.SIGKILL)
                running.pop(pipe)
                os.waitpid(entry.process, 0)
                os.close(pipe)
                yield Outcome(entry.task.label, TIMEOUT, now - entry.started)


def _fork(task: Task, likely: Sequence[str]) -> tuple[int, _Running]:
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.close(read)
            task.apply()
            failed = child.judge(task.path, task.tree, task.suite, likely, quiet=True)
            os.write(write, b"." + (failed or "").encode())
        except BaseException:
            os.write(write, b"!" + traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(write)
    return read, _Running(task, process, time.monotonic())


def _finished(entry: _Running, pipe: int) -> Outcome:
    os.close(pipe)
    _, status = os.waitpid(entry.process, 0)
    seconds = time.monotonic() - entry.started
    if entry.received[:1] == b".":
        return Outcome(entry.task.label, entry.received[1:].decode() or None, seconds)
    return Outcome(entry.task.label, f"died ({os.waitstatus_to_exitcode(status)})", seconds)
