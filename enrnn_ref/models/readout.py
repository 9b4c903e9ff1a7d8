"""The affine readout y = V f + c of features f [GS-4], or no readout at all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array, Arrays, choice, integer
from enrnn_ref.backends.base import Backend
from enrnn_ref.initializers import glorot_uniform

READOUTS = ("all", "last")


class Readout:
    """y_s = V f_s + c for features f (S, B, W): S = T with ``kind="all"``, S = 1 with ``"last"``.

    Without ``output_size`` the features go out as they are. Parameters ``readout`` (O, W), ``readout_bias`` (O,).
    """

    def __init__(self, width: int, output_size: int | None, kind: str) -> None:
        self.kind = choice("readout", kind, READOUTS)
        self.output_size = None if output_size is None else integer("output_size", output_size)
        self.width = width if self.output_size is None else self.output_size
        self.shapes: dict[str, tuple[int, ...]] = {}
        if self.output_size is not None:
            self.shapes = {"readout": (self.output_size, width), "readout_bias": (self.output_size,)}

    def init(self, rng: np.random.Generator, dtype: npt.DTypeLike) -> Arrays:
        """V Glorot uniform, c zero."""
        if self.output_size is None:
            return {}
        return {
            "readout": glorot_uniform(rng, (self.output_size, self.shapes["readout"][1]), dtype),
            "readout_bias": np.zeros(self.output_size, dtype),
        }

    def room(self, engine: Backend, time: int, batch: int, dtype: npt.DTypeLike) -> Array:
        """Space for y."""
        return engine.empty((time, batch, self.width) if self.kind == "all" else (batch, self.width), dtype)

    def apply(self, engine: Backend, params: Mapping[str, Array], features: Array) -> Array:
        """y (T, B, O), or (B, O) with ``"last"``; without a readout the features themselves."""
        y = features
        if self.output_size is not None:
            y = engine.affine(features, params["readout"], params["readout_bias"])
        return y if self.kind == "all" else y[0]

    def pullback(
        self, engine: Backend, params: Mapping[str, Array], features: Array, dy: Array
    ) -> tuple[Arrays, Array]:
        """Gradients of V and c [BP-7], in float64 at least, and of the features (S, B, W)."""
        dy = dy if self.kind == "all" else dy.reshape(1, *dy.shape)
        if self.output_size is None:
            return {}, dy
        sums = {"readout": engine.correlate(dy, features), "readout_bias": engine.total(dy)}
        return sums, engine.affine(dy, params["readout"].T, None)

    def tangent(self, engine: Backend, params: Arrays, dparams: Arrays, features: Array, dfeatures: Array) -> Array:
        """dy = V df + dV f + dc [TA-4]."""
        if self.output_size is None:
            dy = dfeatures
        else:
            dy = engine.affine(dfeatures, params["readout"], None)
            engine.add(dy, engine.affine(features, dparams["readout"], dparams["readout_bias"]))
        return dy if self.kind == "all" else dy[0]
