"""A model at a point: parameters, input, initial state and cotangents, all dense and drawn from one seed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import (
    Array,
    Arrays,
    array_dict,
    float_array,
    float_dtype,
    integer,
    require_keys,
    require_shape,
)
from enrnn_ref.errors import OptionError, ParameterError
from enrnn_ref.verify.problem import Problem, matching


class Model(Protocol):
    """What the checks need of a model, the user's own included: the public API of every model of this package."""

    shapes: dict[str, tuple[int, ...]]

    def init(self, seed: int, dtype: Any = ...) -> Arrays:
        """Draw parameters."""

    def state_shapes(self, batch: int) -> Mapping[str, tuple[int, ...]]:
        """Names and shapes of the state."""

    def forward(
        self, params: Any, x: Array, state: Any = ..., *, buffers: Any = ..., keep: bool = ..., backend: str = ...
    ) -> Any:
        """→ y, h, state, buffers."""

    def backward(self, run: Any, dy: Array, dstate: Any = ...) -> Any:
        """→ params, x, state."""

    def tangent(
        self,
        params: Any,
        x: Array,
        dparams: Any,
        *,
        dx: Any = ...,
        state: Any = ...,
        dstate: Any = ...,
        backend: str = ...,
    ) -> Any:
        """→ y, state."""


_MODEL = ("shapes", "init", "state_shapes", "forward", "backward", "tangent")


@dataclass(frozen=True)
class Sample:
    """A model at a point.

    Attributes
    ----------
    model : Model
    params, x, state : dict of ndarray, ndarray (T, B, I), dict of ndarray
        The point; one dtype.
    dy, dstate : ndarray, dict of ndarray
        Cotangents on the output and on the final state.
    backend : str
    seed : int
        Of everything a law draws.
    """

    model: Model
    params: Arrays
    x: Array
    state: Arrays
    dy: Array
    dstate: Arrays
    backend: str
    seed: int

    @property
    def every_step(self) -> bool:
        """Whether y is given for every step, (T, B, O), and not for the last one alone, (B, O)."""
        return self.dy.ndim == self.x.ndim

    def run(self, **changes: Any) -> Any:
        """The forward pass at this point, or with some of ``x``, ``state``, ``params``, … replaced."""
        arguments = {"params": self.params, "x": self.x, "state": self.state, "backend": self.backend, **changes}
        return self.model.forward(arguments.pop("params"), arguments.pop("x"), arguments.pop("state"), **arguments)

    def at(self, **changes: Any) -> Sample:
        """The same sample with some of its attributes replaced."""
        return replace(self, **changes)

    def widened(self) -> Sample:
        """The same point and cotangents in float64."""
        return replace(
            self,
            params=_wide(self.params),
            x=self.x.astype(np.float64),
            state=_wide(self.state),
            dy=self.dy.astype(np.float64),
            dstate=_wide(self.dstate),
        )

    def cotangent(self) -> Array:
        """``dy`` and ``dstate`` in one vector, as the problem's pullback takes them."""
        return flatten(self.dy, self.dstate)

    def arrays(self) -> Arrays:
        """Everything a gradient is taken for, under one name each."""
        return {**self.params, "x": self.x, **{f"state {key}": array for key, array in self.state.items()}}

    def everything(self) -> Arrays:
        """Output, final state and gradients, under the names that reports and golden vectors use."""
        run = self.run()
        final = {f"final {key}": array for key, array in run.state.items()}
        return {"y": run.y, **final, **gradient_arrays(self.model.backward(run, self.dy, self.dstate))}

    def problem(self) -> Problem:
        """The model as a function of :meth:`arrays`, its output the concatenation of y and the final state.

        A sample whose ``state`` is empty starts as the model does that is given none.
        """
        y_size = self.dy.size

        def split(arrays: Arrays) -> tuple[Arrays, Array, Arrays]:
            params = {key: arrays[key] for key in self.params}
            return params, arrays["x"], {key: arrays[f"state {key}"] for key in self.state}

        def function(arrays: Arrays) -> Array:
            params, x, state = split(arrays)
            run = self.model.forward(params, x, state or None, keep=False, backend=self.backend)
            return flatten(run.y, run.state)

        def pullback(arrays: Arrays, cotangent: Array) -> Arrays:
            params, x, state = split(arrays)
            run = self.model.forward(params, x, state or None, backend=self.backend)
            rest = cotangent[y_size:]
            dstate = {}
            for key, like in self.dstate.items():
                dstate[key], rest = rest[: like.size].reshape(like.shape), rest[like.size :]
            grads = gradient_arrays(self.model.backward(run, cotangent[:y_size].reshape(self.dy.shape), dstate))
            return matching(grads if state else {key: grads.get(key) for key in arrays}, arrays)

        def tangent(arrays: Arrays, directions: Arrays) -> Array:
            params, x, state = split(arrays)
            dparams, dx, dstate = split(directions)
            start = {"state": state, "dstate": dstate} if state else {}
            result = self.model.tangent(params, x, dparams, dx=dx, backend=self.backend, **start)
            return flatten(result.y, result.state)

        known = getattr(self.model, "tangent", None) is not None
        return Problem(self.arrays(), self.cotangent().size, function, pullback, tangent if known else None)


def draw(
    model: Model,
    *,
    backend: str = "cpu",
    seed: int = 0,
    steps: int = 7,
    batch: int | None = None,
    dtype: npt.DTypeLike = np.float64,
    params: Mapping[str, Array] | None = None,
    x: Array | None = None,
    state: Mapping[str, Array] | None = None,
) -> Sample:
    """A sample at the given point; what is not given is drawn.

    Parameters are the model's own draw moved by uniform numbers in ±1/4: an initialisation has zero biases and special
    matrices, at which mistakes hide. Initial states are non-zero, and no cotangent has a small entry. Without ``batch``
    the number of sequences is one that no axis of the model has: none can pass for another.

    Raises
    ------
    OptionError
        ``model`` is not one, ``seed`` is not an integer of at least 0, ``steps`` or ``batch`` is not a positive one.
    DtypeError
        ``dtype`` is neither float32 nor float64.
    EnrnnError
        The model refuses the given arrays.
    """
    _require_model(model)
    seed = integer("seed", seed, least=0)
    kind = float_dtype(dtype)
    rng = np.random.default_rng(seed)
    if params is None:
        drawn = model.init(seed, kind)
        moved = {key: array + rng.uniform(-0.25, 0.25, array.shape) for key, array in drawn.items()}
        params = {key: array.astype(kind) for key, array in moved.items()}
    checked = array_dict("params", params, model.shapes, dtype=kind)
    if x is None:
        time = integer("steps", steps)
        shape = (time, _unlike_any_axis(model, time) if batch is None else integer("batch", batch), _input_size(model))
        x = rng.uniform(-1.0, 1.0, shape).astype(kind)
    x = float_array("x", x)
    require_shape("x", x, (None, None, None), "(time, batch, input_size)")
    shapes = model.state_shapes(x.shape[1])
    if state is None:
        state = {key: rng.uniform(-0.5, 0.5, shape).astype(kind) for key, shape in shapes.items()}
    require_keys("state", state, shapes)
    initial = {key: float_array(f"state[{key!r}]", array) for key, array in state.items()}
    run = model.forward(checked, x, initial, backend=backend)
    dy = cotangent(rng, run.y.shape, kind)
    dstate = {key: cotangent(rng, array.shape, kind) for key, array in run.state.items()}
    return Sample(model, checked, x, initial, dy, dstate, backend, seed)


def _unlike_any_axis(model: Model, steps: int) -> int:
    """The least number above 3 that is the size of nothing else."""
    sizes = {steps, _input_size(model), *itertools.chain(*model.shapes.values(), *model.state_shapes(1).values())}
    return next(count for count in itertools.count(4) if count not in sizes)


def _input_size(model: Model) -> int:
    """As the model tells it, by itself or by the shape of a parameter ``input``."""
    size = getattr(model, "input_size", None)
    if size is None and "input" in model.shapes:
        size = model.shapes["input"][1]
    if size is None:
        raise ParameterError(
            "x is missing, and the model has neither an input_size nor a parameter 'input' that tells it; give x."
        )
    return int(size)


def _require_model(model: object) -> None:
    """Raise OptionError unless ``model`` is an object, and no class, with what :class:`Model` lists."""
    if isinstance(model, type):
        raise OptionError(f"model is the class {model.__name__}; expected an object made of it.")
    lacking = [name for name in _MODEL if not hasattr(model, name)]
    if lacking:
        found = ", ".join(lacking)
        raise OptionError(f"model is a {type(model).__name__} without {found}; expected one with {', '.join(_MODEL)}.")


def cotangent(rng: np.random.Generator, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> Array:
    """Random signs times magnitudes in [1/2, 3/2]: dense, so that no output hides behind a small weight."""
    drawn: Array = (rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.5, shape)).astype(dtype)
    return drawn


def _wide(arrays: Arrays) -> Arrays:
    return {key: array.astype(np.float64) for key, array in arrays.items()}


def flatten(y: Array, state: Mapping[str, Array]) -> Array:
    """y and the final state in one vector."""
    return np.concatenate([np.ravel(y), *(np.ravel(array) for array in state.values())])


def gradient_arrays(grads: Any) -> Arrays:
    """A model's gradients under the names of :meth:`Sample.arrays`."""
    return {**grads.params, "x": grads.x, **{f"state {key}": array for key, array in grads.state.items()}}
