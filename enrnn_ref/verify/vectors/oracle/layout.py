"""Names and shapes of every model's arrays, from its options alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from enrnn_ref.errors import OptionError
from enrnn_ref.verify.vectors.oracle.matrices import free_below_diagonal

Options = Mapping[str, Any]
Shapes = dict[str, tuple[int, ...]]

RECURRENCES = (
    "enrnn", "rnn", "scornn", "scurnn", "exprnn", "nnrnn", "lstm", "gru",
    "momentumrnn", "momentumlstm", "adamlstm", "rmsproplstm", "scheduledrestartlstm",
)  # fmt: skip
COMPOSITIONS = ("stacked", "bidirectional")
MODELS = RECURRENCES + COMPOSITIONS


def parts(model: str, options: Options) -> dict[str, tuple[str, Options]]:
    """The models a composition is made of, and their options, under the prefixes of their names."""
    if model == "stacked":
        described = {str(k): layer for k, layer in enumerate(options["layers"])}
    else:
        described = {"forward": options["forward"], "backward": options["backward"]}
    return {
        prefix: (part["model"], {key: value for key, value in part.items() if key != "model"})
        for prefix, part in described.items()
    }


def input_size(model: str, options: Options) -> int:
    """I."""
    if model in COMPOSITIONS:
        return input_size(*next(iter(parts(model, options).values())))
    return int(options["input_size"])


def every_step(model: str, options: Options) -> bool:
    """Whether y has a time axis."""
    if model == "stacked":
        return every_step(*list(parts(model, options).values())[-1])
    return bool(options["readout"] == "all")


def features(model: str, options: Options) -> int:
    """Entries of h_t, or of both directions' outputs: what a readout sees."""
    if model == "bidirectional":
        return sum(output_width(*part) for part in parts(model, options).values())
    if model == "enrnn":
        return int(options["long_size"] + options["short_size"])
    if model == "scurnn":
        return 2 * int(options["hidden_size"])
    return int(options.get("projection_size") or options["hidden_size"])


def output_width(model: str, options: Options) -> int:
    """The last axis of y."""
    if model == "stacked":
        return output_width(*list(parts(model, options).values())[-1])
    return int(options["output_size"] or features(model, options))


def parameter_shapes(model: str, options: Options) -> Shapes:
    """Every parameter and its shape."""
    shapes: Shapes = {}
    if model in COMPOSITIONS:
        for prefix, part in parts(model, options).items():
            shapes |= {f"{prefix}.{name}": shape for name, shape in parameter_shapes(*part).items()}
        if model == "stacked":
            return shapes
    else:
        shapes |= _recurrence_shapes(model, options)
    if options["output_size"] is not None:
        shapes |= {
            "readout": (options["output_size"], features(model, options)),
            "readout_bias": (options["output_size"],),
        }
    return shapes


def state_widths(model: str, options: Options) -> dict[str, int]:
    """Every state and the length of its vectors, the one that goes out first."""
    if model in COMPOSITIONS:
        return {
            f"{prefix}.{name}": width
            for prefix, part in parts(model, options).items()
            for name, width in state_widths(*part).items()
        }
    widths = {"h": features(model, options)}
    if "lstm" in model:
        n = int(options["hidden_size"])
        widths["c"] = n
        if model == "scheduledrestartlstm":
            widths |= {"iterate": 4 * n, "phase": n} if options["form"] == "A" else {"v": 4 * n, "phase": 4 * n}
        elif model != "lstm":
            widths["v"] = 4 * n
        if model in ("adamlstm", "rmsproplstm"):
            widths["s"] = 4 * n
    elif model == "momentumrnn":
        widths["v"] = int(options["hidden_size"])
    return widths


def gates(model: str) -> int:
    """Blocks of rows in ``input`` and ``recurrent``."""
    return 4 if "lstm" in model else 3 if model == "gru" else 1


def _recurrence_shapes(model: str, options: Options) -> Shapes:
    n, g = int(options.get("hidden_size", 0)), gates(model)
    triangle = n * (n - 1) // 2
    width = features(model, options)
    shapes: Shapes
    match model:
        case "enrnn":
            long, short = int(options["long_size"]), int(options["short_size"])
            shapes, n = {"skew": (long * (long - 1) // 2,), "short": (short, short)}, width
            if options["coupled"]:
                shapes["coupling"] = (long, short)
        case "scornn" | "exprnn":
            shapes = {"skew": (triangle,)}
        case "scurnn":
            shapes = {"skew_real": (triangle,), "skew_imag": (triangle + n,), "phase": (n,)}
        case "nnrnn":
            lower = len(free_below_diagonal(n, options["mask"]))
            shapes = {"skew": (triangle,), "angle": (n // 2,), "modulus": (n // 2,), "lower": (lower,)}
        case _ if model in RECURRENCES:
            shapes = {"recurrent": (g * n, width)}
        case _:
            raise OptionError(f"model is {model!r}; expected one of {', '.join(MODELS)}.")
    shapes |= {"input": (width if model == "scurnn" else g * n, options["input_size"]), "bias": (g * n,)}
    if options.get("recurrent_bias") or (model == "gru" and options["reset"] == "after"):
        shapes["recurrent_bias"] = (g * n,)
    if options.get("peephole"):
        shapes["peephole"] = (3, n)
    if options.get("projection_size"):
        shapes["projection"] = (options["projection_size"], n)
    if model == "scurnn":
        shapes["initial_state"] = (width,)
    return shapes
