"""What PyTorch's autograd gives for a network, custom functions included, checked against the network's own values."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.errors import ParameterError
from enrnn_ref.verify.adapters import dependency
from enrnn_ref.verify.adapters.answer import argument_names
from enrnn_ref.verify.adapters.torch_forward import derivative
from enrnn_ref.verify.adapters.trust import doubt
from enrnn_ref.verify.gradient import check_gradient
from enrnn_ref.verify.report import Report


def check_autograd(network: Any, inputs: tuple[Any, ...], *, directions: int, seed: int) -> Report:
    """check_gradient of ``network(*inputs)`` by its parameters and its float inputs, in float64 copies."""
    subject = _Subject(network, inputs)
    doubted = doubt(subject.function, subject.tangent, subject.arrays, seed)
    report = check_gradient(
        subject.function,
        subject.pullback,
        subject.arrays,
        tangent=None if doubted else subject.tangent,
        directions=directions,
        seed=seed,
    )
    told = f"none: {doubted}" if doubted else "PyTorch's own, of the forward pass"
    settings = {**report.settings, "tangent": told, "torch": subject.torch.__version__}
    return replace(report, title=f"{subject.title} (PyTorch autograd)", settings=settings)


@dataclass(frozen=True)
class _Slot:
    """The place of a float tensor among the inputs."""

    name: str


class _Subject:
    """A network as functions of float64 arrays under its parameters' and inputs' names."""

    def __init__(self, network: Any, inputs: tuple[Any, ...]) -> None:
        self.torch = torch = dependency.load("torch", "torch")
        self._parameters: dict[str, Any] = {}
        if isinstance(network, torch.nn.Module):
            network = copy.deepcopy(network).double()
            self._parameters = {n: p for n, p in network.named_parameters() if p.requires_grad}
            self.title = type(network).__name__
        else:
            self.title = getattr(network, "__name__", type(network).__name__)
        self._network = network
        self._leaves: dict[str, Any] = dict(self._parameters)
        names = argument_names(network, len(inputs))
        self._inputs = tuple(self._slotted(name, value) for name, value in zip(names, inputs, strict=True))
        if not self._leaves:
            raise ParameterError(
                "network has no parameters and no float tensor among its inputs; expected one at least."
            )
        self.arrays: Arrays = {name: leaf.detach().cpu().numpy().copy() for name, leaf in self._leaves.items()}
        self._device = next(iter(self._leaves.values())).device

    def _slotted(self, name: str, value: Any) -> Any:
        """The input with slots in the place of its float tensors, which become leaves."""
        torch = self.torch
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            value = torch.from_numpy(value)
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            label = f"input {name}" if name in self._leaves else name
            self._leaves[label] = value.detach().double().clone()
            return _Slot(label)
        if isinstance(value, Mapping):
            return {key: self._slotted(f"{name}[{key!r}]", part) for key, part in value.items()}
        if isinstance(value, (tuple, list)):
            return type(value)(self._slotted(f"{name}[{k}]", part) for k, part in enumerate(value))
        return value

    def _filled(self, value: Any, tensors: Mapping[str, Any]) -> Any:
        if isinstance(value, _Slot):
            return tensors[value.name]
        if isinstance(value, dict):
            return {key: self._filled(part, tensors) for key, part in value.items()}
        if isinstance(value, (tuple, list)):
            return type(value)(self._filled(part, tensors) for part in value)
        return value

    def _tensors(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Leaves at ``arrays``: the network's own parameters, and fresh inputs."""
        if any(array.dtype != np.float64 for array in arrays.values()):
            raise TypeError("a network is run in float64 alone")
        tensors = {}
        for name, array in arrays.items():
            tensor = self.torch.tensor(array, device=self._device)
            if name in self._parameters:
                with self.torch.no_grad():
                    self._parameters[name].copy_(tensor)
                tensors[name] = self._parameters[name]
            else:
                tensors[name] = tensor.requires_grad_()
        return tensors

    def _output(self, tensors: Mapping[str, Any]) -> Any:
        """All float outputs in one vector."""
        result = self._network(*(self._filled(value, tensors) for value in self._inputs))
        parts = [part.reshape(-1) for part in _float_tensors(self.torch, result)]
        if not parts:
            raise ParameterError(f"network returned a {type(result).__name__}; expected float tensors in it.")
        return self.torch.cat(parts).double()

    def function(self, arrays: Mapping[str, Array]) -> Array:
        output: Array = self._output(self._tensors(arrays)).detach().cpu().numpy().copy()
        return output

    def pullback(self, arrays: Mapping[str, Array], cotangent: Array) -> Arrays:
        tensors = self._tensors(arrays)
        output = self._output(tensors)
        if not output.requires_grad:
            return {name: np.zeros(array.shape) for name, array in arrays.items()}
        arriving = self.torch.tensor(cotangent, device=self._device)
        grads = self.torch.autograd.grad(output, list(tensors.values()), arriving, allow_unused=True)
        return {
            name: np.zeros(array.shape) if grad is None else grad.detach().cpu().numpy().copy()
            for (name, array), grad in zip(arrays.items(), grads, strict=True)
        }

    def tangent(self, arrays: Mapping[str, Array], directions: Mapping[str, Array]) -> Array:
        """The derivative that PyTorch finds by itself, custom backward passes left aside."""
        torch = self.torch
        values, moves = (
            {name: torch.tensor(array, device=self._device) for name, array in given.items()}
            for given in (arrays, directions)
        )

        def output(tensors: Mapping[str, Any]) -> Any:
            own = {name: tensors[name] for name in self._parameters}
            arguments = tuple(self._filled(value, tensors) for value in self._inputs)
            called = torch.func.functional_call
            result = called(self._network, own, arguments) if own else self._network(*arguments)
            return torch.cat([part.reshape(-1) for part in _float_tensors(torch, result)]).double()

        found: Array = derivative(output, values, moves).cpu().numpy().copy()
        return found


def _float_tensors(torch: Any, value: Any) -> Iterator[Any]:
    """The float tensors of nested tuples, lists and dicts, in their order."""
    if isinstance(value, torch.Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _float_tensors(torch, part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _float_tensors(torch, part)
