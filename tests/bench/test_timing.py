"""Rounds, pauses and settings; the ratio of two contenders of which one took part less often."""

import time
from contextlib import contextmanager

import numpy as np

from enrnn_ref.bench import Timing, interleaved, machine, ratio


def test_calls_take_turns_within_their_settings():
    told = []

    @contextmanager
    def setting():
        told.append("in")
        yield
        told.append("out")

    calls = {"a": lambda: told.append("a"), "b": lambda: told.append("b")}
    times = interleaved(calls, repeats=2, warm_up=1, settings={"b": setting})
    assert told == ["a", "in", "b", "out"] * 3
    assert [len(timing.samples) for timing in times.values()] == [2, 2]


def test_what_is_slow_takes_part_in_few_rounds():
    counts = {"a": 0, "b": 0}

    def count(name):
        counts[name] += 1
        if name == "b":
            np.linalg.eigvals(np.ones((60, 60)))  # not in no time

    times = interleaved({name: lambda name=name: count(name) for name in counts}, repeats=6, warm_up=2, slow=0.0, few=4)
    assert counts == {"a": 2 + 4, "b": 2 + 4}
    times = interleaved({"a": lambda: None}, repeats=6, slow=10.0, few=4)
    assert len(times["a"].samples) == 6


def test_a_short_call_is_made_twice_and_counts_once():
    told = []
    calls = {"a": lambda: told.append("a"), "b": lambda: told.append("b")}
    times = interleaved(calls, repeats=3, warm_up=1, afresh=10.0)
    assert told == ["a", "b"] + ["a", "a", "b", "b"] * 3
    assert [len(timing.samples) for timing in times.values()] == [3, 3]
    told.clear()
    interleaved({"a": lambda: time.sleep(0.01) or told.append("a")}, repeats=2, warm_up=1, afresh=0.005)
    assert told == ["a"] * 3


def test_a_ratio_counts_the_rounds_of_both():
    assert ratio(Timing((2.0, 4.0)), Timing((1.0, 2.0, 100.0)))["median"] == 2.0
    found = ratio(Timing((1.0, 2.0, 3.0, 4.0, 5.0)), Timing((1.0,) * 5))
    assert (found["lower_quartile"], found["median"], found["upper_quartile"]) == (2.0, 3.0, 4.0)


def test_the_machine_names_what_is_installed():
    found = machine("numpy", "no-such-package")
    assert found["numpy"] == np.__version__
    assert "no-such-package" not in found
