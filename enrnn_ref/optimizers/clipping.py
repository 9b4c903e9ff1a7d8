"""A limit for the gradients of all parameters together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from enrnn_ref.arrays import Array, Arrays, number
from enrnn_ref.optimizers.checks import float_arrays, require_finite, side_of


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
    clipped, norm = begin_clipping(grads, number("limit", limit, open_=True))
    return clipped, norm()


def begin_clipping(grads: Mapping[str, Array], limit: float | None) -> tuple[Arrays, Callable[[], float]]:
    """As :func:`clip_by_global_norm`, of which a device need not have done anything yet: a function gives the norm, or
    raises NotFiniteError. Without a limit the gradients are what they were."""
    engine = side_of("grads", grads)
    checked = float_arrays("grads", grads, engine)
    there = engine.norm(list(checked.values()))
    later = engine.later(there)

    def norm() -> float:
        found = later()
        if not math.isfinite(found):
            require_finite("grads", checked, engine)
        return found

    if not engine.ahead:
        norm()  # scaled by what is no number they would be lost
    if limit is None:
        return checked, norm
    return dict(zip(checked, engine.limited(list(checked.values()), there, limit), strict=True)), norm
