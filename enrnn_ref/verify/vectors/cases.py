"""Which golden cases there are: for every model a family of sizes, every value of every option, and the edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from enrnn_ref.verify.vectors import edge_cases
from enrnn_ref.verify.vectors.oracle.layout import COMPOSITIONS, MODELS
from enrnn_ref.verify.vectors.recipe import DEFAULTS, Options, Recipe

# The rows of a table: which size is the largest, and all of them. No two sizes of a row are equal, and no T is below 3.
_SIMPLE = {  # T, B, I, H, O
    "steps": (5, 2, 1, 3, 4),
    "batch": (4, 5, 2, 3, 1),
    "input": (4, 2, 5, 3, 1),
    "hidden": (3, 4, 2, 5, 1),
    "output": (4, 2, 1, 3, 5),
}
_PAIRED = {  # the same with an even H: nnRNN pairs its units
    "steps": (5, 2, 1, 4, 3),
    "batch": (3, 5, 2, 4, 1),
    "input": (3, 2, 5, 4, 1),
    "hidden": (3, 4, 2, 6, 1),
    "output": (3, 2, 1, 4, 5),
}
_BLOCKS = {  # T, B, I, L, S, O
    "steps": (6, 2, 1, 4, 3, 5),
    "batch": (3, 6, 2, 5, 4, 1),
    "input": (4, 2, 6, 3, 5, 1),
    "long": (3, 4, 2, 6, 5, 1),
    "short": (3, 4, 1, 5, 6, 2),
    "output": (4, 2, 1, 5, 3, 6),
}
_PARTS = {  # T, B, I, hidden size of the first part, of the second, O
    "steps": (6, 2, 1, 4, 3, 5),
    "batch": (3, 6, 2, 4, 5, 1),
    "input": (4, 2, 6, 3, 5, 1),
    "first": (3, 4, 1, 6, 5, 2),
    "second": (3, 4, 2, 5, 6, 1),
    "output": (4, 2, 1, 3, 5, 6),
}
_PROJECTED = {"hidden": (3, 2, 1, 5, 4), "projection": (4, 2, 1, 3, 5)}  # T, B, I, H, P; no readout

_OPTIONS: dict[str, tuple[tuple[str, Options], ...]] = {
    "enrnn": (
        ("never-normalized", {"normalize": "never"}),
        ("uncoupled", {"coupled": False}),
        ("large-eps", {"eps": 0.75}),
        ("all-signs-positive", {"negative_ones": 0}),
        ("all-signs-negative", {"negative_ones": 3}),
        ("tanh", {"activation": "tanh"}),
        ("relu", {"activation": "relu"}),
        ("identity", {"activation": "identity"}),
    ),
    "rnn": (
        ("relu", {"activation": "relu"}),
        ("modrelu", {"activation": "modrelu"}),
        ("identity", {"activation": "identity"}),
    ),
    "scornn": (
        ("all-signs-positive", {"negative_ones": 0}),
        ("one-negative-sign", {"negative_ones": 1}),
        ("all-signs-negative", {"negative_ones": 3}),
    ),
    "scurnn": (
        ("released-modulus", {"modulus": "released"}),
        ("released-order", {"order": "released"}),
        ("released", {"modulus": "released", "order": "released"}),
    ),
    "exprnn": (),
    "nnrnn": (("released-mask", {"mask": "released"}),),
    "lstm": (
        ("peephole", {"peephole": True}),
        ("projection", {"projection_size": 2}),
        ("peephole-and-projection", {"peephole": True, "projection_size": 2}),
    ),
    "gru": (("reset-before", {"reset": "before"}),),
    "momentumrnn": (
        ("relu", {"activation": "relu"}),
        ("modrelu", {"activation": "modrelu", "recurrent_bias": True}),
        ("identity", {"activation": "identity"}),
        ("no-momentum", {"momentum": 0.0}),
        ("strong-momentum", {"momentum": 0.9, "step": -1.5}),
        ("recurrent-bias", {"recurrent_bias": True}),
    ),
    "momentumlstm": (
        ("no-momentum", {"momentum": 0.0}),
        ("strong-momentum", {"momentum": 0.9, "step": 1.5}),
        ("recurrent-bias", {"recurrent_bias": True}),
    ),
    "adamlstm": (
        ("no-momentum", {"momentum": 0.0, "decay": 0.5}),
        ("slow-decay", {"momentum": 0.9, "step": 0.25, "decay": 0.99}),
        ("no-decay", {"decay": 1.0}),
        ("recurrent-bias", {"recurrent_bias": True}),
    ),
    "rmsproplstm": (
        ("short-memory", {"decay": 0.0625}),
        ("small-step", {"step": 0.125, "decay": 0.5}),
        ("recurrent-bias", {"recurrent_bias": True}),
    ),
    "scheduledrestartlstm": (
        ("form-b", {"form": "B"}),
        ("no-restart", {"restart": 0}),
        ("form-b-no-restart", {"form": "B", "restart": 0}),
        ("restart-every-step", {"restart": 1}),
        ("late-restart", {"restart": 3, "step": 0.5}),
        ("recurrent-bias", {"recurrent_bias": True}),
        ("form-b-recurrent-bias", {"form": "B", "recurrent_bias": True}),
    ),
}
"""The other values of every option, by the name of the case."""

_THROUGH_TIME = (
    "transposed-recurrence-backward",
    "transposed-recurrence",
    "transposed-recurrent-gradient",
    "column-major",
    "truncated-backpropagation",
    "final-cotangent-ignored",
    "last-output-only",
    "output-cotangent-shifted",
    "recurrent-gradient-shifted",
    "input-gradient-shifted",
    "readout-gradient-shifted",
    "initial-term-missing",
    "overwritten-sum",
    "step-missing",
    "bias-averaged",
    "bias-counted-twice",
    "batch-mean",
    "time-mean",
    "opposite-sign",
    "factor-two",
    "no-gradient",
    "initial-state-ignored",
    "initial-gradient-missing",
    "initial-gradient-not-carried",
    "missing-slope",
    "slope-of-wrong-argument",
    "other-activation",
    "readout-before-step",
    "bias-ignored",
    "input-misread",
    "input-gradient-reversed",
)
_LSTM = (
    "cell-state-path",
    "gate-order",
    "gate-order-of-gradients",
    "forget-bias",
    "hard-sigmoid",
    "output-tanh-missing",
)
_MODRELU = ("modrelu-bias-sign", "relu-slope", "modrelu-bias-subtracted")
_SKEW = ("skew-factor-two", "skew-projection", "skew-negated", "skew-storage")
_CAYLEY = (*_SKEW, "cayley-pullback", "cayley-signs")
_MOMENTUM = ("momentum-path", "bias-added-twice")
SHOWN: dict[str, tuple[str, ...]] = {
    "enrnn": (
        *_MODRELU,
        *_CAYLEY,
        "radius-constant",
        "one-eigenvector",
        "outer-product-transposed",
        "epsilon-forgotten",
        "quotient-rule",
        "normalization",
        "coupling-gradient",
        "blocks-misplaced",
    ),
    "rnn": (),
    "scornn": (*_MODRELU, *_CAYLEY),
    "scurnn": (*_SKEW, "complex-slope", "unitary-pullback", "unitary-convention"),
    "exprnn": (*_MODRELU, *_SKEW, "exponential-derivative"),
    "nnrnn": (*_MODRELU, *_SKEW, "exponential-derivative", "schur-pullback"),
    "lstm": (*_LSTM, "bias-added-twice"),
    "gru": (
        "gru-path",
        "gate-order",
        "gate-order-of-gradients",
        "update-gate-swapped",
        "reset-placement",
        "hard-sigmoid",
    ),
    "momentumrnn": _MOMENTUM,
    "momentumlstm": (*_MOMENTUM, *_LSTM),
    "adamlstm": (*_MOMENTUM, *_LSTM),
    "rmsproplstm": (*_MOMENTUM, *_LSTM),
    "scheduledrestartlstm": (*_MOMENTUM, *_LSTM),
    "stacked": ("layers-detached",),
    "bidirectional": ("backward-half-order",),
}
"""Mistakes that the cases of a model show, beside those that every model's show."""


_SALTS = {"enrnn-largest-short": 1, "enrnn-identity": 1, "momentumrnn-relu": 1}
"""Where the first draw came within 1e-4 of a kink, too near for float32, or made a whole array zero by chance."""


def recipes(model: str | None = None) -> tuple[Recipe, ...]:
    """All cases, or those of one model, in the order in which they are written."""
    if model is None:
        return tuple(recipe for each in MODELS for recipe in recipes(each))
    family = _parts if model in COMPOSITIONS else _blocks if model == "enrnn" else _simple
    return (*family(model), *edge_cases.recipes(model))


def _simple(model: str) -> Iterator[Recipe]:
    table = _PAIRED if model == "nnrnn" else _SIMPLE
    for role, (steps, batch, inputs, hidden, outputs) in table.items():
        sizes = {"input_size": inputs, "hidden_size": hidden, "output_size": outputs}
        yield _largest(model, role, sizes | DEFAULTS[model] | {"readout": "all"}, steps, batch)
    units = 4 if model == "nnrnn" else 3
    small = {"input_size": 2, "hidden_size": units, "output_size": 1} | DEFAULTS[model] | {"readout": "all"}
    yield from _option_cases(model, small)
    if model == "lstm":
        for role, (steps, batch, inputs, hidden, projection) in _PROJECTED.items():
            options: dict[str, Any] = {"input_size": inputs, "hidden_size": hidden, "output_size": None}
            options |= {"peephole": False, "projection_size": projection, "readout": "all"}
            recipe = _largest(model, role, options, steps, batch, "projection")
            yield recipe


def _blocks(model: str) -> Iterator[Recipe]:
    for role, (steps, batch, inputs, long, short, outputs) in _BLOCKS.items():
        sizes = {"input_size": inputs, "long_size": long, "short_size": short, "output_size": outputs}
        yield _largest(model, role, sizes | DEFAULTS[model] | {"readout": "all"}, steps, batch)
    small = {"input_size": 1, "long_size": 3, "short_size": 2, "output_size": 1}
    yield from _option_cases(model, small | DEFAULTS[model] | {"readout": "all"})


def _parts(model: str) -> Iterator[Recipe]:
    """Compositions: every cell in turn, and the two parts always of different sizes."""
    kinds = ("gru", "rnn", "lstm", "rnn", "gru", "lstm")
    for (role, (steps, batch, inputs, first, second, outputs)), kind in zip(_PARTS.items(), kinds, strict=True):
        parts = (_part(kind, inputs, first), _part(kind, inputs if model == "bidirectional" else first, second))
        yield _largest(model, role, _composed(model, parts, outputs, "all"), steps, batch)
    shown = ("last-output-of-backward-half",) if model == "bidirectional" else ()
    for kind, readout, width in (("rnn", "last", 2), ("lstm", "all", None), ("gru", "last", None)):
        parts = (_part(kind, 2, 3), _part(kind, 2 if model == "bidirectional" else 3, 1))
        name = f"{kind}-{readout}" if width else f"{kind}-{readout}-no-readout"
        flags = (*(("readout-last", *shown) if readout == "last" else ()), *(() if width else ("no-readout",)))
        composed = _composed(model, parts, width, readout)
        yield Recipe(f"{model}-{name}", model, f"Readout {readout!r}.", composed, 3, 2, ("option", *flags))
    mixed = (_part("gru", 2, 3), _part("lstm", 2 if model == "bidirectional" else 3, 1))
    composed = _composed(model, mixed, 2, "all")
    yield Recipe(f"{model}-mixed", model, "Two kinds of cell.", composed, 3, 2, ("option", "mixed-parts"))


def _part(kind: str, inputs: int, hidden: int) -> Options:
    return {"model": kind, "input_size": inputs, "hidden_size": hidden, "output_size": None} | (
        DEFAULTS[kind] | {"readout": "all"}
    )


def _composed(model: str, parts: tuple[Options, Options], outputs: int | None, readout: str) -> Options:
    """The options of a composition of two parts; a stack's readout is that of its last layer."""
    first, second = parts
    if model == "stacked":
        return {"layers": [first, second | {"output_size": outputs, "readout": readout}]}
    return {"forward": first, "backward": second, "output_size": outputs, "readout": readout}


def _largest(model: str, role: str, options: Options, steps: int, batch: int, *kinds: str) -> Recipe:
    """A case of the family of sizes."""
    name = "-".join([model, *kinds, "largest", role])
    comment = f"Dense random weights; the largest size is that of {role}."
    shown = (*_THROUGH_TIME, *SHOWN[model]) if role in ("steps", "hidden", "long", "first") else ()
    flags = ("dense", f"largest-{role}", *kinds, *shown)
    return Recipe(name, model, comment, options, steps, batch, flags, salt=_SALTS.get(name, 0))


def _option_cases(model: str, default: Options) -> Iterator[Recipe]:
    """Every option's other values, one case each, and the readouts."""
    for name, changed in _OPTIONS[model]:
        yield _option(model, name, default, changed)
    yield _option(model, "last", default, {"readout": "last"}, "readout-last")
    if model in ("lstm", *(name for name in DEFAULTS if "lstm" not in name)):  # the others read out as the LSTM does
        yield _option(model, "no-readout", default, {"output_size": None}, "no-readout")
    yield _option(
        model, "last-no-readout", default, {"output_size": None, "readout": "last"}, "readout-last", "no-readout"
    )


def _option(model: str, name: str, default: Options, changed: dict[str, Any], *flags: str) -> Recipe:
    comment = "; ".join(f"{key} = {value!r}" for key, value in changed.items()) + "."
    extra = _OPTION_FLAGS.get(name, ())
    return Recipe(
        f"{model}-{name}",
        model,
        comment,
        default | changed,
        3,
        2,
        ("option", *flags, *extra),
        salt=_SALTS.get(f"{model}-{name}", 0),
    )


_OPTION_FLAGS: dict[str, tuple[str, ...]] = {
    "peephole": ("peephole-path", "peephole-state"),
    "peephole-and-projection": ("peephole-path", "peephole-state", "projection-direct-only"),
    "projection": ("projection-direct-only",),
    "reset-before": ("reset-placement", "gru-path"),
    "large-eps": ("epsilon-forgotten", "quotient-rule", "normalization"),
    "recurrent-bias": ("bias-added-twice",),
    "form-b-recurrent-bias": ("bias-added-twice",),
    "released-order": ("unitary-convention",),
}
"""Mistakes that only some of the option cases show."""
