"""The same ENRNN in PyTorch, differentiated by autograd, as one writes it: a loop over time."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager
from typing import Any

from enrnn_ref.arrays import Arrays
from enrnn_ref.bench.contenders.base import Differentiating
from enrnn_ref.bench.threads import torch_threads
from enrnn_ref.bench.workload import Workload

Tensor = Any


def step(h: Tensor, drive: Tensor, transposed: Tensor, bias: Tensor) -> Tensor:
    """modReLU(a_t + R h; b), the sum and the product in one call."""
    z = drive.addmm(h, transposed)
    return z.sign() * (z.abs() + bias).relu()


class TorchEager(Differentiating):
    """Gradients of R, U, b and x; or, ``free``, of the free arrays behind R in its place."""

    def __init__(self, work: Workload, *, free: bool = False) -> None:
        super().__init__(work)
        self.torch = importlib.import_module("torch")
        names = {"input", "bias"} | ({"skew", "short", "coupling"} if free else set())
        arrays = {name: array for name, array in work.params.items() if name in names} | {"x": work.x}
        if not free:
            arrays["matrix"] = work.matrix
        self.leaves = {name: self.torch.from_numpy(array.copy()).requires_grad_() for name, array in arrays.items()}
        self.start, self.dy = self.torch.from_numpy(work.start), self.torch.from_numpy(work.dy)
        self.free = free

    def setting(self) -> AbstractContextManager[object]:
        return torch_threads(self.torch, self.work.threads)

    def run(self) -> object:
        for leaf in self.leaves.values():
            leaf.grad = None
        transposed = (self._matrix() if self.free else self.leaves["matrix"]).T
        # All times in one product, as one does it who cares.
        drive = self.torch.nn.functional.linear(self.leaves["x"], self.leaves["input"])
        self._states(drive, transposed, self.leaves["bias"]).backward(self.dy)
        return None

    def gradients(self) -> Arrays:
        with self.setting():
            self.run()
        zero = self.torch.zeros_like
        grads = {name: zero(leaf) if leaf.grad is None else leaf.grad for name, leaf in self.leaves.items()}
        return {name: grad.numpy().copy() for name, grad in grads.items()}  # None: an empty block's

    def _states(self, drive: Tensor, transposed: Tensor, bias: Tensor) -> Tensor:
        h, states = self.start, []
        for drive_t in drive.unbind():
            h = step(h, drive_t, transposed, bias)
            states.append(h)
        return self.torch.stack(states)

    def _matrix(self) -> Tensor:
        """R by a linear system and by eigenvalues, both differentiated by PyTorch."""
        torch, size, model = self.torch, self.work.size, self.work.model
        coupling, short = self.leaves["coupling"], self.leaves["short"]
        upper = short.new_zeros(size.long, size.long)
        upper[tuple(torch.triu_indices(size.long, size.long, 1))] = self.leaves["skew"]
        skew, one = upper - upper.T, torch.eye(size.long, dtype=short.dtype)
        signs = torch.ones(size.long, dtype=short.dtype)
        signs[size.long - model.negative_ones :] = -1
        rows = [torch.cat([torch.linalg.solve(one + skew, one - skew) * signs, coupling], 1)]
        if size.short:
            radius = torch.linalg.eigvals(short).abs().max()
            rows.append(torch.cat([torch.zeros_like(coupling.T), short / (radius + model.eps)], 1))
        return torch.cat(rows)
