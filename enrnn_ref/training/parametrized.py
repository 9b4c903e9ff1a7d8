"""What parametrizations do between two passes: a term of the loss of their own, and a base point that moves.

Few do either, and on the host. Of parameters on a device those of their recurrences are fetched, and no others.
"""

from __future__ import annotations

import numpy as np

from enrnn_ref.arrays import Arrays
from enrnn_ref.backends.base import Backend
from enrnn_ref.models import Model


def add_penalty(model: Model, engine: Backend, params: Arrays, grads: Arrays) -> float:
    """The parametrizations' own terms of the loss (:meth:`Model.penalty`); their gradients are added to ``grads``."""
    total = 0.0
    for prefix, recurrence, own, _ in model.recurrences(params):
        if recurrence.parametrization.penalized:
            value, pull = recurrence.penalty(_fetched(engine, own))
            total += value
            for key, term in pull.items():
                if term.any():
                    engine.add(grads[f"{prefix}{key}"], engine.take(term))
    return total


def after_update(model: Model, engine: Backend, params: Arrays, buffers: Arrays) -> tuple[Arrays, Arrays]:
    """Parameters and buffers to go on with after an optimiser step (:meth:`Model.after_update`)."""
    new_params, new_buffers = dict(params), dict(buffers)
    for prefix, recurrence, own, own_buffers in model.recurrences(params, buffers):
        if recurrence.parametrization.moving:
            before = _fetched(engine, own)
            moved, after = recurrence.after_update(before, own_buffers)
            new_buffers |= {f"{prefix}{key}": array for key, array in after.items()}
            for key, array in moved.items():
                if not np.array_equal(array, before[key]):
                    new_params[f"{prefix}{key}"] = engine.take(array)
    return new_params, new_buffers


def _fetched(engine: Backend, params: Arrays) -> Arrays:
    return {key: engine.give(array) for key, array in params.items()}
