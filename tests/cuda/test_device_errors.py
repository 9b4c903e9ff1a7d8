"""What the driver reports in the middle of a pass comes out as one typed error, and nothing on the host has changed."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.backends.cuda import loops
from enrnn_ref.backends.cuda.target import CudaAPIError
from tests.mutants.systems import case


def exhausted(*arguments):
    raise CudaAPIError(2, "Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")


@pytest.mark.parametrize("task", ["affine", "correlate", "total", "forward", "backward", "tangent"])
def test_memory_that_runs_out(task, monkeypatch):
    point = case("lstm", times=3, batch=2)
    kept = {key: array.copy() for key, array in {**point.params, "x": point.x, **point.state}.items()}
    expected = point.gradients("cuda")
    with monkeypatch.context() as patch:
        patch.setattr(loops, task, exhausted)
        with pytest.raises(er.errors.DeviceError, match=r"'cuda' stopped.*OUT_OF_MEMORY.*checkpoint_every"):
            (point.tangent if task == "tangent" else point.gradients)("cuda")
    for key, array in {**point.params, "x": point.x, **point.state}.items():
        np.testing.assert_array_equal(array, kept[key])
    for key, array in point.gradients("cuda").items():
        np.testing.assert_array_equal(array, expected[key])
