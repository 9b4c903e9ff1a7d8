"""One BLAS thread: in NumPy's library and in SciPy's, which is not loaded before it is used."""

import ast
import subprocess
import sys

from threadpoolctl import ThreadpoolController

from enrnn_ref.linalg.threads import single_threaded_blas

SCRIPT = """
import sys
import enrnn_ref
from enrnn_ref.linalg.threads import single_threaded_blas
from threadpoolctl import ThreadpoolController
assert "scipy.linalg" not in sys.modules
with single_threaded_blas():
    import scipy.linalg
    found = [library for library in ThreadpoolController().info() if library["user_api"] == "blas"]
print(sorted((library["prefix"], library["num_threads"]) for library in found))
"""


def test_scipy_is_held_to_one_thread_although_it_is_loaded_late():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = ast.literal_eval(done.stdout)
    assert found
    assert {threads for _, threads in found} == {1}


def blas_threads():
    return {library["num_threads"] for library in ThreadpoolController().info() if library["user_api"] == "blas"}


def test_a_block_inside_another_ends_nothing():
    with single_threaded_blas():
        with single_threaded_blas():
            pass
        assert blas_threads() == {1}
