"""Arrays found elsewhere beside those of a model of ours at the same point.

Two right programs differ by what rounding makes of one mathematics, and that is measured, entry by entry, for this
point: the reference runs in float64 with all its inputs and operations disturbed by the unit roundoff of the found
arrays (:mod:`~enrnn_ref.verify.disturbance`). No tolerance is a constant, and none is made for an array as a whole: the
gradient of an early time step, or of a quiet unit, is judged by its own size however small that is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays, float_array, float_dtype, require_shape
from enrnn_ref.errors import OptionError, ParameterError
from enrnn_ref.linalg.threads import single_threaded_blas
from enrnn_ref.models import Model
from enrnn_ref.verify import conditioning
from enrnn_ref.verify.disturbance import Disturbance
from enrnn_ref.verify.report import Entry, Report, Row
from enrnn_ref.verify.sample import gradient_arrays
from enrnn_ref.verify.verdicts import Verdict

SAMPLES = 16
"""Of disturbed runs. With so many, no entry of 10⁵ is undisturbed by chance in all of them."""

ORDERS = 0.25
"""√N · ORDERS is how many times the error of a sum of N terms grows when they are added one after the other instead of
in blocks: a random walk of N roundings, each a quarter of the disturbance (±1/2 unit uniformly against a whole one)."""

OUTLIER = 64.0
"""Disturbed runs that move an array this many times more than the calmest quarter of them crossed a kink: they say
nothing about rounding on this side of it."""

NEIGHBOURHOOD = 64.0
"""How far around the point a kink is looked for, in units of rounding."""

WORST = 5
"""Entries that a row lists."""


@single_threaded_blas()
def agreement(
    reference: Model,
    params: Mapping[str, Array],
    x: Array,
    state: Mapping[str, Array],
    dy: Array,
    dstate: Mapping[str, Array],
    found: Mapping[str, Array],
    *,
    title: str,
    backend: str = "cpu",
    names: Mapping[str, str] | None = None,
    buffers: Mapping[str, Array] | None = None,
) -> Report:
    """Compare arrays that another program computed with those of ``reference``.

    Parameters
    ----------
    reference : Model
        A model of this package, a composition too.
    params, x, state : dict of ndarray, ndarray (T, B, I), dict of ndarray (B, width)
        The point. The dtype of ``x``, float32 or float64, is that of the found arrays.
    dy, dstate : ndarray, dict of ndarray
        Cotangents on ``run.y`` and on the final state; missing keys of ``dstate`` count as zero.
    found : dict of ndarray
        Any of: ``y``; ``h`` (T+1, B, n); ``final h``, … the final state; a parameter's own name: its gradient; ``x``;
        ``state h``, … the gradients of the initial state.
    title : str
        Of the report.
    backend : str
        Of the reference.
    names : dict of str to str, optional
        Where a key of ``found`` is another program's name: which of the above it is. Several may be the same one (two
        biases that only add up).
    buffers : dict of ndarray, optional
        The untrained state of the reference's parametrization.

    Returns
    -------
    Report
        A row for each found array, forward arrays first; if one is wrong, a diagnosis too. At a kink, where two right
        programs may stand on different sides, a value between the sides found nearby passes as KINK.

    Raises
    ------
    ParameterError
        A found array is none that the reference has.
    EnrnnError
        The reference refuses the point.
    """
    if not isinstance(reference, Model):
        raise OptionError(f"reference is a {type(reference).__name__}; expected a model of enrnn_ref.")
    point = _Point(_proceeding(reference), dict(params), x, dict(state), dy, dict(dstate), buffers, backend)
    aliases = dict(names or {})
    truth = point.arrays()
    ours = {label: aliases.get(label, label) for label in found}
    unknown = [label for label, name in ours.items() if name not in truth]
    if unknown:
        raise ParameterError(f"found has {unknown}; expected some of {list(truth)}.")

    dtype = float_dtype(np.asarray(x).dtype)
    spread = _spread(point, truth, dtype)
    judge = _Judge(point, truth, spread, dtype)
    forward = [label for label, name in ours.items() if point.is_forward(name)]
    order = [*forward, *(label for label in ours if label not in forward)]
    rows = tuple(judge.row(label, ours[label], found[label]) for label in order)
    settings: dict[str, Any] = {
        "reference": type(reference).__name__,
        "dtype": str(dtype),
        "steps": point.x.shape[0],
        "batch": point.x.shape[1],
    }
    return Report(title, rows, settings, _diagnosis(point, rows, ours, found, str(dtype)))


@dataclass(frozen=True)
class _Point:
    """The reference at a point, in float64."""

    model: Model
    params: Arrays
    x: Array
    state: Arrays
    dy: Array
    dstate: Arrays
    buffers: Mapping[str, Array] | None
    backend: str

    def arrays(self) -> Arrays:
        """Everything a found array may be compared with, in float64."""
        params, state = _wide("params", self.params), _wide("state", self.state)
        x = _wide("x", {"": self.x})[""]
        require_shape("x", x, (None, None, self.model.input_size), "(time, batch, input_size)")
        cotangents = _wide("dy", {"": self.dy})[""], _wide("dstate", self.dstate)
        return _everything(self.model, params, x, state, *cotangents, self.buffers, self.backend)

    def disturbed(self, disturbance: Disturbance) -> Arrays:
        """The same with inputs and operations disturbed."""
        inputs = [disturbance.arrays(_wide("", arrays)) for arrays in (self.params, self.state, self.dstate)]
        x, dy = (disturbance.entries(array.astype(np.float64)) for array in (self.x, self.dy))
        model = disturbance.model(self.model)
        return _everything(model, inputs[0], x, inputs[1], dy, inputs[2], self.buffers, "reference")

    def nearby(self, disturbance: Disturbance) -> Arrays:
        """The same at a point nearby, zeros moved too, with undisturbed operations."""
        params, state = (
            {name: disturbance.norm(array) for name, array in _wide("", arrays).items()}
            for arrays in (self.params, self.state)
        )
        x = disturbance.norm(self.x.astype(np.float64))
        dy, dstate = self.dy.astype(np.float64), _wide("", self.dstate)
        return _everything(self.model, params, x, state, dy, dstate, self.buffers, "reference")

    def is_forward(self, name: str) -> bool:
        """Whether it is a value, and not a gradient."""
        return name in ("y", "h") or name.startswith("final ")

    def time_axis(self, name: str) -> int | None:
        """Which axis of an array is time."""
        return 0 if name in ("x", "h") or (name == "y" and self.model.readout == "all") else None

    @property
    def longest_sum(self) -> int:
        """N: over all steps and sequences, or along an axis of a parameter."""
        steps, batch, _ = self.x.shape
        return max(int(steps * batch), *(int(size) for array in self.params.values() for size in array.shape))


def _proceeding(model: Model) -> Model:
    """``model``, told to go on where its leading eigenvalue has no derivative, if it has such a setting."""
    config: dict[str, Any] = getattr(model, "config", dict)()
    if config.get("on_degenerate") != "raise":
        return model
    constructor: Any = type(model)
    twin: Model = constructor(**(config | {"on_degenerate": "proceed"}))
    return twin


def _everything(
    model: Model,
    params: Arrays,
    x: Array,
    state: Arrays,
    dy: Array,
    dstate: Arrays,
    buffers: Mapping[str, Array] | None,
    backend: str,
) -> Arrays:
    run = model.forward(params, x, state, buffers=buffers, backend=backend)
    arrays = {"y": run.y}
    if run.h is not None:
        arrays["h"] = run.h
    arrays |= {f"final {key}": array for key, array in run.state.items()}
    return arrays | gradient_arrays(model.backward(run, dy, dstate))


def _wide(name: str, arrays: Mapping[str, Array]) -> Arrays:
    return {
        key: float_array(f"{name}[{key!r}]" if key else name, array).astype(np.float64) for key, array in arrays.items()
    }


def _spread(point: _Point, truth: Arrays, dtype: np.dtype[Any]) -> Arrays:
    """How far disturbances of one unit in the last place move every entry."""
    rng = np.random.default_rng(0)
    samples = [point.disturbed(Disturbance(conditioning.unit(dtype), rng)) for _ in range(SAMPLES)]
    spread = {}
    for name, value in truth.items():
        moves = np.array([np.abs(sample[name] - value) for sample in samples])
        spread[name] = np.zeros(value.shape)
        for part in _slices(value, point.time_axis(name)):
            sizes = np.sqrt(np.mean(np.square(moves[:, *part]).reshape(SAMPLES, -1), axis=1))
            calm = sizes <= OUTLIER * np.quantile(sizes, 0.25)
            spread[name][part] = moves[calm][:, *part].max(axis=0)
    return spread


def _slices(array: Array, time_axis: int | None) -> Iterator[tuple[Any, ...]]:
    """The parts of an array that have a scale of their own: its time steps, or the whole."""
    if time_axis is None:
        yield (...,)
    else:
        yield from ((t,) for t in range(len(array)))


class _Judge:
    """The verdict on one found array at a time."""

    def __init__(self, point: _Point, truth: Arrays, spread: Arrays, dtype: np.dtype[Any]) -> None:
        self._point, self._truth, self._spread, self._dtype = point, truth, spread, dtype
        self._factor = conditioning.SAFETY * max(1.0, ORDERS * math.sqrt(point.longest_sum))
        self._sides: tuple[Arrays, Arrays] | None = None

    def row(self, label: str, name: str, given: object) -> Row:
        """The row of ``given``, which is called ``label`` there and ``name`` here."""
        group = "forward" if self._point.is_forward(name) else "gradient"
        told = "" if label == name else f"{name} here"
        expected, value = self._truth[name], np.asarray(given)
        if value.shape != expected.shape or value.dtype != self._dtype:
            detail = (
                f"shape {value.shape} and dtype {value.dtype}; expected {expected.shape} and {self._dtype}, as {name}"
            )
            return Row(label, group, Verdict.SHAPE, math.nan, math.nan, False, detail)
        if not np.isfinite(value).all():
            bad = np.argwhere(~np.isfinite(value))
            index = tuple(int(i) for i in bad[0])
            detail = _joined(told, f"{len(bad)} NaN or infinite value(s)")
            return Row(label, group, Verdict.NOT_FINITE, math.nan, math.nan, False, detail, index)
        if not value.size:
            return Row(label, group, Verdict.PASSED, 0.0, 0.0, True, "no entries")
        wide = value.astype(np.float64)
        own = conditioning.unit(self._dtype) * np.abs(expected) + float(np.finfo(self._dtype).tiny)
        tolerance = self._factor * np.maximum(self._spread[name], own)
        wrong = np.abs(wide - expected) > tolerance
        verdict, detail = Verdict.PASSED, ""
        if wrong.any():
            verdict, detail = Verdict.WRONG, self._what_differs(name, wide, wrong)
            sides = self._between(name, tolerance)
            if sides is not None and bool(((wide >= sides[0]) & (wide <= sides[1])).all()):
                verdict, detail = Verdict.KINK, f"{np.count_nonzero(wrong)} of {wrong.size} entries between two sides"
        elif self._undetermined(name):
            verdict, detail = Verdict.ILL_CONDITIONED, "rounding moves it by its own size"
        return self._finished(label, name, group, verdict, _joined(told, detail), wide, tolerance)

    def _what_differs(self, name: str, found: Array, wrong: Array) -> str:
        count = f"{np.count_nonzero(wrong)} of {wrong.size} entries differ"
        if not found.any():
            return f"{count}: zeros throughout"
        axis = self._point.time_axis(name)
        if axis is None:
            return count
        steps = np.flatnonzero(wrong.any(axis=tuple(k for k in range(wrong.ndim) if k != axis)))
        return f"{count}, at {len(steps)} of {wrong.shape[axis]} time steps, {steps[0]} to {steps[-1]}"

    def _undetermined(self, name: str) -> bool:
        value, spread = self._truth[name], self._spread[name]
        parts = _slices(value, self._point.time_axis(name))
        return any(conditioning.undetermined(value[part], spread[part]) for part in parts)

    def _between(self, name: str, tolerance: Array) -> tuple[Array, Array] | None:
        """The least and the greatest value nearby, widened by the tolerance."""
        if self._sides is None:
            rng = np.random.default_rng(1)
            unit = NEIGHBOURHOOD * conditioning.unit(self._dtype)
            samples = [self._truth, *(self._point.nearby(Disturbance(unit, rng)) for _ in range(SAMPLES))]
            stacked = {key: np.array([sample[key] for sample in samples]) for key in self._truth}
            self._sides = (
                {key: array.min(axis=0) for key, array in stacked.items()},
                {key: array.max(axis=0) for key, array in stacked.items()},
            )
        low, high = self._sides
        return low[name] - tolerance, high[name] + tolerance

    def _finished(
        self, label: str, name: str, group: str, verdict: Verdict, detail: str, found: Array, tolerance: Array
    ) -> Row:
        expected, axis = self._truth[name], self._point.time_axis(name)
        error = np.abs(found - expected)
        ratios = error / tolerance
        scale = np.maximum(np.abs(found), np.abs(expected))
        entries = [np.unravel_index(k, ratios.shape) for k in np.argsort(-ratios, axis=None, kind="stable")[:WORST]]
        worst = tuple(
            Entry(
                tuple(int(i) for i in index),
                float(found[index]),
                float(expected[index]),
                float(tolerance[index]),
                float(self._spread[name][index]),
                None if axis is None else int(index[axis]),
            )
            for index in entries
            if error[index] > 0.0
        )
        first = entries[0]
        relative = float(scale[first]) or 1.0
        return Row(
            label,
            group,
            verdict,
            float(error[first]) / relative,
            float(tolerance[first]) / relative,
            verdict in (Verdict.PASSED, Verdict.KINK),
            detail,
            tuple(int(i) for i in first),
            float(found[first]),
            float(expected[first]),
            worst,
            ratios,
            axis,
        )


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _diagnosis(
    point: _Point, rows: tuple[Row, ...], ours: Mapping[str, str], found: Mapping[str, Array], dtype: str
) -> tuple[str, ...]:
    """Sentences on the mistakes that explain the found arrays, if one is wrong; a wrong array speaks for its name."""
    if all(row.verdict is not Verdict.WRONG for row in rows):
        return ()
    from enrnn_ref.verify import diagnosis  # noqa: PLC0415 (the catalogue is only needed here)

    usable = {Verdict.PASSED: 0, Verdict.KINK: 0, Verdict.ILL_CONDITIONED: 0, Verdict.WRONG: 1}
    ranked = sorted((row for row in rows if row.verdict in usable), key=lambda row: usable[row.verdict])
    arrays = {ours[row.name]: np.asarray(found[row.name]) for row in ranked}
    explanations = diagnosis.diagnose(
        point.model, point.params, point.x, point.state, point.dy, point.dstate, arrays, dtype=dtype
    )
    return tuple(explanation.sentence for explanation in explanations)
