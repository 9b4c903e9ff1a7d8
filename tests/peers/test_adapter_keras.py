"""The Keras adapter: layers agree on both backends, spoiled ones do not, options that no model has are refused."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.verify import adapters
from enrnn_ref.verify.verdicts import Verdict

keras = pytest.importorskip("keras")

ROOT = Path(__file__).parents[2]
INPUT, HIDDEN = 3, 5
CELLS = {
    "tanh": ("SimpleRNN", {}),
    "relu": ("SimpleRNN", {"activation": "relu"}),
    "linear": ("SimpleRNN", {"activation": "linear"}),
    "lstm": ("LSTM", {}),
    "reset after": ("GRU", {}),
    "reset before": ("GRU", {"reset_after": False}),
}
FORMS = {
    "last": {},
    "last and state": {"return_state": True},
    "all": {"return_sequences": True},
    "all and state": {"return_sequences": True, "return_state": True},
}


def layer(cell, form="all and state", **options):
    name, own = CELLS[cell]
    options = {"dtype": "float32", **own, **FORMS[form], **options}
    made = getattr(keras.layers, name)(HIDDEN, **options)
    made.build((None, None, INPUT))
    rng = np.random.default_rng(0)
    made.set_weights([rng.standard_normal(w.shape) / np.sqrt(HIDDEN) for w in made.weights])
    return made


@pytest.mark.parametrize(
    ("cell", "form"), [*((cell, "all and state") for cell in CELLS), *(("lstm", f) for f in FORMS)]
)
def test_layers_agree(cell, form):
    made = layer(cell, form)
    before = [np.asarray(w) for w in made.weights]
    report = adapters.keras(made)
    report.require()
    states = {"h", "c"} if cell == "lstm" else {"h"}
    finals = {f"final {key}" for key in states} if "state" in form else set()
    biases = {"bias", "recurrent_bias"} if cell == "reset after" else {"bias"}
    expected = {"y", "x", "input", "recurrent"} | biases | finals | {f"state {key}" for key in states}
    assert {row.name for row in report.rows} == expected
    for weight, array in zip(made.weights, before, strict=True):
        np.testing.assert_array_equal(weight, array)


def test_a_given_input_is_used():
    x = np.random.default_rng(0).standard_normal((2, 4, INPUT)).astype(np.float32)
    report = adapters.keras(layer("lstm"), x)
    report.require()
    assert (report.settings["steps"], report.settings["batch"]) == (4, 2)


def test_a_layer_that_computes_something_else():
    class Slipped(keras.layers.LSTM):
        def call(self, sequences, *args, **kwargs):
            return super().call(keras.ops.roll(sequences, 1, axis=1), *args, **kwargs)

    made = Slipped(HIDDEN, return_sequences=True, dtype="float32")
    made.build((None, None, INPUT))
    report = adapters.keras(made)
    assert report["y"].verdict is report["input"].verdict is Verdict.WRONG


def stateful():
    made = keras.layers.GRU(HIDDEN, stateful=True)
    made.build((4, None, INPUT))
    return made


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layer("lstm", go_backwards=True), "go_backwards is True"),
        (stateful, "stateful is True"),
        (lambda: layer("tanh", dropout=0.5), "dropout is 0.5"),
        (lambda: layer("lstm", recurrent_dropout=0.5), "recurrent_dropout is 0.5"),
        (lambda: layer("lstm", use_bias=False), "use_bias is False"),
        (lambda: layer("lstm", activation="relu"), "activation is 'relu'"),
        (lambda: layer("tanh", activation="gelu"), "activation is 'gelu'"),
        (lambda: layer("lstm", recurrent_activation="hard_sigmoid"), "recurrent_activation is 'hard_sigmoid'"),
        (lambda: keras.layers.GRU(HIDDEN), "the layer is not built"),
        (lambda: keras.layers.Dense(HIDDEN), "layer is a Dense"),
    ],
)
def test_refused_by_name(make, message):
    with pytest.raises(er.errors.OptionError, match=message):
        adapters.keras(make())


def test_other_dtypes_and_shapes():
    with pytest.raises(er.errors.DtypeError, match="float64"):
        adapters.keras(layer("lstm", dtype="float64"))
    with pytest.raises(er.errors.ShapeError, match="x has shape"):
        adapters.keras(layer("lstm"), np.zeros((4, INPUT), np.float32))


PROGRAM = """
import numpy as np, keras
from enrnn_ref.verify import adapters
rng = np.random.default_rng(0)
for name, options in (("SimpleRNN", {}), ("LSTM", {"return_state": True}), ("GRU", {"return_sequences": True})):
    layer = getattr(keras.layers, name)(5, **options)
    layer.build((None, None, 3))
    layer.set_weights([rng.standard_normal(w.shape) / 2 for w in layer.weights])
    report = adapters.keras(layer)
    print(report.title, len(report.rows), report.passed)
"""


def test_layers_agree_on_pytorch():
    """In a process of its own: Keras takes its backend when it is imported."""
    pytest.importorskip("torch")
    environment = os.environ | {"KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "SimpleRNN (Keras on torch) 6 True",
        "LSTM (Keras on torch) 9 True",
        "GRU (Keras on torch) 7 True",
    ]
