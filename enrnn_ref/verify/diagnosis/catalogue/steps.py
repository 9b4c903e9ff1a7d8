"""Mistakes in a step: activations, gates, and their slopes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.cells import ACTIVATIONS, ComplexModRelu, Identity, ModRelu, Relu, Tanh
from enrnn_ref.cells.activation import Activation
from enrnn_ref.cells.base import Cell, Tuple
from enrnn_ref.cells.gru import GruAfter, GruBefore
from enrnn_ref.cells.lstm import Lstm, PeepholeLstm
from enrnn_ref.cells.nesterov_lstm import NesterovLstm
from enrnn_ref.models.recurrence import Recurrence
from enrnn_ref.verify.diagnosis.mistake import Mistake, Site, Variant, variant
from enrnn_ref.verify.diagnosis.program import Program, Tape
from enrnn_ref.verify.diagnosis.steps import Pulled

LSTMS = (Lstm, PeepholeLstm, NesterovLstm)
GATED = (*LSTMS, GruAfter, GruBefore)


class NoActivationSlope(Program):
    def activation_slope(self, cell: Activation, z: Array) -> Array:
        return np.ones_like(z)

    def modrelu_slope(self, z: Array, b: Array) -> Array:
        return np.ones_like(z)


class NoComplexSlope(Program):
    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Pulled:
        _, dold, dtheta = super().pullback(z, states, theta, dstates)
        return dstates, dold, dtheta


class NoSigmoidSlope(Program):
    def sigmoid_slope(self, z: Array) -> Array:
        return np.ones_like(z)


class NoTanhSlope(Program):
    def tanh_slope(self, z: Array) -> Array:
        return np.ones_like(z)


class NoOutputSlope(Program):
    def output_slope(self, c: Array) -> Array:
        return np.ones_like(c)


class NoSlopes(NoSigmoidSlope, NoTanhSlope, NoOutputSlope):
    pass


def _no_slope(site: Site) -> Iterator[Variant]:
    cell = site.cell
    if isinstance(cell, Activation | ModRelu) and not isinstance(cell, Identity):
        yield Variant("the derivative of the activation missing", NoActivationSlope)
    if isinstance(cell, ComplexModRelu):
        yield Variant("the derivative of the activation missing", NoComplexSlope)
    if isinstance(cell, GATED):
        yield Variant("the derivatives of all activations missing", NoSlopes)
        yield Variant("the derivative of the sigmoid missing", NoSigmoidSlope)
        yield Variant("the derivative of the candidate's tanh missing", NoTanhSlope)
    if isinstance(cell, LSTMS):
        yield Variant("the derivative of tanh(c) missing", NoOutputSlope)


class SlopeOfOutput(Program):
    """f'(f(z)) where f'(z) is right."""

    __of_sigmoid = __of_tanh = __of_output = True

    def sigmoid_slope(self, z: Array) -> Array:
        return super().sigmoid_slope(self.sigmoid(z) if self.__of_sigmoid else z)

    def tanh_slope(self, z: Array) -> Array:
        return super().tanh_slope(np.tanh(z) if self.__of_tanh else z)

    def output_slope(self, c: Array) -> Array:
        return super().output_slope(np.tanh(c) if self.__of_output else c)


class SlopeFromArgument(Program):
    """1 − z² and z (1 − z), the formulas for f(z) fed with z."""

    __of_sigmoid = __of_tanh = __of_output = True

    def sigmoid_slope(self, z: Array) -> Array:
        return z * (1 - z) if self.__of_sigmoid else super().sigmoid_slope(z)

    def tanh_slope(self, z: Array) -> Array:
        return 1 - z**2 if self.__of_tanh else super().tanh_slope(z)

    def output_slope(self, c: Array) -> Array:
        return 1 - c**2 if self.__of_output else super().output_slope(c)


class ProductSlope(Program):
    """h (1 − h), the sigmoid's, where tanh has 1 − h²."""

    def tanh_slope(self, z: Array) -> Array:
        slope: Array = np.tanh(z) * (1 - np.tanh(z))
        return slope


class LinearSlope(Program):
    """1 − h where 1 − h² is right."""

    def tanh_slope(self, z: Array) -> Array:
        slope: Array = 1 - np.tanh(z)
        return slope


def _wrong_argument(site: Site) -> Iterator[Variant]:
    for place, single, what in (
        (SlopeOfOutput, "tanh'(h), the slope taken at the activated value", "taken at the activated values"),
        (SlopeFromArgument, "1 − z² for tanh', the formula for h fed with z", "from the formulas for h fed with z"),
    ):
        if isinstance(site.cell, Tanh):
            yield Variant(single, place)
        if isinstance(site.cell, GATED):
            off = {"of_sigmoid": False, "of_tanh": False, "of_output": False}
            yield Variant(f"all slopes {what}", place)
            yield variant(f"the slopes of the sigmoid {what}", place, **{**off, "of_sigmoid": True})
            yield variant(f"the slope of the candidate's tanh {what}", place, **{**off, "of_tanh": True})
        if isinstance(site.cell, LSTMS):
            yield variant(f"the slope of tanh(c) {what}", place, **{**off, "of_output": True})
            yield variant(f"the slopes of both tanh {what}", place, **{**off, "of_tanh": True, "of_output": True})
    if isinstance(site.cell, Tanh):
        yield Variant("h (1 − h), the sigmoid's slope, for tanh'", ProductSlope)
        yield Variant("1 − h for tanh'", LinearSlope)


class UnsignedBiasSlope(Program):
    def modrelu_bias_slope(self, z: Array) -> Array:
        return np.ones_like(z)


class OppositeBiasSlope(Program):
    def modrelu_bias_slope(self, z: Array) -> Array:
        return -super().modrelu_bias_slope(z)


class UngatedBias(Program):
    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Pulled:
        dz, dold, _ = super().pullback(z, states, theta, dstates)
        return dz, dold, (self.modrelu_bias_slope(z[0]) * dstates[0],)


def _bias_sign(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, ModRelu):
        yield Variant("sign(z) missing in the gradient of modReLU's bias", UnsignedBiasSlope)
        yield Variant("the opposite sign in the gradient of modReLU's bias", OppositeBiasSlope)
        yield Variant("the dead zone forgotten in the gradient of modReLU's bias", UngatedBias)


class ReluSlope(Program):
    """Where relu(z + b) is on."""

    def modrelu_slope(self, z: Array, b: Array) -> Array:
        on: Array = (z + b > 0).astype(z.dtype)
        return on


class PositiveSlope(Program):
    """Where z > 0."""

    def modrelu_slope(self, z: Array, b: Array) -> Array:
        on: Array = (z > 0).astype(z.dtype)
        return on


class SlopeWithoutBias(Program):
    """sign(z)² for the slope times the sign."""

    def modrelu_slope(self, z: Array, b: Array) -> Array:
        return super().modrelu_slope(z, b) * np.sign(z)


def _relu_slope(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, ModRelu):
        yield Variant("the slope of relu(z + b) where modReLU's is right", ReluSlope)
        yield Variant("the slope of relu(z) where modReLU's is right", PositiveSlope)
        yield Variant("a factor sign(z) too many in the slope of modReLU", SlopeWithoutBias)


class OtherActivation(Program):
    changes_outputs = True
    __other: type[Cell]

    def used_cell(self, cell: Cell) -> Cell:
        return self.__other()


class ShiftedActivation(Program):
    """f(z + b) where the model has a modReLU with bias b."""

    changes_outputs = True
    __other: type[Activation]

    def step(self, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
        return (self.__other().function(z[0] + theta[0]),)

    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Pulled:
        dz = self.__other().slope(z[0] + theta[0]) * dstates[0]
        return (dz,), (0 * dz,), (dz,)


def _other_activation(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, Activation):
        for name, other in ACTIVATIONS.items():
            if issubclass(other, Activation) and not isinstance(site.cell, other):
                yield variant(f"the activation {name} in place of the model's", OtherActivation, other=other)
    if isinstance(site.cell, ModRelu):
        for formula, of in (("relu(z + b)", Relu), ("tanh(z + b)", Tanh), ("z + b", Identity)):
            yield variant(f"{formula} in place of modReLU", ShiftedActivation, other=of)


class BiasSubtracted(Program):
    changes_outputs = True

    def read(self, params: Arrays) -> Arrays:
        params = super().read(params)
        return {**params, "bias": -params["bias"]}

    def write(self, grads: Arrays) -> Arrays:
        return super().write({**grads, "bias": -grads["bias"]})


class OneSidedModRelu(Program):
    """max(|z| + b, 0) without the sign."""

    changes_outputs = True

    def step(self, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
        return (np.abs(super().step(z, states, theta)[0]),)

    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Pulled:
        return super().pullback(z, states, theta, (np.sign(z[0]) * dstates[0],))


def _modrelu_forward(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, ModRelu | ComplexModRelu):
        yield Variant("modReLU's bias subtracted from |z|", BiasSubtracted)
    if isinstance(site.cell, ModRelu):
        yield Variant("sign(z) missing in modReLU", OneSidedModRelu)


class HardSigmoid(Program):
    """max(0, min(1, slope z + 1/2))."""

    changes_outputs = True
    __gain: float

    def sigmoid(self, z: Array) -> Array:
        return np.clip(self.__gain * z + 0.5, 0, 1)

    def sigmoid_slope(self, z: Array) -> Array:
        inside: Array = self.__gain * (np.abs(self.__gain * z) < 0.5)
        return inside


def _hard_sigmoid(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, GATED):
        yield variant("hard sigmoids 0.2 z + 0.5 (ONNX, old Keras) in place of sigmoids", HardSigmoid, gain=0.2)
        yield variant("hard sigmoids z/6 + 0.5 (PyTorch, Keras 3) in place of sigmoids", HardSigmoid, gain=1 / 6)


class NoOutputTanh(Program):
    changes_outputs = True

    def output_tanh(self, c: Array) -> Array:
        return c

    def output_slope(self, c: Array) -> Array:
        return np.ones_like(c)


def _no_output_tanh(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, LSTMS):
        yield Variant("h = o c in place of o tanh(c)", NoOutputTanh)


class PeepholeOfOldState(Program):
    changes_outputs = True

    def peeped(self, c: Array, new: Array) -> Array:
        return c

    def peeped_pullback(self, through: Array) -> tuple[Array, Array]:
        seen_old, seen_new = super().peeped_pullback(through)
        return seen_new, seen_old


class PeepholesIgnored(Program):
    changes_outputs = True

    def read(self, params: Arrays) -> Arrays:
        params = super().read(params)
        return {**params, "peephole": 0 * params["peephole"]}

    def write(self, grads: Arrays) -> Arrays:
        return super().write({**grads, "peephole": 0 * grads["peephole"]})


def _peephole_forward(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, PeepholeLstm):
        yield Variant("the output gate's peephole at the old cell state", PeepholeOfOldState)
        yield Variant("the peepholes ignored", PeepholesIgnored)


class UpdateSwapped(Program):
    """σ(−z) for σ(z) of the update gate."""

    changes_outputs = True

    def step(self, z: Tuple, states: Tuple, theta: Tuple) -> Tuple:
        return super().step((z[0], -z[1], *z[2:]), states, theta)

    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Pulled:
        dz, dold, dtheta = super().pullback((z[0], -z[1], *z[2:]), states, theta, dstates)
        return (dz[0], -dz[1], *dz[2:]), dold, dtheta


def _update_swapped(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, GruAfter | GruBefore):
        yield Variant("z and 1 − z swapped in the update", UpdateSwapped)


class OtherReset(Program):
    changes_outputs = True

    def used_cell(self, cell: Cell) -> Cell:
        return GruBefore() if isinstance(cell, GruAfter) else GruAfter()


def _reset(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, GruAfter):
        yield Variant("the reset before the recurrent product, R (r h), where this model has it after", OtherReset)
    if isinstance(site.cell, GruBefore):
        yield Variant("the reset after the recurrent product, r (R h), where this model has it before", OtherReset)


class RadialOnly(Program):
    """Complex modReLU's slope along the circle taken to be 1."""

    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Pulled:
        dz, dold, dtheta = super().pullback(z, states, theta, dstates)
        on = (dz[0] != 0) | (dz[1] != 0)
        return tuple(np.where(on, dh, 0) for dh in dstates), dold, dtheta


class AlongRadiusOnly(Program):
    """The part along the circle dropped."""

    def pullback(self, z: Tuple, states: Tuple, theta: Tuple, dstates: Tuple) -> Pulled:
        dz, dold, dtheta = super().pullback(z, states, theta, dstates)
        square = z[0] ** 2 + z[1] ** 2
        radial = (z[0] * dz[0] + z[1] * dz[1]) / np.where(square > 0, square, 1)
        return (radial * z[0], radial * z[1]), dold, dtheta


class OtherModulus(Program):
    changes_outputs = True

    def used_cell(self, cell: Cell) -> Cell:
        assert isinstance(cell, ComplexModRelu)
        return ComplexModRelu("exact" if cell.modulus == "released" else "released")


def _complex_modrelu(site: Site) -> Iterator[Variant]:
    if isinstance(site.cell, ComplexModRelu):
        yield Variant("the slope 1 along the circle in complex modReLU", RadialOnly)
        yield Variant("the slope along the circle dropped in complex modReLU", AlongRadiusOnly)
        other = "exact" if site.cell.modulus == "released" else "smoothed"
        yield Variant(f"the {other} modulus in complex modReLU", OtherModulus)


class ReadoutBefore(Program):
    changes_outputs = True

    def shown(self, h: Array) -> Array:
        return h[:-1]

    def shown_pullback(self, dshown: Array) -> Array:
        dshown = super().shown_pullback(dshown)
        self.__at_start = dshown[0]
        moved = np.zeros_like(dshown)
        moved[:-1] = dshown[1:]
        return moved

    def initial_gradient(self, tape: Tape, name: str, dinitial: Array) -> Array:
        dinitial = super().initial_gradient(tape, name, dinitial)
        return dinitial + self.__at_start if name == self.layout.output else dinitial


def _readout_before(site: Site) -> Iterator[Variant]:
    if isinstance(site.model, Recurrence) and site.model.readout == "all":
        yield Variant("y_t read from h_t-1 (off by one)", ReadoutBefore)


MISTAKES = (
    Mistake(
        "missing-slope",
        "the derivative of the activation missing",
        "MI-28",
        "a unit is away from the linear part of its activation",
        "rnn-largest-steps",
        _no_slope,
    ),
    Mistake(
        "slope-of-wrong-argument",
        "the slope of the activation at the wrong argument",
        "MI-29",
        "a unit is away from zero",
        "rnn-largest-steps",
        _wrong_argument,
    ),
    Mistake(
        "modrelu-bias-sign",
        "sign(z) missing in the gradient of modReLU's bias",
        "MI-30",
        "a unit with negative z is active",
        "enrnn-largest-steps",
        _bias_sign,
    ),
    Mistake(
        "relu-slope",
        "the slope of relu where modReLU's is right",
        "MI-31",
        "a unit with negative z is active",
        "enrnn-largest-steps",
        _relu_slope,
    ),
    Mistake("other-activation", "another activation", "MI-32", "always", "rnn-largest-steps", _other_activation),
    Mistake(
        "modrelu-bias-subtracted",
        "modReLU's bias or sign wrong in the forward pass",
        "MI-33",
        "the bias is not zero, or a unit with negative z is active",
        "enrnn-largest-steps",
        _modrelu_forward,
    ),
    Mistake(
        "hard-sigmoid", "hard sigmoids in place of sigmoids", "MI-34", "always", "lstm-largest-steps", _hard_sigmoid
    ),
    Mistake(
        "output-tanh-missing",
        "h = o c in place of o tanh(c)",
        "MI-35",
        "c is away from zero",
        "lstm-largest-steps",
        _no_output_tanh,
    ),
    Mistake(
        "peephole-state",
        "the output gate's peephole at the old cell state",
        "MI-36",
        "the peepholes are not zero",
        "lstm-peephole",
        _peephole_forward,
    ),
    Mistake("update-gate-swapped", "z and 1 − z swapped", "MI-37", "always", "gru-largest-steps", _update_swapped),
    Mistake(
        "reset-placement",
        "the reset on the other side of the recurrent product",
        "MI-38",
        "the reset gates of a step differ, or the biases are not zero",
        "gru-largest-steps",
        _reset,
    ),
    Mistake(
        "complex-slope",
        "the slope of complex modReLU along the circle wrong",
        "MI-39",
        "the bias is not zero",
        "scurnn-largest-steps",
        _complex_modrelu,
    ),
    Mistake("readout-before-step", "y_t read from h_t-1", "MI-40", "always", "rnn-largest-steps", _readout_before),
)
