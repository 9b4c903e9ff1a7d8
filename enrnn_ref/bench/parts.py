"""Where the time of one of our training steps goes.

The loops are not timed alone but are what remains of a pass without its other parts: so this knows the public calls and
the products over all times, and nothing of how a loop is written. Products are shared among threads as in a pass. Where
there are threads to spare they run beside the loop there, and what remains is what they do not hide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from enrnn_ref import backends
from enrnn_ref.arrays import Array
from enrnn_ref.backends.base import Backend
from enrnn_ref.bench.contenders.ours import Ours
from enrnn_ref.bench.timing import Setting, Timing, interleaved, middle
from enrnn_ref.bench.workload import Workload
from enrnn_ref.linalg.threads import single_threaded_blas
from enrnn_ref.optimizers import RMSprop

PARTS = {
    "forward": "forward pass",
    "materialise": "R from the free parameters",
    "drive": "drive U x + b",
    "forward_loop": "loop over time and the rest",
    "backward": "backward pass",
    "dR": "dR, a product over all times",
    "dU": "dU, a product over all times",
    "dx": "dx, a product over all times",
    "pullback": "from dR to the free parameters",
    "backward_loop": "loop over time and the rest",
    "optimiser": "optimiser, RMSprop",
}
WITHIN = {"forward": ("materialise", "drive"), "backward": ("dR", "dU", "dx", "pullback")}
OF_A_STEP = ("forward", "backward", "optimiser")
BESIDE_THE_SEQUENCE = ("materialise", "pullback", "optimiser")


class _Piece(NamedTuple):
    """A thread's sequences of the input, of the states before every step, and of the gradients at the gates."""

    x: Array
    h: Array
    dz: Array


def parts(work: Workload, *, repeats: int, slow: float, few: int) -> dict[str, Any]:
    """Seconds of every part, and the share of a step that does not grow with T.

    Returns
    -------
    dict
        ``times``: name → Timing as a dict; the loops, being differences, are medians alone. ``share``: median and
        quartiles of (R, its pullback and the optimiser) / (a whole step), round by round.
    """
    calls, setting = _calls(work), Ours(work).setting

    @contextmanager
    def alone() -> Iterator[None]:  # as the model holds them
        with setting(), single_threaded_blas():
            yield

    settings: dict[str, Setting] = {name: setting if name in OF_A_STEP else alone for name in calls}
    times = interleaved(calls, repeats=repeats, settings=settings, slow=slow, few=few)
    found: dict[str, Any] = {name: timing.to_dict() for name, timing in times.items()}
    for whole, inside in WITHIN.items():
        rest = times[whole].median - sum(times[name].median for name in inside)
        found[f"{whole}_loop"] = {"median": rest}
    return {"times": {name: found[name] for name in PARTS}, "share": _share(times)}


def _calls(work: Workload) -> dict[str, Callable[[], object]]:
    """One call for every part that has one."""
    ours, model, x = Ours(work), work.model, work.x
    engine, bias, weight = backends.get("cpu"), work.params["bias"], work.params["input"]
    with ours.setting():
        run = ours.forward()
        grads = model.backward(run, ours.dy)
    assert run.h is not None
    # dz has the shape of dy here, with one gate and no readout; the loop leaves no subnormal numbers in it.
    dz = np.where(np.abs(ours.dy) < np.finfo(work.dtype).tiny, work.dtype.type(0), ours.dy)
    value, optimiser = ours.materialise(), RMSprop(1e-3)
    state, outgoing = optimiser.init(work.params), np.ascontiguousarray(weight.T)
    with ours.setting():
        shares = engine.shares(x.shape[1], math.prod(x.shape[:2]) * math.prod(model.parametrization.shape))
    pieces = [_Piece(*(np.ascontiguousarray(part[:, share]) for part in (x, run.h[:-1], dz))) for share in shares]
    support = [block for block in model.parametrization.support if all(part.start < part.stop for part in block)]

    def shared(product: Callable[[Backend, _Piece], object]) -> Callable[[], object]:
        return lambda: engine.each(product, pieces)

    return {
        "forward": ours.forward,
        "materialise": ours.materialise,
        "drive": shared(lambda on, piece: on.affine(piece.x, weight, bias)),
        "backward": lambda: model.backward(run, ours.dy),
        "dR": shared(
            lambda on, piece: [on.correlate(piece.dz[..., rows], piece.h[..., columns]) for rows, columns in support]
        ),
        "dU": shared(lambda on, piece: on.correlate(piece.dz, piece.x)),
        "dx": shared(lambda on, piece: on.affine(piece.dz, outgoing, None)),
        "pullback": lambda: model.parametrization.pullback(value, work.matrix),
        "optimiser": lambda: optimiser.step(work.params, grads.params, state),
    }


def _share(times: dict[str, Timing]) -> dict[str, float]:
    rounds = min(len(timing.samples) for timing in times.values())

    def together(names: tuple[str, ...]) -> Any:
        return sum(np.array(times[name].samples[:rounds]) for name in names)

    return middle((together(BESIDE_THE_SEQUENCE) / together(OF_A_STEP)).tolist())
