"""Which array of another program is which parameter of a model here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from enrnn_ref.arrays import Array, Arrays, float_array
from enrnn_ref.errors import OptionError, ParameterError, ShapeError

Names = Mapping[str, str] | Callable[[Arrays], Mapping[str, Array]]
"""Their name to ours, or a function from arrays under their names to arrays under ours."""

TRANSPOSED = ".T"


@dataclass(frozen=True)
class Correspondence:
    """Their parameters and those of a model here.

    Parameters
    ----------
    names : dict of str to str, or callable
        Their name → ours; ``"recurrent.T"`` where theirs is the transpose of ours. Several of theirs that belong to one
        of ours are added up, and each has its gradient. A callable takes a dict of arrays under their names and gives
        one under ours; it must only rearrange entries, because gradients go through it as well.
    shapes : dict of str to tuple of int
        Ours.
    """

    names: Names
    shapes: Mapping[str, tuple[int, ...]]

    def params(self, theirs: Mapping[str, Array]) -> Arrays:
        """Our parameters from theirs.

        Raises
        ------
        ParameterError
            Names that are missing or unknown on either side.
        ShapeError
            Arrays that do not fit.
        """
        placed = self._placed(theirs)
        found: Arrays = {}
        for ours, array in placed.values():
            found[ours] = found[ours] + array if ours in found else array
        missing = [name for name in self.shapes if name not in found]
        if missing:
            raise ParameterError(f"names leaves out {missing} of the reference; expected all of {list(self.shapes)}.")
        return {name: np.ascontiguousarray(found[name]) for name in self.shapes}

    def gradients(self, theirs: Mapping[str, Array]) -> tuple[Arrays, dict[str, str]]:
        """Their gradients in our shapes under their names, and which of ours each one is."""
        placed = self._placed(theirs)
        return {key: array for key, (_, array) in placed.items()}, {key: ours for key, (ours, _) in placed.items()}

    def _placed(self, theirs: Mapping[str, Array]) -> dict[str, tuple[str, Array]]:
        """Their name → our name, and the array in our shape."""
        if callable(self.names):
            converted = self.names(dict(theirs))
            if not isinstance(converted, Mapping):
                raise OptionError(f"names returned a {type(converted).__name__}; expected a dict of arrays.")
            placed = {
                str(name): (str(name), float_array(f"names(...)[{name!r}]", converted[name])) for name in converted
            }
        else:
            if not isinstance(self.names, Mapping):
                raise OptionError(f"names is a {type(self.names).__name__}; expected a dict or a function.")
            unnamed, unknown = sorted(set(theirs) - set(self.names)), sorted(set(self.names) - set(theirs))
            if unnamed or unknown:
                raise ParameterError(
                    f"names has {unknown} that are no parameters and lacks {unnamed}; expected {list(theirs)}."
                )
            placed = {}
            for key, array in theirs.items():
                ours = self.names[key]
                turned = str(ours).endswith(TRANSPOSED)
                placed[key] = (str(ours).removesuffix(TRANSPOSED), array.T if turned else array)
        for key, (ours, array) in placed.items():
            if ours not in self.shapes:
                raise ParameterError(f"names has {ours!r}; expected a parameter of the reference, {list(self.shapes)}.")
            if array.shape != self.shapes[ours]:
                raise ShapeError(f"{key!r} has shape {array.shape}; expected {self.shapes[ours]}, that of {ours!r}.")
        return placed
