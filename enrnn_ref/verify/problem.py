"""What is checked, in one form: a function of named arrays with a flat output, its pullback, its tangent if any."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays, float_array
from enrnn_ref.errors import DtypeError, NotFiniteError, OptionError, ParameterError
from enrnn_ref.verify.trees import Tree, leaves_of
from enrnn_ref.verify.twins import Twin, candidates
from enrnn_ref.verify.verdicts import Verdict

Arguments = Mapping[str, Any] | Sequence[Any]
"""Named arrays, handed to the function as one dict; or unnamed ones, handed over one by one. Both may hold nests."""


class ContractError(Exception):
    """A result of the checked code lacks the structure, shape or dtype it must have. Becomes a row, never escapes.

    Attributes
    ----------
    verdict : Verdict
    faults : dict
        Where only some gradients are at fault: what is wrong with each.
    rest : dict of ndarray
        The other gradients.
    """

    def __init__(
        self,
        message: str,
        verdict: Verdict = Verdict.SHAPE,
        faults: Mapping[str, str] | None = None,
        rest: Arrays | None = None,
    ) -> None:
        super().__init__(message)
        self.verdict, self.faults, self.rest = verdict, dict(faults or {}), rest or {}


@dataclass(frozen=True)
class Problem:
    """A differentiable function at a point.

    Attributes
    ----------
    arrays : dict of ndarray
        The point; all of one dtype.
    size : int
        K, the number of outputs.
    function : callable
        arrays → output (K,).
    pullback : callable
        (arrays, cotangent (K,)) → gradients with the keys, shapes and dtype of ``arrays``.
    tangent : callable or None
        (arrays, directions) → derivative of the output (K,).
    twins : list of Twin
        Ways to an exact derivative that may work.
    complex : frozenset of str
        Arrays that stand for complex ones: their last axis holds real and imaginary part.
    aliased : callable
        () → the names of arrays in whose memory the function's output lies.
    """

    arrays: Arrays
    size: int
    function: Callable[[Arrays], Array]
    pullback: Callable[[Arrays, Array], Arrays]
    tangent: Callable[[Arrays, Arrays], Array] | None = None
    twins: list[Twin] = field(default_factory=list)
    complex: frozenset[str] = frozenset()
    aliased: Callable[[], list[str]] = list

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of all arrays."""
        return next(iter(self.arrays.values())).dtype

    def direction(self, name: str, value: Array) -> Arrays:
        """The direction ``value`` in the array ``name``, zero elsewhere."""
        return {**{key: np.zeros_like(array) for key, array in self.arrays.items()}, name: value}

    def protected(self) -> Problem:
        """The same, but for calls that get copies to spoil."""

        def copies(arrays: Arrays) -> Arrays:
            return {name: array.copy() for name, array in arrays.items()}

        tangent = self.tangent
        return replace(
            self,
            function=lambda arrays: self.function(copies(arrays)),
            pullback=lambda arrays, cotangent: self.pullback(copies(arrays), cotangent.copy()),
            tangent=tangent and (lambda arrays, directions: tangent(copies(arrays), copies(directions))),
        )

    def without(self, names: Sequence[str]) -> Problem:
        """The same function of the other arrays, with the named ones held fixed."""
        fixed = {name: self.arrays[name] for name in names}
        still = {name: np.zeros_like(array) for name, array in fixed.items()}
        tangent = self.tangent

        def complete(arrays: Arrays, rest: Arrays) -> Arrays:
            return {name: arrays[name] if name in arrays else rest[name] for name in self.arrays}

        def pullback(arrays: Arrays, cotangent: Array) -> Arrays:
            try:
                gradients = self.pullback(complete(arrays, fixed), cotangent)
            except ContractError as error:
                if not error.faults or not fixed.keys() >= error.faults.keys():
                    raise
                gradients = error.rest
            return {name: gradients[name] for name in arrays}

        def narrowed(twin: Twin) -> Twin:
            return twin.at(lambda a, d: twin.derivative(complete(a, fixed), complete(d, still)))

        return Problem(
            {name: array for name, array in self.arrays.items() if name not in fixed},
            self.size,
            lambda arrays: self.function(complete(arrays, fixed)),
            pullback,
            tangent and (lambda arrays, d: tangent(complete(arrays, fixed), complete(d, still))),
            [narrowed(twin) for twin in self.twins],
            self.complex - fixed.keys(),
            self.aliased,
        )


def from_callables(
    function: Callable[..., Any],
    pullback: Callable[..., Any],
    arguments: Arguments,
    tangent: Callable[..., Any] | None,
) -> Problem:
    """The problem behind the arguments of :func:`~enrnn_ref.verify.check_gradient`, which documents them.

    Raises
    ------
    ContractError
        The function has no value at the point.
    """
    for name, value in (("function", function), ("pullback", pullback), ("tangent", tangent)):
        if not callable(value) and not (name == "tangent" and value is None):
            raise OptionError(f"{name} is a {type(value).__name__}; expected a callable.")
    point = _point(arguments)
    named = isinstance(arguments, Mapping)

    def spread(nest: Any) -> tuple[Any, ...]:
        """The function's arguments: the dict, or one by one."""
        return (nest,) if named else tuple(nest)

    def call(values: Arrays) -> Any:
        return _guarded("the function", function, *spread(point.build(values)))

    first = point.build({name: array.copy() for name, array in point.arrays.items()})
    given = Tree(first, lambda _, leaf: np.asarray(leaf))
    value = _guarded("the function", function, *spread(first))
    form = Tree(value, _output_leaf)
    shared = [n for n, a in _leaves(first, given).items() if any(np.shares_memory(a, b) for b in _arrays(value))]

    def pull(values: Arrays, cotangent: Array) -> Arrays:
        nest = form.build(_parts(form, cotangent))
        return _conforming(_guarded("the pullback", pullback, point.build(values), nest), point)

    def push(values: Arrays, directions: Arrays) -> Array:
        assert tangent is not None
        result = _guarded("the tangent", tangent, point.build(values), point.build(directions))
        return _flat("the tangent", result, form)

    def evaluate(values: Arrays) -> Array:
        return _flat("the output", call(values), form)

    def raw(leaves: dict[str, Any]) -> Any:
        return function(*spread(point.fill(leaves)))

    return Problem(
        point.arrays,
        sum(array.size for array in form.arrays.values()),
        evaluate,
        pull,
        push if tangent else None,
        candidates(raw, point.leaves, lambda output: [leaf for _, leaf in Tree.walk(output)]),
        frozenset(name for name, leaf in point.leaves.items() if leaf.complex),
        lambda: shared,
    )


def matching(gradients: object, arrays: Arrays) -> Arrays:
    """``gradients`` in the order of ``arrays``; ContractError unless keys, shapes and dtypes are the same."""
    if not isinstance(gradients, Mapping):
        raise ContractError(f"the gradients are a {type(gradients).__name__}; expected a dict of {list(arrays)}")
    return _matched(dict(gradients), [name for name in gradients if name not in arrays], arrays)


def _conforming(gradients: object, point: Tree) -> Arrays:
    """The gradients as real arrays; ContractError unless they have the structure, shapes and dtypes of the point."""
    found, unknown = leaves_of(gradients, point)
    if not found and not unknown:
        raise ContractError(f"the pullback returned an empty {type(gradients).__name__}")
    real = {}
    for name, leaf in point.leaves.items():
        if name in found:
            array = _as_array(found[name])
            fits = array.shape == leaf.shape and array.dtype == leaf.dtype
            real[name] = leaf.real(array) if fits else array
    return _matched(real, unknown, point.arrays)


def _matched(found: Mapping[str, object], unknown: list[str], arrays: Arrays) -> Arrays:
    faults, rest = {}, {}
    for name, array in arrays.items():
        if name not in found:
            faults[name] = f"there is no array that is the gradient of {name}"
            continue
        gradient = _as_array(found[name])
        if gradient.shape != array.shape or gradient.dtype != array.dtype:
            faults[name] = (
                f"the gradient of {name} has shape {gradient.shape} and dtype {gradient.dtype}; expected "
                f"{array.shape} and {array.dtype}"
            )
        else:
            rest[name] = gradient
    unknown = [name for name in unknown if not any(name.startswith(f"{fault}.") for fault in faults)]
    if unknown:
        raise ContractError(f"there are gradients of {unknown}; expected those of {list(arrays)} only")
    if faults:
        raise ContractError("; ".join(faults.values()), faults=faults, rest=rest)
    return rest


def _guarded(what: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """The call; an exception inside becomes a finding that says where it came from."""
    try:
        return call(*arguments)
    except ContractError:
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}, line {frame.lineno}"
        raise ContractError(f"{what} raised {type(error).__name__}: {error} ({place})", Verdict.NO_ANSWER) from error


def _point(arguments: Arguments) -> Tree:
    """Copies of the arguments under their names, or under their positions."""
    if not isinstance(arguments, (Mapping, tuple, list)):
        raise ParameterError(f"arguments is a {type(arguments).__name__}; expected a tuple or a dict of arrays.")
    point = Tree(arguments, _argument_leaf)
    if not point.arrays:
        raise ParameterError("arguments is empty; expected at least one array.")
    return point


def _argument_leaf(name: str, leaf: object) -> Array:
    label = f"arguments[{name}]"
    if np.asarray(leaf).dtype == np.complex128:
        array = np.array(leaf, order="C")
        if not np.isfinite(array).all():
            raise NotFiniteError(f"{label} holds NaN or infinite values.")
        return array
    array = float_array(label, leaf).copy()
    if array.dtype != np.float64:
        raise DtypeError(
            f"{label} has dtype {array.dtype}; expected float64 or complex128: in a narrower dtype rounding hides what "
            "differences could show."
        )
    return array


def _output_leaf(name: str, leaf: object) -> Array:
    array = _as_array(leaf)
    if array.dtype not in (np.float64, np.complex128):
        what = f"output {name}" if name else "the output"
        raise ContractError(f"{what} has shape {array.shape} and dtype {array.dtype}; expected float64 or complex128")
    return array


def _as_array(value: object) -> Array:
    try:
        return np.asarray(value)
    except ValueError:  # ragged lists
        return np.asarray(None)


def _parts(form: Tree, vector: Array) -> Arrays:
    """A flat vector as the arrays of a tree."""
    parts, start = {}, 0
    for name, like in form.arrays.items():
        parts[name] = vector[start : start + like.size].reshape(like.shape)
        start += like.size
    return parts


def _flat(what: str, value: object, form: Tree) -> Array:
    """A result as one real vector; ContractError unless it has the structure, shapes and dtypes of ``form``."""
    found, unknown = leaves_of(value, form)
    real = []
    for name, leaf in form.leaves.items():
        array = _as_array(found.get(name))
        if array.shape != leaf.shape or array.dtype != leaf.dtype or unknown:
            part = f"{what}, part {name}," if name else what
            raise ContractError(
                f"{part} has shape {array.shape} and dtype {array.dtype}; expected {leaf.shape} and {leaf.dtype}"
            )
        real.append(leaf.real(array).ravel())
    return np.concatenate(real)


def _leaves(nest: Any, form: Tree) -> dict[str, Array]:
    return {name: np.asarray(leaf) for name, leaf in leaves_of(nest, form)[0].items()}


def _arrays(nest: Any) -> list[Array]:
    return [leaf for _, leaf in Tree.walk(nest) if isinstance(leaf, np.ndarray)]
