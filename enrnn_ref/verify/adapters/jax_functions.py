"""JAX: a function of arrays, beside a model of ours or beside its own differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.errors import DtypeError, OptionError, ParameterError
from enrnn_ref.models import Model
from enrnn_ref.verify.adapters import dependency
from enrnn_ref.verify.adapters.answer import Answer, argument_names, asked, judged, require_repeatable, require_shape
from enrnn_ref.verify.adapters.correspondence import Correspondence, Names
from enrnn_ref.verify.adapters.jax_forward import derivative
from enrnn_ref.verify.adapters.point import Point, draw
from enrnn_ref.verify.adapters.trust import doubt
from enrnn_ref.verify.gradient import check_gradient
from enrnn_ref.verify.report import Report


def jax(
    function: Callable[..., Any],
    *arguments: Any,
    reference: Model | None = None,
    names: Names | None = None,
    stateful: bool = True,
    steps: int = 7,
    batch: int = 6,
    seed: int = 0,
    directions: int = 2,
) -> Report:
    """Check a JAX function: its values, and every gradient that JAX gives for it, custom rules included.

    With a ``reference``, ``function(params, x, state)`` is compared with that model of this package. Without, the
    gradients of ``function(*arguments)`` by all its float arrays are checked by
    :func:`~enrnn_ref.verify.check_gradient`, in float64, against the function's own values; the derivative that
    ``jax.jvp`` finds without the custom rules decides what differences cannot see, and ``settings["tangent"]`` of the
    report says whether it could be had.

    Float64 is switched on for the time of the check only, where the parameters are float64 (without a reference:
    always); the process's own setting is left alone.

    Parameters
    ----------
    function : callable
        Traceable by JAX. With a reference it returns y, or y and the final state as a dict (T, B, ·), (B, width).
    *arguments : nests of arrays
        With a reference: the parameters, a dict, possibly nested; then, unless they shall be drawn, x (T, B, I) and the
        state, a dict of (B, width).
    reference : Model, optional
    names : dict or callable, optional
        Their parameters' names to ours (:class:`~enrnn_ref.verify.adapters.correspondence.Correspondence`); a nested
        parameter's name is the path to it with dots. None: they are the same.
    stateful : bool
        With a reference: whether the function takes the initial state, a dict.
    steps, batch, seed : int
        Of the drawn point.
    directions : int
        Of check_gradient.

    Returns
    -------
    Report

    Raises
    ------
    OptionError, ParameterError, ShapeError, DtypeError, NotFiniteError
        An argument of this function is not as described.
    DependencyError
        jax is not installed.
    """
    library = dependency.load("jax", "peers")
    if not callable(function):
        raise OptionError(f"function is a {type(function).__name__}; expected a callable.")
    title = f"{getattr(function, '__name__', type(function).__name__)} (JAX)"
    if reference is None:
        if names is not None:
            raise OptionError("names go with a reference; expected one.")
        with double():
            return _alone(library, function, arguments, title, directions, seed)
    if not 1 <= len(arguments) <= 3:
        raise OptionError(f"{len(arguments)} arguments were given; expected the parameters, x and the state at most.")
    weights, nested = _flat(library, arguments[0])
    kinds = {array.dtype for array in weights.values()}
    if len(kinds) != 1 or not kinds <= {np.dtype(np.float32), np.dtype(np.float64)}:
        raise DtypeError(f"the parameters have dtypes {sorted(map(str, kinds))}; expected all float32 or all float64.")
    (dtype,) = kinds
    x = np.asarray(arguments[1]) if len(arguments) > 1 else None
    state = {key: np.asarray(a) for key, a in arguments[2].items()} if len(arguments) > 2 else None
    point = draw(reference, dtype, x=x, state=state, stateful=stateful, steps=steps, batch=batch, seed=seed)
    with double() if dtype == np.float64 else _unchanged():
        return judged(
            title,
            reference,
            point,
            Correspondence({name: name for name in weights} if names is None else names, reference.shapes),
            weights,
            lambda: _answer(library, function, nested(weights), point),
            settings={"seed": seed, "jax": library.__version__},
        )


def double() -> AbstractContextManager[Any]:
    """Float64 within the context."""
    library = dependency.load("jax", "peers")
    switch = library.enable_x64 if hasattr(library, "enable_x64") else _older_switch()
    context: AbstractContextManager[Any] = switch(True)
    return context


def _older_switch() -> Any:
    return dependency.load("jax.experimental", "peers").enable_x64


class _unchanged(AbstractContextManager[None]):  # noqa: N801 (used as one uses a function)
    def __exit__(self, *_: object) -> None: ...


def _flat(library: Any, nest: Any) -> tuple[Arrays, Callable[[Mapping[str, Array]], Any]]:
    """The float arrays of a nest under the paths to them, and the way back; what is no float array stays in place."""
    paths, tree = library.tree_util.tree_flatten_with_path(nest)
    labels = [".".join(_key(key) for key in path) or "argument" for path, _ in paths]
    leaves = [leaf for _, leaf in paths]
    moving = {
        label: np.array(leaf)
        for label, leaf in zip(labels, leaves, strict=True)
        if np.issubdtype(np.asarray(leaf).dtype, np.floating)
    }
    if not moving:
        raise ParameterError("the arguments hold no float array; expected one at least.")

    def back(arrays: Mapping[str, Any]) -> Any:
        filled = [arrays.get(label, leaf) for label, leaf in zip(labels, leaves, strict=True)]
        return library.tree.unflatten(tree, filled)

    return moving, back


def _key(key: Any) -> str:
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _alone(
    library: Any, function: Callable[..., Any], arguments: tuple[Any, ...], title: str, directions: int, seed: int
) -> Report:
    """check_gradient of a function by itself."""
    names = argument_names(function, len(arguments))
    given, unflatten = _flat(library, dict(zip(names, arguments, strict=True)))

    def back(arrays: Mapping[str, Any]) -> tuple[Any, ...]:
        filled = unflatten(arrays)
        return tuple(filled[name] for name in names)

    point = {name: array.astype(np.float64) for name, array in given.items()}

    def output(arrays: Mapping[str, Any]) -> Any:
        leaves = library.tree.leaves(function(*back(arrays)))
        floats = [leaf for leaf in map(library.numpy.asarray, leaves) if np.issubdtype(leaf.dtype, np.floating)]
        if not floats:
            raise ParameterError("function returned no float array; expected one at least.")
        return library.numpy.concatenate([leaf.ravel() for leaf in floats])

    compiled = library.jit(output)

    @library.jit  # type: ignore[untyped-decorator]
    def pulled(arrays: Mapping[str, Any], cotangent: Any) -> Any:
        return library.vjp(output, arrays)[1](cotangent)[0]

    @library.jit  # type: ignore[untyped-decorator]
    def pushed(arrays: Mapping[str, Any], moves: Mapping[str, Any]) -> Any:
        return derivative(output, arrays, moves)

    def value(arrays: Mapping[str, Array]) -> Array:
        if any(array.dtype != np.float64 for array in arrays.values()):
            raise TypeError("a function is run in float64 alone")
        return np.array(compiled(dict(arrays)))

    def tangent(arrays: Mapping[str, Array], moves: Mapping[str, Array]) -> Array:
        return np.array(pushed(dict(arrays), dict(moves)))

    def pullback(arrays: Mapping[str, Array], cotangent: Array) -> Arrays:
        return {name: np.array(gradient) for name, gradient in pulled(dict(arrays), cotangent).items()}

    doubted = doubt(value, tangent, point, seed)
    report = check_gradient(
        value, pullback, point, tangent=None if doubted else tangent, directions=directions, seed=seed
    )
    told = f"none: {doubted}" if doubted else "JAX's own, without custom rules"
    return replace(report, title=title, settings={**report.settings, "tangent": told, "jax": library.__version__})


def _answer(library: Any, function: Callable[..., Any], params: Any, point: Point) -> Answer:
    """Values, and the gradients that JAX gives for the point's cotangents."""

    def call(params: Any, x: Any, state: Any) -> Any:
        result = function(params, x, state) if state else function(params, x)
        return result if isinstance(result, (tuple, list)) else (result, {})

    arguments = (params, point.x, point.state)
    (y, final), pull = asked("the function", lambda: library.vjp(call, *arguments))
    (again, _), _ = asked("the function", lambda: library.vjp(call, *arguments))
    require_repeatable({"y": np.array(y)}, {"y": np.array(again)})
    require_shape("the output y", y, point.dy.shape)
    final = dict(final)
    for key, like in point.dstate.items():
        if key in final:
            require_shape(f"the final state {key}", final[key], like.shape)
    cotangents = (point.dy, {key: point.dstate[key] for key in final})
    dparams, dx, dstate = asked("the backward pass", lambda: pull(cotangents))
    return Answer(
        np.array(y),
        {key: np.array(array) for key, array in final.items()},
        _flat(library, dparams)[0],
        np.array(dx),
        {key: np.array(array) for key, array in dstate.items()},
    )
