"""Which rung of the ladder runs, and in which shape: the rule, and what it decided, in words."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from enrnn_ref.arrays import choice
from enrnn_ref.backends.cuda.persistent import shared_entries
from enrnn_ref.cells.base import Cell
from enrnn_ref.errors import OptionError

RUNGS = ("steps", "shared", "registers", "grid")

_forced: contextvars.ContextVar[str | None] = contextvars.ContextVar("rung", default=None)


@contextlib.contextmanager
def forced(rung: str) -> Iterator[None]:
    """Have one rung run, whatever the rule says; a size that it cannot take is an OptionError.

    Parameters
    ----------
    rung : {"steps", "shared", "registers", "grid"}
    """
    token = _forced.set(choice("rung", rung, RUNGS))
    try:
        yield
    finally:
        _forced.reset(token)


class Limits(NamedTuple):
    """Of a device, as far as the rule looks at them.

    ``blocks``: that run at once, one per multiprocessor. ``threads``: of a block. ``shared``: bytes of shared memory
    that a block has without asking for more. ``registers``: of 4 bytes, of a block.
    """

    blocks: int
    threads: int
    shared: int
    registers: int


HELD = 96
"""Registers of a thread that hold weights, at most: a longer loop over them is not unrolled, and what a loop indexes is
in memory."""

BESIDE = {"shared": 104, "registers": 88, "grid": 100}
"""Registers that a thread needs for all else, by rung. Found by compiling, with what ``beside`` adds: tests/ptx asserts
that no kernel spills in the shapes that this rule gives."""

GATED = 32
"""More of them, where a unit has several gates, or numbers eight bytes."""

EACH, WARP = 255, 32
"""Registers that a thread can have, and threads that run in step."""


def registers_of_a_thread(limits: Limits, threads: int) -> int:
    """What the assembler gives each thread of a block: it counts warps by fours and registers by eights."""
    warps = 4 * -(-threads // (4 * WARP))
    return min(EACH, limits.registers // (warps * WARP) // 8 * 8)


@dataclass(frozen=True)
class Plan:
    """The shape of one launch, or of launches step by step.

    Attributes
    ----------
    rung : str
    reason : str
        Why this one.
    count, group, staged : int
        Units and sequences of a block, and sequences that it multiplies at a time.
    shares : int
        Threads that share a row of the product.
    held : int
        Columns of the matrix that a thread holds in registers.
    grid : tuple of int
        Blocks: for the units, for the sequences.
    threads : int
    shared : int
        Bytes of shared memory of a block.
    """

    rung: str
    reason: str
    count: int = 0
    group: int = 0
    staged: int = 0
    shares: int = 0
    held: int = 0
    grid: tuple[int, int] = (0, 0)
    threads: int = 0
    shared: int = 0

    def __str__(self) -> str:
        if self.rung == "steps":
            return f"steps: {self.reason}"
        weights = f", {self.held} weights in the registers of each" if self.held else ""
        return (
            f"{self.rung}: {self.reason}; {self.grid[0]} x {self.grid[1]} blocks of {self.threads} threads{weights}, "
            f"{self.count} units of {self.group} sequences a block, {self.staged} at a time, {self.shared} bytes of "
            "shared memory"
        )


class Loop(NamedTuple):
    """A loop to be planned: ``out`` blocks of n rows and ``into`` blocks of n columns are multiplied per sequence."""

    n: int
    batch: int
    out: int
    into: int
    itemsize: int


def beside(rung: str, loop: Loop, weights: int) -> int:
    """Registers that a thread of a rung needs beside those of its weights."""
    if rung == "shared":
        return BESIDE[rung]
    # Blocks meet by a call, and what shall outlive a call is kept in other registers meanwhile.
    large, called = max(loop.out, loop.into) > 1 or loop.itemsize > 4, rung == "grid"
    return BESIDE[rung] + GATED * large + weights * called


def plan(cell: Cell, loop: Loop, projected: bool, limits: Limits) -> Plan:
    """The first of "registers", "shared", "grid", "steps" that can take the loop, or the one that is forced.

    Raises
    ------
    OptionError
        The forced rung cannot take it.
    """
    wanted = _forced.get()
    if not cell.recurrent or cell.relayed or projected:
        if wanted not in (None, "steps"):
            kind = "no product" if not cell.recurrent else "a second product within a step"
            raise OptionError(f"rung is {wanted!r}, and {type(cell).__name__} has {kind}; expected 'steps'.")
        return Plan("steps", "a second product within a step" if cell.recurrent else "no product")
    if wanted == "steps":
        return Plan("steps", "forced")
    for rung in ("registers", "shared", "grid") if wanted is None else (wanted,):
        found = _shape(rung, loop, limits, "forced" if wanted else _REASONS[rung])
        if found is not None:
            return found
    if wanted is None:
        return Plan("steps", "too large for the threads and the shared memory of all blocks")
    raise OptionError(
        f"rung is {wanted!r}, and {loop.n} units with {loop.out} x {loop.into} blocks of weights of {loop.itemsize} "
        f"bytes are too large for it on this device ({limits}); expected another rung."
    )


_REASONS = {
    "registers": "the weights fit the registers of one block",
    "shared": "the weights fit the shared memory of one block",
    "grid": "the weights need the registers of several blocks",
}


def _shape(rung: str, loop: Loop, limits: Limits, reason: str) -> Plan | None:
    """The shape of a launch on a rung with as few blocks for the units as will do, or None."""
    for blocks in range(1, min(loop.n, limits.blocks) + 1) if rung == "grid" else (1,):
        count = -(-loop.n // blocks)
        rows, columns = loop.out * count, loop.into * loop.n
        group = -(-loop.batch // max(1, limits.blocks // blocks))  # those that meet must all run at once
        for shares in range(min(limits.threads // rows, columns), 0, -1):  # the more, the less has each thread to do
            held = 0 if rung == "shared" else -(-columns // shares)
            registers = held * loop.itemsize // 4
            available = registers_of_a_thread(limits, rows * shares)
            each, fixed = shared_entries(columns, rows, 1, shares, held), shared_entries(columns, rows, 0, shares, held)
            staged = (limits.shared // loop.itemsize - fixed) // (each - fixed)
            if registers <= HELD and registers + beside(rung, loop, registers) <= available and staged > 0:
                staged = min(staged, group)
                grid = (-(-loop.n // count), -(-loop.batch // group))
                shared = loop.itemsize * shared_entries(columns, rows, staged, shares, held)
                return Plan(rung, reason, count, group, staged, shares, held, grid, rows * shares, shared)
    return None


def loop_of(cell: Cell, n: int, batch: int, dtype: np.dtype, *, backwards: bool) -> Loop:
    """What a loop multiplies: R, or its transpose."""
    gates, components = len(cell.recurrent), cell.output_components
    out, into = (components, gates) if backwards else (gates, components)
    return Loop(n, batch, out, into, dtype.itemsize)
