"""Timing several things next to each other, so that what disturbs one disturbs the others too."""

from __future__ import annotations

import gc
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

Setting = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds of one call: every sample, in the order taken."""

    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    def to_dict(self) -> dict[str, object]:
        samples = list(self.samples)
        return {"median": self.median, "fastest": min(samples), "slowest": max(samples), "samples": samples}

    def __str__(self) -> str:
        """Milliseconds: the median, and from the fastest to the slowest."""
        return f"{1e3 * self.median:.1f} ms ({1e3 * min(self.samples):.1f} to {1e3 * max(self.samples):.1f})"


def interleaved(
    calls: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    warm_up: int = 2,
    settings: Mapping[str, Setting] | None = None,
    pause: float = 0.0,
    slow: float = math.inf,
    few: int = 3,
    afresh: float = 0.0,
) -> dict[str, Timing]:
    """Time every call ``repeats`` times in rounds, a, b, a, b, …, after ``warm_up`` rounds that do not count.

    The garbage collector rests meanwhile.

    Parameters
    ----------
    calls : dict of callable
    repeats, warm_up : int
    settings : dict of callable, optional
        What a call needs around it (a number of threads, a rounding mode): entered before the clock starts, left after
        it has stopped.
    pause : float
        Seconds before each call, for threads of the one before that wait actively.
    slow, few : float, int
        A call that took more than ``slow`` seconds in the last round of the warm-up takes part in the first ``few``
        rounds only.
    afresh : float
        A call that took less than so many seconds when it was made last is made twice, and the second time counts: it
        then finds caches, threads and freed memory as in a loop over itself, and not as another's call has left them.
    """
    settings = settings or {}
    last = dict.fromkeys(calls, math.inf)
    samples: dict[str, list[float]] = {name: [] for name in calls}
    wanted = dict.fromkeys(calls, repeats)
    gc.collect()
    gc.disable()
    try:
        for number in range(warm_up + repeats):
            for name, call in calls.items():
                if number >= warm_up + wanted[name]:
                    continue
                with settings.get(name, nullcontext)():
                    time.sleep(pause)
                    if last[name] < afresh:
                        call()
                    start = time.perf_counter()
                    call()
                    last[name] = elapsed = time.perf_counter() - start
                if number >= warm_up:
                    samples[name].append(elapsed)
                elif elapsed > slow:
                    wanted[name] = min(repeats, few)
                else:
                    wanted[name] = repeats
    finally:
        gc.enable()
    return {name: Timing(tuple(values)) for name, values in samples.items()}


def ratio(numerator: Timing, denominator: Timing) -> dict[str, float]:
    """Median of the quotients round by round, and their quartiles: what the rounds have in common cancels.

    Where one of the two took part in fewer rounds, those count.
    """
    rounds = min(len(numerator.samples), len(denominator.samples))
    return middle(np.divide(numerator.samples[:rounds], denominator.samples[:rounds]).tolist())


def middle(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, median, high = np.percentile(values, [25, 50, 75])
    return {"median": float(median), "lower_quartile": float(low), "upper_quartile": float(high)}


def machine(*packages: str) -> dict[str, str]:
    """What the numbers depend on: processor, cores, system, versions of Python and of those ``packages`` that are
    installed."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "system": platform.system(),
        "python": platform.python_version(),
        **{package: found for package in packages if (found := _version(package)) is not None},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
