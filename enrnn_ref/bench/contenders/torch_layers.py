"""``torch.nn.RNN``, ``LSTM`` and ``GRU`` of the same width, for the same input."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager
from typing import Any

from enrnn_ref.arrays import Arrays
from enrnn_ref.bench.contenders.base import Differentiating
from enrnn_ref.bench.threads import torch_threads
from enrnn_ref.bench.workload import Workload
from enrnn_ref.models import GRU, LSTM, RNN
from enrnn_ref.weights import torch as weights

KINDS: dict[str, type[RNN] | type[LSTM] | type[GRU]] = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}


class TorchLayer(Differentiating):
    """Gradients of all its weights and of x; the weights are those of our layer of the same name."""

    def __init__(self, work: Workload, kind: str) -> None:
        super().__init__(work)
        self.torch = importlib.import_module("torch")
        self.ours = KINDS[kind](work.size.inputs, work.size.units)
        params = self.ours.init(0, work.dtype)
        made = getattr(self.torch.nn, kind)
        self.layer = made(work.size.inputs, work.size.units, dtype=getattr(self.torch, work.dtype.name))
        self.layer.load_state_dict(_tensors(self.torch, weights.save(self.ours, params)))
        self.x = self.torch.from_numpy(work.x.copy()).requires_grad_()
        start = self.torch.from_numpy(work.start)[None]
        self.start = (start, self.torch.zeros_like(start)) if kind == "LSTM" else start
        self.dy = self.torch.from_numpy(work.dy)

    def setting(self) -> AbstractContextManager[object]:
        return torch_threads(self.torch, self.work.threads)

    def run(self) -> object:
        self.layer.zero_grad(set_to_none=True)
        self.x.grad = None
        self.layer(self.x, self.start)[0].backward(self.dy)
        return None

    def gradients(self) -> Arrays:
        with self.setting():
            self.run()
        found = {name: weight.grad.numpy().copy() for name, weight in self.layer.named_parameters()}
        if not isinstance(self.ours, GRU):  # two biases of which only the sum matters; the gradient of either is ours
            found["bias_hh_l0"][...] = 0
        return weights.load(self.ours, found) | {"x": self.x.grad.numpy().copy()}


def _tensors(torch: Any, arrays: Arrays) -> dict[str, Any]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
