"""Losses of an output that lies on the device, and their gradients there.

As on the host the arithmetic is in float64 and the gradient is rounded once. Every thread sums the entries, or the
positions, that are its own; sums.py adds those up, block by block.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array
from enrnn_ref.backends.cuda import arrays, sums
from enrnn_ref.backends.cuda.arrays import DeviceArray
from enrnn_ref.backends.cuda.memory import device_array
from enrnn_ref.backends.cuda.sums import BLOCKS, THREADS, sum_of_block
from enrnn_ref.backends.cuda.target import cuda, device_errors, kernel


@device_errors()
def squared_error(y: Any, target: Any) -> tuple[Any, Any]:
    """Mean of (y − target)², (), and its gradient; y lies on the device, the target there or on the host."""
    there = target if isinstance(target, DeviceArray) else DeviceArray(arrays.to_device(target))
    dy, parts = DeviceArray(device_array(y.shape, y.dtype)), sums.room()
    flat = (array.reshape(y.size).data for array in (dy, y, there))
    add_squares[BLOCKS, THREADS](parts, *flat, 2.0 / y.size)
    return sums.total(parts) / y.size, dy


@device_errors()
def cross_entropy(logits: Any, labels: npt.NDArray[np.intp], weights: Array) -> tuple[Any, Any]:
    """Σ weight · (−log softmax(logits)[label]), (), and its gradient.

    ``logits`` (..., C) lie on the device; ``labels`` (..., 1) and ``weights`` (..., 1), or one for all, on the host.
    """
    dlogits, parts = DeviceArray(device_array(logits.shape, logits.dtype)), sums.room()
    rows = (array.reshape(labels.size, logits.shape[-1]).data for array in (dlogits, logits))
    of_positions = (arrays.to_device(array.ravel()) for array in (labels, weights))
    add_entropies[BLOCKS, THREADS](parts, *rows, *of_positions)
    return sums.total(parts), dlogits


@kernel
def add_squares(parts: Any, dy: Any, y: Any, target: Any, scale: float) -> None:
    """dy = scale (y − target); parts (blocks,): each block's share of Σ (y − target)²."""
    total = np.float64(0)
    for k in range(cuda.grid(1), y.shape[0], cuda.gridsize(1)):
        residual = np.float64(y[k]) - np.float64(target[k])
        total += residual * residual
        dy[k] = scale * residual
    total = sum_of_block(total)
    if cuda.threadIdx.x == 0:
        parts[cuda.blockIdx.x] = total


@kernel
def add_entropies(parts: Any, dlogits: Any, logits: Any, labels: Any, weights: Any) -> None:
    """dlogits = weight (softmax(logits) − one-hot label); parts (blocks,): shares of Σ weight · −log softmax[label].

    The largest logit is subtracted first, so that no exponential overflows.
    """
    total = np.float64(0)
    for k in range(cuda.grid(1), logits.shape[0], cuda.gridsize(1)):
        label, weight = labels[k], weights[k % weights.shape[0]]
        largest = np.float64(logits[k, 0])
        for c in range(1, logits.shape[1]):
            largest = max(largest, np.float64(logits[k, c]))
        normalizer = np.float64(0)
        for c in range(logits.shape[1]):
            normalizer += math.exp(np.float64(logits[k, c]) - largest)
        for c in range(logits.shape[1]):
            probability = math.exp(np.float64(logits[k, c]) - largest) / normalizer
            dlogits[k, c] = weight * (probability - (1.0 if c == label else 0.0))
        total += weight * (math.log(normalizer) - (np.float64(logits[k, label]) - largest))
    total = sum_of_block(total)
    if cuda.threadIdx.x == 0:
        parts[cuda.blockIdx.x] = total
