"""Losses with their gradients: a number to minimise and its derivative with respect to the network's output.

Both functions return ``(value, dy)``. Whatever the dtype of the output, the arithmetic runs in float64: a mean over 10⁴
positions that accumulates in float32 loses four digits, and a loss costs nothing next to the time loop that made its
argument. Only ``dy`` is rounded, once, to the dtype of the output.

An output that lies on a CUDA device, as ``backend="cuda"`` gives it for an input that does, stays there, and so do its
gradient and the value, an array without axes: ``float(value)`` waits for it. What they hold is not looked at.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref import backends
from enrnn_ref.arrays import Array, float_array, lies_on_device, number
from enrnn_ref.errors import DataError, DtypeError, NotFiniteError, PlacementError, ShapeError

__all__ = ["mean_squared_error", "softmax_cross_entropy"]


def mean_squared_error(y: npt.ArrayLike, target: npt.ArrayLike) -> tuple[float, Array]:
    """Mean of (y − target)² over all N entries, and its gradient 2 (y − target) / N.

    Parameters
    ----------
    y : array_like, any shape with at least one entry
        Output of the network, float32 or float64; on the host or on a CUDA device.
    target : array_like, the shape of ``y``
        float32 or float64; on the host, or where ``y`` is.

    Returns
    -------
    value : float
        Computed in float64; of a ``y`` on a device one without axes there, of which ``float`` makes a number.
    dy : ndarray, shape and dtype of ``y``
        Where ``y`` is.

    Raises
    ------
    PlacementError
        ``target`` lies on a device and ``y`` on the host.
    ShapeError
        ``y`` is empty, or ``target`` has another shape (nothing is broadcast).
    DtypeError, NotFiniteError
        Either array is not float32 or float64; or it is the host's, and holds NaN or infinity; the loss or its gradient
        overflows there.
    """
    adopt = backends.at(y).adopt
    y = float_array("y", y, adopt=adopt)
    target = float_array("target", target, adopt=adopt if lies_on_device(target) else None)
    _require_entries("y", y)
    _require_same_shape("target", target.shape, "y", y.shape)
    if adopt is not None:
        found: tuple[float, Array] = _on_device().squared_error(y, target)
        return found
    value, dy = _squared_error(y, target)
    _require_finite("the mean squared error", value, dy)
    return value, dy


def _squared_error(y: Array, target: Array) -> tuple[float, Array]:
    with np.errstate(over="ignore", invalid="ignore"):  # caught where it surfaces
        residual = np.subtract(y, target, dtype=np.float64)
        return float(np.mean(residual * residual)), (2.0 / residual.size * residual).astype(y.dtype)


def softmax_cross_entropy(
    logits: npt.ArrayLike, labels: npt.ArrayLike, mask: npt.ArrayLike | None = None, *, base: float = math.e
) -> tuple[float, Array]:
    """Mean of −log softmax(logits)[label] over the positions, and its gradient.

    With weights m (all one without a mask), p = softmax(logits) along the last axis and e the one-hot label, in nats,

        value = Σ m (log Σ_c exp(logits_c) − logits_label) / Σ m,      dlogits = m (p − e) / Σ m.

    The largest logit is subtracted first, so the exponentials cannot overflow.

    Parameters
    ----------
    logits : array_like, shape (..., C)
        Output of the network, float32 or float64; ``(T, B, C)`` or ``(B, C)`` in this package; on the host or on a CUDA
        device. Labels and mask are the host's.
    labels : array_like of integers, shape (...)
        Classes in [0, C), also where the mask is zero.
    mask : array_like of booleans or floats, shape (...), optional
        Weights, none negative, not all zero. ``False`` or 0 leaves a position out.
    base : float
        Of the logarithm, above 1; 2 for a loss, and its gradient, in bits.

    Returns
    -------
    value : float
        Computed in float64; of ``logits`` on a device one without axes there, of which ``float`` makes a number.
    dlogits : ndarray, shape and dtype of ``logits``
        Where ``logits`` are.

    Raises
    ------
    PlacementError
        Labels or mask lie on a device.
    ShapeError
        ``logits`` is empty or has no axis of classes; ``labels`` or ``mask`` do not have the shape of its other axes.
    DtypeError
        ``logits`` is not floating point, ``labels`` not integer, ``mask`` neither boolean nor floating point.
    DataError
        A label outside [0, C); a negative weight; a mask that leaves nothing to average.
    OptionError
        ``base`` is not a number above 1.
    NotFiniteError
        NaN or infinity in ``mask``, or in ``logits`` of the host, where the loss overflows too.
    """
    adopt = backends.at(logits).adopt
    logits = float_array("logits", logits, adopt=adopt)
    if logits.ndim == 0:
        raise ShapeError("logits has shape (); expected (..., C) with the classes on the last axis.")
    _require_entries("logits", logits)
    index = _class_indices(labels, logits.shape)
    weights = _normalized_weights(mask, logits.shape) / math.log(number("base", base, least=1.0, open_=True))
    if adopt is not None:
        found: tuple[float, Array] = _on_device().cross_entropy(logits, index, weights)
        return found
    value, gradient = _cross_entropy(logits, index, weights)
    _require_finite("the cross-entropy", value, gradient)
    return value, gradient


def _cross_entropy(logits: Array, index: npt.NDArray[np.intp], weights: Array) -> tuple[float, Array]:
    shifted = logits.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # caught where it surfaces
        shifted -= shifted.max(axis=-1, keepdims=True)
        of_label = np.take_along_axis(shifted, index, axis=-1)
        probabilities = np.exp(shifted, out=shifted)
        total = probabilities.sum(axis=-1, keepdims=True)
        value = float(np.sum(weights * (np.log(total) - of_label)))

    probabilities /= total
    gradient = probabilities
    np.put_along_axis(gradient, index, np.take_along_axis(gradient, index, axis=-1) - 1.0, axis=-1)
    gradient *= weights
    return value, gradient.astype(logits.dtype)


def _on_device() -> Any:
    """The same losses there."""
    from enrnn_ref.backends.cuda import losses  # noqa: PLC0415 (where there is a device)

    return losses


def _class_indices(labels: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.intp]:
    """``labels``, checked, as indices (..., 1) into the last axis of an array of the given shape."""
    array = _as_array("labels", labels)
    if not np.issubdtype(array.dtype, np.integer):
        raise DtypeError(f"labels has dtype {array.dtype}; expected integers, the index of the right class.")
    _require_same_shape("labels", array.shape, "logits without its last axis", shape[:-1])
    classes = shape[-1]
    outside = (array < 0) | (array >= classes)
    if outside.any():
        raise DataError(
            f"labels holds {np.count_nonzero(outside)} value(s) outside [0, {classes}), the first is "
            f"{array[outside].flat[0]}; expected a class of the {classes} that logits has on its last axis."
        )
    return array.astype(np.intp, copy=False)[..., np.newaxis]


def _normalized_weights(mask: npt.ArrayLike | None, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Weights (..., 1) of the positions that sum to one; a single number (1,) stands for equal weights."""
    positions = shape[:-1]
    if mask is None:
        return np.full(1, 1.0 / np.prod(positions))
    array = _as_array("mask", mask)
    array = (array if array.dtype == np.bool_ else float_array("mask", array)).astype(np.float64)
    _require_same_shape("mask", array.shape, "logits without its last axis", positions)
    if (array < 0).any():
        raise DataError(f"mask holds {np.count_nonzero(array < 0)} negative weight(s); expected weights of at least 0.")
    if not array.any():
        raise DataError("mask is zero everywhere; expected at least one position to average over.")
    weights: npt.NDArray[np.float64] = array / array.sum()
    return weights[..., np.newaxis]


def _as_array(name: str, value: npt.ArrayLike) -> npt.NDArray[Any]:
    if lies_on_device(value):
        raise PlacementError(f"{name} lies in the memory of a CUDA device; expected an array on the host.")
    try:
        return np.asarray(value)
    except ValueError as error:  # ragged lists
        raise DtypeError(f"{name} is not an array: {error}.") from error


def _require_entries(name: str, array: npt.NDArray[Any]) -> None:
    if array.size == 0:
        raise ShapeError(f"{name} has shape {array.shape}; expected at least one entry to average over.")


def _require_finite(loss: str, value: float, gradient: Array) -> None:
    if not (np.isfinite(value) and np.isfinite(gradient).all()):
        raise NotFiniteError(
            f"{loss} leaves the range of {gradient.dtype}: it is {value:.3g}; expected smaller outputs."
        )


def _require_same_shape(name: str, shape: tuple[int, ...], other: str, expected: tuple[int, ...]) -> None:
    if shape == expected:
        return
    swapped = (shape[1], shape[0], *shape[2:]) if len(shape) > 1 else None
    hint = " Is it batch-first? Arrays here are time-major, (T, B, ...)." if swapped == expected else ""
    raise ShapeError(f"{name} has shape {shape}; expected {expected}, the shape of {other}.{hint}")
