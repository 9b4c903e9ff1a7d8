"""What every parametrization offers: the map from free arrays to the recurrent matrix, its pullback and its tangent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from enrnn_ref.arrays import (
    Array,
    Arrays,
    array_dict,
    float_array,
    float_dtype,
    require_dtype,
    require_keys,
    require_shape,
)
from enrnn_ref.errors import ForeignRunError, ParameterError
from enrnn_ref.initializers import generator
from enrnn_ref.linalg.algebra import Algebra, algebra_of
from enrnn_ref.linalg.eigenpair import Degeneracy, Eigenpair


@dataclass(frozen=True, eq=False)
class Value:
    """A parametrization evaluated at one point.

    Attributes
    ----------
    source : Parametrization
        What made it, and what its pullback belongs to.
    matrix : ndarray (rows, columns)
        The effective matrix R, in the dtype of the free arrays, and where they lie.
    buffers : dict of ndarray
        The untrained state after this evaluation; hand it to the next one.
    degeneracy : Degeneracy or None
        Set where the map has no derivative here.
    eigenpair : Eigenpair or None
        The leading eigenpair of the free matrix, where the map looks at it.
    """

    source: Parametrization
    matrix: Array
    buffers: Arrays = field(default_factory=dict)
    degeneracy: Degeneracy | None = None
    eigenpair: Eigenpair | None = None


@dataclass(frozen=True, eq=False)
class Fetched(Value):
    """A value for arrays that lie elsewhere, which the host evaluated: ``origin`` is the host's."""

    origin: Any = None


class Parametrization(ABC):
    """A smooth map *free arrays → matrix*. Nothing it returns depends on earlier calls: state lives in buffers.

    The last value is kept, and returned again while neither the free arrays nor the buffers change a bit: inference
    over many batches and a difference with respect to x, a state or the readout do not pay for R each time.

    The public methods check what they are given and hand it on; a subclass writes the ones with an underscore, and
    ``_settled`` only if its ``_evaluate`` returns what a device has yet to prove.

    The free arrays may lie elsewhere, all of them, in arrays that have an algebra of their own (linalg/algebra.py),
    such as those of the backend ``"cuda"``. Matrix and gradients then lie there too; buffers stay with the host. Such
    arrays are not looked at, neither by a check nor to see whether they have changed: no value is kept. What is written
    with the algebra of its arrays (``portable``) computes there. All else is evaluated on the host: arrays are fetched,
    and results brought back.
    """

    shape: tuple[int, int]
    shapes: dict[str, tuple[int, ...]]
    longdouble: ClassVar[bool] = False  # whether it computes in longdouble too, that is, without LAPACK
    portable: ClassVar[bool] = False  # whether _evaluate, _pullback and _tangent ask for the algebra of their arrays
    _last: tuple[tuple[object, ...], Value] | None = None

    def init(self, rng: np.random.Generator, dtype: npt.DTypeLike = np.float64) -> Arrays:
        """Draw the free arrays from ``rng``, in float32 or float64.

        Raises
        ------
        OptionError, DtypeError
        """
        return self._init(generator(rng), float_dtype(dtype, longdouble=self.longdouble))

    def evaluate(self, raw: Mapping[str, Array], buffers: Mapping[str, Array] | None = None) -> Value:
        """The matrix at ``raw``, read-only.

        Parameters
        ----------
        raw : dict of ndarray
            Keys and shapes of ``shapes``, all float32 or all float64, all on the host or all elsewhere.
        buffers : dict of ndarray, optional
            ``value.buffers`` of the evaluation before; None means the initial ones.

        Raises
        ------
        ParameterError, ShapeError, DtypeError, NotFiniteError
            ``raw`` or ``buffers`` is not as described.
        PlacementError
            Some of ``raw`` lie on the host and some elsewhere.
        DegenerateEigenvalueError
            The matrix does not exist.
        """
        _, checked = self._free_arrays(raw)
        return self.settled(self.begin(checked, buffers))

    def begin(self, raw: Arrays, buffers: Mapping[str, Array] | None = None) -> Value:
        """As ``evaluate``, of free arrays that a model's door has let in already, and on the host the same. On a device
        the matrix may rest on what is not proved yet: whoever begins may queue what it is needed for, and must then ask
        ``settled``."""
        on, known = algebra_of(next(iter(raw.values()), None)), self._buffers(buffers)
        if on.adopt is not None:
            return self._evaluate(raw, known) if self.portable else self._evaluate_fetched(on, raw, known)
        content = (*_content(raw), *_content(known))
        last = self._last
        if last is None or last[0] != content:
            value = self._evaluate(raw, known)
            on.seal(value.matrix)
            self._last = last = (content, value)
        return last[1]

    def settled(self, value: Value) -> Value:
        """A value that ``begin`` returned, when it is proved; or what takes its place, with another matrix, where that
        fails. Waits until this is known; errors are those of ``evaluate``."""
        return value if isinstance(value, Fetched) else self._settled(value)

    def _evaluate_fetched(self, on: Algebra, raw: Arrays, buffers: Arrays) -> Fetched:
        origin = self.evaluate(on.fetch_all(raw), buffers)
        matrix = on.bring(origin.matrix)
        return Fetched(self, matrix, origin.buffers, origin.degeneracy, origin.eigenpair, origin)

    @property
    def support(self) -> tuple[tuple[slice, slice], ...]:
        """Rows and columns of the rectangles of R outside of which it is zero wherever it is evaluated."""
        rows, columns = self.shape
        return ((slice(0, rows), slice(0, columns)),)

    def pullback(self, value: Value, dmatrix: Array) -> Arrays:
        """Gradients of the free arrays, given dL/dR at ``value``: a dict with the keys of ``shapes``.

        What dL/dR is outside of ``support`` does not matter.

        Raises
        ------
        ForeignRunError
            ``value`` is not one of this parametrization's.
        ShapeError, DtypeError, NotFiniteError
            ``dmatrix`` has not the shape and dtype of ``value.matrix``.
        DegenerateEigenvalueError
            The derivative does not exist.
        """
        self._require_own(value)
        on = algebra_of(value.matrix)
        dmatrix = float_array("dmatrix", dmatrix, longdouble=self.longdouble, adopt=on.adopt)
        require_shape("dmatrix", dmatrix, self.shape, "the shape of value.matrix")
        require_dtype("dmatrix", dmatrix, value.matrix.dtype)
        if isinstance(value, Fetched):
            return on.bring_all(self.pullback(value.origin, on.fetch(dmatrix)))
        return self._pullback(value, dmatrix)

    def tangent(self, value: Value, draw: Mapping[str, Array]) -> Array:
        """Derivative of the matrix along ``draw``; a missing key counts as zero. Errors as those of ``pullback``."""
        self._require_own(value)
        on, dtype = algebra_of(value.matrix), value.matrix.dtype
        given = array_dict(
            "draw", draw, self.shapes, dtype=dtype, partial=True, longdouble=self.longdouble, adopt=on.adopt
        )
        if isinstance(value, Fetched):
            return on.bring(self.tangent(value.origin, on.fetch_all(given)))
        return self._tangent(value, given)

    def violation(self, value: Value) -> float:
        """How far ``value.matrix`` is from the invariant it promises; 0 when it holds."""
        self._require_own(value)
        if isinstance(value, Fetched):
            return self.violation(value.origin)
        on = algebra_of(value.matrix)
        return self._violation(value if on.adopt is None else replace(value, matrix=on.fetch(value.matrix)))

    def initial_buffers(self) -> Arrays:
        """The untrained state before the first evaluation."""
        return {}

    def after_update(
        self, raw: Mapping[str, Array], buffers: Mapping[str, Array] | None = None
    ) -> tuple[Arrays, Arrays]:
        """Free arrays and buffers to go on with after an optimiser step; most parametrizations return them as they are.

        A map that keeps a base point moves it here, and nowhere else: an evaluation never does. Errors as those of
        ``evaluate``.
        """
        on, checked = self._free_arrays(raw)
        known = self._buffers(buffers)
        if not self.moving:
            return Parametrization._after_update(self, checked, known)
        if on.adopt is None:
            return self._after_update(checked, known)
        after, known = self.after_update(on.fetch_all(checked), known)
        return on.bring_all(after), known

    def penalty(self, raw: Mapping[str, Array]) -> tuple[float, Arrays]:
        """The parametrization's own term of the loss and its gradients, a dict with the keys of ``shapes``.

        Zero for most. Errors as those of ``evaluate``.
        """
        on, checked = self._free_arrays(raw)
        if not self.penalized:
            return Parametrization._penalty(self, checked)
        if on.adopt is None:
            return self._penalty(checked)
        value, draw = self.penalty(on.fetch_all(checked))
        return value, on.bring_all(draw)

    @property
    def penalized(self) -> bool:
        """Whether ``penalty`` may be other than zero."""
        return type(self)._penalty is not Parametrization._penalty

    @property
    def moving(self) -> bool:
        """Whether ``after_update`` may return anything but its arguments."""
        return type(self)._after_update is not Parametrization._after_update

    @abstractmethod
    def _init(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arrays: ...

    @abstractmethod
    def _evaluate(self, raw: Arrays, buffers: Arrays) -> Value: ...

    @abstractmethod
    def _pullback(self, value: Any, dmatrix: Array) -> Arrays: ...

    @abstractmethod
    def _tangent(self, value: Any, draw: Arrays) -> Array: ...

    @abstractmethod
    def _violation(self, value: Any) -> float: ...

    def _settled(self, value: Any) -> Any:
        return value

    def _after_update(self, raw: Arrays, buffers: Arrays) -> tuple[Arrays, Arrays]:
        return raw, buffers

    def _penalty(self, raw: Arrays) -> tuple[float, Arrays]:
        return 0.0, {key: algebra_of(array).zeros(array.shape, array.dtype) for key, array in raw.items()}

    def _free_arrays(self, raw: Mapping[str, Array]) -> tuple[Algebra, Arrays]:
        """Checked free arrays, and the algebra of the first, in which all must lie."""
        given: object = raw
        on = algebra_of(next(iter(given.values()), None) if isinstance(given, Mapping) else None)
        return on, array_dict("raw", raw, self.shapes, longdouble=self.longdouble, adopt=on.adopt)

    def _require_own(self, value: object) -> None:
        if not isinstance(value, Value) or value.source is not self:
            came = f"of another {type(value.source).__name__}" if isinstance(value, Value) else type(value).__name__
            raise ForeignRunError(f"value is {came}; expected what evaluate() of this {type(self).__name__} returned.")

    def _buffers(self, buffers: object) -> Arrays:
        """Checked buffers, or the initial ones."""
        expected = self.initial_buffers()
        if buffers is None:
            return expected
        require_keys("buffers", buffers, expected)
        assert isinstance(buffers, Mapping)
        checked = {}
        for key, array in expected.items():
            given = buffers[key]
            is_array = isinstance(given, (np.ndarray, np.generic))
            came = f"an array of shape {given.shape} and dtype {given.dtype}" if is_array else repr(given)
            expected_form = f"an array of shape {array.shape} and dtype {array.dtype}"
            if came != expected_form:
                raise ParameterError(f"buffers[{key!r}] is {came}; expected {expected_form}, as in run.buffers.")
            checked[key] = np.asarray(given)
        return checked


def _content(arrays: Arrays) -> tuple[object, ...]:
    """Every bit of the arrays; equal only if all of it is, the signs of zeros too."""
    return tuple([(key, array.dtype, array.tobytes()) for key, array in arrays.items()])
