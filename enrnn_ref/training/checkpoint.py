"""Checkpoints: arrays as safetensors, the rest as JSON; nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.errors import CheckpointError
from enrnn_ref.training.config import RunConfig
from enrnn_ref.training.files import TEMPORARY_SUFFIX, parse_json, write_atomically
from enrnn_ref.training.state import TrainingState

FORMAT = "enrnn_ref checkpoint 1"
KEPT = 3  # two to fall back on, should the newest be damaged

_GROUPS = ("params", "optimizer", "buffers", "carried")


class CheckpointFolder:
    """Checkpoints of one run, ``step-00000100.safetensors`` with ``step-00000100.json``; the last three are kept.

    The JSON file is written last and holds the SHA-256 of the arrays' file. So a checkpoint is complete exactly when
    its JSON file is there and the two agree; a process killed at any moment leaves the earlier ones usable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, state: TrainingState, config: RunConfig) -> Path:
        """Write ``state`` and drop what is older than the last three; returns the JSON file's path."""
        self.path.mkdir(exist_ok=True)
        stem = f"step-{state.step:08d}"
        tensors = safetensors.numpy.save(_flatten(state))
        metadata = {
            "format": FORMAT,
            "step": state.step,
            "sha256": hashlib.sha256(tensors).hexdigest(),
            "degeneracies": dict(state.degeneracies),
            "config": _identity(config),
        }
        write_atomically(self.path / f"{stem}.safetensors", tensors)
        write_atomically(self.path / f"{stem}.json", (json.dumps(metadata, indent=2) + "\n").encode())
        self._prune()
        return self.path / f"{stem}.json"

    def load_latest(self, config: RunConfig, like: TrainingState) -> tuple[TrainingState | None, list[str]]:
        """The newest usable checkpoint, and one sentence for every newer one that was refused.

        The arguments are those of :meth:`load`.

        Returns
        -------
        state : TrainingState or None
            None when the folder holds no checkpoint at all (the run was stopped before the first).
        refused : list of str

        Raises
        ------
        CheckpointError
            There are checkpoints, and none is usable.
        """
        refused: list[str] = []
        for stem in reversed(self._stems()):
            try:
                return self.load(stem, config, like), refused
            except CheckpointError as error:
                refused.append(str(error))
        if refused:
            raise CheckpointError(f"{self.path} holds no usable checkpoint: {' '.join(refused)}")
        return None, []

    def load(self, stem: str, config: RunConfig, like: TrainingState) -> TrainingState:
        """The checkpoint called ``stem``.

        Parameters
        ----------
        stem : str
        config : RunConfig
            Of the run that goes on.
        like : TrainingState
            Says which arrays the checkpoint must hold, of what shape and dtype (:meth:`Experiment.blank`).

        Raises
        ------
        CheckpointError
            A file is missing, torn, changed, not one of this package's, or of a run with another configuration; an
            array is missing, foreign, of another shape or dtype, or not finite.
        """
        metadata = self._read_metadata(stem)
        file = self.path / f"{stem}.safetensors"
        tensors = _read(file)
        if hashlib.sha256(tensors).hexdigest() != metadata["sha256"]:
            raise CheckpointError(f"{file} is torn or changed: its SHA-256 is not the one noted when it was written.")
        for key, mine in _identity(config).items():
            theirs = metadata["config"].get(key)
            if theirs != mine:
                raise CheckpointError(f"{file} belongs to another run: {key} is {theirs!r} there and {mine!r} here.")
        try:
            arrays = safetensors.numpy.load(tensors)
        except (safetensors.SafetensorError, KeyError, TypeError) as error:
            raise CheckpointError(f"{file} is not a safetensors file of NumPy arrays: {error}.") from error
        _require_content(file, arrays, like, begun=metadata["step"] > 0)
        return _unflatten(arrays, metadata)

    def _read_metadata(self, stem: str) -> dict[str, Any]:
        file = self.path / f"{stem}.json"
        try:
            metadata = parse_json(_read(file))
        except ValueError as error:
            raise CheckpointError(f"{file} is torn: not valid JSON ({error}).") from error
        if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
            found = metadata.get("format") if isinstance(metadata, dict) else type(metadata).__name__
            raise CheckpointError(f"{file} is foreign: its format is {found!r}; expected {FORMAT!r}.")
        for key, kind in (("step", int), ("sha256", str), ("degeneracies", dict), ("config", dict)):
            if not isinstance(metadata.get(key), kind):
                raise CheckpointError(f"{file} is broken: {key} is {metadata.get(key)!r}; expected {kind.__name__}.")
        counts = {"step": metadata["step"], **metadata["degeneracies"]}
        for key, count in counts.items():
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise CheckpointError(f"{file} is broken: {key} is {count!r}; expected a count.")
        if stem != f"step-{metadata['step']:08d}":
            raise CheckpointError(f"{file} is misnamed: it holds step {metadata['step']}.")
        return metadata

    def _stems(self) -> list[str]:
        """Names without ending, oldest first; those with one file of the two missing too."""
        files = self.path.glob("step-*")
        return sorted({file.stem for file in files if file.suffix in (".json", ".safetensors")})

    def _prune(self) -> None:
        """Remove old checkpoints and what a killed process left half-written."""
        for stem in self._stems()[:-KEPT]:
            # JSON first: at no moment does a complete-looking checkpoint lack its arrays.
            (self.path / f"{stem}.json").unlink(missing_ok=True)
            (self.path / f"{stem}.safetensors").unlink(missing_ok=True)
        for leftover in self.path.glob(f"step-*{TEMPORARY_SUFFIX}"):
            leftover.unlink()


def _identity(config: RunConfig) -> dict[str, Any]:
    """The configuration without what may change for the steps to come: how many there are, and where they are computed.

    Another backend goes on with the same numbers, and from there on to rounding.
    """
    identity = asdict(config)
    del identity["steps"], identity["backend"]
    return identity


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}.") from error


def _flatten(state: TrainingState) -> Arrays:
    """One dictionary ``group/name``; safetensors stores memory as it lies, hence the C order."""
    groups: Mapping[str, Arrays | None] = {name: getattr(state, name) for name in _GROUPS}
    return {
        f"{group}/{name}": np.asarray(array, order="C")
        for group, arrays in groups.items()
        for name, array in (arrays or {}).items()
    }


def _require_content(file: Path, arrays: Arrays, like: TrainingState, *, begun: bool) -> None:
    """Raise CheckpointError unless ``arrays`` are those of ``like``; before the first step nothing is carried over."""
    expected = _flatten(like if begun else replace(like, buffers=None, carried=None))
    for key in (*expected, *arrays):
        if key not in arrays:
            raise CheckpointError(f"{file} lacks the tensor {key!r}; expected {_kind(expected[key])}.")
        if key not in expected:
            raise CheckpointError(f"{file} holds the foreign tensor {key!r}; expected {', '.join(expected)}.")
        array, wanted = arrays[key], expected[key]
        if (array.shape, array.dtype) != (wanted.shape, wanted.dtype):
            raise CheckpointError(f"{file}: tensor {key!r} has {_kind(array)}; expected {_kind(wanted)}.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise CheckpointError(f"{file}: tensor {key!r} holds NaN or infinity; expected finite numbers.")
        if array.dtype.kind == "i" and (array < 0).any():
            raise CheckpointError(f"{file}: tensor {key!r} holds {array.min()}; expected a count.")


def _kind(array: Array) -> str:
    return f"shape {array.shape} and dtype {array.dtype}"


def _unflatten(arrays: Arrays, metadata: Mapping[str, Any]) -> TrainingState:
    groups: dict[str, Arrays] = {name: {} for name in _GROUPS}
    for key, array in arrays.items():
        group, _, name = key.partition("/")
        groups[group][name] = array
    return TrainingState(
        step=metadata["step"],
        params=groups["params"],
        optimizer=groups["optimizer"],
        buffers=groups["buffers"] or None,
        carried=groups["carried"] or None,
        degeneracies=metadata["degeneracies"],
    )
