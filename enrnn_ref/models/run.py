"""What a forward pass, a backward pass and a tangent return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.linalg.eigenpair import Degeneracy

if TYPE_CHECKING:
    from enrnn_ref.models.base import Model


@dataclass(frozen=True, eq=False)
class Run:
    """The result of ``model.forward``.

    Attributes
    ----------
    y : ndarray
        (T, B, O) for ``readout="all"``, (B, O) for ``"last"``; without a readout the hidden sequence (T, B, n), or the
        last state (B, n), read-only since they may be part of the tape (on a device: a copy).
    states : callable or None
        Fetches ``h`` from where the backend computed it.
    state : dict of ndarray (B, n)
        The final state, accepted again as ``state=``.
    buffers : dict of ndarray
        The parametrization's untrained state, accepted again as ``buffers=``.
    degeneracy : Degeneracy or None
        Set where the recurrent matrix has no derivative at these parameters.
    backend : str
        The backend that ran, and that ``backward`` will use.
    model : Model
        What made it.
    tape
        What ``backward`` needs, in a form that is the model's own business; None with ``keep=False``.
    """

    y: Array
    states: Callable[[], Array] | None
    state: Arrays
    buffers: Arrays
    degeneracy: Degeneracy | None
    backend: str
    model: Model
    tape: Any

    @cached_property
    def h(self) -> Array | None:
        """Hidden states (T+1, B, n), ``h[0]`` the initial one; in a stack those of the last layer.

        Read-only; on a device a copy. None with ``keep=False`` or ``checkpoint_every``, and where two directions have
        no common one. Fetched when it is first asked for.
        """
        return None if self.states is None else self.states()


@dataclass(frozen=True, eq=False)
class Gradients:
    """The result of ``model.backward``: ``params`` with the keys and shapes of the parameters, ``x`` (T, B, I),
    ``state`` with the keys of the initial state, each (B, n)."""

    params: Arrays
    x: Array
    state: Arrays


@dataclass(frozen=True, eq=False)
class Tangent:
    """The result of ``model.tangent``: derivatives of ``y`` and of the final state along the given direction."""

    y: Array
    state: Arrays
