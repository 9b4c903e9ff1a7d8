"""What a node of a syntax tree is changed to: operators, signs, indices, transposes and constants."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from enum import Enum
from typing import Any

BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
}

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}

_PAIRS = ("max min", "maximum minimum", "sin cos", "floor ceil", "any all", "triu tril", "triu_indices tril_indices")
TWINS = {one: other for pair in _PAIRS for one, other in (pair.split(), reversed(pair.split()))}
"""Functions that stand for each other."""

DROPPED = ("abs", "absolute", "reversed")
"""Functions that leave their argument as it is."""

DROPPED_METHODS = ("conj", "conjugate", "swapaxes")
"""Methods that leave their array as it is."""

LARGE = 64
"""From here on a whole number is doubled, and not moved by one."""

_PRODUCTS = ast.Mult | ast.Div | ast.MatMult


class Role(Enum):
    """What a node is to its parent, where that matters."""

    NONE = 0
    INDEX = 1
    """An index, one of several, or a bound of a slice."""
    RESULT = 2
    """What a function returns, or one of several results."""
    FACTOR = 3
    """What has a sign of its own: an operand of a product, a power or a sign, the right one of a sum."""


def changes(node: ast.AST, role: Role) -> Iterator[ast.AST]:
    """Other nodes to put in the place of ``node``, each one mistake away from it."""
    of_kind = _OF_KIND.get(type(node))
    if isinstance(node, ast.Constant) and role is Role.INDEX:
        yield from _index(node)
    elif of_kind is not None:
        yield from of_kind(node)
    if isinstance(node, ast.Name) and role is Role.INDEX:
        yield ast.BinOp(node, ast.Sub(), ast.Constant(1))
        if node.id == "t":
            yield ast.BinOp(node, ast.Add(), ast.Constant(1))
    product = isinstance(node, ast.BinOp) and isinstance(node.op, _PRODUCTS)
    negated = (role is Role.RESULT and not isinstance(node, ast.Tuple)) or (product and role is not Role.FACTOR)
    if isinstance(node, ast.expr) and negated and not _is_zero(node):
        yield ast.UnaryOp(ast.USub(), node)


def _is_zero(node: ast.AST) -> bool:
    """Whether it is a zero by its looks, whose sign is no one's business."""
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant):
        return not node.left.value
    if isinstance(node, ast.Call):
        return called(node) in ("zeros", "zeros_like")
    return isinstance(node, ast.Name) and node.id == "zero"


def _like(node: Any, **fields: Any) -> Any:
    other = copy.copy(node)
    for field, value in fields.items():
        setattr(other, field, value)
    return other


def _operation(node: ast.BinOp) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.MatMult):
        yield _like(node, left=node.right, right=node.left)
        for side in ("left", "right"):
            operand = getattr(node, side)
            if isinstance(operand, ast.Name | ast.Attribute | ast.Subscript) and getattr(operand, "attr", "") != "T":
                yield _like(node, **{side: ast.Attribute(operand, "T", ast.Load())})
    else:
        yield _like(node, op=BINARY[type(node.op)]())


def _augmented(node: ast.AugAssign) -> Iterator[ast.AST]:
    if not isinstance(node.op, ast.BitOr):  # which joins two dicts
        yield _like(node, op=BINARY[type(node.op)]())
        yield ast.Assign([node.target], node.value)


def _unary(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield node.operand


def _comparison(node: ast.Compare) -> Iterator[ast.AST]:
    for k, operator in enumerate(node.ops):
        for other in COMPARISONS[type(operator)]:
            yield _like(node, ops=[*node.ops[:k], other(), *node.ops[k + 1 :]])


def _junction(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield _like(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())


def _choice(node: ast.IfExp) -> Iterator[ast.AST]:
    yield _like(node, body=node.orelse, orelse=node.body)


def _branch(node: ast.If) -> Iterator[ast.AST]:
    if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
        yield _like(node, test=ast.UnaryOp(ast.Not(), node.test))


def _constant(node: ast.Constant) -> Iterator[ast.AST]:
    for value in _other_values(node.value):
        yield ast.Constant(value)


def _index(node: ast.Constant) -> Iterator[ast.AST]:
    if type(node.value) is int:
        yield ast.Constant(node.value - 1 if node.value > 0 else 1)


def _other_values(value: object) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [2 * value] if value >= LARGE else [value + 1, value - 1] if value > 0 else [value + 1]
    if isinstance(value, float):
        return [2 * value, 0.0] if value else [1.0]
    if isinstance(value, complex):
        return [-value]
    if isinstance(value, str):
        return _other_code(value)
    return []


def _other_code(text: str) -> list[Any]:
    """Other forms of a string that is code: the indices of a sum (ij,jk->ik) and the templates of the kernels."""
    if "->" in text:
        factors, result = text.split("->")
        summed = sorted(set(factors) - set(result) - {","})
        return [f"{factors}->{summed[0]}"] if summed else []
    if text.strip() == "+=" or "] += " in text:
        return [text.replace("+=", "-="), text.replace("+=", "=")]
    if text.strip() == "=" or "] = " in text:
        return [text.replace("=", "+=")]
    return []


def _attribute(node: ast.Attribute) -> Iterator[ast.AST]:
    if node.attr == "T":
        yield node.value
    elif node.attr in ("real", "imag"):
        yield _like(node, attr="imag" if node.attr == "real" else "real")


def _call(node: ast.Call) -> Iterator[ast.AST]:
    function, name = node.func, called(node)
    if name in TWINS:
        field = "id" if isinstance(function, ast.Name) else "attr"
        yield _like(node, func=_like(function, **{field: TWINS[name]}))
    if name == "outer":
        yield _like(node, args=node.args[::-1])
    if name in DROPPED:
        yield node.args[0]
    if name in DROPPED_METHODS and isinstance(function, ast.Attribute):
        yield function.value


def called(call: ast.Call) -> str:
    """The name of the function or method that is called."""
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


_OF_KIND: dict[type, Any] = {
    ast.BinOp: _operation,
    ast.AugAssign: _augmented,
    ast.UnaryOp: _unary,
    ast.Compare: _comparison,
    ast.BoolOp: _junction,
    ast.IfExp: _choice,
    ast.If: _branch,
    ast.Constant: _constant,
    ast.Attribute: _attribute,
    ast.Call: _call,
}
