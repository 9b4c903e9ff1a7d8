"""The derivative of a forward pass as PyTorch finds it by itself, whatever was written about derivatives set aside.

A custom ``autograd.Function`` is a forward pass with a backward pass that claims to belong to it. The truth about the
claim can be had without differences, which see nothing where a gradient has vanished: run the forward pass as the plain
operations that it is made of, and differentiate those. So while :func:`derivative` runs

- every ``Function.apply`` calls the function's ``forward`` with a context that only takes notes;
- ``detach`` and ``.data`` return their tensor: they change what autograd is told, not what is computed;
- what leaves PyTorch (``numpy``) ends the attempt.

PyTorch's forward mode does the rest. ``item`` and ``tolist`` may serve a mere decision, or carry a value past PyTorch:
whoever calls this compares the result with a difference first.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from enrnn_ref.verify.adapters import dependency
from enrnn_ref.verify.adapters.trust import NotDifferentiableError

_LOCK = threading.RLock()


class _Notes:
    """The context of a custom function: takes whatever is noted, for nobody."""

    def __init__(self, count: int) -> None:
        self.needs_input_grad = (True,) * count
        self.saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        self.saved_tensors = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        self.saved_tensors = tensors

    def mark_dirty(self, *tensors: Any) -> None: ...

    def mark_non_differentiable(self, *tensors: Any) -> None: ...

    def set_materialize_grads(self, value: bool) -> None: ...


@contextmanager
def _plain_functions() -> Iterator[None]:
    """Custom functions run as plain operations, in this thread alone.

    ``Function.apply`` ends in its parent's ``apply``, and so does every bound copy that somebody took of it: that is
    where it is caught.
    """
    function = dependency.load("torch.autograd.function", "torch")
    parent, here = function._SingleLevelFunction, threading.get_ident()

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != here:
            return super(parent, cls).apply(*args, **kwargs)
        if cls.setup_context is not function._SingleLevelFunction.setup_context:
            return cls.forward(*args, **kwargs)
        return cls.forward(_Notes(len(args)), *args, **kwargs)

    with _LOCK:
        parent.apply = classmethod(apply)
        try:
            yield
        finally:
            del parent.apply


@functools.cache
def _forward_mode() -> Any:
    """torch.autograd.forward_ad; the rules that it loads on first use complain about PyTorch's own compiler."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        dependency.load("torch._decomp.decompositions_for_jvp", "torch")
    return dependency.load("torch.autograd.forward_ad", "torch")


def derivative(
    function: Callable[[Mapping[str, Any]], Any], values: Mapping[str, Any], moves: Mapping[str, Any]
) -> Any:
    """The derivative of ``function(values)``, a tensor, along ``moves``.

    Raises
    ------
    NotDifferentiableError
        PyTorch cannot see, or not differentiate, all of it.
    """
    torch = dependency.load("torch", "torch")
    forward = _forward_mode()
    mode: Any = torch.overrides.TorchFunctionMode

    class Transparent(mode):  # type: ignore[misc]
        """Nothing is cut off from its derivative."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = getattr(func, "__name__", "")
            if name in ("detach", "detach_") or func == torch.Tensor.data.__get__:
                return args[0]
            if name in ("numpy", "__array__"):
                raise NotDifferentiableError("the forward pass leaves PyTorch for NumPy")
            return func(*args, **(kwargs or {}))

    try:
        with _plain_functions(), Transparent(), forward.dual_level():
            duals = {name: forward.make_dual(value, moves[name]) for name, value in values.items()}
            output, tangent = forward.unpack_dual(function(duals))
    except NotDifferentiableError:
        raise
    except (RuntimeError, NotImplementedError, AttributeError, TypeError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise NotDifferentiableError(f"PyTorch cannot differentiate the forward pass ({said[0][:120]})") from error
    return torch.zeros_like(output) if tangent is None else tangent
