"""RMSprop as TensorFlow 1.x has it and as PyTorch has it."""

from __future__ import annotations

from typing import Any

from enrnn_ref.arrays import choice, number
from enrnn_ref.cells.elementary import sqrt
from enrnn_ref.optimizers.rule import FLAVOURS, Rule, Update, fraction


def entry_tf1(entries: Any, settings: Any) -> Any:
    w, g, s = entries
    lr, decay, rest, epsilon = settings
    s = decay * s + rest * (g * g)
    return w - lr * (g / sqrt(s + epsilon)), s


def entry_torch(entries: Any, settings: Any) -> Any:
    w, g, s = entries
    lr, decay, rest, epsilon = settings
    s = decay * s + rest * (g * g)
    return w - lr * (g / (sqrt(s) + epsilon)), s


class RMSprop(Rule):
    """s ← decay s + (1 − decay) g²; the step is lr g over the root of s (see the package's table).

    Parameters
    ----------
    lr : float
        Learning rate, at least 0.
    decay : float, optional
        In [0, 1); ``alpha`` in PyTorch. Default: 0.9 (``"tf1"``), 0.99 (``"torch"``).
    epsilon : float, optional
        Above 0. Default: 1e-10, inside the root (``"tf1"``); 1e-8, outside (``"torch"``).
    flavour : {"tf1", "torch"}
    """

    name = "rmsprop"
    _settings = ("lr", "decay", "epsilon", "flavour")

    def __init__(
        self, lr: float, *, decay: float | None = None, epsilon: float | None = None, flavour: str = "tf1"
    ) -> None:
        self.lr = number("lr", lr)
        self.flavour = choice("flavour", flavour, FLAVOURS)
        default_decay, default_epsilon = (0.9, 1e-10) if self.flavour == "tf1" else (0.99, 1e-8)
        self.decay = fraction("decay", default_decay if decay is None else decay)
        self.epsilon = number("epsilon", default_epsilon if epsilon is None else epsilon, open_=True)
        self._slots = {"mean_square": 1.0 if self.flavour == "tf1" else 0.0}

    def _update(self, step: int) -> Update:
        # Python floats: 1 − decay in float32 would not be the float32 next to 1 − decay.
        settings = self.lr, self.decay, 1.0 - self.decay, self.epsilon
        return Update(entry_tf1 if self.flavour == "tf1" else entry_torch, settings)
