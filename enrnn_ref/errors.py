"""One exception class per broken precondition.

Every error of this package derives from :class:`EnrnnError` and from the built-in class a caller would expect, so
both ``except enrnn_ref.errors.EnrnnError`` and ``except ValueError`` work. A message is one sentence that names the
argument, what came and what was expected.
"""

from __future__ import annotations


class EnrnnError(Exception):
    """Base of all errors of this package."""


class ShapeError(EnrnnError, ValueError):
    """An array has the wrong rank or a wrong size along an axis."""


class DtypeError(EnrnnError, TypeError):
    """An array is not real floating point, or its dtype is not the one of its companions."""


class NotFiniteError(EnrnnError, ValueError):
    """An array holds NaN or infinity."""


class ParameterError(EnrnnError, ValueError):
    """A dictionary of arrays (parameters, state, directions) lacks a key or has one too many."""


class OptionError(EnrnnError, ValueError):
    """A setting (a size, a count, a name, a rate) is outside its range."""


class ForeignRunError(EnrnnError, ValueError):
    """A run was handed to a model, or a value to a parametrization, that did not make it."""


class TapeNotKeptError(EnrnnError, RuntimeError):
    """A backward pass was asked of a run made with ``keep=False``."""


class BackendUnavailable(EnrnnError, RuntimeError):  # noqa: N818 (binding public name)
    """A backend exists but cannot run here."""


class PlacementError(EnrnnError, TypeError):
    """An array lies on a device where one of the host is expected, or the reverse, or on another device."""


class DeviceError(EnrnnError, RuntimeError):
    """A device gave up in the middle of a pass: no memory, no room for a block, or lost. The host keeps what it had."""


class DegenerateEigenvalueError(EnrnnError, ArithmeticError):
    """The leading eigenvalue has no derivative: it is tied, defective or zero.

    Attributes
    ----------
    kind : str
        ``"tied"``, ``"defective"`` or ``"zero"``.
    modulus, gap, condition : float
        Modulus of the leader, distance of the second modulus below it, and ``1 / |v* u|``.
    """

    def __init__(self, message: str, *, kind: str, modulus: float, gap: float, condition: float) -> None:
        super().__init__(message)
        self.kind = kind
        self.modulus = modulus
        self.gap = gap
        self.condition = condition


class DataError(EnrnnError, ValueError):
    """Data are not as announced: a file missing, empty or of another format, labels or a mask out of range."""


class ConfigError(EnrnnError, ValueError):
    """A run's configuration is broken or contradicts itself."""


class CheckpointError(EnrnnError, ValueError):
    """A checkpoint is torn, foreign, or does not fit the model."""


class DependencyError(EnrnnError, RuntimeError):
    """An optional dependency is missing; the message names the extra that brings it."""
