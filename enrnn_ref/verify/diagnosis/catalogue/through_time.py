"""Mistakes in the loop backwards through time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.cells.base import Tuple
from enrnn_ref.cells.gru import GruAfter, GruBefore
from enrnn_ref.cells.lstm import Lstm, PeepholeLstm
from enrnn_ref.cells.nesterov_lstm import NesterovLstm
from enrnn_ref.filters import AdaptiveMomentum, Momentum, ScheduledMomentum
from enrnn_ref.models.recurrence import Recurrence
from enrnn_ref.verify.diagnosis.mistake import Mistake, Site, Variant, variant
from enrnn_ref.verify.diagnosis.program import Program, Swept, Tape

LENGTHS = (*range(1, 13), 15, 16, 20, 24, 25, 28, 30, 32, 35, 40, 50, 64, 70, 100, 128, 150, 200, 256)
"""Truncation lengths that are tried: all short ones, and those that people choose."""


def transposed(matrix: Array) -> Array:
    """The transpose of a square matrix, or of every square block of a matrix of several gates."""
    width = matrix.shape[1]
    return matrix.reshape(-1, width, width).swapaxes(1, 2).reshape(matrix.shape)


def can_be_transposed(site: Site) -> bool:
    """Whether the transpose of R, or of its blocks, has the shape of R."""
    if site.parametrization is None or site.cell is None:
        return False
    rows, width = site.parametrization.shape
    return width > 1 and rows in (width, width * len(site.cell.recurrent))


class TransposedBackward(Program):
    def carried(self, dz: Array, matrix: Array) -> Array:
        return super().carried(dz, transposed(matrix) if matrix.size else matrix)


def _transposed_backward(site: Site) -> Iterator[Variant]:
    if can_be_transposed(site):
        yield Variant("R transposed in the backward pass (R dz where Rᵀ dz is right)", TransposedBackward)


class DetachedBetweenPieces(Program):
    __length: int

    def remembers(self, t: int) -> bool:
        return super().remembers(t) and t % self.__length != 0


class SlidingWindow(Program):
    __length: int

    def sweep(self, tape: Tape, direct: Array, dstate: Arrays) -> Swept:
        """The sum of the sweeps that start at each step and end ``length`` steps earlier."""
        times = len(direct)
        total: list[Array] = []
        first: list[Arrays] = []
        for last in range(times):
            alone = np.zeros_like(direct)
            alone[last] = direct[last]
            self.__oldest = last - self.__length + 1
            parts = super().sweep(tape, alone, dstate if last == times - 1 else {})
            flat = [*parts[0], *parts[1:3], parts[5]]
            total = flat if not total else [a + b for a, b in zip(total, flat, strict=True)]
            first.append({**parts[3], **parts[4]})
        summed = {name: np.sum([arrays[name] for arrays in first], axis=0) for name in first[0]}
        dinitial, dfiltered = ({name: summed[name] for name in part} for part in parts[3:5])
        return total[:-3], total[-3], total[-2], dinitial, dfiltered, total[-1]

    def remembers(self, t: int) -> bool:
        return super().remembers(t) and t != self.__oldest


class OnlyTheEnd(Program):
    __length: int

    def sweep(self, tape: Tape, direct: Array, dstate: Arrays) -> Swept:
        direct = direct.copy()
        direct[: max(0, len(direct) - self.__length)] = 0
        self.__oldest = len(direct) - self.__length
        return super().sweep(tape, direct, dstate)

    def remembers(self, t: int) -> bool:
        return super().remembers(t) and t != self.__oldest


def _truncated(site: Site) -> Iterator[Variant]:
    if site.cell is None:
        return
    for k in LENGTHS:
        if k >= site.steps:
            return
        steps, why = "1 step" if k == 1 else f"{k} steps", "(truncated BPTT)"
        yield variant(f"backpropagation cut between pieces of {steps} {why}", DetachedBetweenPieces, length=k)
        if site.steps <= 16 and k > 1:  # a sweep for every step
            title = f"every output's gradient sent back {steps} at most {why}"
            yield variant(title, SlidingWindow, paired=False, length=k)
        last = "last step" if k == 1 else f"last {steps}"
        title = f"only the {last} visited by the backward pass {why}"
        yield variant(title, OnlyTheEnd, paired=False, length=k)


class FinalCotangentIgnored(Program):
    __ignored: tuple[str, ...]

    def final_cotangent(self, dstate: Arrays) -> Arrays:
        return {name: array for name, array in super().final_cotangent(dstate).items() if name not in self.__ignored}


def _final_ignored(site: Site) -> Iterator[Variant]:
    if site.cell is not None:
        states = tuple(site.model.state_shapes(1))
        yield variant("the gradient that arrives at the final state ignored", FinalCotangentIgnored, ignored=states)
        if len(states) > 1:
            for name in states:
                title = f"the gradient that arrives at the final {name} ignored"
                yield variant(title, FinalCotangentIgnored, ignored=(name,))


class LastOutputOnly(Program):
    def output_cotangent(self, dy: Array) -> Array:
        dy = super().output_cotangent(dy).copy()
        dy[:-1] = 0
        return dy


class CotangentShifted(Program):
    __by: int

    def shown_pullback(self, dshown: Array) -> Array:
        return shifted(super().shown_pullback(dshown), self.__by)


class OutputCotangentShifted(Program):
    __by: int

    def output_cotangent(self, dy: Array) -> Array:
        return shifted(super().output_cotangent(dy), self.__by)


def shifted(sequence: Array, by: int) -> Array:
    """The sequence moved along time, zeros moving in: entry t of the result is entry t − by."""
    moved = np.zeros_like(sequence)
    if by > 0:
        moved[by:] = sequence[:-by]
    else:
        moved[:by] = sequence[-by:]
    return moved


def _every_output(site: Site) -> bool:
    return isinstance(site.model, Recurrence) and site.model.readout == "all" and site.steps > 1


def _last_output_only(site: Site) -> Iterator[Variant]:
    if _every_output(site):
        yield Variant("the gradients of all outputs but the last one ignored", LastOutputOnly)


def _cotangent_shifted(site: Site) -> Iterator[Variant]:
    if _every_output(site):
        yield variant("dy of the step before added to dh (off by one)", CotangentShifted, by=1)
        yield variant("dy of the step after added to dh (off by one)", CotangentShifted, by=-1)
        yield variant("dy of the step before in place of dy (off by one)", OutputCotangentShifted, by=1)
        yield variant("dy of the step after in place of dy (off by one)", OutputCotangentShifted, by=-1)


class CarriedCellStateDropped(Program):
    def cell_state_gradient(self, carried: Array, shown: Array) -> Array:
        return super().cell_state_gradient(0 * carried, shown)


class ShownCellStateDropped(Program):
    def cell_state_gradient(self, carried: Array, shown: Array) -> Array:
        return super().cell_state_gradient(carried, 0 * shown)


class CellStateNotGated(Program):
    def carried_cell_state(self, dnew: Array, f: Array) -> Array:
        return dnew


class CellStateNotCarried(Program):
    def carried_cell_state(self, dnew: Array, f: Array) -> Array:
        return 0 * dnew


def _cell_state(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, Lstm | PeepholeLstm | NesterovLstm):
        yield Variant("the gradient that the next step sends to c dropped", CarriedCellStateDropped)
        yield Variant("the gradient of c not carried to the step before", CellStateNotCarried)
        yield Variant("the gradient of c carried to the step before without the forget gate", CellStateNotGated)
        yield Variant("the gradient that h = o tanh(c) sends to c dropped", ShownCellStateDropped)


class KeptPathDropped(Program):
    def kept_path(self, through: Array) -> Array:
        return 0 * through


class ResetPathDropped(Program):
    def reset_path(self, through: Array) -> Array:
        return 0 * through


class RelayedPathDropped(Program):
    def relayed_path(self, through: Array) -> Array:
        return 0 * through


def _gru_paths(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, GruAfter | GruBefore):
        yield Variant("the direct path from h_t to h_t-1 through the update gate dropped", KeptPathDropped)
        yield Variant("the gradient of the reset gate dropped", ResetPathDropped)
    if isinstance(site.cell, GruBefore):
        yield Variant("the path to h_t-1 through r h dropped", RelayedPathDropped)


class PeepholePathDropped(Program):
    def peephole_path(self, through: Array) -> Array:
        return 0 * through


class OutputPeepholePathDropped(Program):
    def peeped_pullback(self, through: Array) -> tuple[Array, Array]:
        return super().peeped_pullback(0 * through)


class BothPeepholePathsDropped(PeepholePathDropped, OutputPeepholePathDropped):
    pass


def _peephole_paths(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, PeepholeLstm):
        yield Variant("the path to c through the peepholes dropped", BothPeepholePathsDropped)
        yield Variant("the path to c through the peepholes of input and forget gate dropped", PeepholePathDropped)
        yield Variant("the path to c through the output gate's peephole dropped", OutputPeepholePathDropped)


class MomentumPathDropped(Program):
    def filter_pullback(self, u: Array, states: Tuple, dstates: Tuple) -> tuple[Array, Tuple]:
        du, dold = super().filter_pullback(u, states, dstates)
        return du, tuple(0 * part for part in dold)

    def momentum_path(self, through: Array) -> Array:
        return 0 * through


class MomentumIgnoredBackward(Program):
    def filter_pullback(self, u: Array, states: Tuple, dstates: Tuple) -> tuple[Array, Tuple]:
        _, dold = super().filter_pullback(u, states, dstates)
        return dstates[0], tuple(0 * part for part in dold)


class StepForgottenBackward(Program):
    def filter_pullback(self, u: Array, states: Tuple, dstates: Tuple) -> tuple[Array, Tuple]:
        _, dold = super().filter_pullback(u, states, dstates)
        return dstates[0], dold


class MeanSquareConstant(Program):
    def filter_pullback(self, u: Array, states: Tuple, dstates: Tuple) -> tuple[Array, Tuple]:
        assert isinstance(self.filter, AdaptiveMomentum)
        mu, eps, new = self.filter.momentum, self.filter.step_size, self.filter.step((u,), states, ())
        dv = dstates[1] + dstates[0] * np.divide(new[0], new[1], out=np.zeros_like(u), where=new[1] != 0)
        return eps * dv, (0 * dv, mu * dv, 0 * dv)


def _momentum(site: Site) -> Iterator[Variant]:
    momentum = isinstance(site.model, Recurrence) and site.model.filter is not None
    if momentum or isinstance(site.cell, NesterovLstm):
        yield Variant("the gradient not carried back through the momentum", MomentumPathDropped)
    if momentum:
        yield Variant("the filter of the drive treated as the identity in the backward pass", MomentumIgnoredBackward)
    if isinstance(site.model, Recurrence) and isinstance(site.model.filter, Momentum | ScheduledMomentum):
        yield Variant("the step ε of the momentum left out in the backward pass", StepForgottenBackward)
    if isinstance(site.model, Recurrence) and isinstance(site.model.filter, AdaptiveMomentum):
        yield Variant("the mean square of the drive treated as a constant", MeanSquareConstant)


MISTAKES = (
    Mistake(
        "transposed-recurrence-backward",
        "R transposed in the backward pass",
        "MI-1",
        "R is not symmetric, and there are two steps or an initial state whose gradient is asked for",
        "rnn-largest-steps",
        _transposed_backward,
    ),
    Mistake(
        "truncated-backpropagation",
        "backpropagation through time truncated",
        "MI-2",
        "the sequence is longer than the truncation",
        "rnn-largest-steps",
        _truncated,
    ),
    Mistake(
        "final-cotangent-ignored",
        "the gradient that arrives at the final state ignored",
        "MI-3",
        "the loss looks at the final state",
        "rnn-largest-steps",
        _final_ignored,
    ),
    Mistake(
        "last-output-only",
        "the gradients of all outputs but the last one ignored",
        "MI-4",
        "the loss looks at more outputs than the last one",
        "rnn-largest-steps",
        _last_output_only,
    ),
    Mistake(
        "output-cotangent-shifted",
        "dy taken from the wrong time step",
        "MI-5",
        "dy differs from step to step",
        "rnn-largest-steps",
        _cotangent_shifted,
    ),
    Mistake(
        "cell-state-path",
        "part of the path through the cell state missing",
        "MI-6",
        "there are two steps, or a gradient at the final or initial c",
        "lstm-largest-steps",
        _cell_state,
    ),
    Mistake(
        "gru-path",
        "a path from h_t to h_t-1 missing",
        "MI-7",
        "there are two steps or an initial state whose gradient is asked for",
        "gru-largest-steps",
        _gru_paths,
    ),
    Mistake(
        "peephole-path",
        "the path to c through the peepholes dropped",
        "MI-8",
        "the peepholes are not zero, and there are two steps or a gradient at the initial c",
        "lstm-peephole",
        _peephole_paths,
    ),
    Mistake(
        "momentum-path",
        "part of the path through the momentum missing",
        "MI-9",
        "there are two steps, or the step ε is not 1",
        "momentumrnn-largest-steps",
        _momentum,
    ),
)
