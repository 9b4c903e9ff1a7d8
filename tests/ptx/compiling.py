"""Every kernel of the CUDA backend as PTX, the assembly of NVIDIA's GPUs, compiled without one."""

import re
from types import SimpleNamespace

import numba
import numpy as np
from numba.cuda import dispatcher

from enrnn_ref.backends.cuda.persistent import persistent_kernels
from enrnn_ref.backends.cuda.products import add_slices, products, sum_rows
from enrnn_ref.backends.cuda.steps import add_product, add_rows, clear, step_kernels
from enrnn_ref.backends.cuda.target import cuda
from enrnn_ref.backends.cuda.units import units_of

INTEGER, INDICES = numba.int64, numba.types.Array(numba.int32, 1, "C")
HELD, THREADS = 80, 320  # the adding problem's 160 columns, of which two threads take 80 each


def kernels_of(cell, dtype):
    """Name → (kernel, types of its arguments), for what the backend launches for one cell."""
    kind = np.dtype(dtype)
    number = numba.from_dtype(kind)

    def array(axes):
        return numba.types.Array(number, axes, "C")

    units, two, three, four = units_of(cell), array(2), array(3), array(4)
    steps = step_kernels(units)
    unit = (two, four, four, INTEGER, four)  # theta, z, h, its time, memory
    along = (two, two, four, four, four, four, INTEGER, four, four)
    found = {
        "step": (steps.step, (*unit, four, INTEGER, INTEGER, number)),
        "pullback": (steps.pullback, (*unit, three, three, four, three, INTEGER, number)),
        "tangent": (steps.tangent, (*along, four, four, INTEGER, INTEGER, number)),
    }
    if cell.relayed:
        found["relay"] = (steps.relay, (*unit, three, INTEGER))
        found["relay_pullback"] = (steps.relay_pullback, (*unit, three, three, three, four, three, INTEGER, number))
        found["relay_tangent"] = (steps.relay_tangent, (*along, three, three, INTEGER))
        return found
    if not cell.recurrent:
        return found
    shape = (INTEGER,) * 4 + (number,)
    for rung, held in (("shared", 0), ("registers", HELD), ("grid", HELD)):
        forward, backward = persistent_kernels(units, kind, THREADS, held, rung == "grid")
        found[f"{rung} forward"] = (forward, (two, four, four, four, two, INDICES, *shape))
        found[f"{rung} backward"] = (
            backward,
            (two, four, four, four, four, three, three, four, three, two, INDICES, *shape),
        )
    return found


def shared_kernels(dtype):
    """Those that know no cell."""
    kind = np.dtype(dtype)
    number = numba.from_dtype(kind)

    def array(axes):
        return numba.types.Array(number, axes, "C")

    three, product = array(3), products(kind)
    return {
        "add_product": (add_product, (three, INTEGER, INDICES, array(2), three, INTEGER, INDICES)),
        "add_rows": (add_rows, (array(2), three, INTEGER)),
        "clear": (clear, (three, INTEGER)),
        "over_time": (product.over_time, (three, three, three, array(1), INTEGER)),
        "over_columns": (product.over_columns, (three, three, three, array(1), INTEGER)),
        "sum_rows": (sum_rows, (three, three, INTEGER)),
        "add_slices": (add_slices, (numba.types.Array(numba.float64, 2, "C"), three)),
    }


def ptx(kernel, signature, capability):
    """The assembly of a kernel for a compute capability such as (9, 0)."""
    before = dispatcher.get_current_device
    # Device functions that a kernel calls ask the driver for the device's capability, and there is no driver.
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    try:
        text, _ = cuda.compile(kernel.py_func, numba.void(*signature), cc=capability, device=False, abi="numba")
    finally:
        dispatcher.get_current_device = before
    return text


def instructions(text):
    """The instructions, without comments, labels and directives."""
    lines = (re.sub(r"//.*", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line.endswith(";") and not line.startswith(".")]
