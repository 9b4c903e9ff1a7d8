"""The derivative of a function as JAX finds it by itself, with custom rules set aside.

A ``custom_vjp`` forbids forward mode, and its rule is what is under test. So the function is traced, and its jaxpr run
again with every ``custom_vjp_call`` and ``custom_jvp_call`` replaced by the operations it stands for, and
``stop_gradient`` by the identity, inside jit, scan, while and cond too. Then ``jax.jvp`` is the truth about it. What
leaves JAX (``pure_callback``), or has no derivative in it (eigenvectors of a nonsymmetric matrix), ends the attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from enrnn_ref.verify.adapters import dependency
from enrnn_ref.verify.adapters.trust import NotDifferentiableError

_CUSTOM = ("custom_vjp_call", "custom_vjp_call_jaxpr", "custom_jvp_call")


def derivative(function: Callable[..., Any], values: Any, moves: Any) -> Any:
    """The derivative of ``function(values)``, an array, along ``moves``.

    Raises
    ------
    NotDifferentiableError
        JAX cannot see, or not differentiate, all of it.
    """
    jax = dependency.load("jax", "peers")
    try:
        return jax.jvp(plain(function, values), (values,), (moves,))[1]
    except (NotImplementedError, TypeError, ValueError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise NotDifferentiableError(f"JAX cannot differentiate the forward pass ({said[0][:120]})") from error


def plain(function: Callable[..., Any], example: Any) -> Callable[[Any], Any]:
    """``function`` of one argument without custom rules; ``example`` tells structure, shapes and dtypes."""
    jax = dependency.load("jax", "peers")
    closed, form = jax.make_jaxpr(function, return_shape=True)(example)
    tree = jax.tree.structure(form)

    def run(argument: Any) -> Any:
        return jax.tree.unflatten(tree, _run(jax, closed.jaxpr, closed.consts, jax.tree.leaves(argument)))

    return run


def _run(jax: Any, jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """The outputs of a jaxpr."""
    literal = dependency.load("jax.extend.core", "peers").Literal
    known: dict[Any, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, literal) else known[atom]

    for equation in jaxpr.eqns:
        outputs = _equation(jax, equation, [read(atom) for atom in equation.invars])
        known |= zip(equation.outvars, outputs, strict=True)
    return [read(atom) for atom in jaxpr.outvars]


def _inner(jax: Any, body: Any) -> Callable[..., list[Any]]:
    """A jaxpr among the parameters of an equation as a function."""
    return lambda *arguments: _run(jax, getattr(body, "jaxpr", body), getattr(body, "consts", ()), arguments)


def _equation(jax: Any, equation: Any, arguments: list[Any]) -> Sequence[Any]:
    name, settings = equation.primitive.name, equation.params
    if name == "stop_gradient":
        return arguments
    body = next((settings[key] for key in ("call_jaxpr", "fun_jaxpr", "jaxpr") if key in settings), None)
    if name in (*_CUSTOM, "jit", "pjit", "closed_call", "core_call", "remat", "checkpoint"):
        return _inner(jax, body)(*arguments)
    if name == "scan":
        return _scan(jax, _inner(jax, body), settings, arguments)
    if name == "while":
        return _while(jax, settings, arguments)
    if name == "cond":
        index, *operands = arguments
        outputs: Sequence[Any] = jax.lax.switch(index, [_inner(jax, b) for b in settings["branches"]], *operands)
        return outputs
    bound = equation.primitive.get_bind_params(settings)
    functions, rest = bound if isinstance(bound, tuple) else ((), bound)  # up to JAX 0.8, and since
    result = equation.primitive.bind(*functions, *arguments, **rest)
    return result if equation.primitive.multiple_results else [result]


def _scan(jax: Any, body: Callable[..., list[Any]], settings: Any, arguments: list[Any]) -> list[Any]:
    fixed, carried = settings["num_consts"], settings["num_carry"]
    consts, start, sequences = arguments[:fixed], arguments[fixed : fixed + carried], arguments[fixed + carried :]

    def step(carry: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        outputs = body(*consts, *carry, *slices)
        return outputs[:carried], outputs[carried:]

    end, stacked = jax.lax.scan(
        step, start, sequences, length=settings["length"], reverse=settings["reverse"], unroll=settings["unroll"]
    )
    return [*end, *stacked]


def _while(jax: Any, settings: Any, arguments: list[Any]) -> list[Any]:
    tests, bodies = settings["cond_nconsts"], settings["body_nconsts"]
    of_test, of_body, start = arguments[:tests], arguments[tests : tests + bodies], arguments[tests + bodies :]
    test, body = _inner(jax, settings["cond_jaxpr"]), _inner(jax, settings["body_jaxpr"])
    end: list[Any] = jax.lax.while_loop(lambda c: test(*of_test, *c)[0], lambda c: body(*of_body, *c), start)
    return end
