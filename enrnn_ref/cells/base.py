"""What every cell offers: the pointwise step of a recurrence, its pullback and its tangent [GS-3].

A cell knows units, not matrices, time or batches. It is written twice in one file:

* on arrays, in NumPy, as on a blackboard: ``step``, ``pullback``, ``tangent``; used by the reference backend;
* for one unit, on scalars: ``unit_step``, ``unit_pullback``, ``unit_tangent``; compiled for the CPU and the GPU.

Both take and return tuples in the same order, so the two versions read alike and are checked against each other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array

Tuple = tuple[Any, ...]
UnitFunction = Callable[..., Any]


class Cell(ABC):
    """The pointwise step of a recurrence.

    Attributes
    ----------
    gates : int
        G, pre-activations per unit, in the order of the tuple ``z``.
    driven, recurrent : tuple of int
        Which of the gates receive a block of the drive U x + b, and which a block of the product R h; all of them,
        unless a cell says otherwise. A gate in both receives the sum [CO-1].
    relayed : int
        How many of the last recurrent gates receive R times ``relay(...)`` and not R times h: a second product within
        the step [CO-2] (GRU with reset before). Then the cell has ``relay`` and its two derivatives too.
    states : dict of str to int
        Names of the states and their components per unit. The first goes out and is multiplied by R. In the tuples
        below every component is an entry of its own, K in all.
    parameters : dict of str to int
        Pointwise parameters and their number of values per unit, C in all: an array (n,) for 1, (k, n) for k.
    settings : tuple of float
        Numbers of an object that are not trained, such as a step size: none, unless a cell says otherwise. The scalar
        functions find them behind the parameters in ``theta`` (not in ``dtheta``), so one compilation serves them all.
    gate_names : tuple of str
        What the gates are called in reports, in their order.
    drive_bias : bool
        Whether a bias is added to the drive. False where the bias is one of ``parameters``, as in modReLU.
    recurrent_bias : bool
        Whether the recurrent gates have a bias of their own beside that of the drive.
    reads_output : bool
        Whether the step looks at the old value of the first state directly, not through R. A cell that does not may be
        followed by a projection.
    unit_step, unit_pullback, unit_tangent : function
        The scalar functions. A constant in them takes the type of its companions (``type(z)(0)``), or float32 would
        silently become float64.
    """

    gates: ClassVar[int] = 1
    relayed: ClassVar[int] = 0
    states: ClassVar[dict[str, int]] = {"h": 1}
    parameters: ClassVar[dict[str, int]] = {}
    drive_bias: ClassVar[bool] = True
    recurrent_bias: ClassVar[bool] = False
    reads_output: ClassVar[bool] = True

    unit_step: UnitFunction
    unit_pullback: UnitFunction
    unit_tangent: UnitFunction
    unit_relay: UnitFunction
    unit_relay_pullback: UnitFunction
    unit_relay_tangent: UnitFunction

    @property
    def driven(self) -> tuple[int, ...]:
        """A cell that says otherwise has a class attribute of this name."""
        return tuple(range(self.gates))

    @property
    def recurrent(self) -> tuple[int, ...]:
        """A cell that says otherwise has a class attribute of this name."""
        return tuple(range(self.gates))

    @property
    def settings(self) -> tuple[float, ...]:
        """A cell that has some says so here."""
        return ()

    @property
    def gate_names(self) -> tuple[str, ...]:
        """A cell whose gates have names has a class attribute of this name."""
        return tuple(f"gate {gate}" for gate in range(self.gates))

    @abstractmethod
    def step(self, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
        """New states.

        Parameters
        ----------
        z : tuple of G arrays (B, n)
            Pre-activations, drive plus recurrent part.
        states : tuple of K arrays (B, n)
            States of the step before, the components of the first state first.
        theta : tuple of C arrays (n,)
            Pointwise parameters in the order of ``parameters``. The array versions take settings from the object.

        Returns
        -------
        tuple of K arrays (B, n)
        """

    @abstractmethod
    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> tuple[Tuple, Tuple, Tuple]:
        """Gradients of z, of the previous states on their direct path (not through R), and of theta, each (B, n)."""

    @abstractmethod
    def tangent(self, z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Tuple:
        """Derivatives of the new states along (dz, dstates, dtheta)."""

    def relay(self, z: Tuple, states: Tuple, theta: Tuple) -> Array:
        """q (B, n), what R multiplies for the relayed gates; looks at the other entries of z alone."""
        raise NotImplementedError

    def relay_pullback(self, z: Tuple, states: Tuple, theta: Tuple, dq: Array) -> tuple[Tuple, Tuple, Tuple]:
        """Gradients of z, states and theta by way of q."""
        raise NotImplementedError

    def relay_tangent(self, z: Tuple, states: Tuple, theta: Tuple, dz: Tuple, dstates: Tuple, dtheta: Tuple) -> Array:
        """Derivative of q along (dz, dstates, dtheta)."""
        raise NotImplementedError

    def init(self, size: int, dtype: npt.DTypeLike) -> dict[str, Array]:
        """Initial pointwise parameters: zeros."""
        return {name: np.zeros(shape, dtype) for name, shape in self.parameter_shapes(size).items()}

    def parameter_shapes(self, size: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the pointwise parameters for ``size`` units."""
        return {name: (size,) if rows == 1 else (rows, size) for name, rows in self.parameters.items()}

    @property
    def output_components(self) -> int:
        """Components per unit of the first state."""
        return next(iter(self.states.values()))

    @property
    def memory(self) -> dict[str, int]:
        """The states after the first."""
        return dict(list(self.states.items())[1:])
