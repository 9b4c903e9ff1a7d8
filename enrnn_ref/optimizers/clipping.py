"""A limit for the gradients of all parameters together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from enrnn_ref.arrays import Array, Arrays, number
from enrnn_ref.backends.entrywise import Entrywise
from enrnn_ref.optimizers.checks import float_arrays, require_finite, side_of


def entry_scaled(entries: Any, settings: Any) -> Any:
    return (entries[0] * settings[0],)


def clip_by_global_norm(grads: Mapping[str, Array], limit: float) -> tuple[Arrays, float]:
    """Gradients scaled by one common factor so that their norm, taken over all arrays together, is at most ``limit``.

    Parameters
    ----------
    grads : dict of ndarray
        float32 or float64, one dtype for all; on the host, or all of them on a CUDA device, from which the norm alone
        comes to the host.
    limit : float
        Above 0.

    Returns
    -------
    grads : dict of ndarray
        In the dtype they came in, and where they were; equal to the argument where the norm does not exceed the limit.
    norm : float
        Euclidean norm *before* clipping. It is accumulated in float64 on entries divided by the largest one: gradients
        that need clipping are those whose squares overflow.

    Raises
    ------
    DtypeError, NotFiniteError, PlacementError
        See :func:`enrnn_ref.arrays.float_array`.
    """
    limit = number("limit", limit, open_=True)
    engine = side_of("grads", grads)
    grads = float_arrays("grads", grads, engine)
    norm = engine.norm(list(grads.values()))
    if not math.isfinite(norm):
        require_finite("grads", grads, engine)
    if norm <= limit:
        return grads, norm
    factor = (limit / norm,)
    scaled = engine.entrywise([Entrywise(entry_scaled, (array,), factor, 1) for array in grads.values()]).results
    return {name: array for name, (array,) in zip(grads, scaled, strict=True)}, norm
