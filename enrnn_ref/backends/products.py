"""Matrix products with a factor that is used again and again, packed once.

A library packs both factors of a product at every call, to read them in order. The loops multiply few rows by the same
matrix at every step: there the packing costs as much as the product. So the matrix is laid out once per pass, as a
stack of panels that the tiles (tile.py) read from beginning to end; what is multiplied by it is read where it lies.

A product is ``target += source Mᵀ``, with M given as the rectangles of it that are not zero. An entry of the result
has the same bits whatever rows are multiplied along with it, so neither the number of threads nor the length of a block
of time shows in them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba.core.errors import TypingError
from numba.extending import overload

from enrnn_ref.arrays import Array
from enrnn_ref.backends.compiler import jit
from enrnn_ref.backends.tile import PANEL_BYTES, ROWS, lanes, panels_abreast, registers, tiles_for

DEPTH = 256
"""Columns of M in one panel, which then takes half of a first-level cache of 32 kB and stays there for all rows."""

TILE_ROWS, PANELS, add_tile = ROWS[registers()], panels_abreast(registers()), tiles_for(registers())


class Term(NamedTuple):
    """A rectangle of M: columns ``source`` of what is multiplied give columns ``target`` of the result.

    ``block`` is (columns of target, columns of source).
    """

    target: int
    source: int
    block: Array


class Packed(NamedTuple):
    """M as panels: for every ``lanes`` rows of a rectangle its columns one after the other; missing rows are zeros.

    ``terms`` has a row (target, width, source, depth, first entry in ``panels``) for every rectangle.
    """

    panels: Array
    terms: Array


def pack(terms: Sequence[Term], dtype: Any) -> Packed:
    """The panels of some rectangles; those without entries are left out."""
    kind = np.dtype(dtype)
    if not terms:
        return _nothing(kind)
    layout = _layout(tuple([(target, source, *block.shape) for target, source, block in terms]), lanes(kind))
    panels = _lines(layout.size, kind)
    for term, columns, first in layout.pieces:
        _lay(panels, first, terms[term].block[:, columns])
    return Packed(panels, layout.terms)


class _Layout(NamedTuple):
    """Where the panels of some rectangles lie: the pieces, each some columns of a term from an entry on."""

    pieces: list[tuple[int, slice, int]]
    terms: Array
    size: int


@functools.lru_cache(maxsize=256)
def _layout(shapes: tuple[tuple[int, int, int, int], ...], wide: int) -> _Layout:
    """Of terms (target, source, width, columns)."""
    pieces, rows, size = [], [], 0
    for term, (target, source, width, columns) in enumerate(shapes):
        for lo in range(0, columns, DEPTH) if width else ():
            depth = min(DEPTH, columns - lo)
            pieces.append((term, slice(lo, lo + depth), size))
            rows.append((target, width, source + lo, depth, size))
            size += -(-width // wide) * depth * wide
    return _Layout(pieces, np.array(rows, np.int64).reshape(-1, 5), size)


@functools.partial(jit, kept_as="lay panels")
def _lay(panels: Any, first: int, block: Any) -> None:
    """The panels of one piece, from entry ``first`` on; NumPy takes twice as long where they are few."""
    width, depth = block.shape
    wide = PANEL_BYTES // panels.itemsize
    for row in range(0, width, wide):
        count = min(wide, width - row)
        for k in range(depth):
            at = first + row * depth + k * wide
            for lane in range(count):
                panels[at + lane] = block[row + lane, k]
            for lane in range(count, wide):
                panels[at + lane] = 0


def _lines(size: int, dtype: np.dtype[Any]) -> Array:
    """Room that begins with a line of the cache: a row of a panel across two loads half as fast."""
    room = np.empty(size + PANEL_BYTES // dtype.itemsize, dtype)
    first = -room.__array_interface__["data"][0] % PANEL_BYTES // dtype.itemsize
    return room[first : first + size]


@functools.cache
def _nothing(dtype: np.dtype[Any]) -> Packed:
    return Packed(np.empty(0, dtype), np.empty((0, 5), np.int64))


def add_product(target: Array, source: Array, packed: Packed) -> None:
    """target (B, ·) += source (B, ·) Mᵀ, both contiguous."""
    wide = lanes(target.dtype)
    for at, width, since, depth, first in packed.terms:
        count = -(-width // wide)
        panels = packed.panels[first : first + count * depth * wide].reshape(count, depth, wide)
        block = panels.swapaxes(1, 2).reshape(-1, depth)[:width]
        rows = source[:, np.newaxis, since : since + depth] @ block.T  # row by row: a library's bits depend on how many
        target[:, at : at + width] += rows[:, 0]


def _require_rows(*arrays: Any) -> None:
    """Raise while compiling, unless each is contiguous by rows: a tile is told where they lie and believes it."""
    for array in arrays:
        if array.layout != "C" or array.ndim != 2:
            raise TypingError(f"{array} is not contiguous by rows")


@jit
def _multiply(target: Any, source: Any, panels: Any, terms: Any) -> None:
    batch, target_row, source_row = target.shape[0], target.shape[1], source.shape[1]
    wide = PANEL_BYTES // target.itemsize
    tiles = -(-batch // TILE_ROWS)  # their heights differ by one at most: a tile of one row would waste the processor
    abreast = PANELS[-(-batch // max(tiles, 1)) - 1]
    for term in range(terms.shape[0]):
        at, width, since, depth, first = (
            terms[term, 0], terms[term, 1], terms[term, 2], terms[term, 3], terms[term, 4],
        )  # fmt: skip
        whole = -(-width // wide)
        groups = -(-whole // abreast)  # of panels side by side, likewise
        for group in range(groups):
            begin, end = whole * group // groups * wide, min(whole * (group + 1) // groups * wide, width)
            for tile in range(tiles):
                lo, hi = batch * tile // tiles, batch * (tile + 1) // tiles
                add_tile(
                    hi - lo, end - begin, target, lo * target_row + at + begin, target_row, source,
                    lo * source_row + since, source_row, panels, first + begin * depth, depth,
                )  # fmt: skip


@overload(add_product)
def _compiled_product(target: Any, source: Any, packed: Any) -> Any:
    _require_rows(target, source)

    def add_product(target: Any, source: Any, packed: Any) -> None:
        _multiply(target, source, packed.panels, packed.terms)

    return add_product
