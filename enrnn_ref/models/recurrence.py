"""The general model: a parametrization × a cell × a backend, with input and readout (derivations/00-notation.md)."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Self

import numpy as np
import numpy.typing as npt

from enrnn_ref import backends
from enrnn_ref.arrays import Array, Arrays, float_dtype, integer
from enrnn_ref.backends.base import Backend
from enrnn_ref.cells.base import Cell
from enrnn_ref.errors import OptionError
from enrnn_ref.initializers import generator, glorot_uniform
from enrnn_ref.linalg.threads import single_threaded_blas
from enrnn_ref.models.axes import require_filter, sizes
from enrnn_ref.models.base import Model, require_keep
from enrnn_ref.models.drive import Drive
from enrnn_ref.models.passes import (
    Pass,
    Point,
    Share,
    Tape,
    joined_states,
    read_only,
    states_shown,
)
from enrnn_ref.models.readout import Readout
from enrnn_ref.models.run import Gradients, Run, Tangent
from enrnn_ref.models.states import StateLayout
from enrnn_ref.models.sweep import Filter, Sweep
from enrnn_ref.models.time_blocks import Sums
from enrnn_ref.parametrizations.base import Parametrization, Value


class Recurrence(Model):
    """A recurrent network h_t = cell(U x_t + R h_{t-1}), y_t = V h_t + c [GS-1] to [GS-4].

    Every system of the literature is this class with its axes chosen; so is a user's own.

    Parameters
    ----------
    parametrization : Parametrization
        Gives R, a block of n rows for every recurrent gate of the cell, (G·n, n) for most, and with it n.
    cell : Cell
        Has G gates.
    input_size : int
        I ≥ 1.
    output_size : int or None
        O ≥ 1; None: no readout, the output is the hidden sequence.
    readout : {"all", "last"}
        Whether y is given for every step or for the last one.
    names : dict of str to str, optional
        What the parametrization's arrays are called among the parameters, where their own names will not do.
    filter : Cell, optional
        A cell with one gate and no recurrent one, through which the drive goes before the recurrence (momentum) [CO-4].
    projection_size : int, optional
        P ≥ 1: h_t = P m_t with m_t the cell's output [CO-3], parameter ``projection`` (P, n).
    recurrent_bias : bool, optional
        Overrides the cell's own choice: whether the recurrent gates have a bias beside that of the drive, parameter
        ``recurrent_bias``.
    initial_state : bool
        Whether a run that is given no state starts from a trained one, parameter ``initial_state``, and not from zero.

    Attributes
    ----------
    hidden_size : int
        n, the number of units.
    width : int
        Entries of h_t: n for most, 2n for complex units, P behind a projection.
    blocks : dict of str to slice
        Groups of entries of h_t that mean something of their own.
    """

    def __init__(
        self,
        parametrization: Parametrization,
        cell: Cell,
        input_size: int,
        output_size: int | None = None,
        *,
        readout: str = "all",
        names: Mapping[str, str] | None = None,
        filter: Cell | None = None,  # noqa: A002 (the word for it)
        projection_size: int | None = None,
        recurrent_bias: bool | None = None,
        initial_state: bool = False,
    ) -> None:
        for name, axis, kind in (("parametrization", parametrization, Parametrization), ("cell", cell, Cell)):
            if not isinstance(axis, kind):
                raise OptionError(f"{name} is {axis!r}; expected an object of a subclass of {kind.__name__}.")
        self.longdouble = parametrization.longdouble
        self.input_size = integer("input_size", input_size)
        self.projection_size = None if projection_size is None else integer("projection_size", projection_size)
        self.hidden_size, self.width = sizes(parametrization, cell, self.projection_size)
        n, gates = self.hidden_size, len(cell.driven)
        self._readout = Readout(self.width, output_size, readout)
        self.readout, self.output_size, self.output_width = readout, self._readout.output_size, self._readout.width
        self.blocks = {"all": slice(0, self.width)}
        self._layout = StateLayout(cell, n, self.width)
        filtering = None
        if filter is not None:
            require_filter(filter)
            filtering = Filter(filter, StateLayout(filter, gates * n, gates * n, hide_output=not filter.reads_output))
            shared = sorted(self._layout.widths.keys() & filtering.layout.widths.keys())
            if shared:
                raise OptionError(
                    f"filter {type(filter).__name__} and cell {type(cell).__name__} share states {shared}."
                )
        self.recurrent_bias = cell.recurrent_bias if recurrent_bias is None else recurrent_bias
        drive, projected = Drive(cell, n, recurrent_bias=self.recurrent_bias), self.projection_size is not None
        self._sweep = Sweep(parametrization, cell, filtering, self._layout, drive, self._readout, projected)

        self._names = {raw: (names or {}).get(raw, raw) for raw in parametrization.shapes}
        self.shapes = {self._names[raw]: shape for raw, shape in parametrization.shapes.items()}
        self.shapes["input"] = (gates * n, self.input_size)
        if cell.drive_bias:
            self.shapes["bias"] = (gates * n,)
        if self.recurrent_bias:
            self.shapes["recurrent_bias"] = (len(cell.recurrent) * n,)
        self.shapes |= cell.parameter_shapes(n)
        if self.projection_size is not None:
            self.shapes["projection"] = (self.projection_size, n)
        if not isinstance(initial_state, bool):
            raise OptionError(f"initial_state is {initial_state!r}; expected True or False.")
        self.initial_state = initial_state
        if initial_state:
            self.shapes["initial_state"] = (self.width,)
        self.shapes |= self._readout.shapes

    def _replaced(self, parametrization: Parametrization, cell: Cell, filter: Cell | None) -> Self:  # noqa: A002
        """A copy that computes with these in the places of its own, whose shapes, states and gates they have."""
        before, twin = self._sweep.filter, copy.copy(self)
        filtering = None if before is None or filter is None else before._replace(cell=filter)
        twin._sweep = dataclasses.replace(self._sweep, parametrization=parametrization, cell=cell, filter=filtering)
        return twin

    @property
    def parametrization(self) -> Parametrization:
        """What gives R."""
        return self._sweep.parametrization

    @property
    def cell(self) -> Cell:
        """What makes of a pre-activation and the states the next ones."""
        return self._sweep.cell

    @property
    def filter(self) -> Cell | None:
        """What the drive goes through before it."""
        return None if self._sweep.filter is None else self._sweep.filter.cell

    def init(self, seed: int | np.random.Generator, dtype: npt.DTypeLike = np.float64) -> Arrays:
        """Draw parameters: the parametrization's own law, Glorot-uniform input and readout, zero biases."""
        kind = float_dtype(dtype, longdouble=self.longdouble)
        rng = generator(seed)
        raw = self.parametrization.init(rng, kind)
        params = {self._names[key]: array for key, array in raw.items()}
        params["input"] = self._init_input(rng, kind)
        params |= self.cell.init(self.hidden_size, kind)
        if self.projection_size is not None:
            params["projection"] = glorot_uniform(rng, (self.projection_size, self.hidden_size), kind)
        params |= self._readout.init(rng, kind)
        return {key: params.get(key, np.zeros(shape, kind)) for key, shape in self.shapes.items()}

    def _init_input(self, rng: np.random.Generator, dtype: npt.DTypeLike) -> Array:
        return glorot_uniform(rng, (self.shapes["input"][0], self.input_size), dtype)

    def state_shapes(self, batch: int) -> dict[str, tuple[int, int]]:
        """Names and shapes of the state for ``batch`` sequences."""
        filtering = self._sweep.filter
        widths = self._layout.widths | (filtering.layout.widths if filtering is not None else {})
        return {name: (batch, width) for name, width in widths.items()}

    def initial_buffers(self) -> Arrays:
        """The untrained state of the parametrization before the first step."""
        return self.parametrization.initial_buffers()

    def recurrences(
        self, params: Arrays, buffers: Arrays | None = None
    ) -> Iterator[tuple[str, Recurrence, Arrays, Arrays | None]]:
        """This one."""
        yield "", self, params, buffers

    def after_update(
        self, params: Mapping[str, Array], buffers: Mapping[str, Array] | None = None
    ) -> tuple[Arrays, Arrays]:
        """Parameters and buffers to go on with after an optimiser step (see :class:`Model`)."""
        _, checked = self._params_in_place(params)
        raw, after = self.parametrization.after_update(self._raw(checked), buffers)
        return checked | {self._names[key]: array for key, array in raw.items()}, after

    def penalty(self, params: Mapping[str, Array]) -> tuple[float, Arrays]:
        """The parametrization's own term of the loss (zero for most) and its gradients, with the keys of ``params``."""
        on, checked = self._params_in_place(params)
        value, draw = self.parametrization.penalty(self._raw(checked))
        grads = {key: on.zeros(array.shape, array.dtype) for key, array in checked.items()}
        return value, grads | {self._names[key]: gradient for key, gradient in draw.items()}

    @single_threaded_blas()
    def evaluate(self, params: Mapping[str, Array], buffers: Mapping[str, Array] | None = None) -> Value:
        """The parametrization at ``params``: the recurrent matrix and what is known about it."""
        return self.parametrization.evaluate(self._raw(self._checked_params(params, longdouble=True)), buffers)

    def recurrent_matrix(self, params: Mapping[str, Array], buffers: Mapping[str, Array] | None = None) -> Array:
        """The effective R (G·n, n)."""
        return self.evaluate(params, buffers).matrix

    @single_threaded_blas()
    def forward(
        self,
        params: Mapping[str, Array],
        x: Array,
        state: Mapping[str, Array] | None = None,
        *,
        buffers: Mapping[str, Array] | None = None,
        keep: bool = True,
        checkpoint_every: int | None = None,
        backend: str = "cpu",
    ) -> Run:
        """Run the recurrence over a batch of sequences [GS-1] to [GS-4].

        Parameters
        ----------
        params : dict of ndarray
            Keys and shapes of ``shapes``, all float32 or all float64 (longdouble with ``backend="reference"`` where the
            parametrization needs no LAPACK).
        x : ndarray (T, B, I)
            Time-major input of the same dtype; any memory layout. Kept by reference: do not change it before
            ``backward``. With ``backend="cuda"`` it may lie on the device, as anything that has
            ``__cuda_array_interface__``: then the state and the cotangents must lie there too, and so do all results
            but the parameters' gradients, which come where the parameters are, on either side. What such arrays hold is
            not looked at.
        state : dict of ndarray (B, width), optional
            Initial state, with the names and shapes of ``state_shapes(B)``; without it zeros, or the trained one.
        buffers : dict of ndarray, optional
            ``run.buffers`` of the step before, for parametrizations that have any.
        keep : bool
            False: inference. No tape is kept, and no array of T·B·n but the output.
        checkpoint_every : int, optional
            Keep no more than the state at every k-th step, and let ``backward`` run the steps in between again: the
            same bits in memory that does not grow with T, for the time of one more forward pass. k is rounded up to
            whole blocks of time, about two megabytes of the pre-activations of a thread's sequences; ``run.h`` is None.
            On ``"cuda"``, which takes a sequence that is kept whole in one piece, sums over time are then the same to
            rounding only.
        backend : {"cpu", "reference", "cuda"}

        Returns
        -------
        Run

        Raises
        ------
        ShapeError, DtypeError, NotFiniteError, ParameterError, OptionError
            The argument named in the message is not as described.
        PlacementError
            An array on the host and one on a device, where both must be on one side.
        BackendUnavailable
            The backend cannot run here.
        DeviceError
            On ``"cuda"``, a device that gave up.
        DegenerateEigenvalueError
            R itself does not exist (ρ = 0 with ε = 0).
        """
        engine = backends.get(backend)
        require_keep(keep, checkpoint_every)
        own, home = self._given_params(engine, params)
        door, x, given = self._checked_input(engine, x, state, own["input"].dtype)
        value = self.parametrization.begin(self._raw(own), buffers)
        time, batch, _ = x.shape
        weights, there = home.take_all(self._without_raw(own)), door.take(x)
        start = self._start(engine, weights, batch) if given is None else door.take_all(given)
        shares, held = engine.shares(batch, self._sweep.multiply_adds(x)), keep and checkpoint_every is None
        on_tape = held and self.readout == "all" and self.output_size is None and len(shares) == 1
        apart = None if on_tape else self._readout.room(engine, time, batch, x.dtype)

        def run(value: Value) -> tuple[Point, list[Pass]]:
            at = Point(weights, self._sweep.step(engine, weights, home.take(value.matrix)), there, start)

            def work(engine: Backend, sequences: slice) -> Pass:
                return self._sweep.forward(engine, at, sequences, apart, keep, checkpoint_every)

            return at, engine.each(work, shares)

        at, passes = run(value)
        begun, value = value, self.parametrization.settled(value)  # a device has the pass to do meanwhile
        if value.matrix is not begun.matrix:
            at, passes = run(value)
        y = door.show(passes[0].states[1:]) if apart is None else door.give(apart)
        final = joined_states(engine, [part.final for part in passes])
        learned = self.initial_state and given is None
        tape = Tape(home, door, weights, at.step, at.x, value, passes, learned) if keep else None
        result = y if self.output_size is not None else read_only(y)
        seen = functools.partial(states_shown, door, passes) if held else None
        return Run(result, seen, door.give_all(final), value.buffers, value.degeneracy, engine.name, self, tape)

    @single_threaded_blas()
    def backward(self, run: Run, dy: Array, dstate: Mapping[str, Array] | None = None) -> Gradients:
        """Backpropagation through time, down to the free parameters [BP-1] to [BP-7].

        Parameters
        ----------
        run : Run
            Made by this model's ``forward`` with ``keep=True``. May be used any number of times.
        dy : ndarray
            dL/dy, the shape and dtype of ``run.y``.
        dstate : dict of ndarray (B, width), optional
            dL/d(final state); missing keys count as zero. With the gradient of the initial state of the later part it
            joins the two halves of a sequence cut in time [BP-12].

        Raises
        ------
        ForeignRunError
            Another model made the run.
        TapeNotKeptError
            The run was made with ``keep=False``.
        DegenerateEigenvalueError
            The leading eigenvalue has no derivative and the model was not told to proceed.
        ShapeError, DtypeError, NotFiniteError, ParameterError
            The argument named in the message is not as described.
        PlacementError
            A cotangent is not on the side on which x was, host or device.
        DeviceError
            On ``"cuda"``, a device that gave up.
        """
        tape: Tape = self._own_tape(run)
        engine = backends.get(run.backend)
        x, door, home = tape.x, tape.door, tape.home
        dy = door.take(self._like("dy", dy, "run.y", run.y, door))
        named = door.take_all(self._checked_state("dstate", dstate, door, x))
        dx = engine.empty(x.shape, x.dtype)

        def work(engine: Backend, part: Pass) -> Share:
            return self._sweep.backward(engine, tape, part, dy, named, dx)

        shares = engine.each(work, tape.passes)
        sums, initial = Sums(engine), joined_states(engine, [share.initial for share in shares])
        for share in shares:  # in their order, so that the bits are the same every time
            sums.add_all(share.sums)
        if self.initial_state:
            h = initial[self._layout.output]
            learned = engine.total(h.reshape(1, *h.shape))  # [CO-9]
            sums.add("initial_state", learned if tape.learned_start else engine.zeros(learned.shape, learned.dtype))
        totals = sums.rounded(x.dtype)
        draw = self.parametrization.pullback(tape.value, home.give(totals.pop("matrix")))
        grads = {self._names[raw]: gradient for raw, gradient in draw.items()}
        grads |= home.give_all(self._theta_dict(totals.pop("theta")) | totals)
        return Gradients({key: grads[key] for key in self.shapes}, door.give(dx), door.give_all(initial))

    @single_threaded_blas()
    def tangent(
        self,
        params: Mapping[str, Array],
        x: Array,
        dparams: Mapping[str, Array],
        *,
        dx: Array | None = None,
        state: Mapping[str, Array] | None = None,
        dstate: Mapping[str, Array] | None = None,
        buffers: Mapping[str, Array] | None = None,
        backend: str = "cpu",
    ) -> Tangent:
        """Forward mode: derivatives of y and of the final state along a direction [TA-1], [TA-2], [TA-4].

        ``dparams``, ``dx`` and ``dstate`` are the direction, with the keys and shapes of ``params``, ``x`` and
        ``state``; what is missing counts as zero. ``dparams`` is always the host's, where R is computed for a
        tangent; ``dx`` and ``dstate`` lie where x does. The other arguments and the errors are those of ``forward``,
        with DegenerateEigenvalueError where the leading eigenvalue has no derivative.
        """
        engine = backends.get(backend)
        own, home = self._given_params(engine, params)
        own = {key: home.fetch(array) for key, array in own.items()}
        door, x, start = self._checked_input(engine, x, state, own["input"].dtype)
        batch, dtype = x.shape[1], x.dtype
        given = self._checked_direction(dparams, x, longdouble=engine.longdouble)
        direction = {key: given.get(key, np.zeros(shape, dtype)) for key, shape in self.shapes.items()}
        weights, dweights = (
            {key: engine.take(array) for key, array in self._without_raw(each).items()} for each in (own, direction)
        )
        dstart = door.take_all(self._checked_state("dstate", dstate, door, x))
        dx = engine.zeros(x.shape, dtype) if dx is None else door.take(self._like("dx", dx, "x", x, door))
        if start is None:
            start = self._start(engine, weights, batch)
            if self.initial_state and self._layout.output not in dstart:
                dstart = dstart | self._start(engine, dweights, batch)
        else:
            start = door.take_all(start)

        value = self.parametrization.evaluate(self._raw(own), buffers)
        draw = {raw: given[name] for raw, name in self._names.items() if name in given}
        dmatrix = self.parametrization.tangent(value, draw)
        point = Point(weights, self._sweep.step(engine, weights, engine.take(value.matrix)), door.take(x), start)
        along = Point(dweights, self._sweep.step(engine, dweights, engine.take(dmatrix)), dx, dstart)

        def work(engine: Backend, sequences: slice) -> Tangent:
            return self._sweep.tangent(engine, point.of(sequences), along.of(sequences))

        parts = engine.each(work, engine.shares(batch, 3 * self._sweep.multiply_adds(x)))
        dy = engine.joined([part.y for part in parts], axis=1 if self.readout == "all" else 0)
        return Tangent(door.give(dy), door.give_all(joined_states(engine, [part.state for part in parts])))

    def _start(self, engine: Backend, weights: Arrays, batch: int) -> Arrays:
        """The state of a run that is given none; what is missing is zero."""
        if not self.initial_state:
            return {}
        learned = weights["initial_state"]
        start = engine.zeros((batch, self.width), learned.dtype)
        engine.add(start, learned)
        return {self._layout.output: start}

    def _theta_dict(self, theta: Array) -> Arrays:
        """Rows (C, n) of gradients under the names of the cell's parameters."""
        named, end = {}, 0
        for name, rows in self.cell.parameters.items():
            start, end = end, end + rows
            named[name] = theta[start:end].reshape(*self.shapes[name])
        return named

    def _without_raw(self, params: Arrays) -> Arrays:
        """What is not the parametrization's: the weights of the passes."""
        raw = self._names.values()
        return {name: array for name, array in params.items() if name not in raw}

    def _raw(self, params: Arrays) -> Arrays:
        """The parametrization's arrays under their own names."""
        return {raw: params[name] for raw, name in self._names.items()}
