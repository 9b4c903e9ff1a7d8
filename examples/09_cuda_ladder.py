"""The kernels of backend "cuda", rung by rung: an ENRNN forward and backward on each, against readable NumPy.

    python examples/09_cuda_ladder.py         on Numba's simulator: no GPU, no driver, no further package
    python examples/09_cuda_ladder.py --gpu   on an NVIDIA GPU (needs its driver: pip install enrnn-ref[cuda])

examples/cuda_ladder.md explains the rungs. The simulator runs a kernel as Python, a thread of the operating system for
each of its threads. It shows that the kernels compute what they should; it says nothing of their speed. And it runs one
block after the other, so that blocks cannot wait for each other: on it rung "grid" has one sequence, for which one
block is enough.

A simulator must be asked for before Numba is imported. Numba's own test, ``cuda.is_available()``, is true on the
simulator as well, so this script does not guess: without ``--gpu`` it simulates.

The table at the end has a line per rung: the largest difference in any output and in any gradient, relative to the
largest entry of its array.
"""

import os
import sys

if "--gpu" not in sys.argv[1:]:
    os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")

import numpy as np

import enrnn_ref as er
from enrnn_ref import backends

try:
    from enrnn_ref.backends.cuda import rule  # the first import of Numba
    from enrnn_ref.backends.cuda.target import SIMULATED, TARGET

    engine = backends.get("cuda")
except er.errors.BackendUnavailable as error:
    sys.exit(str(error))

TIME, BATCH, INPUTS, OUTPUTS = 4, 3, 6, 1
model = er.ENRNN(INPUTS, long_size=5, short_size=2, output_size=OUTPUTS)
rng = np.random.default_rng(9)
params = {name: 0.4 * rng.standard_normal(shape) for name, shape in model.shapes.items()}
x, dy = (rng.standard_normal((TIME, BATCH, width)) for width in (INPUTS, OUTPUTS))
start, dfinal = (rng.standard_normal((BATCH, model.hidden_size)) for _ in range(2))  # h_0, and the gradient of h_T


def passes(backend: str, batch: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What comes out forward, and what comes out backward, for the first ``batch`` sequences."""
    run = model.forward(params, x[:, :batch], {"h": start[:batch]}, backend=backend)
    grads = model.backward(run, dy[:, :batch], {"h": dfinal[:batch]})
    return {"y": run.y, "h": run.h}, {**grads.params, "x": grads.x, "start": grads.state["h"]}


def apart(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    return max(np.abs(found[name] - array).max() / np.abs(array).max() for name, array in expected.items())


def describe(title: str, batch: int) -> None:
    """What will be launched, in words."""
    print(f"\n{title}: units {model.hidden_size}, sequences {batch}, {x.dtype}")
    plans = engine.plan(model.cell, model.hidden_size, batch, x.dtype)
    for way, plan in zip(("forward", "backward"), plans, strict=True):
        print(f"    {way:<10}{plan}")


print(f"kernels run on: {TARGET}, {engine.limits}")
describe("the rule's own choice", BATCH)
lines = []
for rung in rule.RUNGS:
    batch = 1 if SIMULATED and rung == "grid" else BATCH
    with rule.forced(rung):
        describe(rung, batch)
        found = passes("cuda", batch)
    lines.append((rung, batch, *(apart(*pair) for pair in zip(found, passes("reference", batch), strict=True))))

print(f"\n{'rung':<12}{'sequences':>12}{'outputs':>14}{'gradients':>14}")
for rung, batch, outputs, gradients in lines:
    print(f"{rung:<12}{batch:>12}{outputs:>14.1e}{gradients:>14.1e}")
