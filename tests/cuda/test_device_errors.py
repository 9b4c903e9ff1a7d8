"""What the driver reports in the middle of a pass comes out as one typed error, and nothing on the host has changed."""

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref.backends.cuda import loops
from enrnn_ref.backends.cuda.target import CudaAPIError
from tests.mutants.systems import case

REPORTS = {
    2: ("Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY", "checkpoint_every"),
    701: ("Call to cuLaunchKernel results in CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "another rung"),
    719: ("Call to cuCtxSynchronize results in CUDA_ERROR_LAUNCH_FAILED", "start a new one"),
}


def failing(code):
    def launch(*arguments):
        raise CudaAPIError(code, REPORTS[code][0])

    return launch


@pytest.mark.parametrize("code", REPORTS)
@pytest.mark.parametrize("task", ["affine", "correlate", "total", "forward", "backward", "tangent"])
def test_what_the_driver_reports_is_one_error(task, code, monkeypatch):
    point = case("lstm", times=3, batch=2)
    kept = {key: array.copy() for key, array in {**point.params, "x": point.x, **point.state}.items()}
    expected = point.gradients("cuda")
    with monkeypatch.context() as patch:
        patch.setattr(loops, task, failing(code))
        report, advice = REPORTS[code]
        with pytest.raises(er.errors.DeviceError, match=f"'cuda' stopped.*{report}.*{advice}"):
            (point.tangent if task == "tangent" else point.gradients)("cuda")
    for key, array in {**point.params, "x": point.x, **point.state}.items():
        np.testing.assert_array_equal(array, kept[key])
    for key, array in point.gradients("cuda").items():
        np.testing.assert_array_equal(array, expected[key])
