"""A whole run: every size in every dtype, all contenders of one in turns."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from enrnn_ref.bench import threads as thread_counts
from enrnn_ref.bench.contenders import CONTENDERS, Contender
from enrnn_ref.bench.parts import parts
from enrnn_ref.bench.ratios import ratios
from enrnn_ref.bench.sizes import Size
from enrnn_ref.bench.timing import interleaved, machine
from enrnn_ref.bench.workload import Workload, workload
from enrnn_ref.errors import OptionError

FORMAT, VERSION = "enrnn_ref bench", 1
LEAST, FEW, SLOW = 7, 3, 1.0  # rounds at least; rounds of what takes longer than SLOW seconds
AFRESH = 0.5  # seconds: what takes less is called twice, and the second time counts
PREPARATION = 300.0  # seconds for the first call of a contender, compilation included
PAUSE = 0.05  # seconds between two calls: workers of OpenMP and of OpenBLAS wait actively for about half of that
PACKAGES = ("enrnn-ref", "numpy", "numba", "scipy", "torch", "jax", "jaxlib", "threadpoolctl")

Say = Callable[[str], None]


def measured(
    sizes: Sequence[Size],
    dtypes: Sequence[str],
    *,
    threads: int,
    repeats: int = LEAST,
    contenders: Sequence[str] | None = None,
    say: Say = lambda line: None,
    after: Callable[[dict[str, Any]], object] = lambda report: None,
) -> dict[str, Any]:
    """Time every contender at every size.

    Parameters
    ----------
    sizes, dtypes : sequence
    threads : int
        For every library alike.
    repeats : int
        Rounds that count; no more than ``FEW`` for a call of more than ``SLOW`` seconds.
    contenders : sequence of str, optional
        Names out of ``CONTENDERS``; all by default.
    say : callable
        Is told what happens.
    after : callable
        Is given the report as it stands after every case.

    Returns
    -------
    dict
        JSON-ready.

    Raises
    ------
    OptionError
        A thread count that cannot be had, or an unknown contender.
    """
    names = list(CONTENDERS) if contenders is None else list(contenders)
    for name in names:
        if name not in CONTENDERS:
            raise OptionError(f"contender is {name!r}; expected one of {', '.join(CONTENDERS)}.")
    with thread_counts.fixed(threads):
        libraries, missing = _libraries(names, say)
        report: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "machine": machine(*PACKAGES),
            "threads": thread_counts.in_force(threads, libraries),
            "repeats": repeats,
            "labels": {name: CONTENDERS[name].label for name in names},
            "cases": [],
        }
        for size in sizes:
            for dtype in dtypes:
                work = workload(size, np.dtype(dtype), threads)
                say(f"{size.name} ({size.text}), {dtype}")
                chosen = [name for name in names if CONTENDERS[name].fits(work)]
                report["cases"].append(_case(work, chosen, missing, repeats, say))
                after(report)
    return report


def _case(work: Workload, names: Sequence[str], missing: dict[str, str], repeats: int, say: Say) -> dict[str, Any]:
    left_out = {name: missing[library] for name in names if (library := CONTENDERS[name].library) in missing}
    ready: dict[str, Contender] = {}
    for name in names:
        if name in left_out:
            continue
        try:
            with _time_limit(PREPARATION):
                ready[name] = _warm(work, name)
        except _OutOfTime:
            left_out[name] = f"not ready after {PREPARATION:g} s"
        except Exception as error:  # a peer that cannot be compiled or run here is a finding, and no reason to stop
            if not CONTENDERS[name].library:
                raise
            left_out[name] = f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]
        if name in left_out:
            say(f"  {CONTENDERS[name].label} left out: {left_out[name]}")
    times = interleaved(
        {name: contender.run for name, contender in ready.items()},
        repeats=repeats,
        warm_up=1,  # the second: each has run once
        settings={name: contender.setting for name, contender in ready.items()},
        pause=PAUSE,
        slow=SLOW,
        few=FEW,
        afresh=AFRESH,
    )
    of_parts = parts(work, repeats=repeats, slow=SLOW, few=FEW) if "ours" in times else None
    for name, timing in times.items():
        say(f"  {CONTENDERS[name].label}: {timing}")
    return {
        "size": work.size.to_dict(),
        "dtype": work.dtype.name,
        "times": {name: timing.to_dict() for name, timing in times.items()},
        "parts": of_parts,
        "ratios": ratios(times, of_parts),
        "left_out": left_out,
    }


def _warm(work: Workload, name: str) -> Contender:
    contender = CONTENDERS[name].make(work)
    with contender.setting():
        contender.run()
    return contender


def _libraries(names: Sequence[str], say: Say) -> tuple[dict[str, Any], dict[str, str]]:
    """The modules that are there, and for the others what to say."""
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for library in dict.fromkeys(CONTENDERS[name].library for name in names):
        if not library:
            continue
        try:
            found[library] = importlib.import_module(library)
        except ImportError:
            extra = {"torch": "torch", "jax": "peers"}[library]
            missing[library] = f"{library} is missing; install it with: pip install 'enrnn-ref[{extra}]'."
            say(f"left out: {missing[library]}")
    return found, missing


class _OutOfTime(BaseException):
    """No ``Exception``: a compiler that catches those must not catch this."""


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Break off what takes longer, where the system has an alarm and this is the thread that gets it."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: object) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    earlier = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *earlier)
        signal.signal(signal.SIGALRM, before)
