"""The PyTorch adapter: torch.nn's layers agree, custom functions are judged, and what is planted is found."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.verify import adapters
from enrnn_ref.verify.verdicts import Verdict
from enrnn_ref.weights import torch as converter

torch = pytest.importorskip("torch")

INPUT, HIDDEN = 3, 5
CELLS = {
    "tanh": ("RNN", {}),
    "relu": ("RNN", {"nonlinearity": "relu"}),
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {}),
}
FORMS = {
    "single": {},
    "batch first": {"batch_first": True},
    "stacked, bidirectional": {"num_layers": 2, "bidirectional": True},
}
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def layer(cell, form="single", dtype=torch.float64, **options):
    torch.manual_seed(0)
    name, own = CELLS[cell]
    return getattr(torch.nn, name)(INPUT, HIDDEN, dtype=dtype, **own, **FORMS[form], **options)


# torch.nn's layers.


@dtypes
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cell", CELLS)
def test_layers_agree(cell, form, dtype):
    network = layer(cell, form, dtype)
    report = adapters.torch(network)
    report.require()
    names = {row.name for row in report.rows}
    assert {name for name, _ in network.named_parameters()} < names, "both biases are judged, each by itself"
    assert {"y", "x"} < names
    assert {name for name in names if name.startswith("final ")}
    assert {name for name in names if name.startswith("state ")}
    assert report.settings["dtype"] == str(dtype).removeprefix("torch.")


def test_a_projection_agrees():
    adapters.torch(layer("lstm", "stacked, bidirectional", proj_size=2)).require()


def test_the_counterpart_has_the_converters_parameters():
    """What the adapter reads is what enrnn_ref.weights.torch reads."""
    from enrnn_ref.verify.adapters.correspondence import Correspondence
    from enrnn_ref.verify.adapters.torch_layers import counterpart

    for cell in CELLS:
        network = layer(cell, "stacked, bidirectional")
        found = counterpart(network)
        theirs = {name: p.detach().numpy() for name, p in network.named_parameters()}
        params = Correspondence(found.names, found.model.shapes).params(theirs)
        for key, array in converter.load(found.model, network.state_dict()).items():
            np.testing.assert_array_equal(params[key], array)


def test_a_given_point_is_used():
    network = layer("lstm", "batch first")
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((2, 4, INPUT)))
    state = {key: torch.from_numpy(rng.standard_normal((2, HIDDEN))) for key in "hc"}
    report = adapters.torch(network, x, state)
    report.require()
    assert (report.settings["steps"], report.settings["batch"]) == (4, 2)


def test_a_state_as_torch_has_it():
    network = layer("lstm", "stacked, bidirectional")
    x, h, c = torch.rand(4, 2, INPUT), torch.rand(4, 2, HIDDEN), torch.rand(4, 2, HIDDEN)
    adapters.torch(network, x, (h, c)).require()
    with pytest.raises(er.errors.ShapeError, match=r"expected \(4, batch, units\) for each of \('h', 'c'\)"):
        adapters.torch(network, x, h)
    start = torch.rand(2, HIDDEN, dtype=torch.float64)
    adapters.torch(function, x, start, reference=REFERENCE, names=NAMES, parameters=weights()).require()
    with pytest.raises(er.errors.OptionError, match=r"the state has 2 part\(s\); expected \['h'\]"):
        adapters.torch(function, x, (start, start), reference=REFERENCE, names=NAMES, parameters=weights())


def test_the_network_is_left_alone():
    network = layer("gru").train()
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    network.weight_ih_l0.grad = torch.ones_like(network.weight_ih_l0)
    network.bias_hh_l0.requires_grad_(False)
    adapters.torch(network).require()
    assert network.training
    assert not network.bias_hh_l0.requires_grad
    assert (network.weight_ih_l0.grad == 1).all()
    assert network.weight_hh_l0.grad is None
    for name, p in network.named_parameters():
        assert torch.equal(p, before[name])


class Hooked(torch.nn.LSTM):
    """torch's LSTM with gradients spoiled on their way."""

    def forward(self, x, state=None):
        y, final = super().forward(x, state)
        y.register_hook(self.spoil)
        return y, final


@pytest.mark.parametrize(
    "spoil", [lambda g: 2 * g, lambda g: 0 * g, lambda g: g.flip(0), lambda g: g * (1 + 1e-6 * (g > 1.49))]
)
def test_a_spoiled_layer_is_wrong(spoil):
    network = Hooked(INPUT, HIDDEN, dtype=torch.float64)
    network.spoil = spoil
    report = adapters.torch(network)
    assert report["y"].passed
    assert report["final c"].passed
    assert report["weight_ih_l0"].verdict is Verdict.WRONG
    assert report["x"].verdict is Verdict.WRONG


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: torch.nn.LSTM(3, 5, num_layers=2, dropout=0.25), "dropout is 0.25 in training mode"),
        (lambda: torch.nn.GRU(3, 5, bias=False), "bias is False"),
        (lambda: torch.nn.utils.parametrizations.orthogonal(torch.nn.GRU(3, 5), "weight_hh_l0"), "of a GRU is param"),
        (lambda: torch.nn.utils.parametrizations.weight_norm(torch.nn.RNN(3, 5), "weight_hh_l0"), "_WeightNorm"),
        (
            lambda: torch.nn.utils.parametrizations.orthogonal(
                torch.nn.RNN(3, 5), "weight_hh_l0", orthogonal_map="householder"
            ),
            "orthogonal_map is 'householder'",
        ),
        (lambda: "lstm", "network is a str"),
    ],
)
def test_refused_by_name(build, message):
    with pytest.raises(er.errors.OptionError, match=message):
        adapters.torch(build())


def test_dropout_in_evaluation_mode_and_other_dtypes():
    adapters.torch(torch.nn.LSTM(3, 5, num_layers=2, dropout=0.25).eval()).require()
    with pytest.raises(er.errors.DtypeError, match="float16"):
        adapters.torch(torch.nn.RNN(3, 5).half())
    with pytest.raises(er.errors.OptionError, match="names, parameters and call go with a reference"):
        adapters.torch(torch.nn.RNN(3, 5), names={"weight_hh_l0": "recurrent"})


# torch's orthogonal parametrization.


@dtypes
@pytest.mark.parametrize("trivialised", [True, False])
@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley"])
def test_an_orthogonal_rnn_agrees(orthogonal_map, trivialised, dtype):
    network = layer("tanh", dtype=dtype)
    torch.nn.utils.parametrizations.orthogonal(network, "weight_hh_l0", orthogonal_map, use_trivialization=trivialised)
    with torch.no_grad():
        network.parametrizations.weight_hh_l0.original += 0.7 * torch.randn(HIDDEN, HIDDEN, dtype=dtype)
    report = adapters.torch(network)
    report.require()
    assert report["parametrizations.weight_hh_l0.original"].ratios.shape == (HIDDEN, HIDDEN)


@pytest.mark.parametrize(
    ("orthogonal_map", "model"),
    [("cayley", er.ScoRNN(INPUT, HIDDEN, negative_ones=0)), ("matrix_exp", er.ExpRNN(INPUT, HIDDEN))],
)
def test_torchs_free_matrix_is_a_skew_of_scornn_and_exprnn(orthogonal_map, model):
    free = adapters.TorchOrthogonal(HIDDEN, orthogonal_map)
    rng = np.random.default_rng(0)
    original, dmatrix = rng.standard_normal((2, HIDDEN, HIDDEN))
    linear = torch.nn.Linear(HIDDEN, HIDDEN, dtype=torch.float64)
    torch.nn.utils.parametrizations.orthogonal(linear, "weight", orthogonal_map, use_trivialization=False)
    x = linear.parametrizations.weight.original
    with torch.no_grad():
        x.copy_(torch.from_numpy(original))
    linear.weight.backward(torch.from_numpy(dmatrix))
    params = {**model.init(0), "skew": free.skew(original)}
    np.testing.assert_allclose(model.recurrent_matrix(params), linear.weight.detach().numpy(), rtol=0, atol=1e-14)
    value = free.evaluate({"original": original})
    found = free.pullback(value, dmatrix)["original"]
    np.testing.assert_allclose(found, x.grad.numpy(), rtol=0, atol=1e-13)
    assert (np.triu(found) == 0).all()
    assert free.violation(value) < 1e-14
    direction = rng.standard_normal((HIDDEN, HIDDEN))
    assert np.vdot(free.tangent(value, {"original": direction}), dmatrix) == pytest.approx(np.vdot(direction, found))


class ModReluNetwork(torch.nn.Module):
    """scoRNN, or expRNN, of torch's parts."""

    def __init__(self, orthogonal_map, wrong=False):
        super().__init__()
        self.drive = torch.nn.Linear(INPUT, HIDDEN, bias=False, dtype=torch.float64)
        self.recurrent = torch.nn.Linear(HIDDEN, HIDDEN, bias=False, dtype=torch.float64)
        torch.nn.utils.parametrizations.orthogonal(self.recurrent, "weight", orthogonal_map)
        self.bias = torch.nn.Parameter(0.1 * torch.randn(HIDDEN, dtype=torch.float64))
        self.wrong = wrong

    def forward(self, x, state):
        states = []
        for x_t in x:
            z = self.drive(x_t) + self.recurrent(state)
            size = z.abs() + (self.bias.detach() + 0 * self.bias if self.wrong else self.bias)
            state = z.sign() * torch.relu(size)
            states.append(state)
        return torch.stack(states), state


@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley"])
def test_a_module_with_a_reference(orthogonal_map):
    torch.manual_seed(0)
    names = {
        "drive.weight": "input",
        "recurrent.parametrizations.weight.original": "original",
        "bias": "bias",
    }
    for wrong in (False, True):
        network = ModReluNetwork(orthogonal_map, wrong)
        with torch.no_grad():
            network.recurrent.parametrizations.weight.original += torch.randn(HIDDEN, HIDDEN)
        free = adapters.orthogonal(network.recurrent)
        reference = er.Recurrence(free, er.cells.ModRelu(), INPUT)
        report = adapters.torch(network, reference=reference, names=names)
        assert [row.name for row in report.rows if not row.passed] == (["bias"] if wrong else []), str(report)


# Any module or function, with a reference.


def function(parameters, x, state):
    h, ys = state, []
    for x_t in x:
        h = torch.tanh(x_t @ parameters["Wx"] + h @ parameters["Wh"].T + parameters["b1"] + parameters["b2"])
        ys.append(h)
    return torch.stack(ys), {"h": h}


def weights(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    shapes = {"Wx": (INPUT, HIDDEN), "Wh": (HIDDEN, HIDDEN), "b1": (HIDDEN,), "b2": (HIDDEN,)}
    return {name: torch.randn(shape, generator=generator, dtype=dtype) / 3 for name, shape in shapes.items()}


NAMES = {"Wx": "input.T", "Wh": "recurrent", "b1": "bias", "b2": "bias"}
REFERENCE = er.RNN(INPUT, HIDDEN)


@dtypes
def test_a_function_with_its_parameters(dtype):
    report = adapters.torch(function, reference=REFERENCE, names=NAMES, parameters=weights(dtype))
    report.require()
    assert [row.name for row in report.rows] == ["y", "final h", "Wx", "Wh", "b1", "b2", "x", "state h"]
    wrong = adapters.torch(
        lambda p, x, state: function({**p, "Wh": p["Wh"].T}, x, state),
        reference=REFERENCE, names=NAMES, parameters=weights(dtype),
    )  # fmt: skip
    assert wrong["y"].verdict is wrong["Wh"].verdict is Verdict.WRONG


def test_names_as_a_function_and_a_call_of_its_own():
    def call(network, x, state):
        return network(x.swapaxes(0, 1), state["h"])[0].swapaxes(0, 1)

    def network(parameters, x, start):
        y, final = function(parameters, x.swapaxes(0, 1), start)
        return y.swapaxes(0, 1), final

    def rename(theirs):
        return {"input": theirs["Wx"].T, "recurrent": theirs["Wh"], "bias": theirs["b1"] + theirs["b2"]}

    given = {**weights(), "b2": torch.zeros(HIDDEN, dtype=torch.float64)}
    report = adapters.torch(network, reference=REFERENCE, names=NAMES, parameters=given, call=call)
    report.require()
    assert "final h" not in {row.name for row in report.rows}
    del given["b2"]
    named = {"input": lambda theirs: {**rename({**theirs, "b2": 0})}}["input"]
    adapters.torch(
        lambda p, x, state: function({**p, "b2": 0}, x, state), reference=REFERENCE, names=named, parameters=given
    ).require()


@pytest.mark.parametrize(
    ("body", "verdict", "detail"),
    [
        (lambda p, x, state: 1 / 0, Verdict.NO_ANSWER, "ZeroDivisionError"),
        (lambda p, x, state: function(p, x, state)[0].swapaxes(0, 1), Verdict.SHAPE, "batch_first=True"),
        (lambda p, x, state: function(p, x, state)[0][..., :-1], Verdict.SHAPE, "expected (7, 6, 5)"),
        (lambda p, x, state: "y", Verdict.SHAPE, "y is a str"),
        (lambda p, x, state: (function(p, x, state)[0], {"c": x}), Verdict.SHAPE, "['c']"),
        (lambda p, x, state: function(p, x + torch.rand(1), state), Verdict.NONDETERMINISTIC, "two calls"),
    ],
)
def test_what_is_no_answer_is_a_row(body, verdict, detail):
    report = adapters.torch(body, reference=REFERENCE, names=NAMES, parameters=weights())
    assert not report.passed
    assert report["contract"].verdict is verdict
    assert detail in report["contract"].detail


def test_a_parameter_that_nothing_reaches():
    report = adapters.torch(
        lambda p, x, state: function({**p, "Wh": p["Wh"].detach()}, x, state),
        reference=REFERENCE, names=NAMES, parameters=weights(),
    )  # fmt: skip
    assert [row.name for row in report.rows if not row.passed] == ["Wh"]
    assert "zeros throughout" in report["Wh"].detail


def test_bad_names():
    def check(names, **options):
        return adapters.torch(function, reference=REFERENCE, names=names, parameters=weights(), **options)

    with pytest.raises(er.errors.ParameterError, match=r"lacks \['b2'\]"):
        check({key: NAMES[key] for key in ("Wx", "Wh", "b1")})
    with pytest.raises(er.errors.ParameterError, match=r"leaves out \['recurrent'\]"):
        adapters.torch(
            lambda p, x, state: function({**p, "Wh": 0}, x, state), reference=REFERENCE,
            names={"Wx": "input.T", "b1": "bias"}, parameters={key: weights()[key] for key in ("Wx", "b1")},
        )  # fmt: skip
    with pytest.raises(er.errors.ShapeError, match="'Wx' has shape"):
        check({**NAMES, "Wx": "input"})
    with pytest.raises(er.errors.ParameterError, match="'weight'; expected a parameter of the reference"):
        check({**NAMES, "Wh": "weight"})
    with pytest.raises(er.errors.OptionError, match="names is a int"):
        check(3)
