"""Keras 3: SimpleRNN, LSTM and GRU on the JAX or the PyTorch backend, beside a model of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.errors import DtypeError, OptionError, ShapeError
from enrnn_ref.models import GRU, LSTM, RNN, Model
from enrnn_ref.verify.adapters import dependency
from enrnn_ref.verify.adapters.answer import Answer, asked, judged, require_repeatable, require_shape
from enrnn_ref.verify.adapters.correspondence import Correspondence
from enrnn_ref.verify.adapters.point import Point, draw
from enrnn_ref.verify.report import Report
from enrnn_ref.weights import keras as converter

_ACTIVATIONS = {"tanh": "tanh", "relu": "relu", "linear": "identity"}

_REFUSED = {"go_backwards": False, "stateful": False, "dropout": 0.0, "recurrent_dropout": 0.0, "use_bias": True}
"""Options of a layer, and the only value that a model here has."""

Pull = Callable[[Any], tuple[Sequence[Array], Array, Sequence[Array]]]


def keras(layer: Any, x: Any = None, *, steps: int = 7, batch: int = 6, seed: int = 0) -> Report:
    """Check a built keras.layers.SimpleRNN, LSTM or GRU: values, final states and every gradient.

    The gradients are those of Keras's backend, JAX or PyTorch, for a random cotangent on whatever the layer returns
    (``return_sequences``, ``return_state``). The layer is called without side effects, its weights stay as they are.

    Parameters
    ----------
    layer : keras.layers.SimpleRNN, LSTM or GRU
        Built; in float32, for Keras rounds float64 to it on these backends.
    x : array (B, T, I), optional
        Else it is drawn, as initial states and cotangents are.
    steps, batch, seed : int
        Of the drawn point.

    Returns
    -------
    Report
        Rows are called as the parameters here: Keras's layouts are converted (:mod:`enrnn_ref.weights.keras`).

    Raises
    ------
    OptionError, DtypeError, ShapeError
        Another layer, one that is not built, or an option that no model here has, by its name.
    DependencyError
        keras is not installed.
    """
    library = dependency.load("keras", "peers")
    model = _counterpart(library, layer)
    engine = library.backend.backend()
    if engine not in _ENGINES:
        raise OptionError(f"KERAS_BACKEND is {engine!r}; expected one of {', '.join(map(repr, _ENGINES))}.")
    kinds = {str(layer.compute_dtype), str(layer.variable_dtype)}
    if kinds != {"float32"}:
        raise DtypeError(
            f"the layer has dtypes {sorted(kinds)}; expected float32, to which Keras on {engine} rounds float64 anyway."
        )
    dtype = np.dtype(np.float32)
    given = None if x is None else np.asarray(x)
    if given is not None and given.ndim != 3:
        raise ShapeError(f"x has shape {given.shape}; expected (batch, time, input_size).")
    if given is not None:
        given = given.swapaxes(0, 1)
    point = draw(model, dtype, x=given, state=None, stateful=True, steps=steps, batch=batch, seed=seed)
    weights = {
        weight.name: np.array(library.ops.convert_to_numpy(weight.value)) for weight in layer.trainable_variables
    }
    return judged(
        f"{type(layer).__name__} (Keras on {engine})",
        model,
        point,
        Correspondence(lambda theirs: converter.load(model, theirs), model.shapes),
        weights,
        lambda: _answer(layer, model, point, list(weights), _ENGINES[engine]),
        settings={"seed": seed, "keras": library.__version__},
    )


def _counterpart(library: Any, layer: Any) -> Model:
    """The model here that computes what ``layer`` does; OptionError names what it has and no model has."""
    layers = library.layers
    if not isinstance(layer, (layers.SimpleRNN, layers.LSTM, layers.GRU)):
        raise OptionError(f"layer is a {type(layer).__name__}; expected a SimpleRNN, an LSTM or a GRU of Keras.")
    if not layer.built:
        raise OptionError("the layer is not built; expected one after layer.build((None, None, input_size)).")
    for name, only in _REFUSED.items():
        if getattr(layer, name) != only:
            raise OptionError(f"{name} is {getattr(layer, name)!r}; expected {only!r}: no model here has it.")
    activation = layer.activation.__name__
    allowed = tuple(_ACTIVATIONS) if isinstance(layer, layers.SimpleRNN) else ("tanh",)
    if activation not in allowed:
        raise OptionError(f"activation is {activation!r}; expected one of {', '.join(map(repr, allowed))}.")
    gate = getattr(layer, "recurrent_activation", None)
    if gate is not None and gate.__name__ != "sigmoid":
        raise OptionError(f"recurrent_activation is {gate.__name__!r}; expected 'sigmoid'.")
    inputs, units = int(layer.cell.kernel.shape[0]), layer.units
    readout = "all" if layer.return_sequences else "last"
    if isinstance(layer, layers.SimpleRNN):
        return RNN(inputs, units, activation=_ACTIVATIONS[activation], readout=readout)
    if isinstance(layer, layers.LSTM):
        return LSTM(inputs, units, readout=readout)
    return GRU(inputs, units, reset="after" if layer.reset_after else "before", readout=readout)


def _answer(layer: Any, model: Model, point: Point, names: list[str], engine: Callable[..., Any]) -> Answer:
    """Values, and the gradients of Keras's backend."""
    states = list(point.state)
    sequence = model.readout == "all"

    def call(weights: Any, x: Any, initial: Any) -> tuple[Any, ...]:
        frozen = [variable.value for variable in layer.non_trainable_variables]
        result, _ = layer.stateless_call(list(weights), frozen, x, initial_state=list(initial), training=False)
        return tuple(result) if isinstance(result, (tuple, list)) else (result,)

    def run() -> tuple[list[Array], Pull]:
        values, pull = engine(call, layer, point.x.swapaxes(0, 1).copy(), list(point.state.values()))
        return [np.swapaxes(values[0], 0, 1) if sequence else values[0], *values[1:]], pull

    (y, *final), pull = asked("the layer", run)
    (again, *_), _ = asked("the layer", run)
    require_shape("the output y", y, point.dy.shape)
    require_repeatable({"y": y}, {"y": again})
    dy = point.dy.swapaxes(0, 1) if sequence else point.dy
    cotangents = [np.ascontiguousarray(dy), *(point.dstate[key] for key in states[: len(final)])]
    dweights, dx, dstate = asked("the backward pass", lambda: pull(cotangents))
    return Answer(
        y,
        dict(zip(states, final, strict=False)),
        dict(zip(names, dweights, strict=True)),
        dx.swapaxes(0, 1),
        dict(zip(states, dstate, strict=True)),
    )


def _with_jax(call: Callable[..., Any], layer: Any, x: Array, initial: list[Array]) -> tuple[list[Array], Pull]:
    jax = dependency.load("jax", "peers")
    weights = [variable.value for variable in layer.trainable_variables]
    values, pull = jax.vjp(call, weights, x, initial)

    def pulled(cotangents: Any) -> Any:
        dweights, dx, dinitial = pull(tuple(cotangents))
        return [np.array(array) for array in dweights], np.array(dx), [np.array(array) for array in dinitial]

    return [np.array(value) for value in values], pulled


def _with_torch(call: Callable[..., Any], layer: Any, x: Array, initial: list[Array]) -> tuple[list[Array], Pull]:
    torch = dependency.load("torch", "torch")

    def leaf(tensor: Any) -> Any:
        return tensor.detach().clone().requires_grad_()

    weights = [leaf(variable.value) for variable in layer.trainable_variables]
    device = weights[0].device
    of_x, of_initial = leaf(torch.tensor(x, device=device)), [leaf(torch.tensor(a, device=device)) for a in initial]
    values = call(weights, of_x, of_initial)

    def pulled(cotangents: Any) -> Any:
        leaves = [*weights, of_x, *of_initial]
        arriving = [torch.tensor(array, device=device) for array in cotangents]
        grads = torch.autograd.grad(list(values), leaves, arriving, allow_unused=True)
        arrays = [
            np.zeros(tuple(tensor.shape), x.dtype) if grad is None else grad.cpu().numpy()
            for tensor, grad in zip(leaves, grads, strict=True)
        ]
        return arrays[: len(weights)], arrays[len(weights)], arrays[len(weights) + 1 :]

    return [value.detach().cpu().numpy() for value in values], pulled


_ENGINES = {"jax": _with_jax, "torch": _with_torch}
