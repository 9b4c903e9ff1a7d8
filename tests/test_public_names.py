"""The binding names: what is importable, in which order arguments come, what results are called."""

import inspect

import numpy as np
import pytest

import enrnn_ref as er

REQUIRED = inspect.Parameter.empty
SIZES = {"input_size": REQUIRED, "hidden_size": REQUIRED, "output_size": None}


def signature(function):
    """(positional, keyword-only) names with their defaults, without ``self``."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    positional = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    keyword = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert len(positional) + len(keyword) == len(parameters)
    return positional, keyword


def test_package():
    for name in ("Recurrence", "Stacked", "Bidirectional", "dominant_eigenpair", "errors", "parametrizations"):
        assert hasattr(er, name)
    for model in er.models.NAMED.values():
        assert getattr(er, model.__name__) is model
    for name in (
        "Free", "ScaledCayley", "EigenvalueNormalized", "UnitaryCayley", "ExponentialOrthogonal", "NonNormalSchur"
    ):  # fmt: skip
        assert hasattr(er.parametrizations, name)
    for name in ("EnrnnError", "DegenerateEigenvalueError", "BackendUnavailable"):
        assert hasattr(er.errors, name)
    assert isinstance(er.__version__, str)


@pytest.mark.parametrize(
    ("constructor", "positional", "keyword"),
    [
        (
            er.ENRNN,
            {"input_size": REQUIRED, "long_size": REQUIRED, "short_size": REQUIRED, "output_size": None},
            {
                "negative_ones": None,
                "eps": 1e-3,
                "normalize": "always",
                "coupled": True,
                "activation": "modrelu",
                "readout": "all",
            },
        ),
        (
            er.ScoRNN,
            {"input_size": REQUIRED, "hidden_size": REQUIRED, "output_size": None},
            {"negative_ones": None, "readout": "all"},
        ),
        (
            er.RNN,
            {"input_size": REQUIRED, "hidden_size": REQUIRED, "output_size": None},
            {"activation": "tanh", "readout": "all"},
        ),
        (er.ScuRNN, SIZES, {"modulus": "exact", "order": "paper", "readout": "all"}),
        (er.ExpRNN, SIZES, {"readout": "all"}),
        (er.NnRNN, SIZES, {"mask": "strict", "readout": "all"}),
        (er.LSTM, SIZES, {"peephole": False, "projection_size": None, "readout": "all"}),
        (er.GRU, SIZES, {"reset": "after", "readout": "all"}),
        (er.MomentumRNN, SIZES, {"activation": "tanh", "momentum": 0.6, "step": 0.6, "readout": "all"}),
        (er.MomentumLSTM, SIZES, {"momentum": 0.6, "step": 0.6, "readout": "all"}),
    ],
)
def test_constructors(constructor, positional, keyword):
    found_positional, found_keyword = signature(constructor.__init__)
    assert list(found_positional.items()) == list(positional.items())
    assert keyword.items() <= found_keyword.items()


@pytest.mark.parametrize("model", list(er.models.NAMED.values()))
def test_methods(model):
    positional, keyword = signature(model.forward)
    assert list(positional.items()) == [("params", REQUIRED), ("x", REQUIRED), ("state", None)]
    assert keyword == {"buffers": None, "keep": True, "checkpoint_every": None, "backend": "cpu"}
    positional, keyword = signature(model.backward)
    assert list(positional.items()) == [("run", REQUIRED), ("dy", REQUIRED), ("dstate", None)]
    assert not keyword
    positional, keyword = signature(model.tangent)
    assert list(positional) == ["params", "x", "dparams"]
    assert keyword == {"dx": None, "state": None, "dstate": None, "buffers": None, "backend": "cpu"}
    positional, _ = signature(model.init)
    assert list(positional.items()) == [("seed", REQUIRED), ("dtype", np.float64)]
    assert next(iter(signature(model.recurrent_matrix)[0])) == "params"
    assert next(iter(signature(model.state_shapes)[0])) == "batch"


def test_results():
    model = er.ENRNN(2, 3, 4, 1)
    params, x = model.init(0), np.ones((3, 5, 2))
    run = model.forward(params, x)
    for name in ("y", "h", "state", "buffers", "degeneracy"):
        assert hasattr(run, name)
    gradients, tangent = model.backward(run, run.y), model.tangent(params, x, params)
    assert isinstance(gradients.params, dict)
    assert isinstance(gradients.state, dict)
    assert gradients.x.shape == x.shape
    assert tangent.y.shape == run.y.shape
    assert isinstance(tangent.state, dict)


def test_parametrizations():
    assert list(signature(er.parametrizations.EigenvalueNormalized.__init__)[0])[:3] == ["size", "eps", "normalize"]
    assert list(signature(er.parametrizations.ScaledCayley.__init__)[0]) == ["size", "negative_ones"]
    assert list(signature(er.parametrizations.Free.__init__)[0]) == ["rows", "columns", "initializer"]
    for p, keys in (
        (er.parametrizations.EigenvalueNormalized(3), {"free"}),
        (er.parametrizations.ScaledCayley(3, 1), {"skew"}),
        (er.parametrizations.Free(3, 4), {"matrix"}),
        (er.parametrizations.UnitaryCayley(3), {"skew_real", "skew_imag", "phase"}),
        (er.parametrizations.ExponentialOrthogonal(3), {"skew"}),
        (er.parametrizations.NonNormalSchur(4, "strict"), {"skew", "angle", "modulus", "lower"}),
    ):
        assert set(p.init(np.random.default_rng(0), np.float64)) == set(p.shapes) == keys
        for method, names in (
            ("init", ["rng", "dtype"]),
            ("evaluate", ["raw", "buffers"]),
            ("pullback", ["value", "dmatrix"]),
            ("tangent", ["value", "draw"]),
            ("violation", ["value"]),
        ):
            assert list(signature(getattr(p, method))[0]) == names


def test_dominant_eigenpair():
    pair = er.dominant_eigenpair(np.random.default_rng(0).standard_normal((4, 4)))
    assert isinstance(pair.value, complex)
    assert pair.right.shape == pair.left.shape == (4,)
    assert pair.modulus_gradient.shape == (4, 4)
    for name in ("modulus", "gap", "condition"):
        assert isinstance(getattr(pair, name), float)
    assert pair.degeneracy is None
