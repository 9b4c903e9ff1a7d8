"""A golden case before it is computed: which model, which options, and where its numbers come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from enrnn_ref.verify.vectors.oracle import layout
from enrnn_ref.verify.vectors.oracle.draw import Tensor, draw
from enrnn_ref.verify.vectors.oracle.evaluate import Point

Options = dict[str, Any]

DEFAULTS: dict[str, Options] = {
    "enrnn": {"negative_ones": 1, "eps": 1e-3, "normalize": "always", "coupled": True, "activation": "modrelu"},
    "rnn": {"activation": "tanh"},
    "scornn": {"negative_ones": 2},
    "scurnn": {"modulus": "exact", "order": "paper"},
    "exprnn": {},
    "nnrnn": {"mask": "strict"},
    "lstm": {"peephole": False, "projection_size": None},
    "gru": {"reset": "after"},
    "momentumrnn": {"activation": "tanh", "momentum": 0.6, "step": 0.6, "recurrent_bias": False},
    "momentumlstm": {"momentum": 0.6, "step": 0.6, "recurrent_bias": False},
    "adamlstm": {"momentum": 0.6, "step": 0.6, "decay": 0.1, "recurrent_bias": False},
    "rmsproplstm": {"step": 0.6, "decay": 0.9, "recurrent_bias": False},
    "scheduledrestartlstm": {"step": 1.0, "restart": 2, "form": "A", "recurrent_bias": False},
}
"""Every option but sizes and readout, at its default; ``negative_ones`` has no constant default."""

_RANGES = {
    "short": (0.125, 0.875),
    "coupling": (0.125, 0.875),
    "skew": (0.125, 0.875),
    "skew_real": (0.125, 0.875),
    "skew_imag": (0.125, 0.875),
    "phase": (0.25, 3.25),
    "angle": (0.25, 3.25),
    "modulus": (0.5, 1.25),
    "input": (0.125, 0.875),
    "projection": (0.125, 0.875),
    "readout": (0.125, 0.875),
    "x": (0.125, 0.875),
    "state": (0.125, 0.875),
    "dy": (0.5, 1.25),
    "dstate": (0.5, 1.25),
    "direction": (0.25, 1.0),
}
_OTHER_RANGE = (0.0625, 0.4375)


@dataclass(frozen=True)
class Recipe:
    """A case to be computed.

    Attributes
    ----------
    id, model, comment : str
    options : dict
        Every option of the model that changes what it computes.
    steps, batch : int
        T and B.
    flags : tuple of str
        Names in ``data/flags.json``.
    given : dict of Tensor
        Arrays that are not drawn, by path: ``"params/short"``, ``"x"``, ``"state/h"``, ``"dy"``, ….
    ranges : dict of (float, float)
        Least and largest magnitude of what is drawn, by the same paths, where the usual ones will not do.
    start : bool
        Whether an initial state is given.
    salt : int
        Another one draws other numbers.
    """

    id: str
    model: str
    comment: str
    options: Options
    steps: int
    batch: int
    flags: tuple[str, ...]
    given: Mapping[str, Tensor] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    start: bool = True
    salt: int = 0

    def point(self) -> Point:
        """All numbers of the case."""
        parameters = layout.parameter_shapes(self.model, self.options)
        states = {name: (self.batch, width) for name, width in layout.state_widths(self.model, self.options).items()}
        initial = states if self.start else {}
        width = layout.output_width(self.model, self.options)
        steps = (self.steps,) if layout.every_step(self.model, self.options) else ()
        x = (self.steps, self.batch, layout.input_size(self.model, self.options))
        return Point(
            {name: self._tensor(f"params/{name}", shape) for name, shape in parameters.items()},
            self._tensor("x", x),
            {name: self._state(name, shape) for name, shape in initial.items()},
            self._tensor("dy", (*steps, self.batch, width)),
            {name: self._tensor(f"dstate/{name}", shape) for name, shape in states.items()},
            {name: self._tensor(f"direction/params/{name}", shape) for name, shape in parameters.items()},
            self._tensor("direction/x", x),
            {name: self._tensor(f"direction/state/{name}", shape) for name, shape in initial.items()},
        )

    def _tensor(self, path: str, shape: tuple[int, ...]) -> Tensor:
        if path in self.given:
            return self.given[path]
        kind = path.removeprefix("params/").split("/")[0].split(".")[-1]
        least, most = self.ranges.get(path, _RANGES.get(kind, _OTHER_RANGE))
        return draw(f"{self.id} {path} {self.salt}", shape, least=least, most=most)

    def _state(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A count of steps is a whole number, and a mean square is not negative."""
        drawn = self._tensor(f"state/{name}", shape)
        if f"state/{name}" in self.given:
            return drawn
        if name == "phase":
            return Tensor(shape, tuple(float(round(8 * abs(entry)) % 5) for entry in drawn.entries))
        return Tensor(shape, tuple(map(abs, drawn.entries))) if name == "s" else drawn
