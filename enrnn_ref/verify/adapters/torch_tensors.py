"""A PyTorch network on a copy of its own, arrays into tensors and back."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.errors import DtypeError, OptionError, ParameterError
from enrnn_ref.models import Model
from enrnn_ref.verify.adapters import dependency
from enrnn_ref.verify.adapters.answer import BrokenAnswerError
from enrnn_ref.verify.verdicts import Verdict

_STATES = ("state", "states", "hidden", "hx", "h", "h0", "h_0", "hidden_state", "initial_state", "init_state")


def array_of(name: str, value: Any) -> Array:
    """A tensor or array as an array; DtypeError if NumPy cannot have it."""
    torch = dependency.load("torch", "torch")
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        if value.dtype not in (torch.float32, torch.float64):
            raise DtypeError(f"{name} has dtype {value.dtype}; expected torch.float32 or torch.float64.")
        array: Array = value.numpy().copy()
        return array
    return np.array(value)


def takes_state(network: Any, *, behind: int) -> bool:
    """Whether the argument after x, which comes after ``behind`` others, is a state by its name."""
    try:
        parameters = list(inspect.signature(getattr(network, "forward", network)).parameters.values())
    except (TypeError, ValueError):
        return False
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) > behind + 1 and positional[behind + 1] in _STATES


def state_names(model: Model) -> list[str]:
    """The names of the model's states, in their order."""
    return list(model.state_shapes(1))


class Network:
    """A copy of a module, or a function with its parameters; the original and its ``.grad`` are never touched.

    Attributes
    ----------
    weights : dict of ndarray
        Every parameter under its own name.
    called : callable
        What is called with x and the state.
    dtype : numpy.dtype
        Of all parameters.
    """

    def __init__(self, network: Any, parameters: Mapping[str, Any] | None) -> None:
        self._torch = torch = dependency.load("torch", "torch")
        if isinstance(network, torch.nn.Module):
            if parameters is not None:
                raise OptionError("parameters were given with a module; expected them with a function alone.")
            module = copy.deepcopy(network)
            for parameter in module.parameters():
                parameter.requires_grad_(True)
            self._leaves = dict(module.named_parameters())
            self.called: Any = module
        else:
            self._leaves = {
                str(name): torch.as_tensor(array_of(f"parameters[{name!r}]", value)).requires_grad_()
                for name, value in (parameters or {}).items()
            }
            self.called = functools.partial(network, self._leaves)
        if not self._leaves:
            raise ParameterError("network has no parameters; a function takes them as parameters={...}.")
        kinds = {parameter.dtype for parameter in self._leaves.values()}
        if len(kinds) > 1 or not kinds <= {torch.float32, torch.float64}:
            raise DtypeError(
                f"network has parameters of dtypes {sorted(map(str, kinds))}; expected float32 or float64."
            )
        self._first = next(iter(self._leaves.values()))
        self.weights: Arrays = {name: array_of(name, parameter) for name, parameter in self._leaves.items()}
        self.dtype = next(iter(self.weights.values())).dtype

    def leaves(self) -> dict[str, Any]:
        """The parameters as tensors with a gradient."""
        return self._leaves

    def tensor(self, array: Array) -> Any:
        """A copy as a tensor with a gradient, where the parameters are."""
        return self._torch.tensor(array, dtype=self._first.dtype, device=self._first.device, requires_grad=True)

    def parted(self, result: Any, keys: list[str]) -> tuple[Any, dict[str, Any]]:
        """(y, final state by name) of what the network returned; the state may be missing."""
        y, *rest = result if isinstance(result, (tuple, list)) else (result,)
        given = rest[0] if len(rest) == 1 else tuple(rest)
        if isinstance(given, Mapping):
            final = dict(given)
        elif isinstance(given, (tuple, list)):
            final = dict(zip(keys, given, strict=False))
        else:
            final = {keys[0]: given}
        unknown = sorted(set(final) - set(keys))
        if unknown:
            raise BrokenAnswerError(Verdict.SHAPE, f"the final state has {unknown}; expected some of {keys}")
        for name, tensor in {"y": y, **final}.items():
            if not isinstance(tensor, self._torch.Tensor):
                raise BrokenAnswerError(Verdict.SHAPE, f"{name} is a {type(tensor).__name__}; expected a tensor")
        return y, {
            key: tensor[0] if tensor.ndim == 3 and tensor.shape[0] == 1 else tensor for key, tensor in final.items()
        }

    def gradients(self, values: Mapping[str, Any], cotangents: Mapping[str, Array], leaves: dict[Any, Any]) -> Any:
        """Of Σ ⟨value, cotangent⟩ by every leaf; zeros where nothing of it arrives."""
        live = {key: value for key, value in values.items() if value.requires_grad}
        if not live:
            return {key: np.zeros(tuple(leaf.shape), self.dtype) for key, leaf in leaves.items()}
        arriving = [
            self._torch.tensor(cotangents[key], dtype=value.dtype, device=value.device) for key, value in live.items()
        ]
        grads = self._torch.autograd.grad(list(live.values()), list(leaves.values()), arriving, allow_unused=True)
        return {
            key: np.zeros(tuple(leaf.shape), self.dtype) if grad is None else array_of(f"the gradient of {key}", grad)
            for (key, leaf), grad in zip(leaves.items(), grads, strict=True)
        }
