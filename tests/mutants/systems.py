"""Small models that together use every part of the package, and everything a pass takes, from one seed.

Sizes differ in every dimension; initial states, biases and cotangents are dense. Each model runs in milliseconds, also
where the compiled backend is left as plain Python.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

import enrnn_ref as er
from enrnn_ref.cells import ComplexModRelu, Lstm, ModRelu
from enrnn_ref.filters import AdaptiveMomentum, Momentum, ScheduledMomentum
from enrnn_ref.parametrizations import Free, ScaledCayley, UnitaryCayley
from tests.gated_cell import GatedCell
from tests.relayed_cell import RelayedCell

SYSTEMS = {
    "rnn": er.RNN(4, 3, 2),
    "relu": er.RNN(2, 3, 4, activation="relu"),
    "modrelu": er.RNN(2, 4, 3, activation="modrelu", readout="last"),
    "identity": er.RNN(4, 3, activation="identity"),
    "scornn": er.ScoRNN(2, 5, 3, negative_ones=2),
    "enrnn": er.ENRNN(4, 3, 5, 2, eps=0.3),
    "enrnn-short": er.ENRNN(3, 0, 4, 2, eps=0.0, activation="tanh", readout="last"),
    "enrnn-switch": er.ENRNN(2, 5, 3, 4, normalize="switch", coupled=False, activation="tanh"),
    "scurnn": er.ScuRNN(2, 3, 4),
    "scurnn-released": er.ScuRNN(4, 3, 2, modulus="released", order="released", readout="last"),
    "exprnn": er.ExpRNN(2, 5, 3),
    "exprnn-block": er.ExpRNN(2, 4, 3, method="block", rebase_every=2),
    "nnrnn": er.NnRNN(3, 4, 2),
    "nnrnn-released": er.NnRNN(2, 6, 3, mask="released", readout="last"),
    "lstm": er.LSTM(4, 3, 2),
    "lstm-last": er.LSTM(2, 4, None, readout="last"),
    "lstm-peephole": er.LSTM(2, 3, 4, peephole=True, projection_size=5),
    "gru": er.GRU(4, 3, 2),
    "gru-before": er.GRU(2, 4, 3, reset="before"),
    "momentumrnn": er.MomentumRNN(2, 3, 4, recurrent_bias=True),
    "momentumlstm": er.MomentumLSTM(3, 2, 4, recurrent_bias=True, readout="last"),
    "adamlstm": er.AdamLSTM(2, 3, 4, decay=0.7),
    "rmsproplstm": er.RMSPropLSTM(3, 2, 4),
    "restart-a": er.ScheduledRestartLSTM(2, 3, 4, step=0.7, restart=3, recurrent_bias=True),
    "restart-b": er.ScheduledRestartLSTM(3, 2, 4, step=-0.4, restart=0, form="B"),
    "gated": er.Recurrence(Free(10, 5), GatedCell(), 2, 3, initial_state=True),
    "gated-momentum": er.Recurrence(Free(8, 4), GatedCell(), 3, 2, filter=Momentum(0.6, 0.7)),
    "relayed": er.Recurrence(Free(15, 5), RelayedCell(), 2, 4),
    "relayed-adaptive": er.Recurrence(Free(9, 3), RelayedCell(), 2, 4, filter=AdaptiveMomentum(0.6, 0.7, 0.9)),
    "cayley-scheduled": er.Recurrence(ScaledCayley(5, 2), ModRelu(), 2, 3, filter=ScheduledMomentum(0.7, 3)),
    "projected": er.Recurrence(Free(12, 5), Lstm(), 2, 4, projection_size=5, recurrent_bias=True),
    "complex-scheduled": er.Recurrence(
        UnitaryCayley(3), ComplexModRelu(), 2, 4, filter=ScheduledMomentum(0.7, 2), initial_state=True
    ),
    "stacked": er.Stacked([er.LSTM(2, 3), er.ENRNN(3, 4, 2), er.GRU(6, 5, 4, readout="last")]),
    "bidirectional": er.Bidirectional(er.LSTM(2, 3), er.ENRNN(2, 3, 2), 4),
    "bidirectional-last": er.Bidirectional(er.RNN(3, 4), er.LSTM(3, 2, 5), readout="last"),
}

TIMES, BATCH = 7, 5


@dataclass(frozen=True)
class Case:
    """A model at a point, with a direction and a cotangent for everything."""

    model: Any
    params: dict[str, np.ndarray]
    x: np.ndarray
    state: dict[str, np.ndarray]
    dparams: dict[str, np.ndarray]
    dx: np.ndarray
    dstate: dict[str, np.ndarray]
    y_cotangent: np.ndarray
    state_cotangent: dict[str, np.ndarray]

    def run(self, backend: str, moved: float = 0.0, **options: Any) -> Any:
        """The forward pass, ``moved`` so far along the direction."""
        params = {key: array + moved * self.dparams[key] for key, array in self.params.items()}
        state = {key: array + moved * self.dstate[key] for key, array in self.state.items()}
        return self.model.forward(params, self.x + moved * self.dx, state or None, backend=backend, **options)

    def values(self, backend: str, moved: float = 0.0) -> dict[str, np.ndarray]:
        """y and the final states."""
        run = self.run(backend, moved)
        return {"y": run.y, **run.state}

    def gradients(self, backend: str) -> dict[str, np.ndarray]:
        """Of the product of ``values`` and the cotangents."""
        found = self.model.backward(self.run(backend), self.y_cotangent, self.state_cotangent)
        return named(found.params, found.x, found.state)

    def tangent(self, backend: str, only: str | None = None) -> dict[str, np.ndarray]:
        """Derivatives of ``values`` along the direction, or along its part in one argument."""
        direction = self.directions()
        if only is not None:
            direction = {key: array if key == only else 0 * array for key, array in direction.items()}
        found = self.model.tangent(
            self.params,
            self.x,
            {key: direction[key] for key in self.params},
            dx=direction["x"],
            state=self.state or None,
            dstate={key: direction[f"state {key}"] for key in self.dstate},
            backend=backend,
        )
        return {"y": found.y, **found.state}

    def directions(self) -> dict[str, np.ndarray]:
        return named(self.dparams, self.dx, self.dstate)

    def cotangents(self) -> dict[str, np.ndarray]:
        return {"y": self.y_cotangent, **self.state_cotangent}


def named(params: Any, x: Any, state: Any) -> dict[str, np.ndarray]:
    """What belongs to the arguments of a model, under one name each."""
    return {**params, "x": x, **{f"state {key}": array for key, array in state.items()}}


def case(name: str, *, started: bool = True, times: int = TIMES, batch: int = BATCH) -> Case:
    """A point; not ``started``: the run is given no state."""
    model = SYSTEMS[name]
    rng = np.random.default_rng(sum(map(ord, name)))

    def normals(shapes: Any, size: float = 1.0) -> dict[str, np.ndarray]:
        return {key: size * rng.standard_normal(shape) for key, shape in shapes.items()}

    params = normals(model.shapes, 0.6)
    for key in params:
        if key.rpartition(".")[2] == "bias":
            params[key] = 0.2 * rng.standard_normal(model.shapes[key])
    x = rng.standard_normal((times, batch, model.input_size))
    state = normals(model.state_shapes(batch))
    for key in state:
        if key.endswith("phase"):
            state[key] = rng.integers(0, 3, state[key].shape).astype(float)
    run = model.forward(params, x, state, backend="reference", keep=False)
    given = state if started else {}
    return Case(
        model,
        params,
        x,
        given,
        normals(model.shapes),
        rng.standard_normal(x.shape),
        normals(model.state_shapes(batch)) if started else {},
        rng.standard_normal(run.y.shape),
        normals({key: array.shape for key, array in run.state.items()}),
    )
