"""The forward pass of every model, in scalars, sequence by sequence and step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from enrnn_ref.verify.vectors.oracle import cells, layout, linear, matrices
from enrnn_ref.verify.vectors.oracle.linear import Matrix
from enrnn_ref.verify.vectors.oracle.tape import Number, Tape, sigmoid, tanh

Options = Mapping[str, Any]
Params = Mapping[str, Any]
Numbers = list[Number]
State = dict[str, Numbers]
Step = Callable[[Numbers, State], State]
Sequences = list[list[Numbers]]


@dataclass(frozen=True)
class Outcome:
    """What a model returns.

    Attributes
    ----------
    y : list of vectors, by step (one step with readout "last") and sequence
    h : list of vectors, by step and sequence, the initial state first; None for a composition
    state : dict of lists of vectors, by sequence
    """

    y: Sequences
    h: Sequences | None
    state: dict[str, list[Numbers]]


def run(
    tape: Tape, model: str, options: Options, params: Params, x: Sequences, state: dict[str, list[Numbers]]
) -> Outcome:
    """The model over x, by step and sequence; without a ``state`` from its default one.

    Parameters are vectors, and lists of rows where the shape has two axes.
    """
    if model == "stacked":
        return _stacked(tape, options, params, x, state)
    if model == "bidirectional":
        return _bidirectional(tape, options, params, x, state)
    batch = len(x[0])
    if not state:
        state = _default_state(tape, model, options, params, batch)
    step = STEPS[model](tape, options, params)
    held = [{name: vectors[b] for name, vectors in state.items()} for b in range(batch)]
    h = [[held[b]["h"] for b in range(batch)]]
    for inputs in x:
        held = [step(inputs[b], held[b]) for b in range(batch)]
        h.append([held[b]["h"] for b in range(batch)])
    final = {name: [held[b][name] for b in range(batch)] for name in state}
    seen = h[1:] if options["readout"] == "all" else h[-1:]
    return Outcome(_read_out(tape, params, seen), h, final)


def _stacked(tape: Tape, options: Options, params: Params, x: Sequences, state: dict[str, list[Numbers]]) -> Outcome:
    """The output of one layer is the input of the next."""
    final: dict[str, list[Numbers]] = {}
    for prefix, (model, own) in layout.parts("stacked", options).items():
        outcome = run(tape, model, own, _taken(params, prefix), x, _taken(state, prefix))
        x = outcome.y
        final |= {f"{prefix}.{name}": vectors for name, vectors in outcome.state.items()}
    return Outcome(x, None, final)


def _bidirectional(
    tape: Tape, options: Options, params: Params, x: Sequences, state: dict[str, list[Numbers]]
) -> Outcome:
    """[forward_t ; backward_t], the backward part fed from the end and put back in order; "last" is what each has
    after reading all of the sequence."""
    outcomes = {
        prefix: run(tape, model, own, _taken(params, prefix), _directed(prefix, x), _taken(state, prefix))
        for prefix, (model, own) in layout.parts("bidirectional", options).items()
    }
    ahead, back = outcomes["forward"].y, outcomes["backward"].y
    if options["readout"] == "last":
        joined = [[f + g for f, g in zip(ahead[-1], back[-1], strict=True)]]
    else:
        joined = [[f + g for f, g in zip(p, q, strict=True)] for p, q in zip(ahead, reversed(back), strict=True)]
    final = {f"{prefix}.{name}": part for prefix, run in outcomes.items() for name, part in run.state.items()}
    return Outcome(_read_out(tape, params, joined), None, final)


def _directed(prefix: str, x: Sequences) -> Sequences:
    return x[::-1] if prefix == "backward" else x


def _taken(entries: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """What belongs to one part, under the part's own names."""
    return {name.removeprefix(f"{prefix}."): value for name, value in entries.items() if name.startswith(f"{prefix}.")}


def _default_state(tape: Tape, model: str, options: Options, params: Params, batch: int) -> dict[str, list[Numbers]]:
    """Zeros; for a scuRNN its trained initial state in every sequence."""
    state = {
        name: [[tape.constant(0)] * width for _ in range(batch)]
        for name, width in layout.state_widths(model, options).items()
    }
    return state | ({"h": [params["initial_state"]] * batch} if model == "scurnn" else {})


def _read_out(tape: Tape, params: Params, seen: Sequences) -> Sequences:
    """V f + c for every vector f, or f itself."""
    if "readout" not in params:
        return seen
    return [[_affine(tape, params["readout"], f, params["readout_bias"]) for f in vectors] for vectors in seen]


def _affine(tape: Tape, matrix: Matrix, x: Numbers, bias: Numbers) -> Numbers:
    return [y + b for y, b in zip(linear.apply(tape, matrix, x), bias, strict=True)]


def _sum(a: Numbers, b: Numbers) -> Numbers:
    return [x + y for x, y in zip(a, b, strict=True)]


def _split(z: Numbers, count: int) -> list[Numbers]:
    """z in ``count`` equal blocks."""
    n = len(z) // count
    return [z[k * n : (k + 1) * n] for k in range(count)]


# One step of every model. The recurrent matrix is made once, when the step is.


def _simple(matrix: Callable[[Tape, Options, Params], Matrix], tape: Tape, options: Options, params: Params) -> Step:
    """h' = f(R h + U x + b), or modReLU(R h + U x; b)."""
    r, name = matrix(tape, options, params), options.get("activation", "modrelu")

    def step(x: Numbers, state: State) -> State:
        drive = linear.apply(tape, params["input"], x)
        if name != "modrelu":
            drive = _sum(drive, params["bias"])
        z = _sum(drive, linear.apply(tape, r, state["h"]))
        return {"h": cells.activation(name, z, params["bias"])}

    return step


def _free(tape: Tape, options: Options, params: Params) -> Matrix:
    matrix: Matrix = params["recurrent"]
    return matrix


def _scornn_matrix(tape: Tape, options: Options, params: Params) -> Matrix:
    return matrices.scaled_cayley(tape, params["skew"], options["hidden_size"], options["negative_ones"])


def _scurnn(tape: Tape, options: Options, params: Params) -> Step:
    r, n = matrices.unitary_cayley(tape, options, params), options["hidden_size"]
    smoothing = 1e-5 if options["modulus"] == "released" else 0.0

    def step(x: Numbers, state: State) -> State:
        z = _sum(linear.apply(tape, params["input"], x), linear.apply(tape, r, state["h"]))
        pairs = [cells.complex_modrelu(z[k], z[n + k], params["bias"][k], smoothing) for k in range(n)]
        return {"h": [real for real, _ in pairs] + [imag for _, imag in pairs]}

    return step


def _lstm(tape: Tape, options: Options, params: Params) -> Step:
    def step(x: Numbers, state: State) -> State:
        drive = _affine(tape, params["input"], x, params["bias"])
        z = _sum(drive, linear.apply(tape, params["recurrent"], state["h"]))
        m, c = cells.lstm(_split(z, 4), state["c"], params.get("peephole"))
        return {"h": linear.apply(tape, params["projection"], m) if "projection" in params else m, "c": c}

    return step


def _gru(tape: Tape, options: Options, params: Params) -> Step:
    n = options["hidden_size"]

    def step(x: Numbers, state: State) -> State:
        a_r, a_z, a_n = _split(_affine(tape, params["input"], x, params["bias"]), 3)
        h = state["h"]
        if options["reset"] == "after":
            p_r, p_z, p_n = _split(_affine(tape, params["recurrent"], h, params["recurrent_bias"]), 3)
            r = [sigmoid(a + p) for a, p in zip(a_r, p_r, strict=True)]
            candidate = [tanh(a + gate * p) for a, gate, p in zip(a_n, r, p_n, strict=True)]
        else:
            p_r, p_z = _split(linear.apply(tape, params["recurrent"][: 2 * n], h), 2)
            r = [sigmoid(a + p) for a, p in zip(a_r, p_r, strict=True)]
            kept = [gate * old for gate, old in zip(r, h, strict=True)]
            p_n = linear.apply(tape, params["recurrent"][2 * n :], kept)
            candidate = [tanh(a + p) for a, p in zip(a_n, p_n, strict=True)]
        return {"h": cells.gru_mix(_sum(a_z, p_z), candidate, h)}

    return step


def _recurrent_part(tape: Tape, params: Params, h: Numbers) -> Numbers:
    """R h, with the recurrent bias if there is one."""
    r = linear.apply(tape, params["recurrent"], h)
    return _sum(r, params["recurrent_bias"]) if "recurrent_bias" in params else r


def _momentum_rnn(tape: Tape, options: Options, params: Params) -> Step:
    name = options["activation"]

    def step(x: Numbers, state: State) -> State:
        drive = linear.apply(tape, params["input"], x)
        if name != "modrelu":
            drive = _sum(drive, params["bias"])
        v = cells.momentum(drive, state["v"], [tape.given(options["momentum"])] * len(drive), options["step"])
        z = _sum(v, _recurrent_part(tape, params, state["h"]))
        return {"h": cells.activation(name, z, params["bias"]), "v": v}

    return step


def _filtered_lstm(tape: Tape, options: Options, params: Params) -> Step:
    """An LSTM whose drive goes through momentum first."""

    def step(x: Numbers, state: State) -> State:
        drive = _affine(tape, params["input"], x, params["bias"])
        filtered, moments = _filtered(tape, options, drive, state)
        z = _sum(filtered, _recurrent_part(tape, params, state["h"]))
        h, c = cells.lstm(_split(z, 4), state["c"])
        return {"h": h, "c": c, **moments}

    return step


def _filtered(tape: Tape, options: Options, drive: Numbers, state: State) -> tuple[Numbers, State]:
    """The filter's output and its new states."""
    if "s" in state:
        out, v, s = cells.adaptive_momentum(
            drive, state["v"], state["s"], options.get("momentum", 0.0), options["step"], options["decay"]
        )
        return out, {"v": v, "s": s}
    if "phase" in state:
        scheduled = [cells.schedule(phase, options["restart"]) for phase in state["phase"]]
        v = cells.momentum(drive, state["v"], [factor for factor, _ in scheduled], options["step"])
        return v, {"v": v, "phase": [phase for _, phase in scheduled]}
    v = cells.momentum(drive, state["v"], [tape.given(options["momentum"])] * len(drive), options["step"])
    return v, {"v": v}


def _restarted_lstm(tape: Tape, options: Options, params: Params) -> Step:
    """Form A: y = r − ε u, a = y + m (y − y_old), and a are the pre-activations; form B: a filter of the drive."""
    if options["form"] == "B":
        return _filtered_lstm(tape, options, params)

    def step(x: Numbers, state: State) -> State:
        u, r = _affine(tape, params["input"], x, params["bias"]), _recurrent_part(tape, params, state["h"])
        eps = tape.given(options["step"])
        y = [recurrent - eps * drive for recurrent, drive in zip(r, u, strict=True)]
        scheduled = [cells.schedule(phase, options["restart"]) for phase in state["phase"]]
        factors = [factor for factor, _ in scheduled] * 4
        z = [new + m * (new - old) for new, m, old in zip(y, factors, state["iterate"], strict=True)]
        h, c = cells.lstm(_split(z, 4), state["c"])
        return {"h": h, "c": c, "iterate": y, "phase": [phase for _, phase in scheduled]}

    return step


def _with(matrix: Callable[[Tape, Options, Params], Matrix]) -> Callable[[Tape, Options, Params], Step]:
    return lambda tape, options, params: _simple(matrix, tape, options, params)


STEPS: dict[str, Callable[[Tape, Options, Params], Step]] = {
    "enrnn": _with(matrices.coupled_blocks),
    "rnn": _with(_free),
    "scornn": _with(_scornn_matrix),
    "scurnn": _scurnn,
    "exprnn": _with(matrices.exponential_orthogonal),
    "nnrnn": _with(matrices.schur),
    "lstm": _lstm,
    "gru": _gru,
    "momentumrnn": _momentum_rnn,
    "momentumlstm": _filtered_lstm,
    "adamlstm": _filtered_lstm,
    "rmsproplstm": _filtered_lstm,
    "scheduledrestartlstm": _restarted_lstm,
}
