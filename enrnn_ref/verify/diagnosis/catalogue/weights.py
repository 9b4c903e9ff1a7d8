"""Mistakes in how parameters are read: transposition, memory order, gate order, biases."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.cells import ModRelu
from enrnn_ref.cells.gru import GruAfter, GruBefore
from enrnn_ref.cells.lstm import Lstm, PeepholeLstm
from enrnn_ref.cells.nesterov_lstm import NesterovLstm
from enrnn_ref.models.recurrence import Recurrence
from enrnn_ref.parametrizations.base import Value
from enrnn_ref.parametrizations.free import Free
from enrnn_ref.verify.diagnosis.catalogue.through_time import can_be_transposed, transposed
from enrnn_ref.verify.diagnosis.mistake import Mistake, Site, Variant, variant
from enrnn_ref.verify.diagnosis.program import Program

LIBRARIES = {
    "igfo": "TensorFlow 1",
    "iofg": "ONNX",
    "gifo": "Kaldi",
    "ifog": "MIOpen",
    "zrn": "Keras and ONNX",
    "iof": "ONNX",
}
"""Whose order of gates it is."""

LSTM_GATES, GRU_GATES, PEEPHOLES = "ifgo", "rzn", "ifo"


class TransposedForward(Program):
    changes_outputs = True

    def matrix(self, value: Value) -> Array:
        return transposed(super().matrix(value))

    def matrix_cotangent(self, dmatrix: Array) -> Array:
        return super().matrix_cotangent(transposed(dmatrix))


def _transposed_forward(site: Site) -> Iterator[Variant]:
    if can_be_transposed(site):
        yield Variant("R transposed in the forward pass too (rows for columns)", TransposedForward)


class TransposedGradient(Program):
    def matrix_cotangent(self, dmatrix: Array) -> Array:
        return transposed(super().matrix_cotangent(dmatrix))


def _transposed_gradient(site: Site) -> Iterator[Variant]:
    if can_be_transposed(site):
        yield Variant("dR transposed (h dzᵀ where dz hᵀ is right)", TransposedGradient)


class ColumnMajor(Program):
    """The numbers of a matrix, stored row by row, read column by column."""

    changes_outputs = True
    __chosen: tuple[str, ...]

    def read(self, params: Arrays) -> Arrays:
        params = super().read(params)
        return params | {name: params[name].ravel().reshape(params[name].shape, order="F") for name in self.__chosen}

    def write(self, grads: Arrays) -> Arrays:
        back = {name: grads[name].ravel(order="F").reshape(grads[name].shape) for name in self.__chosen}
        return super().write(grads | back)


def _column_major(site: Site) -> Iterator[Variant]:
    if not isinstance(site.model, Recurrence):
        return
    matrices = tuple(name for name, shape in site.model.shapes.items() if len(shape) == 2)
    yield variant("all matrices read column by column instead of row by row", ColumnMajor, chosen=matrices)
    for name in matrices:
        yield variant(f"{name} read column by column instead of row by row", ColumnMajor, chosen=(name,))


def _rearranged(array: Array, order: Sequence[int]) -> Array:
    """Block order[k] of the first axis in place k."""
    blocks = array.reshape(len(order), -1, *array.shape[1:])
    return blocks[list(order)].reshape(array.shape)


class GateOrder(Program):
    """Blocks of rows read in another order: the program's gate k has the rows that are stored at ``order[k]``."""

    changes_outputs = True
    __order: tuple[int, ...]
    __chosen: tuple[str, ...]

    def read(self, params: Arrays) -> Arrays:
        params = super().read(params)
        return params | {name: _rearranged(params[name], self.__order) for name in self.__chosen}

    def write(self, grads: Arrays) -> Arrays:
        inverse = np.argsort(self.__order).tolist()
        return super().write(grads | {name: _rearranged(grads[name], inverse) for name in self.__chosen})


class GateOrderOfGradients(Program):
    """Right gradients, handed out in another order."""

    __order: tuple[int, ...]
    __chosen: tuple[str, ...]

    def write(self, grads: Arrays) -> Arrays:
        inverse = np.argsort(self.__order).tolist()
        return super().write(grads | {name: _rearranged(grads[name], inverse) for name in self.__chosen})


def _gates(site: Site) -> str:
    if isinstance(site.cell, Lstm | PeepholeLstm | NesterovLstm):
        return LSTM_GATES
    return GRU_GATES if isinstance(site.cell, GruAfter | GruBefore) else ""


def _stacked_arrays(site: Site) -> tuple[str, ...]:
    """The parameters that have a block of rows for every gate."""
    assert isinstance(site.model, Recurrence)
    matrix = site.model._names["matrix"]
    return tuple(name for name in (matrix, "input", "bias", "recurrent_bias") if name in site.model.shapes)


def _orders(
    gates: str, how: str, place: type[Program], chosen: tuple[str, ...], *, paired: bool = True
) -> Iterator[Variant]:
    """The orders of other libraries first."""
    orders = ["".join(order) for order in itertools.permutations(gates) if "".join(order) != gates]
    for order in sorted(orders, key=lambda order: order not in LIBRARIES):
        whose = f" (that of {LIBRARIES[order]})" if order in LIBRARIES else ""
        # Stored are i, f, g, o; who expects i, o, f, g finds the rows of its gate f in the third place.
        indices = tuple(order.index(gate) for gate in gates)
        title = f"{how} in the order {', '.join(order)}{whose}"
        yield variant(title, place, paired=paired, order=indices, chosen=chosen)


def _gate_order(site: Site) -> Iterator[Variant]:
    if _gates(site) and isinstance(site.parametrization, Free):
        yield from _orders(_gates(site), "the gates' rows read", GateOrder, _stacked_arrays(site))
        for name in _stacked_arrays(site):
            yield from _orders(_gates(site), f"the gates' rows of {name} read", GateOrder, (name,), paired=False)
    if isinstance(site.cell, PeepholeLstm):
        yield from _orders(PEEPHOLES, "the peepholes read", GateOrder, ("peephole",))


def _gate_order_of_gradients(site: Site) -> Iterator[Variant]:
    if _gates(site) and isinstance(site.parametrization, Free):
        how = "the gradients of the gates handed out"
        yield from _orders(_gates(site), how, GateOrderOfGradients, _stacked_arrays(site))


def _changed(title: str, name: str, change: Callable[[Array], Array], back: float) -> Variant:
    """A bias changed before it is used; ``back`` is what its gradient is multiplied with."""

    class ChangedBias(Program):
        changes_outputs = True

        def read(self, params: Arrays) -> Arrays:
            params = super().read(params)
            return params | {name: change(params[name])}

        def write(self, grads: Arrays) -> Arrays:
            return super().write(grads | {name: back * grads[name]})

    return Variant(title, ChangedBias)


def _drive_biases(site: Site) -> tuple[str, ...]:
    if not isinstance(site.model, Recurrence) or isinstance(site.cell, ModRelu):
        return ()
    return tuple(name for name in ("bias", "recurrent_bias") if name in site.model.shapes)


def _bias_twice(site: Site) -> Iterator[Variant]:
    for name in _drive_biases(site):
        title = f"{name} added twice, to the drive and to the recurrent product"
        yield _changed(title, name, lambda b: 2 * b, 2.0)
        yield _changed(f"{title}, but its gradient counted once", name, lambda b: 2 * b, 1.0)


def _bias_ignored(site: Site) -> Iterator[Variant]:
    if isinstance(site.model, Recurrence):
        for name in ("bias", "recurrent_bias", "readout_bias"):
            if name in site.model.shapes:
                yield _changed(f"{name} ignored", name, np.zeros_like, 0.0)
                yield _changed(f"{name} ignored in the forward pass, but given a gradient", name, np.zeros_like, 1.0)


def _forget_bias(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, Lstm | PeepholeLstm | NesterovLstm) and "bias" in site.model.shapes:
        n = site.model.shapes["bias"][0] // 4

        def shift(by: float) -> Callable[[Array], Array]:
            return lambda b: b + by * np.repeat([0.0, 1.0, 0.0, 0.0], n)

        yield _changed("1 added to the forget gate's bias, which has it already", "bias", shift(1.0), 1.0)
        yield _changed("1 subtracted from the forget gate's bias", "bias", shift(-1.0), 1.0)


class InputReversed(Program):
    changes_outputs = True

    def read_input(self, x: Array) -> Array:
        return super().read_input(x)[::-1]

    def write_input(self, dx: Array) -> Array:
        return super().write_input(dx[::-1])


class InputShifted(Program):
    """x_t-1 in place of x_t, zero at first."""

    changes_outputs = True

    def read_input(self, x: Array) -> Array:
        x = super().read_input(x)
        return np.concatenate([0 * x[:1], x[:-1]])

    def write_input(self, dx: Array) -> Array:
        return super().write_input(np.concatenate([dx[1:], 0 * dx[:1]]))


def _input(site: Site) -> Iterator[Variant]:
    if site.cell is not None and site.steps > 1:
        yield Variant("x read from its end to its beginning", InputReversed)
        yield Variant("x_t-1 in place of x_t in the forward pass (off by one)", InputShifted)


class InputGradientReversed(Program):
    def write_input(self, dx: Array) -> Array:
        return super().write_input(dx)[::-1]


def _input_gradient(site: Site) -> Iterator[Variant]:
    if site.cell is not None and site.steps > 1:
        yield Variant("dx in the reversed order of time", InputGradientReversed)


MISTAKES = (
    Mistake(
        "transposed-recurrence",
        "R transposed in both passes",
        "MI-41",
        "R is not symmetric, and there are two steps or an initial state",
        "rnn-largest-steps",
        _transposed_forward,
    ),
    Mistake(
        "transposed-recurrent-gradient",
        "dR transposed",
        "MI-42",
        "dR is not symmetric",
        "rnn-largest-steps",
        _transposed_gradient,
    ),
    Mistake(
        "column-major",
        "matrices read column by column",
        "MI-43",
        "the matrix is neither symmetric nor a single row or column",
        "rnn-largest-steps",
        _column_major,
    ),
    Mistake(
        "gate-order",
        "the gates in another order",
        "MI-44",
        "the gates' weights differ",
        "lstm-largest-steps",
        _gate_order,
    ),
    Mistake(
        "gate-order-of-gradients",
        "the gates' gradients in another order",
        "MI-45",
        "always",
        "lstm-largest-steps",
        _gate_order_of_gradients,
    ),
    Mistake(
        "bias-added-twice",
        "one shared bias added twice",
        "MI-46",
        "the bias is not zero",
        "lstm-largest-steps",
        _bias_twice,
    ),
    Mistake("bias-ignored", "a bias ignored", "MI-47", "the bias is not zero", "rnn-largest-steps", _bias_ignored),
    Mistake("forget-bias", "1 added to the forget gate's bias", "MI-48", "always", "lstm-largest-steps", _forget_bias),
    Mistake(
        "input-misread", "the input read in the wrong order", "MI-49", "the inputs differ", "rnn-largest-steps", _input
    ),
    Mistake(
        "input-gradient-reversed",
        "dx in the reversed order",
        "MI-50",
        "dx differs",
        "rnn-largest-steps",
        _input_gradient,
    ),
)
