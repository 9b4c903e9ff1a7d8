"""Mistakes in what the backward pass adds up: factors, sums over time and batch, signs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.models.bidirectional import Bidirectional
from enrnn_ref.models.recurrence import Recurrence
from enrnn_ref.verify.diagnosis.catalogue.through_time import shifted
from enrnn_ref.verify.diagnosis.mistake import Mistake, Site, Variant, variant
from enrnn_ref.verify.diagnosis.program import Program, Swept, Tape, Whole

BIASES = ("bias", "recurrent_bias", "readout_bias")


class RecurrentFactorAfter(Program):
    def recurrent_factor(self, h: Array) -> Array:
        return h[1:]


class RecurrentFactorTwoBefore(Program):
    def recurrent_factor(self, h: Array) -> Array:
        return shifted(h[:-1], 1)


class InputFactorShifted(Program):
    __by: int

    def input_factor(self, x: Array) -> Array:
        return shifted(super().input_factor(x), self.__by)


class ReadoutFactorBefore(Program):
    def backward(self, tape: Tape, dy: Array, dstate: Arrays) -> Arrays:
        self.__before = tape.h[:-1] if self.model.readout == "all" else tape.h[-2:-1]
        return super().backward(tape, dy, dstate)

    def readout_factor(self, features: Array) -> Array:
        return self.__before


def _recurrent_shifted(site: Site) -> Iterator[Variant]:
    if site.cell is not None:
        yield Variant("h_t where dR takes h_t-1 (off by one)", RecurrentFactorAfter)
        if site.steps > 1:
            yield Variant("h_t-2 where dR takes h_t-1 (off by one)", RecurrentFactorTwoBefore)


def _input_shifted(site: Site) -> Iterator[Variant]:
    if site.cell is not None and site.steps > 1:
        yield variant("x_t-1 where dU takes x_t (off by one)", InputFactorShifted, by=1)
        yield variant("x_t+1 where dU takes x_t (off by one)", InputFactorShifted, by=-1)


def _readout_shifted(site: Site) -> Iterator[Variant]:
    if "readout" in _parameters(site) and site.cell is not None:
        yield Variant("h_t-1 where the readout's gradient takes h_t (off by one)", ReadoutFactorBefore)


class InitialTermMissing(Program):
    def recurrent_factor(self, h: Array) -> Array:
        factor = super().recurrent_factor(h).copy()
        factor[0] = 0
        return factor


def _initial_term(site: Site) -> Iterator[Variant]:
    if site.cell is not None:
        yield Variant("the term of h_0 missing in dR", InitialTermMissing)


def _changed(title: str, chosen: Callable[[str], bool], how: Callable[[Array, int], Array]) -> Variant:
    """The sum over time of the chosen parameters made in another way, from its terms (T, ...) and the batch."""

    class ChangedTotal(Whole):
        def backward(self, tape: Any, dy: Array, dstate: Arrays) -> Arrays:
            self.__batch = dy.shape[-2]
            return super().backward(tape, dy, dstate)

        def total(self, name: str, contributions: Array) -> Array:
            total = super().total(name, contributions)
            return how(contributions, self.__batch) if chosen(name) else total

    return Variant(title, ChangedTotal)


def _any(name: str) -> bool:
    return True


def _is_bias(name: str) -> bool:
    return name in BIASES


def _only(*names: str) -> Callable[[str], bool]:
    return lambda name: name in names


def _first(contributions: Array, batch: int) -> Array:
    first: Array = contributions[0]
    return first


def _last(contributions: Array, batch: int) -> Array:
    last: Array = contributions[-1]
    return last


def _but_first(contributions: Array, batch: int) -> Array:
    rest: Array = contributions[1:].sum(axis=0)
    return rest


def _but_last(contributions: Array, batch: int) -> Array:
    rest: Array = contributions[:-1].sum(axis=0)
    return rest


def _mean_of_batch(contributions: Array, batch: int) -> Array:
    mean: Array = contributions.sum(axis=0) / batch
    return mean


def _mean_of_time(contributions: Array, batch: int) -> Array:
    mean: Array = contributions.mean(axis=0)
    return mean


def _mean_of_both(contributions: Array, batch: int) -> Array:
    mean: Array = contributions.mean(axis=0) / batch
    return mean


def _twice(contributions: Array, batch: int) -> Array:
    total: Array = 2 * contributions.sum(axis=0)
    return total


def _parameters(site: Site) -> tuple[str, ...]:
    """What sums over time there are besides R."""
    if isinstance(site.model, Recurrence):
        return tuple(site.model.shapes)
    return tuple(name for name in site.model.shapes if "." not in name) if isinstance(site.model, Bidirectional) else ()


def _biases(site: Site) -> list[str]:
    return [name for name in BIASES if name in _parameters(site)]


def _overwritten(site: Site) -> Iterator[Variant]:
    if site.cell is None or site.steps < 2:
        return
    for name, what in (("matrix", "dR"), ("input", "dU"), *((name, f"d {name}") for name in _biases(site))):
        yield _changed(f"{what} overwritten at every step, so that only step 1 is left", _only(name), _first)
    yield _changed("the sums over time overwritten at every step, so that only step 1 is left", _any, _first)
    of_recurrence = _only("matrix", "input", "bias", "recurrent_bias", "peephole")
    yield _changed("dR, dU and db overwritten at every step, so that only step 1 is left", of_recurrence, _first)
    for name, what in (("matrix", "dR"), ("input", "dU"), *((name, f"d {name}") for name in _biases(site))):
        yield _changed(f"{what} of the last step alone", _only(name), _last)
    yield _changed("dR, dU and db of the last step alone", of_recurrence, _last)


def _bias_averaged(site: Site) -> Iterator[Variant]:
    groups = [("the gradients of the biases", _is_bias)] if len(_biases(site)) > 1 else []
    for what, chosen in (*groups, *((f"d {name}", _only(name)) for name in _biases(site))):
        if site.batch > 1:
            yield _changed(f"{what} averaged over the batch", chosen, _mean_of_batch)
        if site.steps > 1:
            yield _changed(f"{what} averaged over time", chosen, _mean_of_time)
        if site.batch > 1 and site.steps > 1:
            yield _changed(f"{what} averaged over batch and time", chosen, _mean_of_both)


def _bias_twice(site: Site) -> Iterator[Variant]:
    for name in _biases(site):
        yield _changed(f"d {name} counted twice, as if two products shared one bias", _only(name), _twice)


def _step_missing(site: Site) -> Iterator[Variant]:
    if site.cell is None or site.steps < 2:
        return
    sums = (("matrix", "dR"), ("input", "dU"), *((name, f"d {name}") for name in _biases(site)))
    for name, what in sums:
        yield _changed(f"step 1 missing in {what}", _only(name), _but_first)
        yield _changed(f"the last step missing in {what}", _only(name), _but_last)
    of_recurrence = _only("matrix", "input", "bias", "recurrent_bias", "peephole")
    yield _changed("step 1 missing in dR, dU and db", of_recurrence, _but_first)
    yield _changed("the last step missing in dR, dU and db", of_recurrence, _but_last)


def _scaled(title: str, by: Callable[[Array], float]) -> Iterator[Variant]:
    """All gradients multiplied by a number that may depend on the sizes of x, or those of the parameters alone."""

    class ScaledCotangents(Whole):
        def scale_cotangents(self, x: Array) -> float:
            return super().scale_cotangents(x) * by(x)

    class ScaledAnswer(Whole):
        def gradients(self, tape: Any, x: Array, dy: Array, dstate: Arrays) -> Arrays:
            grads = super().gradients(tape, x, dy, dstate)
            rest = ("x", *(name for name in grads if name.startswith("state ")))
            return {name: array if name in rest else by(x) * array for name, array in grads.items()}

    yield Variant(title, ScaledCotangents)
    yield Variant(f"{title} of the parameters alone", ScaledAnswer)


def _batch_mean(site: Site) -> Iterator[Variant]:
    if site.batch > 1:
        yield from _scaled("the mean over the batch where the sum is asked for, in the gradients", _by_batch)


def _time_mean(site: Site) -> Iterator[Variant]:
    if site.steps > 1:
        yield from _scaled("the mean over time where the sum is asked for, in the gradients", _by_time)
        if site.batch > 1:
            yield from _scaled("the mean over batch and time where the sum is asked for, in the gradients", _by_both)


def _by_batch(x: Array) -> float:
    return 1.0 / int(x.shape[1])


def _by_time(x: Array) -> float:
    return 1 / len(x)


def _by_both(x: Array) -> float:
    return 1.0 / (len(x) * int(x.shape[1]))


def _sign(site: Site) -> Iterator[Variant]:
    yield from _scaled("the opposite sign, in the gradients", lambda x: -1.0)


def _factor_two(site: Site) -> Iterator[Variant]:
    yield from _scaled("a factor 2 too many, in the gradients", lambda x: 2.0)
    yield from _scaled("a factor 1/2 too many, in the gradients", lambda x: 0.5)


class NoGradient(Program):
    __chosen: str

    def write(self, grads: Arrays) -> Arrays:
        grads = super().write(grads)
        return {**grads, self.__chosen: np.zeros_like(grads[self.__chosen])}


def _no_gradient(site: Site) -> Iterator[Variant]:
    if isinstance(site.model, Recurrence):
        for name in (*site.model.shapes, "x"):
            yield variant(f"no gradient reaching {name}", NoGradient, chosen=name)


class ProjectionDirectOnly(Program):
    def sweep(self, tape: Tape, direct: Array, dstate: Arrays) -> Swept:
        dz, _, *rest = super().sweep(tape, direct, dstate)
        return dz, direct, *rest  # type: ignore[return-value]


def _projection_direct(site: Site) -> Iterator[Variant]:
    if "projection" in _parameters(site):
        yield Variant("the gradient that later steps send back missing in the projection's", ProjectionDirectOnly)


MISTAKES = (
    Mistake(
        "recurrent-gradient-shifted",
        "the wrong step's h in dR",
        "MI-10",
        "the states differ from step to step",
        "rnn-largest-steps",
        _recurrent_shifted,
    ),
    Mistake(
        "input-gradient-shifted",
        "the wrong step's x in dU",
        "MI-11",
        "the inputs differ from step to step",
        "rnn-largest-steps",
        _input_shifted,
    ),
    Mistake(
        "readout-gradient-shifted",
        "the wrong step's h in the readout's gradient",
        "MI-12",
        "the states differ from step to step",
        "rnn-largest-steps",
        _readout_shifted,
    ),
    Mistake(
        "initial-term-missing",
        "the term of h_0 missing in dR",
        "MI-13",
        "the initial state is not zero",
        "rnn-largest-steps",
        _initial_term,
    ),
    Mistake(
        "overwritten-sum",
        "a sum over time overwritten instead of added to",
        "MI-14",
        "there are two steps",
        "rnn-largest-steps",
        _overwritten,
    ),
    Mistake("step-missing", "a step missing in a sum over time", "MI-15", "always", "rnn-largest-steps", _step_missing),
    Mistake(
        "bias-averaged",
        "the bias's gradient averaged",
        "MI-16",
        "the batch or the sequence is longer than 1",
        "rnn-largest-steps",
        _bias_averaged,
    ),
    Mistake(
        "bias-counted-twice", "the bias's gradient counted twice", "MI-17", "always", "rnn-largest-steps", _bias_twice
    ),
    Mistake(
        "batch-mean",
        "the mean over the batch in place of the sum",
        "MI-18",
        "the batch has two sequences",
        "rnn-largest-steps",
        _batch_mean,
    ),
    Mistake(
        "time-mean",
        "the mean over time in place of the sum",
        "MI-19",
        "there are two steps",
        "rnn-largest-steps",
        _time_mean,
    ),
    Mistake("opposite-sign", "the opposite sign", "MI-20", "always", "rnn-largest-steps", _sign),
    Mistake("factor-two", "a factor 2 too many or too few", "MI-21", "always", "rnn-largest-steps", _factor_two),
    Mistake("no-gradient", "no gradient reaching a parameter", "MI-22", "always", "rnn-largest-steps", _no_gradient),
    Mistake(
        "projection-direct-only",
        "the later steps missing in the projection's gradient",
        "MI-23",
        "there are two steps",
        "lstm-projection",
        _projection_direct,
    ),
)
