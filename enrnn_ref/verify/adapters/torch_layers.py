"""torch.nn.RNN, LSTM and GRU: the model here that such a layer is, and which of its tensors are which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from enrnn_ref.cells import Relu, Tanh
from enrnn_ref.errors import OptionError, ShapeError
from enrnn_ref.models import GRU, LSTM, RNN, Bidirectional, Model, Recurrence, Stacked
from enrnn_ref.verify.adapters import dependency
from enrnn_ref.verify.adapters.orthogonal import orthogonal

_TENSORS = ("weight_ih", "weight_hh", "weight_hr", "bias_ih", "bias_hh")


@dataclass(frozen=True)
class Counterpart:
    """The model that a layer is.

    ``names``: torch's names to the model's. ``call``: the layer called with states under the model's names. ``state``:
    torch's form of a state, (layers and directions, B, width) each, under those names.
    """

    model: Model
    names: dict[str, str]
    call: Callable[[Any, Any, dict[str, Any]], Any]
    state: Callable[[Any], dict[str, Any]]


def counterpart(layer: Any) -> Counterpart:
    """What computes the same as ``layer``.

    Raises
    ------
    OptionError
        An option that no model here has, by its name.
    """
    torch = dependency.load("torch", "torch")
    if layer.dropout > 0.0 and layer.training and layer.num_layers > 1:
        raise OptionError(f"dropout is {layer.dropout} in training mode; expected 0, or layer.eval().")
    if not layer.bias:
        raise OptionError(
            "bias is False; expected True: there is no layer without bias here (zero biases are the same)."
        )
    prefixes: dict[str, str] = {}  # of a part here: the suffix of its tensors there
    directions = {"forward.": "", "backward.": "_reverse"} if layer.bidirectional else {"": ""}
    for k in range(layer.num_layers):
        stack = f"{k}." if layer.num_layers > 1 else ""
        prefixes |= {stack + prefix: f"_l{k}{suffix}" for prefix, suffix in directions.items()}
    width = layer.proj_size or layer.hidden_size
    levels: list[Model] = []
    for k in range(layer.num_layers):
        inputs = layer.input_size if k == 0 else width * len(directions)
        parts = [_part(layer, inputs, f"weight_hh_l{k}{suffix}") for suffix in directions.values()]
        levels.append(Bidirectional(parts[0], parts[1]) if len(parts) == 2 else parts[0])
    model = Stacked(levels) if len(levels) > 1 else levels[0]
    own = {name for name, _ in layer.named_parameters()}
    names = {}
    for prefix, suffix in prefixes.items():
        for tensor in _TENSORS:
            free = f"parametrizations.{tensor}{suffix}.original"
            if free in own:
                names[free] = f"{prefix}original"
            elif tensor + suffix in own:
                names[tensor + suffix] = prefix + _ours(layer, tensor)
    if own - names.keys():
        raise OptionError(f"the layer has parameters {sorted(own - names.keys())}; expected those of torch.nn alone.")

    def call(network: Any, x: Any, state: dict[str, Any]) -> Any:
        stacked = [torch.stack([state[prefix + key] for prefix in prefixes]) for key in _states(layer)]
        y, final = network(x, tuple(stacked) if len(stacked) > 1 else stacked[0])
        final = final if isinstance(final, tuple) else (final,)
        return y, {
            prefix + key: tensor[k]
            for key, tensor in zip(_states(layer), final, strict=True)
            for k, prefix in enumerate(prefixes)
        }

    def state(given: Any) -> dict[str, Any]:
        parts = given if isinstance(given, (tuple, list)) else (given,)
        forms = [tuple(getattr(part, "shape", ())) for part in parts]
        if len(parts) != len(_states(layer)) or any(len(form) != 3 or form[0] != len(prefixes) for form in forms):
            expected = f"({len(prefixes)}, batch, units) for each of {_states(layer)}"
            raise ShapeError(f"the state has the shapes {forms}; expected {expected}.")
        return {
            prefix + key: part[k]
            for key, part in zip(_states(layer), parts, strict=True)
            for k, prefix in enumerate(prefixes)
        }

    return Counterpart(model, names, call, state)


def _states(layer: Any) -> tuple[str, ...]:
    return ("h", "c") if layer.mode == "LSTM" else ("h",)


def _ours(layer: Any, tensor: str) -> str:
    """Gates have the same order here and there. Two biases only add up, but in a GRU."""
    second = "recurrent_bias" if layer.mode == "GRU" else "bias"
    return {
        "weight_ih": "input",
        "weight_hh": "recurrent",
        "weight_hr": "projection",
        "bias_ih": "bias",
        "bias_hh": second,
    }[tensor]


def _part(layer: Any, inputs: int, recurrent: str) -> Model:
    """One layer and direction; its recurrent tensor may be parametrized."""
    parametrize = dependency.load("torch.nn.utils.parametrize", "torch")
    parametrized = parametrize.is_parametrized(layer, recurrent)
    units = layer.hidden_size
    if layer.mode.startswith("RNN"):
        if parametrized:
            cell = Tanh() if layer.mode == "RNN_TANH" else Relu()
            return Recurrence(orthogonal(layer, recurrent), cell, inputs)
        return RNN(inputs, units, activation=layer.mode.removeprefix("RNN_").lower())
    if parametrized:
        raise OptionError(f"{recurrent!r} of a {layer.mode} is parametrized; expected that of an RNN alone.")
    if layer.mode == "GRU":
        return GRU(inputs, units)
    return LSTM(inputs, units, projection_size=layer.proj_size or None)
