"""Adagrad as TensorFlow 1.x has it and as PyTorch has it."""

from __future__ import annotations

from typing import Any

from enrnn_ref.arrays import choice, number
from enrnn_ref.cells.elementary import sqrt
from enrnn_ref.optimizers.rule import FLAVOURS, Rule, Update


def entry_tf1(entries: Any, settings: Any) -> Any:
    w, g, s = entries
    (lr,) = settings
    s = s + g * g
    return w - lr * (g / sqrt(s)), s


def entry_torch(entries: Any, settings: Any) -> Any:
    w, g, s = entries
    lr, epsilon = settings
    s = s + g * g
    return w - lr * (g / (sqrt(s) + epsilon)), s


class Adagrad(Rule):
    """s ← s + g²; the step is lr g over the root of s (see the package's table).

    Duchi, Hazan, Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR 12, 2011.

    Parameters
    ----------
    lr : float
        Learning rate, at least 0.
    flavour : {"tf1", "torch"}
    """

    name = "adagrad"
    _settings = ("lr", "flavour")

    def __init__(self, lr: float, *, flavour: str = "tf1") -> None:
        self.lr = number("lr", lr)
        self.flavour = choice("flavour", flavour, FLAVOURS)
        self._slots = {"sum_square": 0.1 if self.flavour == "tf1" else 0.0}

    def _update(self, step: int) -> Update:
        return Update(entry_tf1, (self.lr,)) if self.flavour == "tf1" else Update(entry_torch, (self.lr, 1e-10))
