"""The passes of a recurrence: over some sequences of a batch, through all times, a block of them after the other.

A block is a stretch of time whose gradients stay in the cache (time_blocks.py). Around the loop over its steps there
are the products over all of them: before it the drive, and behind it the readout; on the way back before it the
readout's gradients, and behind it those of the weights and of the input. Only the loops depend on each other, so the
backend may do the products of one block beside the loop over the next.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.backends.base import Backend, Part, SequenceGradients, SequenceTape, Stages, States, Step, parts, room
from enrnn_ref.cells.base import Cell
from enrnn_ref.models.drive import Drive
from enrnn_ref.models.passes import Held, Pass, Point, Segment, Share, Tape, joined_states, of_sequences
from enrnn_ref.models.readout import Readout
from enrnn_ref.models.run import Tangent
from enrnn_ref.models.states import StateLayout
from enrnn_ref.models.time_blocks import Sums, at_gates, by_gate, segments, stretches, time_blocks
from enrnn_ref.parametrizations.base import Parametrization

INFERENCE_STEPS = 64
"""Steps that a run without a tape holds at a time."""


class Filter(NamedTuple):
    """The cell through which the drive goes before the recurrence, and how its states are named."""

    cell: Cell
    layout: StateLayout


class _Block(NamedTuple):
    """What the loop back over a block starts from: its times, its tape, and the direct gradients of its states."""

    times: slice
    tape: SequenceTape
    dh: Array | None


@dataclass
class _Found:
    """What a pass back has found up to some step: sums of gradients, and what arrives at the states before it."""

    sums: Sums
    arriving: States
    at_filter: States | None


@dataclass(frozen=True)
class Sweep:
    """What the passes need to know of a recurrence.

    ``layout``, ``drive`` and ``readout`` are its parts; ``projected``: h is a projection of what the cell puts out.
    """

    parametrization: Parametrization
    cell: Cell
    filter: Filter | None
    layout: StateLayout
    drive: Drive
    readout: Readout
    projected: bool

    @functools.cached_property
    def parts(self) -> list[Part]:
        """The rectangles of R that may be other than zero."""
        return parts(self.cell, self.parametrization.support, self.layout.units)

    def multiply_adds(self, x: Array) -> int:
        """Of the recurrent products over x (T, B, I), which are most of a pass."""
        steps, batch, _ = x.shape
        rows, columns = self.parametrization.shape
        return int(steps * batch * rows * columns)

    def step(self, engine: Backend, weights: Arrays, matrix: Array) -> Step:
        """What a step multiplies by, at R = ``matrix``."""
        n = self.layout.units
        rows = [weights[name].reshape(count, n) for name, count in self.cell.parameters.items()]
        theta = engine.joined(rows) if rows else engine.empty((0, n), matrix.dtype)
        return Step(matrix, theta, self.parts, weights.get("projection"))

    def forward(
        self,
        engine: Backend,
        at: Point,
        sequences: slice,
        y: Array | None,
        keep: bool,
        checkpoint_every: int | None,
    ) -> Pass:
        """From the first step to the last [GS-1] to [GS-4]; fills its sequences of ``y``."""
        weights, step, x, named = at.of(sequences)
        kept = []
        for times in self._segments(x, keep, checkpoint_every):
            shown = y[times, sequences] if y is not None and self.readout.kind == "all" else None
            held = self._run(engine, weights, step, x[times], named, shown)
            if keep:
                # Copies: the caller may change his state before backward.
                before = {} if checkpoint_every is None else joined_states(engine, [named])
                kept.append(Segment(times, before, held if checkpoint_every is None else None))
            named = self._final(engine, held)
        if y is not None and self.readout.kind == "last":
            engine.copy(y[sequences], self.readout.apply(engine, weights, self._last(named)))
        return Pass(sequences, named, kept)

    def backward(self, engine: Backend, tape: Tape, part: Pass, dy: Array, dstate: Arrays, dx: Array) -> Share:
        """From the last step to the first [BP-1] to [BP-7]; fills its sequences of ``dx``."""
        x, dx = tape.x[:, part.sequences], dx[:, part.sequences]
        dy = dy[:, part.sequences] if self.readout.kind == "all" else dy[part.sequences]
        named, batch = of_sequences(dstate, part.sequences), x.shape[1]
        at_filter = None if self.filter is None else self.filter.layout.stack(engine, named, batch, x.dtype)
        found = _Found(Sums(engine), self.layout.stack(engine, named, batch, x.dtype), at_filter)
        if self.readout.kind == "last":
            sums, dlast = self.readout.pullback(engine, tape.weights, self._last(part.final), dy)  # [BP-7]
            found.sums.add_all(sums)
            engine.add(found.arriving.h, dlast[0])
        for segment in reversed(part.segments):
            times = segment.times
            held = segment.held or self._run(engine, tape.weights, tape.step, x[times], segment.start)
            of_all = dy[times] if self.readout.kind == "all" else None
            self._back_over(engine, tape, held, x[times], of_all, dx[times], found)
        initial = self.layout.name(engine, found.arriving)
        if self.filter is not None and found.at_filter is not None:
            initial |= self.filter.layout.name(engine, found.at_filter)
        return Share(found.sums, initial)

    def tangent(self, engine: Backend, at: Point, along: Point) -> Tangent:
        """The derivatives of y and of the final states at a point along a direction [TA-1] [TA-2] [TA-4]."""
        batch, dtype = at.x.shape[1], at.x.dtype
        u = self.drive.affine(engine, at.weights, at.x)
        du = self.drive.affine(engine, along.weights, at.x)
        engine.add(du, engine.affine(along.x, at.weights["input"], None))
        final: Arrays = {}
        if self.filter is not None:
            no_matrix = self._filter_step(engine, dtype)
            initial, dinitial = (self.filter.layout.stack(engine, point.start, batch, dtype) for point in (at, along))
            filtered, dfiltered = engine.tangent(self.filter.cell, no_matrix, u, initial, no_matrix, du, dinitial)
            u, du = filtered.h[1:], dfiltered.h[1:]
            final = self.filter.layout.name(engine, States(*(part[-1] for part in dfiltered)))
        form = (*at.x.shape[:2], self.cell.gates * self.layout.units)
        z = self.drive.spread(engine, u, at.weights, engine.empty(form, dtype))
        dz = self.drive.spread(engine, du, along.weights, engine.empty(form, dtype))
        states, dstates = engine.tangent(
            self.cell, at.step, z, self.layout.stack(engine, at.start, batch, dtype),
            along.step, dz, self.layout.stack(engine, along.start, batch, dtype),
        )  # fmt: skip
        features = (part.h[1:] if self.readout.kind == "all" else part.h[-1:] for part in (states, dstates))
        dy = self.readout.tangent(engine, at.weights, along.weights, *features)
        return Tangent(dy, self.layout.name(engine, States(*(part[-1] for part in dstates))) | final)

    def _segments(self, x: Array, keep: bool, checkpoint_every: int | None) -> list[slice]:
        """The stretches of time that are held at once."""
        if not keep:
            return stretches(len(x), INFERENCE_STEPS)
        if checkpoint_every is None:
            return [slice(0, len(x))]
        step_bytes = self.cell.gates * self.layout.units * x[0, :, 0].nbytes
        return segments(len(x), x.shape[1], step_bytes, checkpoint_every)

    def _blocks(self, engine: Backend, sequence: SequenceTape) -> list[slice]:
        time, batch, _ = sequence.z.shape
        return time_blocks(time, batch, sequence.z[0].nbytes) if engine.blocked else [slice(0, time)]

    def _run(
        self, engine: Backend, weights: Arrays, step: Step, x: Array, named: Arrays, y: Array | None = None
    ) -> Held:
        """Drive, filter, recurrence and, into ``y``, readout over x from the named states."""
        batch, filtered = x.shape[1], None
        if self.filter is not None:
            initial = self.filter.layout.stack(engine, named, batch, x.dtype)
            filtered = room(engine, self.filter.cell, len(x), initial, projected=False)
        initial = self.layout.stack(engine, named, batch, x.dtype)
        sequence = room(engine, self.cell, len(x), initial, projected=self.projected)

        def drive(times: slice) -> slice:
            z = sequence.z[times]
            if self.filter is not None and filtered is not None:
                driven = filtered.between(times)
                self.drive.affine(engine, weights, x[times], driven.z)
                engine.forward(self.filter.cell, self._filter_step(engine, x.dtype), driven)  # [CO-4]
                self.drive.spread(engine, driven.states.h[1:], weights, z)
            else:
                out = z if self.drive.takes_all_gates else None
                self.drive.spread(engine, self.drive.affine(engine, weights, x[times], out), weights, z)
            return times

        def loop(times: slice) -> slice:
            engine.forward(self.cell, step, sequence.between(times))
            return times

        def read_out(times: slice) -> None:
            if y is not None:
                engine.copy(y[times], self.readout.apply(engine, weights, sequence.between(times).h[1:]))

        stages = Stages(drive, loop, read_out)
        engine.pipeline(stages, self._blocks(engine, sequence), self.multiply_adds(x))
        return Held(sequence, filtered)

    def _back_over(
        self, engine: Backend, tape: Tape, held: Held, x: Array, dy: Array | None, dx: Array, found: _Found
    ) -> None:
        """Back over a stretch of time; ``dy`` of all its steps, or None where y is given for the last alone."""
        weights = tape.weights

        def before(times: slice) -> _Block:
            block, dh = held.sequence.between(times), None
            if dy is not None:
                sums, dh = self.readout.pullback(engine, weights, block.h[1:], dy[times])  # [BP-7]
                found.sums.add_all(sums)
            return _Block(times, block, dh)

        def loop(block: _Block) -> tuple[_Block, SequenceGradients]:
            back = engine.backward(self.cell, tape.step, block.tape, block.dh, found.arriving)
            found.arriving = back.dinitial
            return block, back

        def after(looped: tuple[_Block, SequenceGradients]) -> None:
            (times, block, _), back = looped
            self._add_recurrent_sums(engine, found.sums, block, back)
            dz, driven = back.dz, self.cell.driven
            if self.filter is not None and held.filtered is not None and found.at_filter is not None:
                da = engine.joined(at_gates(dz, driven, self.layout.units), axis=2)
                no_matrix, filtered = self._filter_step(engine, x.dtype), held.filtered.between(times)
                through = engine.backward(self.filter.cell, no_matrix, filtered, da, found.at_filter)  # [CO-8]
                found.at_filter, dz, driven = through.dinitial, through.dz, tuple(range(len(driven)))
            self.drive.add_sums(engine, found.sums, dz, driven, x[times])
            engine.copy(dx[times], self.drive.pullback(engine, weights, dz, driven))

        blocks = self._blocks(engine, held.sequence)[::-1]  # [BP-12]
        engine.pipeline(Stages(before, loop, after), blocks, self.multiply_adds(x))

    def _last(self, named: Arrays) -> Array:
        """The last of all h, (1, B, W), from the final states."""
        last = named[self.layout.output]
        return last.reshape(1, *last.shape)

    def _final(self, engine: Backend, held: Held) -> Arrays:
        """The named states after the last step."""
        final = self.layout.name(engine, States(*(part[-1] for part in held.sequence.states)))
        if self.filter is not None and held.filtered is not None:
            final |= self.filter.layout.name(engine, States(*(part[-1] for part in held.filtered.states)))
        return final

    def _add_recurrent_sums(self, engine: Backend, sums: Sums, part: SequenceTape, back: SequenceGradients) -> None:
        """dR, dP, dθ, db_p [BP-4] [CO-5] [CO-6] [CO-7]."""
        sums.add("matrix", self._matrix_sum(engine, part, back.dz))
        sums.add("theta", back.dtheta)
        if back.dh is not None and part.emitted is not None:
            sums.add("projection", engine.correlate(back.dh, part.emitted))  # [CO-6]
        if self.drive.recurrent_bias:
            total = engine.total(back.dz)
            sums.add("recurrent_bias", by_gate(engine, total, self.cell.recurrent, self.layout.units))  # [CO-7]

    def _matrix_sum(self, engine: Backend, part: SequenceTape, dz: Array) -> Array:
        """dR where R may be other than zero: what arrived at a product times what it multiplied [BP-4] [CO-5]."""
        shape, found = self.parametrization.shape, []
        for rows, columns, gates, relayed in self.parts:
            multiplied = part.relayed if relayed else part.states.h[:-1]
            assert multiplied is not None
            found.append((rows, columns, engine.correlate(dz[..., gates], multiplied[..., columns])))
        if [product.shape for _, _, product in found] == [shape]:
            return found[0][2]
        total = engine.zeros(shape, np.promote_types(dz.dtype, np.float64))
        for rows, columns, product in found:
            engine.copy(total[rows, columns], product)
        return total

    def _filter_step(self, engine: Backend, dtype: np.dtype[Any]) -> Step:
        """A filter has no matrix and no parameters."""
        assert self.filter is not None
        channels = self.filter.layout.width
        return Step(engine.empty((0, channels), dtype), engine.empty((0, channels), dtype), ())
