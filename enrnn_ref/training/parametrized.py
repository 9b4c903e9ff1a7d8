"""What parametrizations do between two passes: a term of the loss of their own, and a base point that moves.

Few do either, and recurrences that do neither are not asked.
"""

from __future__ import annotations

from enrnn_ref.arrays import Arrays
from enrnn_ref.backends.base import Backend
from enrnn_ref.models import Model


def add_penalty(model: Model, engine: Backend, params: Arrays, grads: Arrays) -> float:
    """The parametrizations' own terms of the loss (:meth:`Model.penalty`); their gradients are added to ``grads``."""
    total = 0.0
    for prefix, recurrence, own, _ in model.recurrences(params):
        if recurrence.parametrization.penalized:
            value, pull = recurrence.penalty(own)
            total += value
            for key, term in pull.items():
                engine.add(grads[f"{prefix}{key}"], term)
    return total


def after_update(model: Model, params: Arrays, buffers: Arrays) -> tuple[Arrays, Arrays]:
    """Parameters and buffers to go on with after an optimiser step (:meth:`Model.after_update`)."""
    new_params, new_buffers = dict(params), dict(buffers)
    for prefix, recurrence, own, own_buffers in model.recurrences(params, buffers):
        if recurrence.parametrization.moving:
            moved, after = recurrence.after_update(own, own_buffers)
            new_params |= {f"{prefix}{key}": array for key, array in moved.items()}
            new_buffers |= {f"{prefix}{key}": array for key, array in after.items()}
    return new_params, new_buffers
