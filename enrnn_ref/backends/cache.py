"""Compiled kernels on disk: what one process has compiled, others need not compile again.

A kernel is found under everything it depends on: every file of this package, the versions of Numba, llvmlite, NumPy and
Python, the processor and its features, Numba's environment variables, the kernel and the types of its arguments. So an
upgrade of any file never meets an old kernel; and a process that runs on while files are replaced keeps none. Each lies
in a file of its own, which appears at once and whole, and is never changed: processes that start together may write the
same file, and none reads half of it. Where nothing can be written, nothing is kept.

Numba's own cache does not serve: it looks at the file of the kernel alone, not at those it calls, and never finds a
function again whose closure holds another compiled one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import serialize
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.misc.appdirs import AppDirs

from enrnn_ref.backends import IMPORTED

PACKAGE = Path(__file__).parents[1]

STALE_SECONDS = 30 * 24 * 3600
"""The age at which the kernels of another version are removed."""

_DIGEST = hashlib.sha256().digest_size


class KernelCache(NullCache):
    """What Numba asks before it compiles a function, and tells afterwards.

    Parameters
    ----------
    name : str
        Tells kernels apart that are made by one and the same source.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The kernel for these types, or None."""
        target_context.refresh()
        if _changed():
            return None
        with contextlib.suppress(OSError):
            content = self._path(sig, target_context).read_bytes()
            digest, payload = content[:_DIGEST], content[_DIGEST:]
            if hashlib.sha256(payload).digest() == digest:  # a disk may lose what was written
                reduced = pickle.loads(payload)  # noqa: S301 (ours, in a folder that only the user may write)
                return CompileResult._rebuild(target_context, *reduced)  # type: ignore[no-untyped-call]
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a kernel, if there is a place for it."""
        if _changed():
            return
        payload = serialize.dumps(data._reduce())  # type: ignore[no-untyped-call]
        path = self._path(sig, data.target_context)
        partial = None
        try:
            if not path.parent.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # who writes here makes us run anything
                _remove_stale(path.parent.parent)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                partial = Path(file.name)
                file.write(hashlib.sha256(payload).digest() + payload)
            partial.replace(path)
        except OSError:
            if partial is not None:
                partial.unlink(missing_ok=True)

    def _path(self, sig: Any, target_context: Any) -> Path:
        told = repr((self._name, sig, target_context.codegen().magic_tuple()))
        return folder() / f"{hashlib.sha256(told.encode()).hexdigest()}.kernel"


def name_of(layout: object, functions: Iterable[Callable[..., Any]]) -> str | None:
    """The name of a kernel made of some functions of this package; None if one is a user's, who knows what it calls.

    Nor has one a name that is made by another function, and so of what it encloses.
    """
    names = []
    for function in functions:
        if not function.__module__.startswith("enrnn_ref.") or function.__closure__:
            return None
        names.append((function.__module__, function.__qualname__))
    return f"{layout} {names}"


def folder() -> Path:
    """Where the kernels of this version lie: below Numba's cache folder, if one is set, or the user's."""
    users = AppDirs("enrnn_ref", False).user_cache_dir  # type: ignore[no-untyped-call]
    return Path(os.environ.get("NUMBA_CACHE_DIR") or users) / f"enrnn_ref-{_version()}"


def _remove_stale(place: Path) -> None:
    """Forget what other versions compiled long ago."""
    for other in place.glob("enrnn_ref-*"):
        if time.time() - other.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(other, ignore_errors=True)


@functools.cache
def _changed() -> bool:
    """Whether a file may have been changed since this process read it, so that its version is not what runs here."""
    return any(path.stat().st_mtime >= IMPORTED for path in PACKAGE.rglob("*.py"))


@functools.cache
def _version() -> str:
    digest = hashlib.sha256()
    settings = sorted(item for item in os.environ.items() if item[0].startswith("NUMBA_"))
    digest.update(
        repr((numba.__version__, llvmlite.__version__, np.__version__, platform.python_version(), settings)).encode()
    )
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(repr((str(path.relative_to(PACKAGE)), path.read_bytes())).encode())
    return digest.hexdigest()[:16]
