"""What every model offers: recurrences, and compositions of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import (
    Array,
    Arrays,
    array_dict,
    float_array,
    integer,
    require_dtype,
    require_shape,
)
from enrnn_ref.backends.base import Backend
from enrnn_ref.errors import ForeignRunError, OptionError, ShapeError, TapeNotKeptError
from enrnn_ref.linalg.algebra import Algebra, algebra_of
from enrnn_ref.models.door import Door
from enrnn_ref.models.run import Gradients, Run, Tangent

if TYPE_CHECKING:
    from enrnn_ref.models.recurrence import Recurrence


class Model(ABC):
    """A map from parameters, input (T, B, I) and initial state to an output and a final state.

    Attributes
    ----------
    input_size, output_width : int
        The last axes of x and of y.
    readout : {"all", "last"}
        Whether y is given for every step or once.
    shapes : dict of str to tuple of int
        Every parameter and its shape. Parameters are a plain dict of arrays, float32 or float64; all entries are free.
    causal : bool
        Whether the output at t depends on inputs up to t alone, so that a sequence can be cut in time.
    longdouble : bool
        Whether ``backend="reference"`` can run it in longdouble.
    """

    input_size: int
    output_width: int
    readout: str
    shapes: dict[str, tuple[int, ...]]
    causal: bool = True
    longdouble: bool

    @abstractmethod
    def init(self, seed: int | np.random.Generator, dtype: npt.DTypeLike = np.float64) -> Arrays:
        """Draw parameters."""

    @abstractmethod
    def state_shapes(self, batch: int) -> dict[str, tuple[int, int]]:
        """Names and shapes of the state for ``batch`` sequences."""

    @abstractmethod
    def initial_buffers(self) -> Arrays:
        """The untrained state of the parametrizations before the first step."""

    @abstractmethod
    def recurrences(
        self, params: Arrays, buffers: Arrays | None = None
    ) -> Iterator[tuple[str, Recurrence, Arrays, Arrays | None]]:
        """Every recurrence of the model: the prefix of its names (empty for a model that is one), the recurrence, its
        own parameters and buffers, without the prefix."""

    @abstractmethod
    def after_update(
        self, params: Mapping[str, Array], buffers: Mapping[str, Array] | None = None
    ) -> tuple[Arrays, Arrays]:
        """Parameters and buffers to go on with after an optimiser step.

        A dynamic trivialisation moves its base here; every other model returns them as they are. Call it once after
        each step of a training loop. Where the parameters lie, on the host or as this package's arrays on a device, the
        new ones do too; buffers are the host's.
        """

    @abstractmethod
    def penalty(self, params: Mapping[str, Array]) -> tuple[float, Arrays]:
        """The parametrizations' own terms of the loss (zero for most), and gradients with the keys of ``params``.

        These lie where the parameters do, on the host or as this package's arrays on a device.
        """

    @abstractmethod
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
        """Run over a batch of sequences."""

    @abstractmethod
    def backward(self, run: Run, dy: Array, dstate: Mapping[str, Array] | None = None) -> Gradients:
        """Backpropagation through time, down to the free parameters."""

    @abstractmethod
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
        """Forward mode: derivatives of y and of the final state along a direction."""

    # The public door, the same for all models.

    def _checked_params(self, params: Mapping[str, Array], *, longdouble: bool) -> Arrays:
        """Copies of the parameters."""
        checked = array_dict("params", params, self.shapes, longdouble=longdouble and self.longdouble)
        return {key: array.copy() for key, array in checked.items()}

    def _params_in_place(self, params: Mapping[str, Array]) -> tuple[Algebra, Arrays]:
        """The algebra of the place where the parameters lie, and copies there."""
        on = algebra_of(_first(params))
        checked = array_dict("params", params, self.shapes, longdouble=self.longdouble, adopt=on.adopt)
        return on, {key: array.copy() for key, array in checked.items()}

    def _given_params(self, engine: Backend, params: Mapping[str, Array]) -> tuple[Arrays, Door]:
        """Copies of the parameters on the side where they lie, and that side."""
        home = Door.of(engine, _first(params))
        longdouble = engine.longdouble and self.longdouble
        checked = array_dict("params", params, self.shapes, longdouble=longdouble, adopt=home.adopt)
        return home.copies(checked), home

    def _checked_input(
        self, engine: Backend, x: Array, state: Mapping[str, Array] | None, dtype: np.dtype[Any]
    ) -> tuple[Door, Array, Arrays | None]:
        """The side on which x and the state lie, and both, on that side."""
        door = Door.of(engine, x)
        x = float_array("x", x, longdouble=engine.longdouble and self.longdouble, adopt=door.adopt)
        hint = _axis_hint(x, self.input_size, state)
        require_shape("x", x, (None, None, self.input_size), "(time, batch, input_size)", hint)
        if 0 in x.shape:
            raise ShapeError(f"x has shape {x.shape}; expected at least one time step and one sequence.")
        require_dtype("x", x, dtype)
        if state is None:
            return door, x, None
        return door, x, self._checked_state("state", state, door, x, partial=False, hint=hint)

    def _checked_state(
        self,
        name: str,
        given: Mapping[str, Array] | None,
        door: Door,
        x: Array,
        *,
        partial: bool = True,
        hint: str = "",
    ) -> Arrays:
        """A state, or a direction of one with ``partial``, for the sequences of x and on its side."""
        if given is None:
            return {}
        shapes = self.state_shapes(x.shape[1])
        return array_dict(
            name,
            given,
            shapes,
            dtype=x.dtype,
            partial=partial,
            longdouble=True,
            adopt=door.adopt,
            axes="(batch, units)",
            hint=hint,
        )

    def _checked_direction(self, dparams: Mapping[str, Array], x: Array, *, longdouble: bool) -> Arrays:
        """A direction of the parameters; keys may be missing."""
        return array_dict("dparams", dparams, self.shapes, dtype=x.dtype, partial=True, longdouble=longdouble)

    def _own_tape(self, run: object) -> Any:
        if not isinstance(run, Run):
            raise ForeignRunError(f"run is a {type(run).__name__}; expected what this model's forward() returned.")
        if run.model is not self:
            raise ForeignRunError(
                f"run was made by another model ({type(run.model).__name__}); expected one made by this "
                f"{type(self).__name__}'s forward()."
            )
        if run.tape is None:
            raise TapeNotKeptError("run was made with keep=False and has no tape; expected forward(..., keep=True).")
        return run.tape

    def _like(self, name: str, given: Array, other: str, expected: Array, door: Door) -> Array:
        """``given``, checked to have side, shape and dtype of ``expected``, which the message calls ``other``."""
        given = float_array(name, given, longdouble=self.longdouble, adopt=door.adopt)
        if given.shape != expected.shape:
            swapped = given.ndim == 3 and given.swapaxes(0, 1).shape == expected.shape
            hint = f" It looks batch-first: pass {name}.swapaxes(0, 1)." if swapped else ""
            require_shape(name, given, expected.shape, f"the shape of {other}", hint)
        require_dtype(name, given, expected.dtype)
        return given


def _first(given: object) -> object:
    """What says where arrays lie that have not been checked yet."""
    return next(iter(given.values()), None) if isinstance(given, Mapping) else None


def require_keep(keep: object, checkpoint_every: object) -> None:
    """Raise OptionError unless ``keep`` is a bool and ``checkpoint_every`` None or, where a tape is kept, 1 or more."""
    if not isinstance(keep, bool):
        raise OptionError(f"keep is {keep!r}; expected True or False.")
    if checkpoint_every is not None:
        integer("checkpoint_every", checkpoint_every)
        if not keep:
            raise OptionError(f"checkpoint_every is {checkpoint_every} with keep=False; expected one of the two.")


def _axis_hint(x: Array, input_size: int, state: Mapping[str, Array] | None) -> str:
    """What to say when the axes of x, or its sizes beside the state, suggest another order than (T, B, I)."""
    if x.ndim != 3:
        return ""
    if x.shape[2] != input_size and input_size in x.shape[:2]:
        return f" Its axis {x.shape.index(input_size)} has the input size: are the axes in another order?"
    h = state.get("h") if isinstance(state, Mapping) else None
    if isinstance(h, np.ndarray) and h.ndim == 2 and x.shape[0] == h.shape[0] != x.shape[1]:
        return " The input x looks batch-first: pass x.swapaxes(0, 1)."
    return ""
