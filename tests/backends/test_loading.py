"""A backend is asked for by name and imported on first use."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

import enrnn_ref as er
from enrnn_ref import backends

MODEL = er.RNN(2, 3)


def test_reference_and_cpu_are_there():
    for name in ("reference", "cpu"):
        assert backends.get(name).name == name
        assert MODEL.forward(MODEL.init(0), np.ones((3, 2, 2)), backend=name).backend == name


def test_cpu_is_the_default():
    assert MODEL.forward(MODEL.init(0), np.ones((3, 2, 2))).backend == "cpu"


ASK = """
import numpy as np, enrnn_ref as er
model = er.RNN(2, 3)
params, x = model.init(0), np.ones((3, 2, 2))
for call, arguments in ((model.forward, (params, x)), (model.tangent, (params, x, params))):
    try:
        call(*arguments, backend="cuda")
    except er.errors.BackendUnavailable as error:
        print(error)
"""


def test_cuda_is_refused_where_no_gpu_is_seen():
    """On a machine that has one, too."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "NUMBA_ENABLE_CUDASIM": "0"}
    said = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    refusals = said.stdout.splitlines()
    assert len(refusals) == 2
    assert all(re.search(r"'cuda' cannot run here: .*'cpu'.*'reference'", line) for line in refusals)


@pytest.mark.parametrize("name", ["gpu", "CPU", None, 3])
def test_unknown_backend(name):
    with pytest.raises(er.errors.OptionError, match=r"backend is .*expected one of 'reference', 'cpu', 'cuda'"):
        MODEL.forward(MODEL.init(0), np.ones((3, 2, 2)), backend=name)
