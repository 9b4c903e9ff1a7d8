"""Which CUDA target compiles the kernels. No other module of this package imports one.

``numba.cuda`` is numba-cuda where that is installed (extra ``cuda``), and else the target that Numba still brings,
which knows no bound of a kernel's threads and is refused. With ``NUMBA_ENABLE_CUDASIM=1`` in the environment either of
them is a simulator, which runs kernels as Python, thread by thread, without a GPU.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import operator
import os
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, SimpleNamespace
from typing import Any

import numba
import numpy as np

from enrnn_ref.errors import BackendUnavailable, DeviceError, PlacementError

# Small grids are the nature of the matter, and warnings of them help nobody. Read when a target is imported.
os.environ.setdefault("NUMBA_CUDA_LOW_OCCUPANCY_WARNINGS", "0")
_config: Any = numba.config
_config.CUDA_LOW_OCCUPANCY_WARNINGS = 0

try:
    from numba import cuda as _cuda
    from numba.cuda.cudadrv.driver import CudaAPIError
except ImportError as error:
    raise BackendUnavailable(
        f"backend 'cuda' cannot run here: the CUDA target of Numba {numba.__version__} does not load with NumPy "
        f"{np.__version__} ({error}); expected 'enrnn-ref[cuda]' to be installed, which keeps NumPy below 2.5."
    ) from error

cuda: Any = _cuda
"""What kernels are written with; of no type that a checker knows."""

SIMULATED = bool(_config.ENABLE_CUDASIM)

TARGET = "simulator" if SIMULATED else {"NVIDIA": "numba-cuda"}.get(cuda.implementation, "numba")
"""What compiles: "numba-cuda", "numba" (built in) or "simulator"."""


NUMPY_BELOW = (2, 5)
"""numba-cuda 0.30 loads with a newer NumPy, and fails when it compiles: a name that it uses is gone."""


def device_number() -> int:
    """Of the GPU on which kernels run."""
    number: int = 0 if SIMULATED else cuda.get_current_device().id
    return number


def require_device() -> None:
    """Raise BackendUnavailable, saying what is missing, unless a kernel can run."""
    if SIMULATED:
        return
    if TARGET == "numba-cuda" and tuple(map(int, np.__version__.split(".")[:2])) >= NUMPY_BELOW:
        raise BackendUnavailable(
            f"backend 'cuda' cannot run here: numba-cuda cannot compile with NumPy {np.__version__}; expected a NumPy "
            f"below {'.'.join(map(str, NUMPY_BELOW))}, which 'enrnn-ref[cuda]' asks for."
        )
    obstacle = _obstacle()
    if obstacle is None:
        return
    reason = " ".join(str(obstacle).split()).rstrip(".")
    raise BackendUnavailable(
        f"backend 'cuda' cannot run here: {reason} (target {TARGET!r}); expected an NVIDIA GPU with its driver, and "
        "'enrnn-ref[cuda]' to be installed. 'cpu' (compiled) and 'reference' (readable NumPy) run everywhere."
    ) from (obstacle if isinstance(obstacle, Exception) else None)


def _obstacle() -> object:
    """What stands in the way of kernels, if anything does: a GPU may be there and yet let nobody in."""
    if TARGET != "numba-cuda":
        return "numba-cuda is not installed, and the target that Numba brings lacks what the kernels need"
    if not cuda.is_available():
        return cuda.cuda_error() or "no CUDA toolkit was found"
    try:
        if len(cuda.gpus) == 0:
            return "the driver knows of no GPU"
        cuda.jit(_meet)[1, 1](0)
        cuda.synchronize()
    except Exception as error:  # memory is full, the GPU another's, or a part of the toolkit missing: of many classes
        return error
    return None


def _meet(_: int) -> None:
    """A kernel for which every part of the toolkit is needed."""
    cuda.cg.this_grid().sync()


DRIVER_ERRORS: tuple[type[Exception], ...] = (CudaAPIError,)
"""What a target raises for what the driver reports."""

with contextlib.suppress(ImportError):  # numba-cuda launches by NVIDIA's own library, whose error is no subclass
    from cuda.core._utils.cuda_utils import CUDAError

    DRIVER_ERRORS += (CUDAError,)

_ADVICE = {
    "CUDA_ERROR_OUT_OF_MEMORY": "expected a device with memory for the pass. Fewer sequences at a time, "
    "forward(..., keep=False) or checkpoint_every=k need less.",
    "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES": "expected a device with room for a block of this shape. rule.forced chooses "
    "another rung, and 'steps' needs least.",
}
_OTHERWISE = (
    "expected a device that answers. If nothing runs on it from now on, it is lost to this process: start a new one."
)


@contextlib.contextmanager
def device_errors() -> Iterator[None]:
    """What the driver reports meanwhile, as an error of this package.

    Raises
    ------
    DeviceError
        The device's memory ran out, a block found no room on it, or the device was lost.
    """
    try:
        yield
    except DRIVER_ERRORS as error:
        advice = next((text for name, text in _ADVICE.items() if name in str(error)), _OTHERWISE)
        raise DeviceError(
            f"backend 'cuda' stopped: the driver reports {error}; {advice} Nothing on the host was changed."
        ) from error


def kernel(function: Callable[..., Any], threads: int | None = None) -> Any:
    """Compile a kernel, on its first launch with each combination of types; ``threads``: the most that a block has."""
    if SIMULATED:
        return cuda.jit(_without_warnings(function))
    if threads is None:
        return cuda.jit(function)
    return cuda.jit(launch_bounds=threads)(function)


def _without_warnings(function: Callable[..., Any]) -> Callable[..., Any]:
    """A simulated kernel that says no more of an overflow than a device does."""

    def quiet(*arguments: Any) -> None:
        with no_warnings(all="ignore"):
            function(*arguments)

    no_warnings = np.errstate
    # With the globals of the kernel: there the simulator puts what threadIdx and its like are.
    return FunctionType(quiet.__code__, function.__globals__, function.__name__, None, quiet.__closure__)


def _shared_once() -> None:
    """Have the simulator make each shared array once.

    Its own method looks whether there is one and makes it if not: threads that ask at the same time, which is rare, go
    on with an array each.
    """
    from numba.cuda.simulator import kernelapi  # noqa: PLC0415 (where it simulates)
    from numba.np.numpy_support import as_dtype  # noqa: PLC0415

    shared: Any = kernelapi.FakeCUDAShared
    of_any_size = shared.array

    def array(self: Any, shape: Any, dtype: Any) -> Any:
        if isinstance(shape, int) and shape == 0:  # all of what a launch asks for
            return of_any_size(self, shape, dtype)
        line = sys._getframe(1)
        kind = as_dtype(dtype) if isinstance(dtype, numba.types.Type) else dtype
        return self._allocations.setdefault((line.f_code.co_filename, line.f_lineno), np.empty(shape, kind))

    shared.array = array


if SIMULATED:
    _shared_once()


def device_function(function: Callable[..., Any]) -> Any:
    """Compile what kernels call; always inlined, so that arrays in registers stay there."""
    if SIMULATED:
        return cuda.jit(device=True)(function)
    return cuda.jit(device=True, forceinline=True)(function)


LEGACY_STREAM = 1
"""As ``__cuda_array_interface__`` writes the default stream, in which all kernels here run."""


def default_stream() -> Any:
    """The stream in which all kernels here run, as a copy takes it that the host does not wait for."""
    return 0 if SIMULATED else cuda.default_stream()


def interface_of(array: Any) -> dict[str, Any]:
    """What an array tells others about its memory, with the stream for which they have to wait."""
    return {**_interface(array), "stream": LEGACY_STREAM}


def view_of(array: Any, first: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    """A part of an array, which begins ``first`` bytes after it, as an array of its own.

    Numba's own slices count every stretch of memory that is in one piece: for some columns of all rows, all rows.
    """
    if SIMULATED:
        there = _interface(array)
        there |= {"data": (there["data"][0] + first, False), "shape": shape, "strides": strides}
        return _lent(there, array)
    return _array_class()(shape, strides, array.dtype, gpu_data=array.gpu_data.view(first))


def lent_from(stretch: Any, shape: tuple[int, ...], dtype: np.dtype[Any], owner: object) -> Any:
    """An array that takes all of ``stretch`` and keeps ``owner``, as does every view of it."""
    if SIMULATED:
        return _lent({**_interface(stretch), "shape": shape, "typestr": dtype.str, "strides": None}, owner)
    from numba.cuda.cudadrv.driver import MemoryPointer  # noqa: PLC0415 (a simulator has none)

    pointer: Any = MemoryPointer
    there = stretch.gpu_data
    memory = pointer(there.context, there.device_pointer, stretch.nbytes, owner=owner)
    steps = tuple(itertools.accumulate(reversed(shape), operator.mul, initial=dtype.itemsize))
    return _array_class()(shape, steps[-2::-1], dtype, gpu_data=memory)


def array_of(value: Any) -> Any:
    """An array that others left on the device, without a copy, once what they have queued for it is done.

    From here on it belongs to the default stream. What is queued there already need not be waited for.

    Raises
    ------
    PlacementError
        It says that it lies on another GPU than this backend's.
    """
    if hasattr(value, "__dlpack_device__"):  # where the interface tells of memory alone
        number, ours = int(value.__dlpack_device__()[1]), device_number()
        if number != ours:
            raise PlacementError(
                f"lies on GPU {number}; expected an array on GPU {ours}, where backend 'cuda' computes."
            )
    interface = value.__cuda_array_interface__
    queued_here = interface.get("stream") == LEGACY_STREAM
    return _lent({**interface, "stream": None} if queued_here else interface, value)


def _interface(array: Any) -> dict[str, Any]:
    """Of one of Numba's arrays; a simulated one is in the host's memory."""
    interface: dict[str, Any] = array.__array_interface__ if SIMULATED else array.__cuda_array_interface__
    return interface


def _lent(interface: dict[str, Any], owner: Any) -> Any:
    """An array in memory that ``owner`` keeps."""
    if SIMULATED:
        return type(cuda.device_array(1))(np.asarray(SimpleNamespace(__array_interface__=interface, owner=owner)))
    return cuda.as_cuda_array(SimpleNamespace(__cuda_array_interface__=interface, owner=owner)).bind(0)


@functools.cache
def _array_class() -> Any:
    """Numba's, whose type it does not work out anew for every array: a training step makes two hundred."""
    from numba.cuda.cudadrv.devicearray import DeviceNDArray  # noqa: PLC0415 (a simulator has none)

    types: dict[Any, Any] = {}

    class Typed(DeviceNDArray):
        @property
        def _numba_type_(self) -> Any:
            form = self.dtype, self.ndim, *self.flags.values(), 0 in self.strides, self.size == 0
            if form not in types:
                types[form] = super()._numba_type_
            return types[form]

    return Typed


def number_type(dtype: Any) -> Any:
    """What an array in a kernel is declared with, for a NumPy dtype."""
    return numba.from_dtype(dtype)
