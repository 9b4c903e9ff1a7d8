"""Which mistake explains the numbers: all of the catalogue is tried, one by one and then two at a time."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import Array, Arrays, array_dict, float_array, float_dtype
from enrnn_ref.errors import EnrnnError, ParameterError, ShapeError
from enrnn_ref.linalg.threads import single_threaded_blas
from enrnn_ref.models.base import Model
from enrnn_ref.verify.diagnosis.catalogue import CATALOGUE
from enrnn_ref.verify.diagnosis.closeness import Yardstick, responses
from enrnn_ref.verify.diagnosis.compositions import build, paths
from enrnn_ref.verify.diagnosis.mistake import Made, Mistake, made_in

NAMED = 3
"""How many mistakes that give the same numbers are named."""

PAIRED_STEPS = 12_000
"""How many time steps of small models the search for pairs may run; it ends there, after a few seconds."""


@dataclass(frozen=True)
class Explanation:
    """One or two mistakes that explain numbers found elsewhere.

    Attributes
    ----------
    sentence : str
        For a report.
    mistakes : tuple of Mistake
        One or two.
    arrays : tuple of str
        The wrong arrays that are explained.
    unexplained : tuple of str
        The wrong arrays that are not; empty for a full explanation, which holds for every array that was found, the
        right ones included.
    """

    sentence: str
    mistakes: tuple[Mistake, ...]
    arrays: tuple[str, ...]
    unexplained: tuple[str, ...] = ()

    @property
    def full(self) -> bool:
        """Whether every array is explained."""
        return not self.unexplained


@single_threaded_blas()
def diagnose(
    model: Model,
    params: Mapping[str, Array],
    x: Array,
    state: Mapping[str, Array] | None,
    dy: Array,
    dstate: Mapping[str, Array] | None,
    found: Mapping[str, Array],
    *,
    dtype: npt.DTypeLike = np.float64,
) -> tuple[Explanation, ...]:
    """The mistakes of the catalogue that turn the reference's numbers into those that were found.

    Parameters
    ----------
    model : Model
        A Recurrence, or a Stacked or Bidirectional of such: what the other implementation is meant to be.
    params, x, state, dy, dstate : as for ``model.forward`` and ``model.backward``
        The point, float32 or float64.
    found : dict of ndarray
        The other implementation's arrays, any of ``y``, ``h`` (T+1, B, W), ``final h`` and the other final states, and
        the gradients: under a parameter's own name, ``x``, ``state h`` and the other initial states.
    dtype : dtype
        What they were computed in, float32 or float64.

    Returns
    -------
    tuple of Explanation
        The best first. Up to three single mistakes that explain every array: if there are several, they give the same
        numbers at this point. Only if there is none, a pair of mistakes that does; only if there is none, single
        mistakes that explain some of the wrong arrays and contradict no right one. Empty if all arrays are right, if
        nothing in the catalogue explains any, or if an array is not finite.

    Raises
    ------
    OptionError
        The model is of another kind.
    ParameterError, ShapeError, DtypeError, NotFiniteError
        The argument named in the message is not as described.
    DegenerateEigenvalueError
        The model has no gradient here.
    """
    kind = float_dtype(dtype)
    point = _Point(
        model,
        _wide(array_dict("params", params, model.shapes)),
        float_array("x", x).astype(np.float64),
        _wide(state or {}),
        np.asarray(dy, np.float64),
        _wide(dstate or {}),
    )
    inquiry = _Inquiry(point, found, kind)
    if not inquiry.wrong or not inquiry.finite:
        return ()
    return tuple(itertools.islice(inquiry.singles(), NAMED)) or inquiry.pairs() or inquiry.parts()


@dataclass(frozen=True)
class _Point:
    """A model and everything its passes take, in float64."""

    model: Model
    params: Arrays
    x: Array
    state: Arrays
    dy: Array
    dstate: Arrays

    def arguments(self) -> Arrays:
        """Everything that is subject to rounding."""
        return {
            **{f"params {name}": array for name, array in self.params.items()},
            "x": self.x,
            **{f"state {name}": array for name, array in self.state.items()},
            "dy": self.dy,
            **{f"dstate {name}": array for name, array in self.dstate.items()},
        }

    def at(self, arguments: Arrays) -> _Point:
        """The same with other arguments."""
        parts = {
            key: {name: arguments[f"{key} {name}"] for name in getattr(self, key)}
            for key in ("params", "state", "dstate")
        }
        return _Point(self.model, parts["params"], arguments["x"], parts["state"], arguments["dy"], parts["dstate"])


class _Candidate:
    """A program with mistakes: its arrays, computed when they are first looked at."""

    def __init__(self, inquiry: _Inquiry, made: tuple[Made, ...]) -> None:
        self.inquiry, self.made = inquiry, made
        self.changes_outputs = any(one.changes_outputs for one in made)

    @functools.cached_property
    def _program(self) -> Any:
        point = self.inquiry.point
        everywhere = {path for made in self.made for path in made.places}
        places = {path: [made.places[path] for made in self.made if path in made.places] for path in everywhere}
        return build(point.model, point.params, places)

    @functools.cached_property
    def _tape(self) -> Any:
        point = self.inquiry.point
        return self._program.forward(point.x, point.state) if self.changes_outputs else self.inquiry.tape

    @functools.cached_property
    def outputs(self) -> Arrays:
        """Those outputs that were found; empty where the program does not run."""
        if not self.changes_outputs:
            return self.inquiry.outputs
        with np.errstate(all="ignore"):
            try:
                return self.inquiry.asked(self._tape.outputs())
            except (EnrnnError, np.linalg.LinAlgError):
                return {name: np.full_like(array, np.nan) for name, array in self.inquiry.outputs.items()}

    @functools.cached_property
    def arrays(self) -> Arrays:
        """All arrays that were found."""
        point = self.inquiry.point
        if not self.inquiry.gradients:
            return self.outputs
        with np.errstate(all="ignore"):
            try:
                grads = self._program.gradients(self._tape, point.x, point.dy, point.dstate)
            except (EnrnnError, np.linalg.LinAlgError):
                grads = {name: np.full_like(array, np.nan) for name, array in self.inquiry.gradients.items()}
        return {**self.outputs, **self.inquiry.asked(grads)}

    @functools.cached_property
    def changed(self) -> frozenset[str]:
        """Where the mistakes show."""
        yardstick = self.inquiry.yardstick
        return frozenset(name for name, array in self.arrays.items() if yardstick.differs(name, array))

    @functools.cached_property
    def explained(self) -> frozenset[str]:
        """Where the numbers that were found are this program's."""
        return frozenset(name for name in self.arrays if self.equals(name))

    def equals(self, name: str) -> bool:
        """Whether an array that was found is this program's."""
        found = self.inquiry.found[name]
        mistaken = self.outputs[name] if name in self.outputs else self.arrays[name]
        return self.inquiry.yardstick.equals(name, found, mistaken)

    def explains_outputs(self) -> bool:
        """Whether the outputs that were found are this program's."""
        return all(self.equals(name) for name in self.outputs)

    def explains_all(self) -> bool:
        """Whether all that was found is this program's, and not the right one's."""
        return self.explains_outputs() and all(self.equals(name) for name in self.arrays) and bool(self.changed)


class _Inquiry:
    """The numbers that were found beside the right ones, and the mistakes that may explain them."""

    def __init__(self, point: _Point, found: Mapping[str, Array], dtype: np.dtype[Any]) -> None:
        self.point = point
        program = build(point.model, point.params, {})
        self.tape = program.forward(point.x, point.state)
        grads = program.gradients(self.tape, point.x, point.dy, point.dstate)
        right = {**self.tape.outputs(), **grads}
        self.found = _checked(found, right)
        self.outputs, self.gradients = self.asked(self.tape.outputs()), self.asked(grads)

        def moved(arguments: Arrays) -> Arrays:
            other = point.at(arguments)
            program = build(other.model, other.params, {})
            tape = program.forward(other.x, other.state)
            return self.asked({**tape.outputs(), **program.gradients(tape, other.x, other.dy, other.dstate)})

        self.yardstick = Yardstick(point.model, self.asked(right), responses(moved, point.arguments(), dtype), dtype)
        self.finite = all(np.isfinite(array).all() for array in self.found.values())
        self.wrong = frozenset(name for name, array in self.found.items() if not self.yardstick.is_right(name, array))

    def asked(self, arrays: Arrays) -> Arrays:
        """Those of the arrays that were found elsewhere too."""
        return {name: arrays[name] for name in self.found if name in arrays}

    @functools.cached_property
    def candidates(self) -> list[_Candidate]:
        """Every mistake of the catalogue in every variant that the model has a place for, in order of preference."""
        steps, batch, _ = self.point.x.shape
        parts = paths(self.point.model)
        return [_Candidate(self, (made,)) for mistake in CATALOGUE for made in made_in(mistake, parts, steps, batch)]

    @property
    def outputs_wrong(self) -> bool:
        """Whether the mistake is to be looked for in the forward pass."""
        return bool(self.wrong & self.outputs.keys())

    def singles(self) -> Iterator[Explanation]:
        """Mistakes that explain everything, each once."""
        told = set()
        for candidate in self.candidates:
            name = candidate.made[0].mistake.name
            if name not in told and candidate.changes_outputs >= self.outputs_wrong and candidate.explains_all():
                told.add(name)
                yield self._explanation(candidate)

    def pairs(self) -> tuple[Explanation, ...]:
        """The first pair of mistakes that explains everything."""
        for one, other in itertools.islice(self._promising(), max(1, PAIRED_STEPS // self._cost())):
            both = _Candidate(self, (*one.made, *other.made))
            if both.explains_all():
                return (self._explanation(both),)
        return ()

    def parts(self) -> tuple[Explanation, ...]:
        """Mistakes that explain some of the wrong arrays, as many as possible, and contradict no right one."""
        best: list[_Candidate] = []
        for candidate in self.candidates:
            if self.outputs_wrong and not (candidate.changes_outputs and candidate.explains_outputs()):
                continue
            gain = candidate.explained & candidate.changed & self.wrong
            if not gain or candidate.changed - self.wrong:
                continue
            known = best[0].explained & best[0].changed & self.wrong if best else frozenset()
            if len(gain) > len(known):
                best = [candidate]
            elif len(gain) == len(known) and candidate.made[0].mistake not in [c.made[0].mistake for c in best]:
                best.append(candidate)
        return tuple(self._explanation(candidate) for candidate in best[:NAMED])

    def _promising(self) -> Iterator[tuple[_Candidate, _Candidate]]:
        """Pairs that may explain everything, by what each does alone; first those that need not act together.

        Where only one of the two shows, the numbers must be that one's; where none does, they must be right. Two
        mistakes that cancel where both show are not looked for.
        """
        usable = [c for c in self.candidates if c.made[0].paired]
        explaining = [c for c in usable if c.changes_outputs >= self.outputs_wrong and c.explains_outputs()]
        pool: Iterable[tuple[_Candidate, _Candidate]]
        if not self.outputs_wrong:
            pool = itertools.combinations(self._distinct([c for c in explaining if c.changed <= self.wrong]), 2)
        elif explaining:
            backward = self._distinct([c for c in usable if not c.changes_outputs and c.changed <= self.wrong])
            pool = itertools.product(explaining, backward)
        else:
            forward = self._distinct([c for c in usable if c.changes_outputs], of_outputs=True)
            yield from filter(_of_two_mistakes, itertools.combinations(forward, 2))
            return
        fitting = [pair for pair in filter(_of_two_mistakes, pool) if self._fit(*pair)]
        yield from sorted(fitting, key=lambda pair: not self.wrong <= pair[0].explained | pair[1].explained)

    def _fit(self, one: _Candidate, other: _Candidate) -> bool:
        """Whether the wrong arrays are those in which the two show, and where one shows alone its numbers are found."""
        alone, alone_too = one.changed - other.changed, other.changed - one.changed
        return self.wrong <= one.changed | other.changed and alone <= one.explained and alone_too <= other.explained

    def _distinct(self, candidates: list[_Candidate], *, of_outputs: bool = False) -> list[_Candidate]:
        """Those that show at this point, and of those that give the same numbers the first."""
        seen: set[tuple[bytes, ...]] = set()
        kept = []
        for candidate in candidates:
            arrays = candidate.outputs if of_outputs else candidate.arrays
            if not any(self.yardstick.differs(name, array) for name, array in arrays.items()):
                continue
            print_ = tuple(np.array([f"{size:.6e}" for size in _sketch(array)]).tobytes() for array in arrays.values())
            if print_ not in seen:
                seen.add(print_)
                kept.append(candidate)
        return kept

    def _cost(self) -> int:
        """Time steps of a small model that one pair takes."""
        steps, batch, _ = self.point.x.shape
        entries = sum(array.size for array in self.point.params.values())
        return max(1, int(steps * (1 + batch * entries / 50_000)))

    def _explanation(self, candidate: _Candidate) -> Explanation:
        shown = candidate.explained & candidate.changed & self.wrong
        arrays = tuple(name for name in self.found if name in shown)
        rest = tuple(name for name in self.found if name in self.wrong and name not in candidate.explained)
        titles = " and with ".join(made.title for made in candidate.made)
        verb = "equals" if len(arrays) == 1 else "equal"
        sentence = f"your {_listed(arrays)} {verb} the reference with {titles}"
        if rest:
            sentence += f"; {_listed(rest)} {'remains' if len(rest) == 1 else 'remain'} unexplained"
        return Explanation(sentence, tuple(made.mistake for made in candidate.made), arrays, rest)


def _of_two_mistakes(pair: tuple[_Candidate, _Candidate]) -> bool:
    return pair[0].made[0].mistake is not pair[1].made[0].mistake


def _sketch(array: Array) -> Array:
    """Two numbers that tell arrays apart."""
    flat = array.ravel()
    weights = np.cos(np.arange(flat.size))
    return np.array([np.abs(flat).max(initial=0.0), float(np.dot(flat, weights))])


def _listed(names: tuple[str, ...]) -> str:
    """Names of arrays in a sentence: ``y, d input and d x``."""
    outputs = ("y", "h")
    words = [name if name in outputs or name.startswith("final ") else f"d {name}" for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _wide(arrays: Mapping[str, Array]) -> Arrays:
    return {name: np.asarray(array, np.float64) for name, array in arrays.items()}


def _checked(found: Mapping[str, Array], right: Arrays) -> Arrays:
    """The arrays that were found, in float64, in the order of the right ones.

    Raises
    ------
    ParameterError, ShapeError
        A name that is none of the model's, or another shape.
    """
    unknown = [name for name in found if name not in right]
    if unknown:
        raise ParameterError(f"found has the names {unknown}; expected some of {list(right)}.")
    checked = {}
    for name, array in right.items():
        if name in found:
            checked[name] = np.asarray(found[name], np.float64)
            if checked[name].shape != array.shape:
                raise ShapeError(f"found[{name!r}] has shape {checked[name].shape}; expected {array.shape}.")
    return checked
