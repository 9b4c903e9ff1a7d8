"""Stochastic gradient descent, plain or with momentum, one rule for both releases."""

from __future__ import annotations

from typing import Any

from enrnn_ref.arrays import number
from enrnn_ref.errors import OptionError
from enrnn_ref.optimizers.rule import Rule, Update, fraction


def entry_plain(entries: Any, settings: Any) -> Any:
    w, g = entries
    (lr,) = settings
    return (w - lr * g,)


def entry_momentum(entries: Any, settings: Any) -> Any:
    w, g, b = entries
    lr, momentum = settings
    b = momentum * b + g
    return w - lr * b, b


def entry_nesterov(entries: Any, settings: Any) -> Any:
    w, g, b = entries
    lr, momentum = settings
    b = momentum * b + g
    return w - lr * (g + momentum * b), b


class SGD(Rule):
    """Stochastic gradient descent with momentum: b ← μ b + g, w ← w − lr b; Nesterov: w ← w − lr (g + μ b).

    With a constant learning rate this is both ``tf.train.MomentumOptimizer`` (b₀ = 0) and ``torch.optim.SGD`` without
    dampening (b₁ = g): they agree, so there is no flavour.

    Parameters
    ----------
    lr : float
        Learning rate, at least 0; 0 freezes a parameter.
    momentum : float
        μ in [0, 1). Without it there is no state.
    nesterov : bool
        Needs ``momentum`` above 0.
    """

    name = "sgd"
    _settings = ("lr", "momentum", "nesterov")

    def __init__(self, lr: float, *, momentum: float = 0.0, nesterov: bool = False) -> None:
        self.lr = number("lr", lr)
        self.momentum = fraction("momentum", momentum)
        if not isinstance(nesterov, bool):
            raise OptionError(f"nesterov is {nesterov!r}; expected True or False.")
        if nesterov and self.momentum == 0.0:
            raise OptionError("nesterov is True but momentum is 0; expected a momentum above 0.")
        self.nesterov = nesterov
        self._slots = {"momentum": 0.0} if self.momentum else {}

    def _update(self, step: int) -> Update:
        if not self.momentum:
            return Update(entry_plain, (self.lr,))
        return Update(entry_nesterov if self.nesterov else entry_momentum, (self.lr, self.momentum))
