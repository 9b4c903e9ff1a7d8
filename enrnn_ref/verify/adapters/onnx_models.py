"""ONNX: every RNN, LSTM and GRU of a model, run by ONNX Runtime, beside models of ours."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays, integer
from enrnn_ref.errors import DataError, OptionError, ParameterError
from enrnn_ref.verify.adapters import dependency
from enrnn_ref.verify.agreement import agreement
from enrnn_ref.verify.report import Report, Row
from enrnn_ref.weights.onnx import INPUTS, Direction, node

OUTPUTS = ("Y", "Y_h", "Y_c")


def onnx(model: Any, inputs: Mapping[str, Array] | None = None, *, seed: int = 0) -> Report:
    """Check the recurrent nodes of an ONNX model: what ONNX Runtime computes for each beside the model here.

    The whole model runs once. Each RNN, LSTM and GRU in its graph is then judged by itself, at the inputs that it saw
    there, so other nodes may stand before, between and behind. Values only: ONNX has no gradients.

    Parameters
    ----------
    model : ModelProto, bytes, str or path
        The model, serialised, or in a file.
    inputs : dict of ndarray, optional
        The model's inputs by name; float ones that are missing are drawn, with sizes of their own for every axis that
        the model leaves open.
    seed : int
        Of the drawn inputs.

    Returns
    -------
    Report
        Rows are called by node, output and direction.

    Raises
    ------
    OptionError
        No recurrent node, or one with an attribute that no model here has, by its name.
    ParameterError
        Inputs that the model does not have, or that cannot be drawn.
    DataError
        The model cannot be read, or ONNX Runtime refuses it.
    DependencyError
        onnx or onnxruntime is not installed.
    """
    library, runtime = dependency.load("onnx", "peers"), dependency.load("onnxruntime", "peers")
    proto = _read(library, model)
    nodes = [one for one in proto.graph.node if one.op_type in INPUTS and one.domain in ("", "ai.onnx")]
    if not nodes:
        kinds = sorted({one.op_type for one in proto.graph.node})
        raise OptionError(f"model has the nodes {kinds}; expected an RNN, an LSTM or a GRU among them.")
    given = _inputs(library, proto, dict(inputs or {}), integer("seed", seed, least=0))
    values = _run(library, runtime, proto, nodes, given)
    rows: list[Row] = []
    for k, one in enumerate(nodes):
        name = one.name or f"{one.op_type} {k}"
        rows += _rows(library, one, name, values)
    settings = {"seed": seed, "onnx": library.__version__, "onnxruntime": runtime.__version__}
    return Report(f"{proto.graph.name or 'model'} (ONNX Runtime)", tuple(rows), settings)


def _read(library: Any, model: Any) -> Any:
    if isinstance(model, library.ModelProto):
        return copy.deepcopy(model)
    try:
        if isinstance(model, bytes):
            return library.load_model_from_string(model)
        if isinstance(model, (str, PathLike)):
            return library.load_model(model)
    except Exception as error:  # of protobuf, of the file system
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"model cannot be read: {said[0]}.") from error
    raise OptionError(f"model is a {type(model).__name__}; expected a ModelProto, its bytes, or a path.")


def _inputs(library: Any, proto: Any, given: dict[str, Array], seed: int) -> Arrays:
    """What the model is run with; open axes get sizes that differ from each other."""
    rng = np.random.default_rng(seed)
    constants = {tensor.name for tensor in proto.graph.initializer}
    wanted = {value.name: value for value in proto.graph.input if value.name not in constants}
    unknown = sorted(set(given) - set(wanted))
    if unknown:
        raise ParameterError(f"inputs has {unknown}; expected some of {list(wanted)}.")
    sizes: dict[str, int] = {}
    arrays = {}
    for name, value in wanted.items():
        if name in given:
            arrays[name] = np.asarray(given[name])
            continue
        kind = library.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        if kind not in (np.float32, np.float64):
            raise ParameterError(f"inputs lacks {name!r} of type {kind}; expected it, for only floats can be drawn.")
        shape = []
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            label = dim.dim_param or f"{name} axis {axis}"
            shape.append(dim.dim_value or sizes.setdefault(label, 7 - len(sizes) % 5))
        arrays[name] = rng.uniform(-1.0, 1.0, shape).astype(kind)
    return arrays


def _run(library: Any, runtime: Any, proto: Any, nodes: list[Any], inputs: Arrays) -> Arrays:
    """Every input and output of the recurrent nodes."""
    values = {t.name: library.numpy_helper.to_array(t) for t in proto.graph.initializer} | inputs
    known = {value.name for value in proto.graph.output}
    wanted = [name for one in nodes for name in (*one.input, *one.output) if name and name not in values]
    wanted = list(dict.fromkeys(wanted))
    for name in wanted:
        if name not in known:
            proto.graph.output.append(library.ValueInfoProto(name=name))
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = runtime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = session.run(wanted, inputs)
    except Exception as error:  # the runtime's own, one class for each status
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"ONNX Runtime refuses the model: {said[0]}.") from error
    return values | dict(zip(wanted, found, strict=True))


def _rows(library: Any, one: Any, name: str, values: Arrays) -> list[Row]:
    """Of one node: its outputs, direction by direction."""
    attributes = {a.name: library.helper.get_attribute_value(a) for a in one.attribute}
    inputs = {key: values[there] for key, there in zip(INPUTS[one.op_type], one.input, strict=False) if there}
    ours = node(one.op_type, inputs, attributes)
    outputs = {key: values[there] for key, there in zip(OUTPUTS, one.output, strict=False) if there}
    if ours.layout:
        outputs = {key: a.transpose(1, 2, 0, 3) if key == "Y" else a.swapaxes(0, 1) for key, a in outputs.items()}
    rows: list[Row] = []
    for k, direction in enumerate(ours.directions):
        suffix = "" if len(ours.directions) == 1 else (" forward", " backward")[k]
        found = {key: a[:, k] if key == "Y" else a[k] for key, a in outputs.items()}
        rows += _direction(direction, ours.x, found, f"{name} ", suffix)
    return rows


def _direction(direction: Direction, x: Array, outputs: Arrays, prefix: str, suffix: str) -> tuple[Row, ...]:
    if direction.reverse:
        x = np.ascontiguousarray(x[::-1])
        outputs = {key: a[::-1] if key == "Y" else a for key, a in outputs.items()}
    names = {"Y": "y", "Y_h": "final h", "Y_c": "final c"}
    dy = np.zeros((*x.shape[:2], direction.model.output_width), x.dtype)
    report = agreement(
        direction.model,
        direction.params,
        x,
        direction.state,
        dy,
        {},
        {f"{prefix}{key}{suffix}": array for key, array in outputs.items()},
        title="",
        backend="reference",
        names={f"{prefix}{key}{suffix}": names[key] for key in outputs},
    )
    return report.rows
