"""A cell of your own: write its step, pullback and tangent; have them checked; train it on both backends.

    python examples/04_your_own_cell.py

The cell is a light gated unit with a memory. Its gate g decides how much of the memory c is replaced, and p, a weight
per unit, how much of the memory is seen by the gate:

    g = σ(z_1 + p c),    n = tanh(z_0),    c' = (1 - g) c + g n,    h' = tanh(c')

With dh' and dc' the gradients that arrive at h' and c', the chain rule gives

    d = dc' + dh' (1 - h'²),    da = d (n - c) g (1 - g)
    dz_0 = d g (1 - n²),    dz_1 = da,    dp = da c,    dc = d (1 - g) + da p      (the direct path, not through R)

That is all there is to derive: matrices, time, batches and threads are the backend's business. A cell is written twice:
on arrays for the readable backend, and for one unit, on scalars, for the compiler. Each is checked against the other.

What a cell says about itself, with the defaults:

    gates = 1               pre-activations per unit, the tuple z: drive plus recurrent product
    states = {"h": 1}       states and their components per unit; the first goes out and is multiplied by R
    parameters = {}         parameters of the units themselves, rows of n: {"peephole": 3} is an array (3, n)
    settings = ()           numbers that are not trained, such as a step size; scalar functions find them behind theta's
    drive_bias = True       whether a bias is added to the drive
    driven, recurrent       which gates see the drive, and which the product; all of them (the GRU tells them apart)
    relayed = 0             how many gates see R times another vector than h (the GRU with reset before)

All gates, states and parameters come as flat tuples, in this order, and go out the same way.
"""

from typing import ClassVar

import numpy as np

import enrnn_ref as er
from enrnn_ref.cells.base import Cell
from enrnn_ref.cells.elementary import sigmoid, sigmoid_array, tanh, unit_helper
from enrnn_ref.parametrizations import Free


@unit_helper  # a function that scalar functions call is marked, so that it is compiled with them
def unit_memory(z, states, theta):
    """g, n and the new memory. ``math`` works here as well; these functions are faster once compiled."""
    g, n, c = sigmoid(z[1] + theta[0] * states[1]), tanh(z[0]), states[1]
    return g, n, c + g * (n - c)


def unit_step(z, states, theta):
    _, _, new = unit_memory(z, states, theta)
    return (tanh(new), new)


def unit_pullback(z, states, theta, dstates):
    one, zero = type(z[0])(1), type(z[0])(0)  # a bare 1.0 would turn float32 into float64
    g, n, new = unit_memory(z, states, theta)
    h = tanh(new)
    d = dstates[1] + dstates[0] * (one - h * h)
    da = d * (n - states[1]) * g * (one - g)
    return (d * g * (one - n * n), da), (zero, d * (one - g) + da * theta[0]), (da * states[1],)


def unit_tangent(z, states, theta, dz, dstates, dtheta):
    one = type(z[0])(1)
    g, n, new = unit_memory(z, states, theta)
    h = tanh(new)
    dg = g * (one - g) * (dz[1] + dtheta[0] * states[1] + theta[0] * dstates[1])
    dnew = (one - g) * dstates[1] + dg * (n - states[1]) + g * (one - n * n) * dz[0]
    return ((one - h * h) * dnew, dnew)


class LightGatedUnit(Cell):
    """c' = (1 - g) c + g n, h' = tanh(c'), with two pre-activations per unit: the candidate's and the gate's."""

    gates: ClassVar[int] = 2
    states: ClassVar[dict[str, int]] = {"h": 1, "c": 1}
    parameters: ClassVar[dict[str, int]] = {"peephole": 1}
    unit_step = staticmethod(unit_step)
    unit_pullback = staticmethod(unit_pullback)
    unit_tangent = staticmethod(unit_tangent)

    @staticmethod
    def memory_of(z, states, theta):
        g, n = sigmoid_array(z[1] + theta[0] * states[1]), np.tanh(z[0])
        return g, n, (1 - g) * states[1] + g * n

    def step(self, z, states, theta):
        _, _, new = self.memory_of(z, states, theta)
        return np.tanh(new), new

    def pullback(self, z, states, theta, dstates):
        (g, n, new), (_, c), (dh, dc) = self.memory_of(z, states, theta), states, dstates
        d = dc + dh * (1 - np.tanh(new) ** 2)
        da = d * (n - c) * g * (1 - g)
        return (d * g * (1 - n**2), da), (0 * dh, d * (1 - g) + da * theta[0]), (da * c,)

    def tangent(self, z, states, theta, dz, dstates, dtheta):
        (g, n, new), (_, c), (_, dc) = self.memory_of(z, states, theta), states, dstates
        dg = g * (1 - g) * (dz[1] + dtheta[0] * c + theta[0] * dc)
        dnew = (1 - g) * dc + dg * (n - c) + g * (1 - n**2) * dz[0]
        return (1 - np.tanh(new) ** 2) * dnew, dnew


def network(input_size: int, units: int, output_size: int, readout: str) -> er.Recurrence:
    """The cell with a free recurrent matrix: the rows of the candidates first, then those of the gates."""
    return er.Recurrence(Free(2 * units, units), LightGatedUnit(), input_size, output_size, readout=readout)


print(er.verify.check_model(network(2, 4, 3, "all")))

task = er.tasks.Adding(length=30, batch_size=50, seed=0, dtype=np.float64)
model = network(task.input_size, 32, task.output_size, task.readout)
optimizer = er.optimizers.Adam(1e-2)
STEPS = 200
columns = {}
trained = {}
for backend in ("reference", "cpu"):
    params = model.init(seed=0)
    params["bias"][model.hidden_size :] = -2  # gates that start almost closed remember from the start
    memory = optimizer.init(params)
    columns[backend] = []
    for step in range(STEPS):
        batch = task.batch(step)
        run = model.forward(params, batch.x, backend=backend)
        loss, dy = task.loss(run.y, batch)
        params, memory = optimizer.step(params, model.backward(run, dy).params, memory)
        columns[backend].append(loss)
    trained[backend] = params

print(f"\n{'step':>6}{'reference':>14}{'cpu':>14}    baseline {task.baseline:.4f} ({task.baseline_text})")
for step in range(24, STEPS, 25):
    print(f"{step + 1:>6}{columns['reference'][step]:>14.8f}{columns['cpu'][step]:>14.8f}")
apart = max(np.abs(trained["reference"][name] - trained["cpu"][name]).max() for name in model.shapes)
print(f"after {STEPS} steps no parameter of the two backends differs by more than {apart:.1e}")
