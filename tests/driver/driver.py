"""driver.c, built and put in the place of libcuda.so.1; what it was asked for, and how to have it fail.

To be imported before Numba's CUDA target, which looks for a driver when it is imported.
"""

import atexit
import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from cuda.pathfinder import find_nvidia_header_directory

SOURCE = Path(__file__).with_name("driver.c")
FLAGS = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-Wl,-soname,libcuda.so.1")


class Launch(NamedTuple):
    """Of a kernel: its name as the compiler has it, blocks, threads of a block, bytes of shared memory."""

    kernel: str
    grid: tuple[int, int, int]
    threads: int
    shared: int
    cooperative: bool


class Driver:
    """Loaded, it is what any library finds that asks for libcuda.so.1 in this process."""

    def __init__(self, path):
        self._c = ctypes.CDLL(str(path))
        self._c.told.restype = ctypes.c_char_p

    def fail(self, function, code, after=0):
        """From now on the calls of a function fail, after so many that do not."""
        self._c.fail(function.encode(), ctypes.c_long(after), code)

    def recover(self):
        """From now on none fails."""
        self.fail("", 0)

    def have(self, devices=1, capability=9):
        """So many devices are found from now on, of this (major) compute capability."""
        ctypes.c_int.in_dll(self._c, "devices").value = devices
        ctypes.c_int.in_dll(self._c, "capability").value = capability

    def forget(self):
        """What was told so far."""
        self._c.forget()

    def calls(self, function):
        """How often it was called."""
        return self._lines("call").count(function)

    @property
    def launches(self):
        return [
            Launch(kernel, tuple(map(int, grid)), int(threads), int(shared), how == "cooperative")
            for kernel, *grid, threads, shared, how in (line.split(" ") for line in self._lines("launch"))
        ]

    @property
    def order(self):
        """Calls by their names, and launches as "launch", one after the other."""
        lines = (line.split(" ") for line in self._c.told().decode().splitlines())
        return [words[1] if words[0] == "call" else words[0] for words in lines]

    @property
    def violations(self):
        """What was asked for that a driver would refuse."""
        return self._lines("violation")

    def _lines(self, kind):
        lines = self._c.told().decode().splitlines()
        return [rest for word, _, rest in (line.partition(" ") for line in lines) if word == kind]


def built():
    """The path of the driver, or None where there is no compiler; it is there as long as this process."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "libcuda.so.1"
    headers = find_nvidia_header_directory("cudart")
    subprocess.run([compiler, *FLAGS, f"-I{headers}", str(SOURCE), "-o", str(path)], check=True)
    return path


PATH = built()
DRIVER = Driver(PATH) if PATH else None
