"""ENRNN (Helfrich and Ye, AAAI 2020): [[scaled Cayley, coupling], [0, eigenvalue normalised]] × modReLU."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array, choice, integer
from enrnn_ref.cells import ACTIVATIONS
from enrnn_ref.errors import OptionError
from enrnn_ref.initializers import uniform
from enrnn_ref.models.recurrence import Recurrence
from enrnn_ref.parametrizations.coupled_blocks import CoupledBlocks
from enrnn_ref.parametrizations.eigenvalue_normalized import EigenvalueNormalized
from enrnn_ref.parametrizations.scaled_cayley import ScaledCayley


class ENRNN(Recurrence):
    """A long-term state with an orthogonal recurrence and a short-term state that dissipates [CB-1] [CB-4].

    Parameters ``skew`` (L(L-1)/2,), ``short`` (S, S), ``coupling`` (L, S; absent when not coupled), ``input`` (n, I),
    ``bias`` (n,), ``readout`` (O, n), ``readout_bias`` (O,), with n = L + S, long units first.

    Parameters
    ----------
    input_size : int
        I, at least 1.
    long_size, short_size : int
        L and S, one of which may be 0: a pure eigenvalue-normalised RNN, or a scoRNN.
    output_size : int or None
        O; None: no readout.
    negative_ones : int or None
        How many of the last entries of D are -1; None: ``round(0.3 * long_size)``.
    eps : float
        ε ≥ 0 of W_S = T/(ρ(T) + ε). Not in the released code, which has 0.
    normalize : {"always", "never", "switch"}
        "switch" is the released code's rule [EN-11]; its state is ``run.buffers``.
    coupled : bool
        Whether the short state feeds the long one.
    activation : {"tanh", "relu", "modrelu", "identity"}
    readout : {"all", "last"}
    on_degenerate : {"raise", "proceed"}
        What backward and tangent do where ρ(T) has no derivative [EN-12].
    eigenpair : {"auto", "dense", "tracked"}
        How ρ(T) is computed; see :class:`EigenvalueNormalized`. A tracked one has its state in ``run.buffers``.
    """

    def __init__(
        self,
        input_size: int,
        long_size: int,
        short_size: int,
        output_size: int | None = None,
        *,
        negative_ones: int | None = None,
        eps: float = 1e-3,
        normalize: str = "always",
        coupled: bool = True,
        activation: str = "modrelu",
        readout: str = "all",
        on_degenerate: str = "raise",
        eigenpair: str = "auto",
    ) -> None:
        long_size = integer("long_size", long_size, least=0)
        short_size = integer("short_size", short_size, least=0)
        if long_size + short_size == 0:
            raise OptionError("long_size and short_size are both 0; expected at least one unit.")
        if not isinstance(coupled, bool):
            raise OptionError(f"coupled is {coupled!r}; expected True or False.")
        self.negative_ones = round(0.3 * long_size) if negative_ones is None else negative_ones
        cell = ACTIVATIONS[choice("activation", activation, tuple(ACTIVATIONS))]()
        long = ScaledCayley(long_size, self.negative_ones)
        short = EigenvalueNormalized(short_size, eps, normalize, on_degenerate=on_degenerate, eigenpair=eigenpair)
        super().__init__(CoupledBlocks(long, short, coupled=coupled), cell, input_size, output_size, readout=readout)
        self.long_size, self.short_size = long_size, short_size
        self.blocks = {"long": slice(0, long_size), "short": slice(long_size, long_size + short_size)}
        self.eps, self.normalize, self.coupled = short.eps, short.normalize, coupled
        self.activation, self.on_degenerate, self.eigenpair = activation, short.on_degenerate, short.eigenpair

    def _init_input(self, rng: np.random.Generator, dtype: npt.DTypeLike) -> Array:
        """U[-0.01, 0.01], as released."""
        return uniform(rng, self.shapes["input"], 0.01, dtype)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-ready."""
        return {
            "input_size": self.input_size,
            "long_size": self.long_size,
            "short_size": self.short_size,
            "output_size": self.output_size,
            "negative_ones": self.negative_ones,
            "eps": self.eps,
            "normalize": self.normalize,
            "coupled": self.coupled,
            "activation": self.activation,
            "readout": self.readout,
            "on_degenerate": self.on_degenerate,
            "eigenpair": self.eigenpair,
        }
