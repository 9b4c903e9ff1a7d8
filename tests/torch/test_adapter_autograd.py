"""The PyTorch adapter without a reference: custom autograd functions against what their own forward pass says."""

import threading

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.verify import adapters
from enrnn_ref.verify.adapters.torch_forward import derivative
from enrnn_ref.verify.adapters.trust import NotDifferentiableError
from enrnn_ref.verify.verdicts import Verdict

torch = pytest.importorskip("torch")

UNITS = 3


def recurrence(mistake="", *, modern=False, leave=False):
    """tanh over the drive (T, B, n) with a backward pass written by hand."""

    def run(drive, R, start):
        h, states = start.detach(), [start.data]
        for d in drive:
            h = torch.tanh(d + h @ R.T)
            if leave:
                h = torch.from_numpy(h.detach().numpy())
            states.append(h)
        return torch.stack(states)

    def back(drive, R, states, dh):
        dR, ddrive = torch.zeros_like(R), torch.zeros_like(drive)
        for t in reversed(range(len(drive))):
            dz = dh * (1 - states[t + 1] ** 2)
            dR, ddrive[t] = dR + dz.T @ states[t], dz
            dh = dz @ (R.T if mistake == "transposed" else R)
        factor = {"zero start": 0.0, "double start": 2.0}.get(mistake, 1.0)
        return ddrive, dR, factor * dh

    if modern:

        class Modern(torch.autograd.Function):
            @staticmethod
            def forward(drive, R, start):
                states = run(drive, R, start)
                return states[-1].clone(), states

            @staticmethod
            def setup_context(ctx, inputs, output):
                ctx.save_for_backward(*inputs[:2], output[1])
                ctx.mark_non_differentiable(output[1])

            @staticmethod
            def backward(ctx, dy, _):
                return back(*ctx.saved_tensors, dy)

        return lambda *arguments: Modern.apply(*arguments)[0]

    class Classic(torch.autograd.Function):
        @staticmethod
        def forward(ctx, drive, R, start):
            states = run(drive, R, start)
            ctx.save_for_backward(drive, R, states)
            return states[-1].clone()

        @staticmethod
        def backward(ctx, dy):
            return back(*ctx.saved_tensors, dy)

    return Classic.apply  # a bound copy, as people keep it


class Network(torch.nn.Module):
    """The recurrence with a drive that is no argument, so that few entries are to be compared."""

    def __init__(self, steps, mistake="", **options):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        R = torch.randn(UNITS, UNITS, generator=generator)
        self.R = torch.nn.Parameter(0.5 * R / torch.linalg.eigvals(R).abs().max())
        self.register_buffer("drive", torch.randn(steps, 1, UNITS, generator=generator))
        self.run = recurrence(mistake, **options)

    def forward(self, start):
        return self.run(self.drive, self.R, start)


START = torch.tensor([[0.3, -0.2, 0.4]])


@pytest.mark.parametrize(("steps", "modern"), [(5, False), (5, True), (200, False)])
def test_a_right_backward_pass(steps, modern):
    network = Network(steps, modern=modern)
    report = adapters.torch(network, START)
    report.require()
    assert {"R", "start"} < {row.name for row in report.rows}
    assert report.settings["tangent"] == "PyTorch's own, of the forward pass"
    assert network.R.dtype == torch.float32, "float64 copies, and nothing else"
    assert network.R.grad is None


@pytest.mark.parametrize("mistake", ["zero start", "double start"])
@pytest.mark.parametrize("steps", [5, 200])
def test_a_wrong_backward_pass_whose_gradient_has_vanished(steps, mistake):
    report = adapters.torch(Network(steps, mistake), START)
    assert report["start"].verdict is Verdict.WRONG, str(report)
    assert report["R"].passed
    if steps == 200:
        assert abs(report["start"].numeric) < 1e-40


def test_a_transposed_backward_pass():
    assert adapters.torch(Network(60, "transposed"), START)["R"].verdict is Verdict.WRONG


def test_a_forward_pass_outside_torch_is_checked_by_differences_and_says_so():
    report = adapters.torch(Network(100, leave=True), START)
    assert report["R"].passed
    assert report["start"].verdict is Verdict.VANISHED
    assert report.settings["tangent"] == "none: the forward pass leaves PyTorch for NumPy"
    assert adapters.torch(Network(5, "zero start", leave=True), START)["start"].verdict is Verdict.WRONG


def test_what_autograd_was_not_told_is_found():
    """A detached factor: autograd's own gradient is not that of the values."""
    report = adapters.torch(lambda x, w: x * w.detach().exp(), torch.rand(4), torch.rand(4))
    assert [row.name for row in report.rows if row.group == "gradient" and not row.passed] == ["w"]


def test_arguments_of_every_kind():
    def function(x, pair, options, count):
        h, c = pair
        return {"sum": count * (x @ options["weight"] + h), "product": (h * c, options["name"])}

    arguments = torch.rand(2, 3), (torch.rand(2, 4), np.random.default_rng(0).random((2, 4))), None, 3
    options = {"weight": torch.rand(3, 4), "name": "text"}
    report = adapters.torch(function, *arguments[:2], options, arguments[3])
    report.require()
    names = {row.name for row in report.rows if row.group == "gradient"}
    assert names == {"x", "pair[0]", "pair[1]", "options['weight']"}


def test_nothing_to_check():
    with pytest.raises(er.errors.ParameterError, match="no parameters and no float tensor"):
        adapters.torch(lambda n: n, 3)
    with pytest.raises(er.errors.ParameterError, match="returned a int"):
        adapters.torch(lambda x: 3, torch.rand(2))
    with pytest.raises(er.errors.OptionError, match="go with a reference; expected one"):
        adapters.torch(lambda x: x, torch.rand(2), names={})


def test_custom_functions_work_as_ever_after_and_in_other_threads():
    run, drive = recurrence("double start"), torch.randn(4, 1, UNITS, dtype=torch.float64)
    R, start = torch.rand(UNITS, UNITS, dtype=torch.float64), START.double()
    inside = []

    def gradient():
        leaf = start.clone().requires_grad_()
        run(drive, R, leaf).sum().backward()
        return leaf.grad

    def function(values):
        thread = threading.Thread(target=lambda: inside.append(gradient()))
        thread.start()
        thread.join()
        return run(drive, values["R"], values["start"])

    expected = gradient()
    move = torch.ones_like(start)
    found = derivative(function, {"R": R, "start": start}, {"R": torch.zeros_like(R), "start": move})
    assert torch.equal(inside[0], expected)
    assert torch.equal(gradient(), expected)
    step = 1e-6 * move
    difference = (run(drive, R, start + step) - run(drive, R, start - step)) / 2e-6
    assert torch.allclose(found, difference, atol=1e-9, rtol=0)
    with pytest.raises(NotDifferentiableError, match="leaves PyTorch"):
        derivative(lambda v: torch.from_numpy(v["x"].numpy()), {"x": start}, {"x": move})
    assert torch.equal(gradient(), expected)
