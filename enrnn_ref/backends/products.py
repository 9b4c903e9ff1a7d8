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
from enrnn_ref.backends.tile import TILE_ROW_BYTES, TILE_ROWS, TILES, lanes

DEPTH = 256
"""Columns of M in one panel, which then takes half of a first-level cache of 32 kB and stays there for all rows."""


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
    if not terms:
        return _nothing(np.dtype(dtype))
    parts, rows, first = [np.empty(0, dtype)], [], 0
    for target, source, block in terms:
        width, columns = block.shape
        count = -(-width // lanes(dtype))
        for lo in range(0, columns, DEPTH) if width else ():
            piece = block[:, lo : lo + DEPTH]
            depth = piece.shape[1]
            whole = np.zeros((count * lanes(dtype), depth), dtype)
            whole[:width] = piece
            parts.append(whole.reshape(count, lanes(dtype), depth).swapaxes(1, 2).ravel())
            rows.append((target, width, source + lo, depth, first))
            first += parts[-1].size
    return Packed(np.concatenate(parts), np.array(rows, np.int64).reshape(-1, 5))


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


_TILE_1, _TILE_2, _TILE_3, _TILE_4, _TILE_5, _TILE_6 = TILES


@jit
def _rows(
    rows: Any, c: Any, c_at: Any, c_row: Any, a: Any, a_at: Any, a_row: Any, b: Any, b_at: Any, depth: Any
) -> None:
    """The tile of so many rows."""
    if rows == 6:
        _TILE_6(c, c_at, c_row, a, a_at, a_row, b, b_at, depth)
    elif rows == 5:
        _TILE_5(c, c_at, c_row, a, a_at, a_row, b, b_at, depth)
    elif rows == 4:
        _TILE_4(c, c_at, c_row, a, a_at, a_row, b, b_at, depth)
    elif rows == 3:
        _TILE_3(c, c_at, c_row, a, a_at, a_row, b, b_at, depth)
    elif rows == 2:
        _TILE_2(c, c_at, c_row, a, a_at, a_row, b, b_at, depth)
    else:
        _TILE_1(c, c_at, c_row, a, a_at, a_row, b, b_at, depth)


@jit
def _multiply(target: Any, source: Any, panels: Any, terms: Any) -> None:
    batch, target_row, source_row = target.shape[0], target.shape[1], source.shape[1]
    wide = TILE_ROW_BYTES // target.itemsize
    tiles = -(-batch // TILE_ROWS)  # their heights differ by one at most: a tile of one row would waste the processor
    edge = np.empty((TILE_ROWS, wide), target.dtype)
    for term in range(terms.shape[0]):
        at, width, since, depth, first = terms[term]
        for panel in range(-(-width // wide)):
            begin, inside = at + panel * wide, min(wide, width - panel * wide)
            b_at = first + panel * wide * depth
            for tile in range(tiles):
                lo, hi = batch * tile // tiles, batch * (tile + 1) // tiles
                a_at = lo * source_row + since
                if inside == wide:
                    _rows(
                        hi - lo, target, lo * target_row + begin, target_row, source, a_at, source_row, panels, b_at,
                        depth,
                    )  # fmt: skip
                else:  # the last panel is wider than what is left of the target
                    edge[:] = 0
                    _rows(hi - lo, edge, 0, wide, source, a_at, source_row, panels, b_at, depth)
                    for b in range(lo, hi):
                        for j in range(inside):
                            target[b, begin + j] += edge[b - lo, j]


@overload(add_product)
def _compiled_product(target: Any, source: Any, packed: Any) -> Any:
    _require_rows(target, source)

    def add_product(target: Any, source: Any, packed: Any) -> None:
        _multiply(target, source, packed.panels, packed.terms)

    return add_product
