"""Where a file is changed, and what the changes are called.

A change is made in the syntax tree, never in the text. What does not compute is left alone: docstrings, annotations,
decorators, default values, messages, ``raise`` and ``assert``, an ``if`` that only raises, the arguments of functions
that check arguments, and functions that check, draw initial values or describe a model.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

from tools.mutants.operators import Role, called, changes

FUNCTIONS_LEFT_ALONE = (
    *("init", "_init", "_init_input", "_laws", "_count"),
    *("config", "_settings", "without_momentum", "message", "error", "jit"),
    *("even_integer", "_sizes", "_decay", "_buffers"),
)
PREFIXES_LEFT_ALONE = ("_require", "require_", "checked_", "_checked_")
CALLS_LEFT_ALONE = ("integer", "number", "choice", "float_array", "float_dtype", "array_dict", "isinstance", "type")
SETTINGS = ("strict", "check_finite", "inlined")
"""Keywords that choose how something is done, not what."""

ALIASES = ("_Units", "Law", "Tuple", "UnitFunction")
"""Names of types."""

RESULTS = ("step", "pullback", "tangent", "relay", "function", "slope")
"""What a function's name ends with whose results are negated, one at a time."""

_FIELDS_LEFT_ALONE = {
    ast.AnnAssign: ("target", "annotation"),
    ast.FunctionDef: ("args", "returns", "decorator_list"),
    ast.ClassDef: ("bases", "keywords", "decorator_list"),
}


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes
    ----------
    path : str
        The file, from the root of the repository.
    function : str
        Qualified name of the innermost function or class, "" for the module.
    line : int
        Of the statement.
    before, after : str
        The statement without and with the change; of a compound one the first line.
    occurrence : int
        Counts, from 0, mutants of which all of the above but the line are equal.
    """

    path: str
    function: str
    line: int
    before: str
    after: str
    occurrence: int
    _place: _Place
    _node: ast.AST

    @property
    def key(self) -> str:
        """What it is called in the results: without the line, so that lines may come and go above it."""
        count = f" #{self.occurrence}" if self.occurrence else ""
        return f"{self.path}::{self.function}::{self.before} -> {self.after}{count}"

    def apply(self) -> None:
        """Change the tree that the mutant was found in, for good: do it in a process that ends afterwards."""
        self._place.put(self._node)


@dataclass(frozen=True)
class _Place:
    """Where a node hangs: ``parent.field``, or an entry of that list."""

    parent: ast.AST
    field: str
    index: int | None

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


@dataclass(frozen=True)
class _Site:
    """A node that may be changed."""

    function: str
    statement: ast.stmt
    place: _Place
    node: ast.AST
    role: Role


def mutants(path: str, tree: ast.Module) -> list[Mutant]:
    """All mutants of a file, in its order; two changes of a statement with one result are one."""
    found: list[Mutant] = []
    texts: set[tuple[int, str]] = set()
    count: dict[tuple[str, str, str], int] = {}
    for site in _sites(tree, "", None, Role.NONE):
        before = header(site.statement)
        for changed in changes(site.node, site.role):
            node = ast.fix_missing_locations(ast.copy_location(changed, site.node))
            site.place.put(node)
            after = header(node if site.node is site.statement else site.statement)
            site.place.put(site.node)
            if after == before or (id(site.statement), after) in texts:
                continue
            texts.add((id(site.statement), after))
            name = (site.function, before, after)
            count[name] = count.get(name, -1) + 1
            found.append(
                Mutant(path, site.function, site.statement.lineno, before, after, count[name], site.place, node)
            )
    return found


def header(statement: ast.AST) -> str:
    """A simple statement as one line of source, a compound one without what it contains."""
    if not hasattr(statement, "body") or isinstance(statement, ast.expr):
        return ast.unparse(statement)
    shallow = copy.copy(statement)
    shallow.body = []  # type: ignore[attr-defined]
    if hasattr(shallow, "orelse"):
        shallow.orelse = []
    return ast.unparse(shallow)


def _sites(parent: ast.AST, function: str, statement: ast.stmt | None, role: Role) -> Iterator[_Site]:
    for field, value in ast.iter_fields(parent):
        if field in _FIELDS_LEFT_ALONE.get(type(parent), ()):
            continue
        entries = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for index, node in entries:
            if not isinstance(node, ast.AST) or _is_left_alone(node):
                continue
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield from _sites(node, f"{function}.{node.name}".lstrip("."), node, Role.NONE)
                continue
            around = node if isinstance(node, ast.stmt) else statement
            own = _role(parent, field, role, function)
            if around is not None:
                yield _Site(function, around, _Place(parent, field, index), node, own)
            yield from _sites(node, function, around, own)


def _role(parent: ast.AST, field: str, of_parent: Role, function: str) -> Role:
    if isinstance(parent, ast.Subscript) and field == "slice":
        return Role.INDEX
    if isinstance(parent, ast.Return):
        return Role.RESULT if function.endswith(RESULTS) else Role.NONE
    if isinstance(parent, ast.Tuple | ast.Slice):
        return of_parent
    if isinstance(parent, ast.UnaryOp):
        return Role.FACTOR
    if isinstance(parent, ast.BinOp) and (field == "right" or not isinstance(parent.op, ast.Add | ast.Sub)):
        return Role.FACTOR
    return Role.NONE


def _is_left_alone(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name in FUNCTIONS_LEFT_ALONE or node.name.startswith(PREFIXES_LEFT_ALONE)
    if isinstance(node, ast.Raise | ast.Assert | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id in ALIASES
    if isinstance(node, ast.If):
        return _only_raises(node) or (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING")
    if isinstance(node, ast.Call):
        return called(node) in CALLS_LEFT_ALONE or called(node).startswith(PREFIXES_LEFT_ALONE)
    if isinstance(node, ast.keyword):
        return node.arg in SETTINGS
    return False


def _only_raises(branch: ast.If) -> bool:
    return isinstance(branch.body[-1], ast.Raise) and not branch.orelse
