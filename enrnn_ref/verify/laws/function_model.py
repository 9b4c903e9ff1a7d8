"""FunctionModel: a user's network that is two Python functions, with the API the laws need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array, Arrays, float_array, integer
from enrnn_ref.errors import OptionError, ParameterError


class FunctionModel:
    """A recurrent model made of a forward and a backward function.

    Parameters
    ----------
    forward : callable
        ``forward(params, x, state)`` → (y, final state).
    backward : callable
        ``backward(params, x, state, dy, dstate)`` → gradients (params, x, state) of ⟨y, dy⟩ + ⟨final state, dstate⟩.
    params : dict of ndarray, float32 or float64
        Parameters of the right shapes. Checks move them at random, unless they are given to them once more.
    states : dict of str to int
        Names and widths n of the state; a state is a dict of arrays (B, n).
    input_size : int
        I, the last axis of x (T, B, I).
    tangent : callable, optional
        ``tangent(params, x, state, dparams, dx, dstate)`` → derivatives of (y, final state). Adds the adjoint identity.

    Raises
    ------
    OptionError, ParameterError, DtypeError, NotFiniteError
    """

    one_backend = True

    def __init__(
        self,
        forward: Callable[[Arrays, Array, Arrays], tuple[Array, Arrays]],
        backward: Callable[[Arrays, Array, Arrays, Array, Arrays], tuple[Arrays, Array, Arrays]],
        params: Mapping[str, Array],
        states: Mapping[str, int],
        input_size: int,
        *,
        tangent: Callable[[Arrays, Array, Arrays, Arrays, Array, Arrays], tuple[Array, Arrays]] | None = None,
    ) -> None:
        for name, value in (("forward", forward), ("backward", backward), ("tangent", tangent)):
            if not callable(value) and not (name == "tangent" and value is None):
                raise OptionError(f"{name} is a {type(value).__name__}; expected a callable.")
        for name, given in (("params", params), ("states", states)):
            if not isinstance(given, Mapping):
                raise ParameterError(f"{name} is a {type(given).__name__}; expected a dict.")
        self._forward, self._backward, self._tangent = forward, backward, tangent
        self._params = {key: float_array(f"params[{key!r}]", array).copy() for key, array in params.items()}
        self._widths = {key: integer(f"states[{key!r}]", width) for key, width in states.items()}
        self.shapes = {key: array.shape for key, array in self._params.items()}
        self.input_size = integer("input_size", input_size)
        self.tangent = self._push if tangent else None

    def init(self, seed: int, dtype: npt.DTypeLike = np.float64) -> Arrays:
        """The parameters that were given."""
        return {key: array.astype(dtype) for key, array in self._params.items()}

    def state_shapes(self, batch: int) -> dict[str, tuple[int, int]]:
        """Names and shapes of the state."""
        return {key: (batch, width) for key, width in self._widths.items()}

    def forward(self, params: Arrays, x: Array, state: Arrays | None = None, **options: Any) -> Any:
        """→ y, state; there is one backend, and there are no buffers."""
        start = self._start(x, state)
        y, final = self._forward(params, x, start)
        return SimpleNamespace(y=y, h=None, state=final, buffers={}, given=(params, x, start))

    def backward(self, run: Any, dy: Array, dstate: Arrays | None = None) -> Any:
        """→ params, x, state."""
        params, x, start = run.given
        dparams, dx, dstart = self._backward(params, x, start, dy, self._start(x, dstate))
        return SimpleNamespace(params=dparams, x=dx, state=dstart)

    def _push(
        self,
        params: Arrays,
        x: Array,
        dparams: Arrays,
        *,
        dx: Array | None = None,
        state: Arrays | None = None,
        dstate: Arrays | None = None,
        **options: Any,
    ) -> Any:
        """→ y, state."""
        assert self._tangent is not None
        along = np.zeros_like(x) if dx is None else dx
        y, final = self._tangent(params, x, self._start(x, state), dparams, along, self._start(x, dstate))
        return SimpleNamespace(y=y, state=final)

    def _start(self, x: Array, state: Arrays | None) -> Arrays:
        """The state that is given, or zeros."""
        if state is not None:
            return dict(state)
        return {key: np.zeros(shape, x.dtype) for key, shape in self.state_shapes(x.shape[1]).items()}
