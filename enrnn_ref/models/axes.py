"""Which parametrizations, cells, projections and filters go together."""

from __future__ import annotations

from enrnn_ref.cells.base import Cell
from enrnn_ref.errors import OptionError
from enrnn_ref.parametrizations.base import Parametrization


def sizes(parametrization: Parametrization, cell: Cell, projection_size: int | None) -> tuple[int, int]:
    """n and the width of h, from the shape of R.

    Raises
    ------
    OptionError
        R, cell and projection do not go together.
    """
    gates = len(cell.recurrent)
    if gates == 0:
        raise OptionError(f"cell {type(cell).__name__} has no recurrent gate; expected it as filter=, not as cell.")
    if cell.relayed and cell.output_components != 1:
        raise OptionError(
            f"cell {type(cell).__name__} relays a state of {cell.output_components} components; expected one."
        )
    if projection_size is not None and (cell.reads_output or cell.output_components != 1):
        raise OptionError(
            f"projection_size is {projection_size}; expected None with {type(cell).__name__}, whose step reads its own "
            f"output."
        )
    rows, columns = parametrization.shape
    n = rows // gates
    width = cell.output_components * n if projection_size is None else projection_size
    if n < 1 or (rows, columns) != (gates * n, width):
        form = f"({gates}·n, {'P' if projection_size else 'n' if cell.output_components == 1 else '2·n'})"
        raise OptionError(
            f"parametrization has shape {parametrization.shape}; a cell of {gates} gate(s) needs (G·n, n), here "
            f"{form} with G = {gates} and n of at least 1."
        )
    return n, width


def require_filter(cell: object) -> None:
    """A cell that may stand before the recurrence [CO-4].

    Raises
    ------
    OptionError
        It has more or less than one gate and one output, or something to train.
    """
    if (
        not isinstance(cell, Cell)
        or cell.gates != 1
        or cell.recurrent
        or cell.parameters
        or cell.output_components != 1
    ):
        raise OptionError(
            f"filter is {cell!r}; expected a cell with one gate, no recurrent gate and no parameters, as in "
            f"enrnn_ref.filters."
        )
