"""PyTorch: a module or a function of tensors, beside a model of ours or beside its own differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array
from enrnn_ref.errors import DtypeError, OptionError
from enrnn_ref.models import Model
from enrnn_ref.verify.adapters import dependency
from enrnn_ref.verify.adapters.answer import Answer, asked, judged, require_repeatable, require_shape
from enrnn_ref.verify.adapters.correspondence import Correspondence, Names
from enrnn_ref.verify.adapters.point import Point, draw
from enrnn_ref.verify.adapters.torch_autograd import check_autograd
from enrnn_ref.verify.adapters.torch_layers import counterpart
from enrnn_ref.verify.adapters.torch_tensors import Network, array_of, state_names, takes_state
from enrnn_ref.verify.report import Report

Call = Callable[[Any, Any, dict[str, Any]], Any]


def torch(
    network: Any,
    *inputs: Any,
    reference: Model | None = None,
    names: Names | None = None,
    parameters: Mapping[str, Any] | None = None,
    call: Call | None = None,
    batch_first: bool = False,
    steps: int = 7,
    batch: int = 6,
    seed: int = 0,
    directions: int = 2,
) -> Report:
    """Check a PyTorch module or function: its values and every gradient.

    Three ways, by what is known of it:

    - **torch.nn.RNN, LSTM, GRU** (layers, directions, ``proj_size``, ``batch_first``, ``bias=False``; the recurrent
      weight of an RNN may be parametrized by ``torch.nn.utils.parametrizations.orthogonal``): the model here is made,
      and values, final states and all gradients are compared with its own.
    - **with a** ``reference``: the same for any module or function that computes what a model here does.
    - **else** the gradients that PyTorch's autograd gives, custom ``autograd.Function`` included, are checked by
      :func:`~enrnn_ref.verify.check_gradient`, in float64 copies, against the function's own values.

    Nothing of the network is changed: all work is done on a copy.

    Parameters
    ----------
    network : torch.nn.Module or callable
        In float32 or float64.
    *inputs : Tensor or ndarray
        With a reference: x, and the initial state, as the network takes it or as a dict of (B, width) under the names
        of ``model.state_shapes``; what is not given is drawn. Without: what the network is called with; each float
        tensor among them, in tuples and dicts too, is an argument with a gradient of its own.
    reference : Model, optional
        A model of this package with the network's sizes.
    names : dict or callable, optional
        Their parameters' names to ours (:class:`~enrnn_ref.verify.adapters.correspondence.Correspondence`). None: they
        are the same.
    parameters : dict of Tensor, optional
        For a function with a reference, which is called as ``network(parameters, x, …)``.
    call : callable, optional
        ``call(network, x, state)`` → y, or y and a dict with the final state, for a network that is not called as
        ``network(x)`` or ``network(x, state)`` (one tensor, or a tuple in the order of the reference's states; passed
        if the second argument's name speaks of a state). ``state`` is a dict of tensors (B, width).
    batch_first : bool
        Whether x and y of the network are (B, T, ·). Of torch.nn's layers it is read off.
    steps, batch, seed : int
        Of the drawn point.
    directions : int
        Of check_gradient.

    Returns
    -------
    Report
        Rows are called as PyTorch calls the parameters.

    Raises
    ------
    OptionError, ParameterError, ShapeError, DtypeError, NotFiniteError
        An argument of this function, or an option of the network that no model here has, is named in the message.
    DependencyError
        torch is not installed.
    """
    library = dependency.load("torch", "torch")
    if not callable(network):
        raise OptionError(f"network is a {type(network).__name__}; expected a torch.nn.Module or a function.")
    if reference is None and isinstance(network, library.nn.RNNBase):
        if names is not None or parameters is not None or call is not None:
            raise OptionError("names, parameters and call go with a reference; a layer of torch.nn needs none of them.")
        found = counterpart(network)
        reference, names, call, batch_first = found.model, found.names, found.call, network.batch_first
        if len(inputs) == 2 and not isinstance(inputs[1], Mapping):
            inputs = (inputs[0], found.state(inputs[1]))
    elif reference is None:
        if names is not None or parameters is not None or call is not None:
            raise OptionError("names, parameters and call go with a reference; expected one.")
        return check_autograd(network, inputs, directions=directions, seed=seed)
    x, state = _given(inputs, reference, batch_first)
    net = Network(network, parameters)
    dtype = net.dtype
    if dtype not in (np.float32, np.float64):
        raise DtypeError(f"network has parameters of dtype {dtype}; expected float32 or float64.")
    stateful = call is not None or takes_state(network, behind=1 if parameters is not None else 0)
    point = draw(reference, dtype, x=x, state=state, stateful=stateful, steps=steps, batch=batch, seed=seed)
    correspondence = Correspondence({name: name for name in net.weights} if names is None else names, reference.shapes)
    title = f"{type(network).__name__ if isinstance(network, library.nn.Module) else network.__name__} (PyTorch)"
    return judged(
        title,
        reference,
        point,
        correspondence,
        net.weights,
        lambda: _answer(net, reference, point, call, batch_first),
        settings={"seed": seed, "torch": library.__version__},
    )


def _given(
    inputs: tuple[Any, ...], reference: Model, batch_first: bool
) -> tuple[Array | None, Mapping[str, Array] | None]:
    """x (T, B, I) and the state of ``inputs``, as arrays."""
    if len(inputs) > 2:
        raise OptionError(f"{len(inputs)} inputs were given; expected x and the initial state at most.")
    x = array_of("x", inputs[0]) if inputs else None
    if x is not None and batch_first and x.ndim == 3:
        x = x.swapaxes(0, 1)
    if len(inputs) < 2:
        return x, None
    given, keys = inputs[1], state_names(reference)
    if not isinstance(given, Mapping):
        parts = given if isinstance(given, (tuple, list)) else (given,)
        if len(parts) != len(keys):
            raise OptionError(f"the state has {len(parts)} part(s); expected {keys}.")
        given = dict(zip(keys, parts, strict=True))
    return x, {str(key): array_of(f"state[{key!r}]", value) for key, value in given.items()}


def _answer(net: Network, reference: Model, point: Point, call: Call | None, batch_first: bool) -> Answer:
    """Values, and the gradients that autograd gives for the point's cotangents."""
    first, second = (_forward(net, reference, point, call, batch_first) for _ in range(2))
    (y, final), leaves = first
    require_shape("the output y", y.swapaxes(0, 1) if batch_first and y.ndim == 3 else y, point.dy.shape)
    if batch_first and y.ndim == 3:
        y = y.swapaxes(0, 1)
    for key, like in point.dstate.items():
        if key in final:
            require_shape(f"the final state {key}", final[key], like.shape)
    values = {"y": y} | final
    arrays = {key: array_of(key, value) for key, value in values.items()}
    (again, other), _ = second
    repeated = {"y": again.swapaxes(0, 1) if batch_first and again.ndim == 3 else again} | other
    require_repeatable(arrays, {key: array_of(key, value) for key, value in repeated.items()})
    cotangents = {"y": point.dy} | {key: point.dstate[key] for key in final}
    grads = asked("the backward pass", lambda: net.gradients(values, cotangents, leaves))
    dx = grads.pop("x")
    return Answer(
        arrays.pop("y"),
        arrays,
        {name: grads["weight", name] for name in net.weights},
        dx.swapaxes(0, 1) if batch_first else dx,
        {key: grads["state", key] for key in point.state},
    )


def _forward(
    net: Network, reference: Model, point: Point, call: Call | None, batch_first: bool
) -> tuple[tuple[Any, dict[str, Any]], dict[Any, Any]]:
    """((y, final state), the tensors to differentiate by)."""
    x = net.tensor(point.x.swapaxes(0, 1) if batch_first else point.x)
    state = {key: net.tensor(array) for key, array in point.state.items()}
    leaves: dict[Any, Any] = {"x": x} | {("state", key): tensor for key, tensor in state.items()}
    leaves |= {("weight", name): tensor for name, tensor in net.leaves().items()}
    if call is not None:
        result = asked("the network", lambda: call(net.called, x, state))
    else:
        keys = state_names(reference)
        packed = [state[keys[0]] if len(keys) == 1 else tuple(state[key] for key in keys)] if state else []
        result = asked("the network", lambda: net.called(x, *packed))
    return net.parted(result, state_names(reference)), leaves
