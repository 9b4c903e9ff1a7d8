"""Second to fourth rung: the whole loop over time in one launch.

A block owns some units of some sequences: it computes their pre-activations, their states and their gradients, and
nothing else. What it multiplies by, the rows of R for its units (columns, in the backward loop), does not change from
step to step; so it is fetched once and kept close:

* ``"shared"``: in shared memory, one block for all units of a group of sequences;
* ``"registers"``: the same with every entry in a register of the thread that multiplies by it, which is the only
  memory that delivers an operand for every multiply-add;
* ``"grid"``: in registers of several blocks, each with some of the units, for matrices that one does not hold. What a
  block needs of the others' states it reads from the device's memory, after all blocks have met (``grid.sync()``).

In a product, thread p takes row p % rows and every ``shares``-th column from p // rows on: threads of a warp read the
same entry of the state at once, and ``rows · shares`` of them work on one sequence. The shares of a row are added in
order, by the thread that then does the cell's step: no atomic operation, the same bits every time.

Cells with a relay or behind a projection have a second product within a step, and stay on the first rung.

Legend: see units.py.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from enrnn_ref.backends.cuda.target import cuda, device_function, kernel, number_type
from enrnn_ref.backends.cuda.units import Units


class PersistentKernels(NamedTuple):
    """The two loops.

    ``forward(theta, settings, z, h, memory, matrix, where, group, staged, count, shares, below)`` and ``backward(theta,
    settings, z, h, memory, dh, dh_t, dmemory, dz, dtheta, matrix, where, group, staged, count, shares, below)``. Each
    block takes ``count`` units of ``group`` sequences and multiplies ``staged`` of these at a time; its place in the
    grid (x: the units, y: the sequences) says which. ``where`` has the gates that have a product, in the order of its
    rows. Dynamic shared memory: see :func:`shared_entries`.
    """

    forward: Any
    backward: Any


def shared_entries(columns: int, rows: int, staged: int, shares: int, held: int) -> int:
    """Entries of shared memory of a block: states of the sequences that it multiplies at a time and the shares of
    their sums; and the weights, unless they are in registers (``held`` > 0).
    """
    if held:
        return staged * shares * (held + rows)
    return staged * (columns + shares * rows) + columns * rows


@functools.cache
def persistent_kernels(units: Units, kind: Any, threads: int, held: int, across_blocks: bool) -> PersistentKernels:
    """The loops for one cell.

    Parameters
    ----------
    units : Units
    kind : numpy dtype
        Of all arrays.
    threads : int
        Of a block: the compiler may use as many registers as a multiprocessor has for so many.
    held : int
        Columns that a thread holds in registers, a constant of the compilation, because a register has no address; 0:
        the weights are in shared memory.
    across_blocks : bool
        Whether the units of a sequence belong to several blocks, which meet at every step.
    """
    in_registers = held > 0
    dtype, zero = number_type(kind), kind.type(0)
    components, products = units.layout.components, len(units.layout.recurrent)
    gates_of, states_of, theta_of, arriving = units.gates, units.states, units.theta, units.arriving
    set_gates, set_states, set_arriving, add_theta = (
        units.set_gates,
        units.set_states,
        units.set_arriving,
        units.add_theta,
    )
    step, pullback = units.step, units.pullback

    @device_function
    def meet() -> None:
        """Until every thread that may read what this one has written is here."""
        if across_blocks:
            cuda.cg.this_grid().sync()
        else:
            cuda.syncthreads()

    @device_function
    def row_of(local: int, first: int, count: int, n: int) -> int:
        """The row of the matrix that is row ``local`` of a block with ``count`` units from ``first`` on; -1: none."""
        unit = first + local % count
        return local // count * n + unit if unit < n else -1

    @device_function
    def fetch(weights: Any, matrix: Any, first: int, count: int, n: int, rows: int, shares: int) -> None:
        """The rows of the matrix that this block multiplies by: to registers, or to shared memory."""
        thread = cuda.threadIdx.x
        columns = matrix.shape[1]
        if in_registers:
            row = row_of(thread % rows, first, count, n)
            share = thread // rows
            for i in range(held):
                column = share + shares * i
                weights[i] = matrix[row, column] if row >= 0 and share < shares and column < columns else zero
        else:
            for entry in range(thread, rows * columns, cuda.blockDim.x):
                row = row_of(entry % rows, first, count, n)
                weights[entry] = matrix[row, entry // rows] if row >= 0 else zero

    @device_function
    def multiply(weights: Any, source: Any, partial: Any, columns: int, rows: int, shares: int, staged: int) -> None:
        """partial[s, share, row] = Σ weights · source[s] over the columns of the share."""
        thread = cuda.threadIdx.x
        row, share = thread % rows, thread // rows
        if share < shares:
            for s in range(staged):
                total = zero
                if in_registers:
                    at = s * shares * held + share
                    for i in range(held):
                        total += weights[i] * source[at + shares * i]
                else:
                    for column in range(share, columns, shares):
                        total += weights[column * rows + row] * source[s * columns + column]
                partial[(s * shares + share) * rows + row] = total

    @device_function
    def sum_of(partial: Any, s: int, row: int, rows: int, shares: int) -> Any:
        """The product's entry, its shares added in order."""
        total = zero
        for share in range(shares):
            total += partial[(s * shares + share) * rows + row]
        return total

    @functools.partial(kernel, threads=threads)
    def forward(
        theta: Any, settings: Any, z: Any, h: Any, memory: Any, matrix: Any, where: Any, group: int, staged: int,
        count: int, shares: int, below: Any,
    ) -> None:  # fmt: skip
        time, batch, n = z.shape[0], z.shape[1], z.shape[3]
        first, since = cuda.blockIdx.x * count, cuda.blockIdx.y * group
        columns, rows = components * n, products * count
        length = shares * held if in_registers else columns  # with zeros behind it: all threads multiply as much
        shared = cuda.shared.array(0, dtype)
        source = shared[: staged * length]
        partial = shared[staged * length : staged * (length + shares * rows)]
        weights = cuda.local.array(held, dtype) if in_registers else shared[staged * (length + shares * rows) :]
        fetch(weights, matrix, first, count, n, rows, shares)
        for t in range(time):
            for begin in range(since, min(since + group, batch), staged):
                end = min(begin + staged, since + group, batch)
                for entry in range(cuda.threadIdx.x, (end - begin) * length, cuda.blockDim.x):
                    b, column = begin + entry // length, entry % length
                    source[entry] = h[t, b, column // n, column % n] if column < columns else zero
                cuda.syncthreads()
                multiply(weights, source, partial, columns, rows, shares, end - begin)
                cuda.syncthreads()
                for item in range(cuda.threadIdx.x, (end - begin) * count, cuda.blockDim.x):
                    s, unit = item // count, item % count
                    b, j = begin + s, first + unit
                    if j < n:
                        for k in range(products):
                            z[t, b, where[k], j] += sum_of(partial, s, k * count + unit, rows, shares)  # [GS-2]
                        values = step(
                            gates_of(z, t, b, j), states_of(h, t, memory, t, b, j), theta_of(theta, settings, j)
                        )
                        set_states(h, t + 1, memory, t + 1, b, j, values, below)  # [GS-3]
            meet()

    @functools.partial(kernel, threads=threads)
    def backward(
        theta: Any, settings: Any, z: Any, h: Any, memory: Any, dh: Any, dh_t: Any, dmemory: Any, dz: Any, dtheta: Any,
        matrix: Any, where: Any, group: int, staged: int, count: int, shares: int, below: Any,
    ) -> None:  # fmt: skip
        time, batch, n = z.shape[0], z.shape[1], z.shape[3]
        first, since = cuda.blockIdx.x * count, cuda.blockIdx.y * group
        columns, rows = products * n, components * count
        length = shares * held if in_registers else columns
        shared = cuda.shared.array(0, dtype)
        source = shared[: staged * length]
        partial = shared[staged * length : staged * (length + shares * rows)]
        weights = cuda.local.array(held, dtype) if in_registers else shared[staged * (length + shares * rows) :]
        fetch(weights, matrix, first, count, n, rows, shares)
        for t in range(time - 1, -1, -1):
            # A thread has the same units of the same sequences at every step: what it carries it alone reads.
            for begin in range(since, min(since + group, batch), staged):
                end = min(begin + staged, since + group, batch)
                for item in range(cuda.threadIdx.x, (end - begin) * count, cuda.blockDim.x):
                    b, j = begin + item // count, first + item % count
                    if j < n:
                        if dh.shape[0] > 0:
                            for k in range(components):
                                dh_t[b, k, j] += dh[t, b, k, j]  # [BP-1]
                        dz_j, direct, dtheta_j = pullback(
                            gates_of(z, t, b, j),
                            states_of(h, t, memory, t, b, j),
                            theta_of(theta, settings, j),
                            arriving(dh_t, dmemory, b, j),
                        )  # [BP-2]
                        set_gates(dz, t, b, j, dz_j, below)
                        set_arriving(dh_t, dmemory, b, j, direct, below)
                        add_theta(dtheta, b, j, dtheta_j, below)
            meet()
            for begin in range(since, min(since + group, batch), staged):
                end = min(begin + staged, since + group, batch)
                for entry in range(cuda.threadIdx.x, (end - begin) * length, cuda.blockDim.x):
                    b, column = begin + entry // length, entry % length
                    source[entry] = dz[t, b, where[column // n], column % n] if column < columns else zero
                cuda.syncthreads()
                multiply(weights, source, partial, columns, rows, shares, end - begin)
                cuda.syncthreads()
                for item in range(cuda.threadIdx.x, (end - begin) * count, cuda.blockDim.x):
                    s, unit = item // count, item % count
                    if first + unit < n:
                        for k in range(components):
                            dh_t[begin + s, k, first + unit] += sum_of(
                                partial, s, k * count + unit, rows, shares
                            )  # [BP-3]

    return PersistentKernels(forward, backward)
