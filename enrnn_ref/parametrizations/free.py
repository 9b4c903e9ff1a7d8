"""R is itself the free parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from enrnn_ref import initializers
from enrnn_ref.arrays import Array, Arrays, integer
from enrnn_ref.errors import OptionError
from enrnn_ref.initializers import Initializer, glorot_uniform
from enrnn_ref.linalg.algebra import algebra_of
from enrnn_ref.parametrizations.base import Parametrization, Value

Law = str | Mapping[str, Any] | Initializer


class Free(Parametrization):
    """The identity map; raw key ``matrix`` (rows, columns). Works in any floating dtype, longdouble included.

    Parameters
    ----------
    rows, columns : int
        At least 0.
    initializer : str, dict, Initializer or a sequence of these, optional
        What ``init`` draws: the matrix is cut into row blocks, one for each gate, and each is drawn by itself, one
        after the other. A sequence names the law of each block. None: Glorot uniform over the whole matrix.
    blocks : int, optional
        How many row blocks an ``initializer`` that is not a sequence draws; must divide ``rows``. None: as many as
        are square. Only "glorot", "kaiming" and "orthogonal" draw blocks that are not.

    Raises
    ------
    OptionError
        A size out of range, blocks that do not divide the rows, or a law that does not fit its block.
    ConfigError
        A config that describes no initialiser.
    """

    longdouble: ClassVar[bool] = True
    portable: ClassVar[bool] = True

    def __init__(
        self,
        rows: int,
        columns: int,
        initializer: Law | Sequence[Law] | None = None,
        *,
        blocks: int | None = None,
    ) -> None:
        self.shape = (integer("rows", rows, least=0), integer("columns", columns, least=0))
        self.shapes = {"matrix": self.shape}
        self.initializers = self._laws(initializer, blocks)

    def _laws(self, initializer: Law | Sequence[Law] | None, blocks: int | None) -> tuple[Initializer, ...]:
        """One law for each row block; none of them where the whole matrix is drawn at once."""
        if initializer is None:
            if blocks is not None:
                raise OptionError(f"blocks is {blocks} without an initializer; expected both, or neither.")
            return ()
        rows, columns = self.shape
        if isinstance(initializer, Sequence) and not isinstance(initializer, str):
            laws = tuple(initializers.build(law) for law in initializer)
            if blocks is not None or not laws or rows % len(laws):
                came = f"{len(laws)} initializers" + ("" if blocks is None else f" and blocks = {blocks}")
                raise OptionError(f"{came} came for {rows} rows; expected one for each of equally many rows.")
        else:
            laws = (initializers.build(initializer),) * self._count(blocks)
        for law in laws:
            law.require_fit((rows // len(laws), columns))
        return laws

    def _count(self, blocks: int | None) -> int:
        """How many row blocks there are."""
        rows, columns = self.shape
        if blocks is None:
            if rows and (not columns or rows % columns):
                raise OptionError(f"a matrix {self.shape} does not divide into square blocks; expected blocks.")
            return max(1, rows // columns) if columns else 1
        count = integer("blocks", blocks)
        if rows % count:
            raise OptionError(f"blocks is {count}; expected a divisor of the {rows} rows.")
        return count

    def _init(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arrays:
        if not self.initializers:
            return {"matrix": glorot_uniform(rng, self.shape, dtype)}
        rows, columns = self.shape
        block = (rows // len(self.initializers), columns)
        return {"matrix": np.concatenate([law.draw(rng, block, dtype) for law in self.initializers])}

    def _evaluate(self, raw: Arrays, buffers: Arrays) -> Value:
        return Value(self, raw["matrix"].copy())

    def _pullback(self, value: Value, dmatrix: Array) -> Arrays:
        return {"matrix": dmatrix.copy()}

    def _tangent(self, value: Value, draw: Arrays) -> Array:
        if "matrix" not in draw:
            return algebra_of(value.matrix).zeros(self.shape, value.matrix.dtype)
        return draw["matrix"].copy()

    def _violation(self, value: Value) -> float:
        """Nothing is promised, so 0."""
        return 0.0
