"""The cases at the edges: special spectra, kinks, saturation, decay, and the smallest sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from enrnn_ref.verify.vectors.oracle.draw import Tensor
from enrnn_ref.verify.vectors.recipe import DEFAULTS, Options, Recipe

_BASIS = ((1, 1, 0), (0, 1, 1), (1, 1, 1))
_INVERSE = ((0, -1, 1), (1, 1, -1), (-1, 0, 1))
"""An integer matrix of determinant 1 and its inverse: a dense similarity that rounds nothing."""

_FADED = 2.0**-1000
"""Not yet subnormal."""


def recipes(model: str) -> Iterator[Recipe]:
    """The edges of one model."""
    yield from _SMALLEST.get(model, _smallest)(model)
    yield from _OWN.get(model, _none)()


def tensor(rows: Any) -> Tensor:
    """Nested lists as a tensor."""
    shape, entries = [], [rows]
    while entries and isinstance(entries[0], (list, tuple)):
        shape.append(len(entries[0]))
        entries = list(chain.from_iterable(entries))
    return Tensor(tuple(shape), tuple(map(float, entries)))


def _case(
    model: str, name: str, comment: str, options: Options, sizes: Sequence[int], *flags: str, **more: Any
) -> Recipe:
    steps, batch = sizes
    return Recipe(f"{model}-{name}", model, comment, options, steps, batch, flags, **more)


def _options(model: str, inputs: int, hidden: int, outputs: int | None, **changed: Any) -> Options:
    sizes = {"input_size": inputs, "hidden_size": hidden, "output_size": outputs}
    return sizes | DEFAULTS[model] | {"readout": "all"} | changed


def _none() -> Iterator[Recipe]:
    return iter(())


# The smallest sizes, and no state given.


def _smallest(model: str) -> Iterator[Recipe]:
    unit, units = (2, 4) if model == "nnrnn" else (1, 3)
    special: dict[str, Options] = {"nnrnn": {"mask": "released"}, "scornn": {"negative_ones": 1}}
    changed = special.get(model, {})
    yield _case(model, "one-step", "T = 1.", _options(model, 2, units, 1), (1, 2), "one-step")
    yield _case(model, "one-sequence", "B = 1.", _options(model, 2, units, 1), (3, 1), "one-sequence")
    comment = f"n = {unit}."
    yield _case(model, "one-unit", comment, _options(model, 2, unit, 1, **changed), (3, 2), "one-unit", salt=1)
    if model == "scurnn":
        for name, order in (("learned-start", "paper"), ("released-learned-start", "released")):
            options = _options(model, 1, 3, 2, order=order)
            flags = ("no-state", "trained-start")
            yield _case(model, name, "No state given: the trained one.", options, (3, 5), *flags, start=False)
    elif model in ("rnn", "lstm", "gru", "scheduledrestartlstm"):
        yield _case(
            model, "no-state", "No state given: zeros.", _options(model, 2, 3, 1), (3, 2), "no-state", start=False
        )


def _smallest_composition(model: str) -> Iterator[Recipe]:
    for name, steps, batch in (("one-step", 1, 2), ("one-sequence", 3, 1), ("one-unit", 3, 2)):
        width = 1 if name == "one-unit" else 3
        first = {"model": "lstm"} | _options("lstm", 2, width, None)
        second = {"model": "gru"} | _options("gru", 2, 1 if name == "one-unit" else 2, None)
        if model == "stacked":
            options: Options = {"layers": [first, second | {"input_size": width, "output_size": 1}]}
        else:
            options = {"forward": first, "backward": second, "output_size": 1, "readout": "all"}
        yield _case(model, name, f"T = {steps}, B = {batch}.", options, (steps, batch), name)


# ENRNN.


def _enrnn(inputs: int, long: int, short: int, outputs: int, **changed: Any) -> Options:
    sizes = {"input_size": inputs, "long_size": long, "short_size": short, "output_size": outputs}
    return sizes | DEFAULTS["enrnn"] | {"negative_ones": min(1, long), "readout": "all"} | changed


def _smallest_enrnn(model: str) -> Iterator[Recipe]:
    yield _case(model, "one-step", "T = 1.", _enrnn(1, 3, 2, 1), (1, 2), "one-step")
    yield _case(model, "one-sequence", "B = 1.", _enrnn(1, 3, 2, 1), (3, 1), "one-sequence", salt=1)
    yield _case(
        model,
        "one-long-unit",
        "n = L = 1: W is −1.",
        _enrnn(1, 1, 0, 2),
        (3, 2),
        "one-unit",
        "no-short-units",
        given={"params/bias": tensor([0.125])},
    )
    yield _case(
        model, "one-short-unit", "n = S = 1.", _enrnn(1, 0, 1, 2, eps=0.125), (3, 2), "one-unit", "no-long-units"
    )
    yield _case(model, "one-unit-each", "L = S = 1.", _enrnn(1, 1, 1, 2, eps=0.125), (3, 2), "one-unit")
    yield _case(model, "no-short-units", "S = 0: a scoRNN.", _enrnn(1, 4, 0, 2), (3, 2), "no-short-units")
    yield _case(model, "no-long-units", "L = 0: a normalised RNN.", _enrnn(1, 0, 4, 2), (3, 2), "no-long-units")


def _spectrum(*blocks: Sequence[Sequence[float]]) -> Tensor:
    """A dense 3×3 matrix with the eigenvalues of the given diagonal blocks."""
    inner, at = [[0.0] * 3 for _ in range(3)], 0
    for block in blocks:
        for i, row in enumerate(block):
            inner[at + i][at : at + len(row)] = row
        at += len(block)
    half = [[sum(_BASIS[i][k] * inner[k][j] for k in range(3)) for j in range(3)] for i in range(3)]
    return tensor([[sum(half[i][k] * _INVERSE[k][j] for k in range(3)) for j in range(3)] for i in range(3)])


_PAIR = ((0.75, -1.0), (1.0, 0.75))
"""Eigenvalues 3/4 ± i, of modulus 5/4."""


def _edges_of_enrnn() -> Iterator[Recipe]:
    gap = 2.0**-12
    spectra: tuple[tuple[str, str, Tensor, Options, tuple[str, ...]], ...] = (
        ("real-leader", "The leader is 5/4.", _spectrum([[1.25]], [[-0.5]], [[0.75]]), {}, ("real-leader",)),
        ("negative-leader", "The leader is −5/4.", _spectrum([[-1.25]], [[0.5]], [[0.75]]), {}, ("negative-leader",)),
        (
            "complex-leader",
            "The leaders are 3/4 ± i.",
            _spectrum(_PAIR, [[-0.5]]),
            {},
            ("complex-leader", "real-part-only", "conjugation-forgotten"),
        ),
        (
            "imaginary-leader",
            "The leaders are ±i.",
            _spectrum([[0.0, -1.0], [1.0, 0.0]], [[0.5]]),
            {},
            ("complex-leader", "real-part-only", "conjugation-forgotten"),
        ),
        (
            "leader-near-real-axis",
            "The leaders are 1 ± i/64.",
            _spectrum([[1.0, -(2.0**-6)], [2.0**-6, 1.0]], [[0.5]]),
            {},
            ("complex-leader", "leader-near-real-axis"),
        ),
        (
            "near-tie-complex",
            "3/4 ± i lead, 5/4 − 2⁻¹² follows.",
            _spectrum(_PAIR, [[1.25 - gap]]),
            {},
            ("near-tie", "complex-leader"),
        ),
        (
            "near-tie-real",
            "5/4 + 2⁻¹² leads, 3/4 ± i follow.",
            _spectrum(_PAIR, [[1.25 + gap]]),
            {},
            ("near-tie", "real-leader"),
        ),
        (
            "near-tie-opposite",
            "−5/4 leads, 5/4 − 2⁻¹² follows.",
            _spectrum([[-1.25]], [[1.25 - gap]], [[0.5]]),
            {},
            ("near-tie", "negative-leader"),
        ),
        (
            "nearly-defective",
            "1 + 2⁻⁶ leads, 1 − 2⁻⁶ follows with nearly the same vector.",
            _spectrum([[1.0, 1.0], [2.0**-12, 1.0]], [[0.5]]),
            {},
            ("ill-conditioned-leader", "real-leader"),
        ),
        (
            "eps-zero",
            "ε = 0, leaders 3/4 ± i.",
            _spectrum(_PAIR, [[-0.5]]),
            {"eps": 0.0},
            ("eps-zero", "complex-leader"),
        ),
        (
            "eps-zero-real",
            "ε = 0, leader 5/4.",
            _spectrum([[1.25]], [[-0.5]], [[0.75]]),
            {"eps": 0.0},
            ("eps-zero", "real-leader"),
        ),
        (
            "switch-below",
            'The rule "switch" at ρ = 5/8: not normalised.',
            _spectrum([[0.375, -0.5], [0.5, 0.375]], [[-0.25]]),
            {"normalize": "switch"},
            ("normalization-switch",),
        ),
        (
            "switch-above",
            'The rule "switch" at ρ = 5/4: normalised.',
            _spectrum(_PAIR, [[-0.5]]),
            {"normalize": "switch"},
            ("normalization-switch", "complex-leader"),
        ),
    )
    for name, comment, short, changed, flags in spectra:
        options = _enrnn(1, 2, 3, 1, **changed)
        yield _case("enrnn", name, comment, options, (3, 2), *flags, given={"params/short": short})
    yield _kink("enrnn", _enrnn(2, 2, 3, 1), "params/bias", 5)
    yield _near_kink("enrnn", _enrnn(2, 2, 3, 1), "params/bias", 5)
    faded = _enrnn(2, 0, 3, 1, eps=1024.0, activation="tanh")
    yield _case(
        "enrnn",
        "decayed",
        "The state falls from 2⁻¹⁰⁰⁰ below 2⁻¹⁰²².",
        faded,
        (7, 2),
        "decayed-subnormal",
        given={"x": _zeros(7, 2, 2), "params/bias": _zeros(3), "state/h": _filled(_FADED, 2, 3)},
    )
    slow = _enrnn(1, 0, 2, 1, eps=1.0, readout="last")
    yield _case(
        "enrnn",
        "vanished",
        "The gradient of the first inputs is tiny.",
        slow,
        (80, 1),
        "vanished-gradient",
        "long-sequence",
        given={"params/bias": _zeros(2)},
        ranges={"params/short": (0.25, 1.0)},
        salt=1,
    )
    lasting = _enrnn(1, 3, 0, 1, readout="last")
    yield _case(
        "enrnn",
        "lasting",
        "A long sequence whose gradient lasts.",
        lasting,
        (48, 1),
        "long-sequence",
        "no-short-units",
        given={"params/bias": _zeros(3)},
        ranges={"x": (0.03125, 0.21875)},
    )


# Kinks: the first step starts from zero and its input has one entry, so that its pre-activations are exact products.


def _zeros(*shape: int) -> Tensor:
    return _filled(0.0, *shape)


def _filled(value: float, *shape: int) -> Tensor:
    count = 1
    for size in shape:
        count *= size
    return Tensor(shape, (value,) * count)


def _first_step(model: str, units: int, weights: Sequence[float]) -> dict[str, Tensor]:
    """Zero state, input (1/2, 0) at the first of three steps, and the given weights of that input."""
    x = [[[0.5, 0.0], [0.5, 0.0]], [[0.375, -0.625], [-0.5, 0.25]], [[-0.75, 0.5], [0.625, 0.875]]]
    second = (0.5625, -0.8125, 0.6875, 0.4375, -0.3125)
    rows = [[weight, second[k]] for k, weight in enumerate(weights)]
    assert len(rows) == units
    return {"x": tensor(x), "params/input": tensor(rows), "state/h": _zeros(2, units)}


def _kink(model: str, options: Options, bias: str, units: int) -> Recipe:
    """modReLU at |z| + b = 0 on both sides, at z = 0 with b > 0 and with b = 0; the first unit is at no kink."""
    given = _first_step(model, units, (1.0, -0.75, 0.5, 0.0, 0.0)) | {bias: tensor([-0.125, -0.375, -0.25, 0.25, 0.0])}
    comment = "Exactly on the kinks of modReLU at the first step: slope 0 at |z| = −b, value and slope 0 at z = 0."
    return _case(model, "kink", comment, options, (3, 2), "kink-convention", given=given)


def _near_kink(model: str, options: Options, bias: str, units: int) -> Recipe:
    """modReLU 2^-10 beside |z| + b = 0 on both sides, and 2^-10 beside z = 0 with b > 0 on both sides."""
    off = 2.0**-10
    given = _first_step(model, units, (2 * off, 0.5, -0.75, -2 * off, 2 * off))
    given |= {bias: tensor([0.25, -0.25 + off, -0.375 - off, 0.25, -0.125])}
    comment = "Just beside the kinks of modReLU at the first step, on both sides."
    return _case(model, "near-kink", comment, options, (3, 2), "near-kink", given=given)


# The other recurrences.


def _edges_of_rnn() -> Iterator[Recipe]:
    options = _options("rnn", 2, 5, 1, activation="modrelu")
    yield _kink("rnn", options, "params/bias", 5)
    yield _near_kink("rnn", options, "params/bias", 5)
    given = _first_step("rnn", 5, (0.5, -0.5, 0.0, 2.0**-9, -(2.0**-9))) | {
        "params/bias": tensor([-0.25, 0.25, 0.0, 0.0, 0.0])
    }
    comment = "relu at exactly 0 (slope 0) and just beside it, at the first step."
    yield _case(
        "rnn",
        "relu-kink",
        comment,
        options | {"activation": "relu"},
        (3, 2),
        "kink-convention",
        "near-kink",
        given=given,
    )
    yield _case(
        "rnn",
        "saturated",
        "tanh where its slope is below 1e-8, both signs.",
        _options("rnn", 2, 4, 1),
        (3, 2),
        "saturated",
        given={"params/bias": tensor([11.0, -11.0, 14.0, 0.25])},
    )
    yield _case(
        "rnn",
        "decayed",
        "The state falls from 2⁻¹⁰⁰⁰ below 2⁻¹⁰²².",
        _options("rnn", 2, 3, 4),
        (5, 2),
        "decayed-subnormal",
        given={"x": _zeros(5, 2, 2), "params/bias": _zeros(3), "state/h": _filled(_FADED, 2, 3)},
        ranges={"params/recurrent": (2.0**-10, 2.0**-8)},
    )
    yield _case(
        "rnn",
        "vanished",
        "The gradient of the first inputs is tiny.",
        _options("rnn", 1, 2, 1, readout="last"),
        (48, 1),
        "vanished-gradient",
        "long-sequence",
        ranges={"params/recurrent": (0.0625, 0.25)},
    )


def _edges_of_scornn() -> Iterator[Recipe]:
    options = _options("scornn", 2, 5, 1)
    yield _kink("scornn", options, "params/bias", 5)
    yield _near_kink("scornn", options, "params/bias", 5)
    yield _case(
        "scornn",
        "large-rotation",
        "Entries of A up to 12.",
        _options("scornn", 2, 4, 1),
        (3, 2),
        "large-rotation",
        ranges={"params/skew": (3.0, 12.0)},
    )
    yield _case(
        "scornn",
        "lasting",
        "A long sequence whose gradient lasts.",
        _options("scornn", 1, 3, 1, readout="last"),
        (48, 1),
        "long-sequence",
        given={"params/bias": _zeros(3)},
        ranges={"x": (0.03125, 0.21875)},
    )


def _edges_of_scurnn() -> Iterator[Recipe]:
    off = 2.0**-10
    pairs = {  # unit: (Re U, Im U), b; the first input is 1/2, so that |z| is half of |U|
        "kink": (((1.5, 1.0), (0.75, 1.0), (0.0, 0.0)), (-0.125, -0.625, 0.25), "kink-convention"),
        "near-kink": (((0.75, 1.0), (0.75, -1.0), (2 * off, 0.0)), (-0.625 + off, -0.625 - off, 0.25), "near-kink"),
    }
    for name, (weights, bias, flag) in pairs.items():
        rows = [[re, 0.5625] for re, _ in weights] + [[im, -0.4375] for _, im in weights]
        x = [[[0.5, 0.0], [0.5, 0.0]], [[0.375, -0.625], [-0.5, 0.25]], [[-0.75, 0.5], [0.625, 0.875]]]
        given = {"x": tensor(x), "params/input": tensor(rows), "params/bias": tensor(bias), "state/h": _zeros(2, 6)}
        comment = (
            f"{'Exactly on' if name == 'kink' else 'Just beside'} the kinks of the complex modReLU at the first step."
        )
        yield _case("scurnn", name, comment, _options("scurnn", 2, 3, 1), (3, 2), flag, given=given)
    x = [[[0.0, 0.0], [0.0, 0.0]], [[0.375, -0.625], [-0.5, 0.25]], [[-0.75, 0.5], [0.625, 0.875]]]
    given = {"x": tensor(x), "state/h": _zeros(2, 6), "params/bias": tensor([0.25, 0.125, 0.0])}
    comment = "z = 0 at the first step with the smoothed modulus: nothing is special there."
    yield _case(
        "scurnn",
        "released-at-zero",
        comment,
        _options("scurnn", 2, 3, 1, modulus="released"),
        (3, 2),
        "near-kink",
        given=given,
    )
    yield _case(
        "scurnn",
        "large-rotation",
        "Entries of A up to 12.",
        _options("scurnn", 2, 3, 1),
        (3, 2),
        "large-rotation",
        ranges={"params/skew_real": (3.0, 12.0), "params/skew_imag": (3.0, 12.0)},
    )


def _edges_of_exprnn() -> Iterator[Recipe]:
    yield _kink("exprnn", _options("exprnn", 2, 5, 1), "params/bias", 5)
    yield _case(
        "exprnn",
        "large-rotation",
        "Turns by several times π.",
        _options("exprnn", 2, 4, 1),
        (3, 2),
        "large-rotation",
        ranges={"params/skew": (3.0, 9.0)},
    )
    yield _case(
        "exprnn",
        "tied-planes",
        "Two planes turn by the same angle.",
        _options("exprnn", 2, 4, 1),
        (3, 2),
        "tied-rotation",
        given={"params/skew": tensor([0.75, 0.0, 0.0, 0.0, 0.0, 0.75])},
    )
    yield _case(
        "exprnn",
        "no-rotation",
        "A = 0.",
        _options("exprnn", 2, 4, 1),
        (3, 2),
        "tied-rotation",
        given={"params/skew": _zeros(6)},
    )


def _edges_of_nnrnn() -> Iterator[Recipe]:
    yield _case(
        "nnrnn",
        "negative-modulus",
        "γ of both signs and one of zero.",
        _options("nnrnn", 1, 6, 1),
        (3, 2),
        "negative-modulus",
        given={"params/modulus": tensor([-0.75, 0.0, 1.25])},
    )
    yield _case(
        "nnrnn",
        "no-rotation",
        "A = 0: W is Θ.",
        _options("nnrnn", 1, 4, 1),
        (3, 2),
        "tied-rotation",
        given={"params/skew": _zeros(6)},
    )


def _gates(*levels: Sequence[float]) -> Tensor:
    """A bias, gate by gate."""
    return tensor(list(chain.from_iterable(levels)))


def _edges_of_lstm() -> Iterator[Recipe]:
    options = _options("lstm", 2, 4, 1)
    yield _case(
        "lstm",
        "saturated",
        "Gates open or closed to 1e-9 and beyond, in all combinations of input and forget gate.",
        options,
        (3, 2),
        "saturated",
        given={"params/bias": _gates((24, 24, -24, -24), (24, -24, 24, -24), (9, -9, 0.25, 9), (24, 0.25, -24, 24))},
    )
    yield _case(
        "lstm",
        "saturated-peephole",
        "The same with peepholes.",
        options | {"peephole": True},
        (3, 2),
        "saturated",
        given={"params/bias": _gates((20, 20, -20, -20), (20, -20, 20, -20), (9, -9, 0.25, 9), (20, 0.25, -20, 20))},
    )
    yield _case(
        "lstm",
        "decayed",
        "The cell state falls from 2⁻¹⁰⁰⁰ below 2⁻¹⁰²².",
        _options("lstm", 2, 3, 1),
        (4, 2),
        "decayed-subnormal",
        given={
            "x": _zeros(4, 2, 2),
            "state/h": _zeros(2, 3),
            "state/c": _filled(_FADED, 2, 3),
            "params/bias": _gates((-720,) * 3, (-9,) * 3, (0.25, -0.5, 0.75), (0.5, -0.25, 0.125)),
        },
    )
    yield _case(
        "lstm",
        "vanished",
        "The gradient of the first inputs is tiny.",
        _options("lstm", 1, 2, 1, readout="last"),
        (48, 1),
        "vanished-gradient",
        "long-sequence",
        given={"params/bias": _gates((0.25, -0.5), (-2.0, -2.5), (0.125, -0.25), (0.5, 0.25))},
    )


def _edges_of_gru() -> Iterator[Recipe]:
    for reset in ("after", "before"):
        options = _options("gru", 2, 4, 1, reset=reset)
        yield _case(
            "gru",
            f"saturated-{reset}",
            "Gates open or closed to 1e-9 and beyond.",
            options,
            (3, 2),
            "saturated",
            given={"params/bias": _gates((24, -24, 24, -24), (24, 24, -24, -24), (0.25, -0.5, 9, -9))},
        )
    yield _case(
        "gru",
        "decayed",
        "The state falls from 2⁻¹⁰⁰⁰ below 2⁻¹⁰²².",
        _options("gru", 2, 3, 1, reset="before"),
        (4, 2),
        "decayed-subnormal",
        given={
            "x": _zeros(4, 2, 2),
            "state/h": _filled(_FADED, 2, 3),
            "params/bias": _gates((0.5, -0.25, 0.125), (-9,) * 3, (0,) * 3),
        },
        ranges={"params/recurrent": (2.0**-14, 2.0**-12)},
    )
    yield _case(
        "gru",
        "vanished",
        "The gradient of the first inputs is tiny.",
        _options("gru", 1, 2, 1, readout="last"),
        (48, 1),
        "vanished-gradient",
        "long-sequence",
        given={"params/bias": _gates((0.25, -0.5), (-2.0, -2.5), (0.125, -0.25))},
    )


def _edges_of_momentum_rnn() -> Iterator[Recipe]:
    options = _options("momentumrnn", 2, 3, 1, momentum=2.0**-9)
    yield _case(
        "momentumrnn",
        "decayed",
        "The velocity falls from 2⁻¹⁰⁰⁰ below 2⁻¹⁰²².",
        options,
        (5, 2),
        "decayed-subnormal",
        given={"x": _zeros(5, 2, 2), "params/bias": _zeros(3), "state/v": _filled(_FADED, 2, 3)},
    )
    yield _case(
        "momentumrnn",
        "vanished",
        "The gradient of the first inputs is tiny.",
        _options("momentumrnn", 1, 2, 1, momentum=0.125, readout="last"),
        (48, 1),
        "vanished-gradient",
        "long-sequence",
        ranges={"params/recurrent": (0.0625, 0.25)},
    )


def _edges_of_adam() -> Iterator[Recipe]:
    options = _options("adamlstm", 1, 3, 1)
    states = {"state/v": _zeros(2, 12), "state/s": _zeros(2, 12)}
    yield _case(
        "adamlstm",
        "zero-drive",
        "The drive and its moments are 0: the filter's slope is ε·1e8.",
        options,
        (3, 2),
        "zero-drive",
        given={"x": _zeros(3, 2, 1), "params/bias": _zeros(12), **states},
    )
    yield _case(
        "adamlstm",
        "negative-square",
        "A given mean square is negative: read as its magnitude.",
        options,
        (3, 2),
        "negative-mean-square",
        given={
            "state/s": tensor([[(-1.0) ** k * (k + 2) / 16 for k in range(12)], [-(k + 3) / 16 for k in range(12)]])
        },
    )
    yield _case(
        "adamlstm",
        "decayed",
        "A mean square falls from 2⁻¹⁰⁰⁰ below 2⁻¹⁰²².",
        options | {"decay": 2.0**-9},
        (4, 2),
        "decayed-subnormal",
        given={
            "x": _zeros(4, 2, 1),
            "params/bias": _zeros(12),
            "state/v": _zeros(2, 12),
            "state/s": _filled(_FADED, 2, 12),
        },
    )


def _edges_of_restart() -> Iterator[Recipe]:
    for form, width in (("A", 3), ("B", 12)):
        options = _options("scheduledrestartlstm", 1, 3, 1, form=form, restart=3)
        phase = tensor([[float(k % 7) for k in range(width)], [float(4 + k % 2) for k in range(width)]])
        yield _case(
            "scheduledrestartlstm",
            f"late-phase-{form.lower()}",
            "Counts that start beyond the restart, unit by unit.",
            options,
            (4, 2),
            "phase",
            given={"state/phase": phase},
        )


_SMALLEST: dict[str, Callable[[str], Iterator[Recipe]]] = {
    "enrnn": _smallest_enrnn,
    "stacked": _smallest_composition,
    "bidirectional": _smallest_composition,
}
_OWN: dict[str, Callable[[], Iterator[Recipe]]] = {
    "enrnn": _edges_of_enrnn,
    "rnn": _edges_of_rnn,
    "scornn": _edges_of_scornn,
    "scurnn": _edges_of_scurnn,
    "exprnn": _edges_of_exprnn,
    "nnrnn": _edges_of_nnrnn,
    "lstm": _edges_of_lstm,
    "gru": _edges_of_gru,
    "momentumrnn": _edges_of_momentum_rnn,
    "adamlstm": _edges_of_adam,
    "scheduledrestartlstm": _edges_of_restart,
}
