"""Mistakes at the initial state."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.models.recurrence import Recurrence
from enrnn_ref.verify.diagnosis.mistake import Mistake, Site, Variant, variant
from enrnn_ref.verify.diagnosis.program import Program, Swept, Tape


class StartIgnored(Program):
    changes_outputs = True
    __ignored: tuple[str, ...]
    __given_gradient: bool

    def start(self, state: Arrays) -> Arrays:
        return {name: array for name, array in super().start(state).items() if name not in self.__ignored}

    def initial_gradient(self, tape: Tape, name: str, dinitial: Array) -> Array:
        dinitial = super().initial_gradient(tape, name, dinitial)
        return 0 * dinitial if name in self.__ignored and not self.__given_gradient else dinitial


def _ignored(site: Site) -> Iterator[Variant]:
    if site.cell is None:
        return
    states = tuple(site.model.state_shapes(1))
    for chosen in (states, *((name,) for name in states if len(states) > 1)):
        what = "the initial state" if chosen == states else f"the initial {chosen[0]}"
        for title, given in (
            (f"{what} ignored, zeros in its place", False),
            (f"{what} ignored in the forward pass, zeros in its place, but given a gradient", True),
        ):
            yield variant(title, StartIgnored, ignored=chosen, given_gradient=given)


class NoStartGradient(Program):
    __chosen: tuple[str, ...]

    def initial_gradient(self, tape: Tape, name: str, dinitial: Array) -> Array:
        return 0 * super().initial_gradient(tape, name, dinitial) if name in self.__chosen else dinitial


class StartGradientAfterStep(Program):
    def sweep(self, tape: Tape, direct: Array, dstate: Arrays) -> Swept:
        dz, whole, dtheta, dinitial, dfiltered, du = super().sweep(tape, direct, dstate)
        return dz, whole, dtheta, {**dinitial, self.layout.output: whole[0]}, dfiltered, du


class StartGradientIsDz(Program):
    def sweep(self, tape: Tape, direct: Array, dstate: Arrays) -> Swept:
        dz, whole, dtheta, dinitial, dfiltered, du = super().sweep(tape, direct, dstate)
        first = np.concatenate([dz[g][0] for g in self.cell.recurrent], axis=1)
        return dz, whole, dtheta, {**dinitial, self.layout.output: first}, dfiltered, du


def _no_start_gradient(site: Site) -> Iterator[Variant]:
    if site.cell is not None:
        states = tuple(site.model.state_shapes(1))
        yield variant("no gradient reaching the initial state", NoStartGradient, chosen=states)
        for name in states if len(states) > 1 else ():
            yield variant(f"no gradient reaching the initial {name}", NoStartGradient, chosen=(name,))


def _not_carried(site: Site) -> Iterator[Variant]:
    if site.cell is not None and site.parametrization is not None:
        yield Variant("the gradient of h_1 handed out as that of h_0", StartGradientAfterStep)
        rows, columns = site.parametrization.shape
        if rows == columns:
            yield Variant("the gradient of h_0 not multiplied by Rᵀ", StartGradientIsDz)


class LearnedStartAveraged(Program):
    def write(self, grads: Arrays) -> Arrays:
        grads = super().write(grads)
        return {**grads, "initial_state": grads["initial_state"] / self.__batch}

    def backward(self, tape: Tape, dy: Array, dstate: Arrays) -> Arrays:
        self.__batch = tape.h.shape[1]
        return super().backward(tape, dy, dstate)


class LearnedStartAlways(Program):
    def backward(self, tape: Tape, dy: Array, dstate: Arrays) -> Arrays:
        return super().backward(tape._replace(learned_start=True), dy, dstate)


def _learned(site: Site) -> Iterator[Variant]:
    if isinstance(site.model, Recurrence) and site.model.initial_state:
        if site.batch > 1:
            yield Variant("the gradient of the trained start averaged over the batch", LearnedStartAveraged)
        yield Variant("the gradient of the trained start given although another start was", LearnedStartAlways)


MISTAKES = (
    Mistake(
        "initial-state-ignored",
        "the initial state ignored",
        "MI-24",
        "the initial state is not zero",
        "rnn-largest-steps",
        _ignored,
    ),
    Mistake(
        "initial-gradient-missing",
        "no gradient reaching the initial state",
        "MI-25",
        "the gradient of the initial state is asked for",
        "rnn-largest-steps",
        _no_start_gradient,
    ),
    Mistake(
        "initial-gradient-not-carried",
        "the gradient of h_0 not carried through the first step",
        "MI-26",
        "the gradient of the initial state is asked for",
        "rnn-largest-steps",
        _not_carried,
    ),
    Mistake(
        "trained-start",
        "the gradient of the trained start not summed over the batch",
        "MI-27",
        "there is a trained start, and a batch of two or a start that was given",
        "scurnn-learned-start",
        _learned,
    ),
)
