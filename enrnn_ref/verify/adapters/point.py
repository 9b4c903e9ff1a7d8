"""The point at which another program is asked: input, initial state and cotangents for a reference model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays, array_dict, float_array, float_dtype, integer, require_shape
from enrnn_ref.errors import OptionError
from enrnn_ref.models import Model
from enrnn_ref.verify.sample import cotangent


@dataclass(frozen=True)
class Point:
    """x (T, B, I), the initial state and cotangents on y and on the final state; one dtype.

    ``state`` and ``dstate`` are empty where the other program takes no initial state, or gives no final one.
    """

    x: Array
    state: Arrays
    dy: Array
    dstate: Arrays

    def full_state(self, model: Model) -> Arrays:
        """The state from which the reference starts: zeros where the other program takes none."""
        shapes = model.state_shapes(self.x.shape[1])
        return {key: self.state.get(key, np.zeros(shape, self.x.dtype)) for key, shape in shapes.items()}


def draw(
    model: Model,
    dtype: np.dtype[Any],
    *,
    x: Array | None,
    state: Mapping[str, Array] | None,
    stateful: bool,
    steps: int,
    batch: int,
    seed: int,
) -> Point:
    """A dense point for ``model``; what is given stays as it is.

    Raises
    ------
    OptionError, ShapeError, DtypeError, NotFiniteError, ParameterError
        The argument named in the message.
    """
    if not isinstance(model, Model):
        raise OptionError(f"reference is a {type(model).__name__}; expected a model of enrnn_ref.")
    float_dtype(dtype)
    rng = np.random.default_rng(integer("seed", seed, least=0))
    if x is None:
        shape = (integer("steps", steps), integer("batch", batch), model.input_size)
        x = rng.uniform(-1.0, 1.0, shape).astype(dtype)
    x = float_array("x", x).astype(dtype)
    require_shape("x", x, (None, None, model.input_size), "(time, batch, input_size)")
    shapes: dict[str, tuple[int, ...]] = dict(model.state_shapes(x.shape[1]))
    if state is not None:
        state = array_dict("state", state, shapes, axes="(batch, units)")
    elif stateful:
        state = {key: rng.uniform(-0.5, 0.5, shape) for key, shape in shapes.items()}
    width = model.output_width
    dy = cotangent(rng, (*x.shape[:2], width) if model.readout == "all" else (x.shape[1], width), dtype)
    dstate = {key: cotangent(rng, shape, dtype) for key, shape in shapes.items()}
    return Point(x, {key: array.astype(dtype) for key, array in (state or {}).items()}, dy, dstate)
