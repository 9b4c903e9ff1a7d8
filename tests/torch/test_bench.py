"""The peers of ``enrnn-ref bench`` do our work: their gradients are ours."""

import numpy as np
import pytest

from enrnn_ref.bench.contenders import CONTENDERS
from enrnn_ref.bench.threads import in_force
from enrnn_ref.models import RNN
from tests.bench.small import SIZES, TOLERANCE, every_size, expected, made, require_same

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("free", [False, True])
@every_size
def test_eager_finds_our_gradients(size, free):
    work = made(size)
    require_same(CONTENDERS["eager_free" if free else "eager"].make(work).gradients(), expected(work, free=free))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # PyTorch's compiler warns of its own doings
@pytest.mark.parametrize("free", [False, True])
def test_compiled_finds_our_gradients(free):
    work = made(SIZES[0])
    found = CONTENDERS["compiled_free" if free else "compiled"].make(work).gradients()
    require_same(found, expected(work, free=free))


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@every_size
def test_gated_layers_have_equal_weights_and_gradients(size, kind):
    work = made(size)
    ours, theirs = (CONTENDERS[f"{who}_{kind.lower()}"].make(work) for who in ("ours", "torch"))
    require_same(theirs.gradients(), ours.gradients())


@every_size
def test_the_layer_without_gates_is_ours_too(size):
    work = made(size)
    theirs = CONTENDERS["torch_rnn"].make(work)
    model = RNN(work.size.inputs, work.size.units)
    run = model.forward(model.init(0), work.x, {"h": work.start})
    grads = model.backward(run, work.dy)
    require_same(theirs.gradients(), {**grads.params, "x": grads.x})


@pytest.mark.parametrize("name", ["mkl", "mkl_shares"])
@every_size
def test_products_by_the_two_libraries_are_the_same(size, name):
    results = []
    for library in ("openblas", "mkl"):
        contender = CONTENDERS[name.replace("mkl", library)].make(made(size))
        with contender.setting():
            contender.run()
        found = [part for share in contender.work_of for part in (share.h, share.drecurrent, share.dx)]
        results.append([part.numpy() if torch.is_tensor(part) else part for part in found])
    for ours, theirs in zip(*results, strict=True):
        assert np.allclose(ours, theirs, rtol=1e-9, atol=TOLERANCE)


def test_flushing_is_found_out_and_taken_back():
    assert "PyTorch" in in_force(1, {"torch": torch})
    assert in_force(1, {"torch": torch})["PyTorch"] == "1, flushes subnormal numbers"
    assert (torch.full((8,), float(np.finfo(np.float32).tiny)) * 0.5).count_nonzero() == 8
