"""Our own models pass all golden vectors, in both precisions."""

import pytest

from enrnn_ref.verify import vectors
from enrnn_ref.verify.vectors import Function, Suite
from enrnn_ref.verify.vectors.explain import model_of
from enrnn_ref.verify.vectors.sources import judged
from enrnn_ref.verify.verdicts import Verdict

CASES = vectors.load()
MODELS = list(dict.fromkeys(case.model for case in CASES))


def ours(dtype):
    def cast(arrays):
        return {name: array.astype(dtype) for name, array in arrays.items()}

    def answer(case):
        model, x, state = model_of(case.model, case.options), case.x.astype(dtype), cast(case.state) or None
        params, directions = cast(case.params), case.directions
        run = model.forward(params, x, state, backend="reference")
        grads = model.backward(run, case.dy.astype(dtype), cast(case.dstate))
        tangent = model.tangent(
            params,
            x,
            cast(directions["params"]),
            dx=directions["x"].astype(dtype),
            state=state,
            dstate=cast(directions["state"]) or None,
            backend="reference",
        )
        gradients = {"params": grads.params, "x": grads.x, "state": {} if state is None else grads.state}
        return {
            "y": run.y,
            "h": run.h,
            "state": run.state,
            "gradients": gradients,
            "tangent": {"y": tangent.y, "state": tangent.state},
        }

    return Function(answer, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("model", MODELS)
def test_our_models_pass(model, dtype):
    Suite("ours", tuple(judged(ours(dtype), CASES, [model]))).require()


def test_float64_determines_every_array_but_what_has_decayed_below_it():
    for case in CASES:
        report = next(judged(ours("float64"), [case]))
        for row in report.rows:
            if row.verdict is not Verdict.PASSED:
                assert "decayed-subnormal" in case.flags, (case.id, row.name, row.verdict)
