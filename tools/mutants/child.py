"""What a forked process does: import the changed file instead of the real one, and run quick tests until one fails."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tools.mutants.suite import Suite

OPTIONS = (
    "-x",
    "-q",
    "-o",
    "addopts=",
    "-p",
    "no:cacheprovider",
    "-p",
    "pytest_timeout",
    "-p",
    "_hypothesis_pytestplugin",
    "--assert=plain",
    "--tb=native",
)
SLOW = (
    "automatic_differentiation",
    "the_oracle_gives_them_too",
    "test_long_products",
    "test_stays_orthogonal_over_many",
)
"""Tests with an oracle that is compiled anew in every process, or with long sequences, are left out, as are those
marked slow."""


class ChangedFile(importlib.machinery.SourceFileLoader):
    """Loads a module from a syntax tree. It is a finder too, of this module alone."""

    def __init__(self, path: str, tree: ast.Module) -> None:
        super().__init__(module_name(path), str(Path(path).resolve()))
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._tree, self.path, "exec")

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> Any:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)


def module_name(path: str) -> str:
    """``a/b.py`` → ``a.b``."""
    return path.removesuffix(".py").replace("/", ".")


class Watcher:
    """The part of pytest that tells which test failed, and lets hypothesis not shrink."""

    def __init__(self) -> None:
        self.failed: str | None = None

    def pytest_collection(self) -> None:
        laws, phases = settings.get_profile("laws"), (Phase.explicit, Phase.generate)
        # A test that is likely to fail runs again with its group: a method then has another instance of its class.
        passed_over = [*laws.suppress_health_check, HealthCheck.differing_executors]
        settings.register_profile("mutants", laws, phases=phases, suppress_health_check=passed_over)
        settings.load_profile("mutants")

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and self.failed is None:
            self.failed = report.nodeid

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and self.failed is None:
            self.failed = report.nodeid


def failing_test(suite: Suite, likely: Sequence[str]) -> str | None:
    """The first test that fails, or None. Where the tests cannot even be collected, or pytest dies, it says so.

    The tests in ``likely`` come before all groups: a mutant that only the last group's tests notice would otherwise
    wait for all the others.
    """
    runs = [tuple(likely)] if likely else []
    for group in suite.groups:
        keyword = " and ".join([f"({group.keyword})"] * bool(group.keyword) + [f"not {name}" for name in SLOW])
        runs.append(("-m", "not slow", "-k", keyword, *group.tests))
    for arguments in runs:
        watcher = Watcher()
        if pytest.main([*OPTIONS, *arguments], plugins=[watcher]):
            return watcher.failed or "conftest"
    return None


def judge(path: str, tree: ast.Module | None, suite: Suite, likely: Sequence[str], quiet: bool) -> str | None:
    """:func:`failing_test` with ``path`` read from ``tree`` (None: as it is). Changes this process for good."""
    if quiet:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    sys.dont_write_bytecode = True
    set_compiler(suite.compiled)
    if tree is not None:
        sys.meta_path.insert(0, ChangedFile(path, tree))  # type: ignore[arg-type]
    return failing_test(suite, likely)


def set_compiler(on: bool) -> None:
    """Let Numba compile what is decorated from now on, or leave it plain Python."""
    import numba  # noqa: PLC0415 (an environment variable must be set before)

    os.environ["NUMBA_DISABLE_JIT"] = "0" if on else "1"
    numba.config.DISABLE_JIT = int(not on)
