"""The ONNX adapter: models through ONNX Runtime agree; attributes that no model has are refused."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.verify import adapters
from enrnn_ref.verify.verdicts import Verdict
from enrnn_ref.weights import onnx as converter

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

INPUT, HIDDEN = 3, 5
MODELS = {
    "rnn": er.RNN(INPUT, HIDDEN),
    "relu": er.RNN(INPUT, HIDDEN, activation="relu"),
    "lstm": er.LSTM(INPUT, HIDDEN),
    "peephole": er.LSTM(INPUT, HIDDEN, peephole=True),
    "gru": er.GRU(INPUT, HIDDEN),
    "gru before": er.GRU(INPUT, HIDDEN, reset="before"),
    "bidirectional": er.Bidirectional(er.LSTM(INPUT, HIDDEN), er.LSTM(INPUT, HIDDEN)),
}
KINDS = {"rnn": "RNN", "relu": "RNN", "lstm": "LSTM", "peephole": "LSTM", "bidirectional": "LSTM"}


def proto(name, *, states=True, attributes=None, after=()):
    """A graph whose one recurrent node is the model; ``after``: nodes that follow, on Y."""
    model, kind = MODELS[name], KINDS.get(name, "GRU")
    rng = np.random.default_rng(0)
    params = {key: rng.standard_normal(shape).astype(np.float32) / 2 for key, shape in model.shapes.items()}
    tensors = converter.save(model, params)
    directions = len(tensors["W"])
    if states:
        for key in ("initial_h", "initial_c")[: 1 + (kind == "LSTM")]:
            tensors[key] = rng.standard_normal((directions, 4, HIDDEN)).astype(np.float32)
    inputs = [key if key == "X" or key in tensors else "" for key in converter.INPUTS[kind]]
    outputs = ["Y", "Y_h", "Y_c"] if kind == "LSTM" else ["Y", "Y_h"]
    node = helper.make_node(kind, inputs, outputs, name="cell", **converter.attributes(model), **(attributes or {}))
    graph = helper.make_graph(
        [node, *after],
        "graph",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["T", 4, INPUT])],
        [helper.make_tensor_value_info("Z" if after else "Y_h", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, key) for key, array in tensors.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])
    made.ir_version = 10
    return made


@pytest.mark.parametrize("states", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_models_agree(name, states):
    report = adapters.onnx(proto(name, states=states))
    report.require()
    directions = [" forward", " backward"] if name == "bidirectional" else [""]
    outputs = ["Y", "Y_h", "Y_c"] if KINDS.get(name) == "LSTM" else ["Y", "Y_h"]
    assert {row.name for row in report.rows} == {f"cell {key}{d}" for key in outputs for d in directions}
    assert all(row.verdict is Verdict.PASSED for row in report.rows)


def test_bytes_paths_and_given_inputs(tmp_path):
    made = proto("lstm")
    before = made.SerializeToString()
    x = np.random.default_rng(1).standard_normal((6, 4, INPUT)).astype(np.float32)
    (tmp_path / "model.onnx").write_bytes(before)
    reports = [adapters.onnx(one, {"X": x}) for one in (made, before, tmp_path / "model.onnx")]
    for report in reports:
        report.require()
        assert report["cell Y"].ratios.shape == (6, 4, HIDDEN)
    assert made.SerializeToString() == before, "the model is left alone"


def test_a_node_among_others():
    """Reversed direction, an unnamed node, and operators behind it."""
    after = [
        helper.make_node("Squeeze", ["Y", "one"], ["flat"]),
        helper.make_node("Constant", [], ["one"], value=helper.make_tensor("one", TensorProto.INT64, [1], [1])),
        helper.make_node("Relu", ["flat"], ["Z"]),
    ]
    made = proto("gru", attributes={"direction": "reverse"}, after=[after[1], after[0], after[2]])
    made.graph.node[0].name = ""
    report = adapters.onnx(made)
    report.require()
    assert [row.name for row in report.rows] == ["GRU 0 Y", "GRU 0 Y_h"]


def test_a_runtime_that_computes_something_else(monkeypatch):
    import onnxruntime

    class Session(onnxruntime.InferenceSession):
        def run(self, names, inputs):
            return [
                a[::-1].copy() if name == "Y" else a for name, a in zip(names, super().run(names, inputs), strict=True)
            ]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    report = adapters.onnx(proto("rnn"))
    assert report["cell Y"].verdict is Verdict.WRONG
    assert report["cell Y_h"].passed


@pytest.mark.parametrize(
    ("name", "attributes", "message"),
    [
        ("rnn", {"clip": 3.0}, "clip is 3.0"),
        ("lstm", {"input_forget": 1}, "input_forget is 1"),
        ("gru", {"activations": ["HardSigmoid", "Tanh"]}, "activations is"),
    ],
)
def test_attributes_are_refused_by_name(name, attributes, message):
    with pytest.raises(er.errors.OptionError, match=message):
        adapters.onnx(proto(name, attributes=attributes))


def test_bad_arguments(tmp_path):
    with pytest.raises(er.errors.OptionError, match="model is a int"):
        adapters.onnx(3)
    with pytest.raises(er.errors.DataError, match="model cannot be read"):
        adapters.onnx(b"not a model")
    with pytest.raises(er.errors.DataError, match="model cannot be read"):
        adapters.onnx(tmp_path / "missing.onnx")
    with pytest.raises(er.errors.ParameterError, match=r"inputs has \['Q'\]"):
        adapters.onnx(proto("rnn"), {"Q": np.zeros(3)})
    with pytest.raises(er.errors.DataError, match="ONNX Runtime refuses"):
        adapters.onnx(proto("rnn"), {"X": np.zeros((4, 4, INPUT + 1), np.float32)})
    node = helper.make_node("Relu", ["X"], ["Y"])
    info = [helper.make_tensor_value_info(key, TensorProto.FLOAT, [3]) for key in "XY"]
    with pytest.raises(er.errors.OptionError, match=r"nodes \['Relu'\]"):
        adapters.onnx(helper.make_model(helper.make_graph([node], "graph", info[:1], info[1:])))
    made = proto("rnn")
    made.graph.input.append(helper.make_tensor_value_info("n", TensorProto.INT64, [1]))
    with pytest.raises(er.errors.ParameterError, match="only floats can be drawn"):
        adapters.onnx(made)
