"""Adam as TensorFlow 1.x has it and as PyTorch has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from enrnn_ref.arrays import choice, number
from enrnn_ref.cells.elementary import sqrt
from enrnn_ref.errors import OptionError
from enrnn_ref.optimizers.rule import FLAVOURS, Rule, Update, fraction


def entry_tf1(entries: Any, settings: Any) -> Any:
    w, g, m, v = entries
    rate, beta1, rest1, beta2, rest2, epsilon = settings
    m = beta1 * m + rest1 * g
    v = beta2 * v + rest2 * (g * g)
    return w - rate * (m / (sqrt(v) + epsilon)), m, v


def entry_torch(entries: Any, settings: Any) -> Any:
    w, g, m, v = entries
    rate, beta1, rest1, beta2, rest2, epsilon, root = settings
    m = beta1 * m + rest1 * g
    v = beta2 * v + rest2 * (g * g)
    return w - rate * (m / (sqrt(v) / root + epsilon)), m, v


class Adam(Rule):
    """m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g²; the step is lr m̂/√v̂ (see the package's table).

    Kingma, Ba, "Adam: A Method for Stochastic Optimization", arXiv 1412.6980. ``"torch"`` is its Algorithm 1 and adds ε
    to the bias-corrected root; ``"tf1"`` is the cheaper order of computation that section 2 offers, adds ε to the
    uncorrected root and so weighs it 1/√(1−β₂ᵗ) times as much.

    Parameters
    ----------
    lr : float
        Learning rate, at least 0.
    betas : pair of float
        (β₁, β₂), each in [0, 1).
    epsilon : float
        Above 0.
    flavour : {"tf1", "torch"}
    """

    name = "adam"
    _settings = ("lr", "betas", "epsilon", "flavour")
    _counted = True

    def __init__(
        self,
        lr: float,
        *,
        betas: Sequence[float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        flavour: str = "tf1",
    ) -> None:
        self.lr = number("lr", lr)
        try:
            beta1, beta2 = betas
        except (TypeError, ValueError) as error:
            raise OptionError(f"betas is {betas!r}; expected two numbers in [0, 1).") from error
        self.betas = (fraction("betas[0]", beta1), fraction("betas[1]", beta2))
        self.epsilon = number("epsilon", epsilon, open_=True)
        self.flavour = choice("flavour", flavour, FLAVOURS)
        self._slots = {"mean": 0.0, "mean_square": 0.0}

    def _update(self, step: int) -> Update:
        beta1, beta2 = self.betas
        # Python floats, hence float64: 1 − β₂ᵗ in float32 would lose three digits at the first steps.
        correction1, correction2 = 1.0 - beta1**step, (1.0 - beta2**step) ** 0.5
        shared = beta1, 1.0 - beta1, beta2, 1.0 - beta2, self.epsilon
        if self.flavour == "tf1":
            return Update(entry_tf1, (self.lr * correction2 / correction1, *shared))
        return Update(entry_torch, (self.lr / correction1, *shared, correction2))
