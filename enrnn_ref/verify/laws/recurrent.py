"""Laws of any recurrent model, given as a Sample; each returns a row.

Tolerances are zero where the law is exact in floating point, and else what rounding makes of the two sides.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.verify import conditioning
from enrnn_ref.verify.laws.rows import exact
from enrnn_ref.verify.report import Row, worst_row
from enrnn_ref.verify.sample import Sample

ALONE = 8
"""How many sequences of a batch are tried against the others."""

RecurrentLaw = Callable[[Sample], Row]
"""A law of a recurrent model, at a sample of it."""


def causality(sample: Sample) -> Row:
    """State and output at t do not depend on later inputs, and a cotangent at t reaches no later input. Exact."""
    rng = np.random.default_rng([sample.seed, 3])
    steps = len(sample.x)
    t = (steps - 1) // 2
    future = sample.x.copy()
    future[t + 1 :] = rng.uniform(-1.0, 1.0, future[t + 1 :].shape)
    run, other = sample.run(), sample.run(x=future)
    pairs = {}
    if run.h is not None:
        pairs["h"] = (run.h[: t + 2], other.h[: t + 2])
    if sample.every_step:
        pairs["y"] = (run.y[: t + 1], other.y[: t + 1])
        dy = np.zeros_like(sample.dy)
        dy[t] = sample.dy[t]
        late = sample.model.backward(run, dy).x[t + 1 :]
        pairs["x"] = (late, np.zeros_like(late))
    return exact("causality", pairs)


def batch_independence(sample: Sample) -> Row:
    """A sequence does not see the others of its batch, forward or backward. Exact; needs a batch of two at least.

    Tried for every sequence, or for ``ALONE`` of them in a larger batch.
    """
    rng = np.random.default_rng([sample.seed, 4])
    pairs: dict[str, tuple[Array, Array]] = {}
    for kept in rng.permutation(sample.x.shape[1])[:ALONE]:
        pairs |= {f"{key} of sequence {kept}": pair for key, pair in _beside_others(sample, int(kept), rng).items()}
    return exact("batch independence", pairs)


def _beside_others(sample: Sample, kept: int, rng: np.random.Generator) -> dict[str, tuple[Array, Array]]:
    """What must be equal when one sequence keeps its input, state and cotangents, and the others do not."""
    others = np.arange(sample.x.shape[1]) != kept
    x = sample.x.copy()
    x[:, others] = rng.uniform(-1.0, 1.0, x[:, others].shape)
    state = {key: array.copy() for key, array in sample.state.items()}
    for array in state.values():
        array[others] = rng.uniform(-1.0, 1.0, array[others].shape)
    run, other = sample.run(), sample.run(x=x, state=state)
    dy, dstate = sample.dy.copy(), {key: array.copy() for key, array in sample.dstate.items()}
    dy[..., others, :] = 0.0
    for array in dstate.values():
        array[others] = 0.0
    grads = sample.model.backward(run, dy, dstate)
    pairs = {"y": (run.y[..., kept, :], other.y[..., kept, :])}
    if run.h is not None:
        pairs["h"] = (run.h[:, kept], other.h[:, kept])
    reached = {"x": grads.x[:, others], **{f"state {key}": array[others] for key, array in grads.state.items()}}
    return {**pairs, **{key: (g, np.zeros_like(g)) for key, g in reached.items()}}


def batch_permutation(sample: Sample) -> Row:
    """Permuting the sequences of a batch permutes y, states, dx and dstate, and leaves parameter gradients as they are.

    Up to rounding: the sums over the batch have another order, and a matrix product may treat its last rows apart.
    """
    rng = np.random.default_rng([sample.seed, 9])
    batch = sample.x.shape[1]
    order = rng.permutation(batch)
    moved = np.empty(batch, int)
    moved[order] = np.roll(order, 1)  # one cycle: no sequence stays where it was
    back = np.argsort(moved)
    state, dstate = ({key: array[moved] for key, array in given.items()} for given in (sample.state, sample.dstate))
    other = sample.at(x=sample.x[:, moved], state=state, dy=sample.dy[..., moved, :], dstate=dstate).everything()
    for key in other.keys() - sample.params.keys():
        other[key] = other[key][..., back, :]  # (…, B, n): everything that is no gradient of a parameter
    return _same_results("permutation of the batch", sample, other, rng, {})


def splitting(sample: Sample) -> Row:
    """T steps equal T₁ steps and then T₂ with the state carried; so do the gradients, carried back by ``dstate``."""
    rng = np.random.default_rng([sample.seed, 5])
    cut = max(1, len(sample.x) // 2)
    first = sample.run(x=sample.x[:cut])
    second = sample.run(x=sample.x[cut:], state=first.state, buffers=first.buffers)
    late = sample.model.backward(second, sample.dy[cut:] if sample.every_step else sample.dy, sample.dstate)
    early = sample.model.backward(first, sample.dy[:cut] if sample.every_step else np.zeros_like(sample.dy), late.state)
    joined = {"y": np.concatenate([first.y, second.y]) if sample.every_step else second.y}
    joined |= {f"final {key}": array for key, array in second.state.items()}
    joined |= {key: early.params[key] + late.params[key] for key in sample.params}
    joined |= {"x": np.concatenate([early.x, late.x])}
    joined |= {f"state {key}": array for key, array in early.state.items()}
    terms = {key: np.abs(early.params[key]) + np.abs(late.params[key]) for key in sample.params}
    return _same_results("splitting of time", sample, joined, rng, terms)


def backend_agreement(sample: Sample, reference: str = "reference") -> Row:
    """Values and gradients equal those of the readable backend, up to rounding."""
    rng = np.random.default_rng([sample.seed, 6])
    other = sample.at(backend=reference).everything()
    return _same_results(f"agreement with backend {reference}", sample, other, rng, {})


RECURRENT: tuple[RecurrentLaw, ...] = (
    causality,
    splitting,
    batch_independence,
    batch_permutation,
    backend_agreement,
)
"""All laws of a recurrent model, for ``pytest.mark.parametrize``."""


def fitting(sample: Sample) -> tuple[RecurrentLaw, ...]:
    """The laws of ``RECURRENT`` that this sample can show.

    Those of time need two steps and a model that is causal (``model.causal``, True where it is absent), those of the
    batch two sequences, that of the backends another one than the reference.
    """
    steps, batch, _ = sample.x.shape
    in_time = steps > 1 and getattr(sample.model, "causal", True)
    several = batch > 1
    other = sample.backend != "reference" and not getattr(sample.model, "one_backend", False)
    shown: dict[Callable[[Sample], Row], bool] = {
        causality: in_time,
        splitting: in_time,
        batch_independence: several,
        batch_permutation: several,
        backend_agreement: other,
    }
    return tuple(law for law in RECURRENT if shown[law])


def _same_results(name: str, sample: Sample, other: Arrays, rng: np.random.Generator, terms: Arrays) -> Row:
    """Compare ``other`` with the sample's values and gradients within what rounding does to them.

    ``terms`` are the magnitudes of sums that ``other`` formed itself.
    """
    cotangents = {"cotangent y": sample.dy, **{f"cotangent state {key}": array for key, array in sample.dstate.items()}}

    def evaluate(arrays: Arrays) -> Arrays:
        state = {key: arrays[f"state {key}"] for key in sample.state}
        dstate = {key: arrays[f"cotangent state {key}"] for key in sample.dstate}
        params = {key: arrays[key] for key in sample.params}
        dy = arrays["cotangent y"]
        return sample.at(params=params, x=arrays["x"], state=state, dy=dy, dstate=dstate).everything()

    arrays = {**sample.arrays(), **cotangents}
    base = evaluate(arrays)
    tolerances = conditioning.rounding(evaluate, arrays, base, rng).floor
    for key, magnitude in terms.items():
        tolerances[key] = tolerances[key] + conditioning.SAFETY * conditioning.unit(magnitude.dtype) * magnitude
    errors = {key: np.abs(base[key].astype(np.float64) - other[key]) for key in base}
    scales = {key: np.maximum(np.abs(base[key]), np.abs(other[key])) for key in base}
    return worst_row(name, "law", errors, tolerances, scales)
