"""The sizes that are measured: settings of the literature, and the corners where time goes elsewhere."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from enrnn_ref.arrays import integer
from enrnn_ref.errors import OptionError


@dataclass(frozen=True)
class Size:
    """An ENRNN and its input.

    Attributes
    ----------
    name : str
    long, short : int
        L and S.
    batch, steps, inputs : int
        B, T and I.
    decayed : bool
        No input, and a state and gradients so small that all of them are subnormal numbers.
    """

    name: str
    long: int
    short: int
    batch: int
    steps: int
    inputs: int = 2
    decayed: bool = False

    def __post_init__(self) -> None:
        for field in ("long", "short"):
            integer(f"{field}_size", getattr(self, field), least=0)
        for field in ("batch", "steps", "inputs"):
            integer(field, getattr(self, field))
        if self.units == 0:
            raise OptionError("long_size and short_size are both 0; expected at least one unit.")

    @property
    def units(self) -> int:
        """n = L + S."""
        return self.long + self.short

    @property
    def text(self) -> str:
        parts = {"L": self.long, "S": self.short, "B": self.batch, "T": self.steps, "I": self.inputs}
        return ", ".join(f"{letter} {value}" for letter, value in parts.items())

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


SIZES = {
    size.name: size
    for size in (
        Size("adding", 96, 64, 50, 750),
        Size("copying", 172, 20, 20, 2020, 10),
        Size("wide", 256, 256, 64, 256, 64),
        Size("tiny", 8, 8, 4, 100),
        Size("one", 96, 64, 1, 5000),
        Size("long", 64, 64, 8, 50_000),
        Size("decayed", 0, 128, 50, 2000, decayed=True),
    )
}
