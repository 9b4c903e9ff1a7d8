"""The command: ``python -m tools.mutants [FILE …] [--jobs N] [--results PATH]``, from the root of the repository."""

from __future__ import annotations

import argparse
import ast
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before NumPy, Numba and pytest are imported.
os.environ["NUMBA_DISABLE_JIT"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
os.environ["NUMBA_CACHE_DIR"] = os.devnull  # a kernel of changed source must not be kept as the unchanged one

from tools.mutants import pool
from tools.mutants.catalogue import Mutant, mutants
from tools.mutants.equivalents import Equivalents
from tools.mutants.records import Records
from tools.mutants.suite import SUITES
from tools.mutants.summary import table, verdicts

LIKELY = 12
"""How many of the tests that have killed mutants of a file are tried first on the next one."""


def main(arguments: list[str] | None = None) -> int:
    """0 if every survivor is explained, 1 if one is not, 2 if the unchanged code fails."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("files", nargs="*", help="parts of the names of files; all, if none is given")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--results", type=Path, default=Path(".mutants/results.jsonl"), help="where verdicts are kept")
    options = parser.parse_args(arguments)
    paths = list(dict.fromkeys(path for part in options.files or [""] for path in SUITES if part in path))
    if not paths:
        parser.error("no file of tools/mutants/suite.py has such a name")
    sys.path.insert(0, str(Path.cwd()))
    pool.preload(dict.fromkeys(test for path in paths for test in SUITES[path].files))
    equivalents, records, counts = Equivalents.read(), Records(options.results), {}
    healthy = True
    for path in paths:
        tree = ast.parse(Path(path).read_text(), path)
        found = mutants(path, tree)
        started = time.monotonic()
        if not _judged(path, tree, found, records, options.jobs):
            healthy = False
            continue
        counts[path] = verdicts(found, {m.key: records.get(m.key, path, SUITES[path]) for m in found}, equivalents)
        print(counts[path].line(path, time.monotonic() - started), flush=True)
    print(table(counts))
    if not options.files and healthy:
        Path(__file__).with_name("RESULTS.md").write_text(table(counts) + "\n")
    if not healthy:
        return 2
    return 1 if any(count.open for count in counts.values()) else 0


def _judged(path: str, tree: ast.Module, found: list[Mutant], records: Records, jobs: int) -> bool:
    """Judge what is not known yet; False if the unchanged file fails its tests."""
    suite = SUITES[path]
    unknown = [mutant for mutant in found if records.get(mutant.key, path, suite) is None]
    if not unknown:
        return True
    (healthy,) = pool.run([_task(path, tree, None, 600.0)], 1, lambda _: ())
    if healthy.failed is not None:
        print(f"{path}: the unchanged file fails {healthy.failed}; its mutants are not judged.", flush=True)
        return False
    limit = 20.0 + 4 * healthy.seconds
    killers: Counter[str] = Counter()

    def likely(_: str) -> list[str]:
        return [test for test, _ in killers.most_common(LIKELY)]

    tasks: Iterator[pool.Task] = (_task(path, tree, mutant, limit) for mutant in unknown)
    for outcome in pool.run(tasks, jobs, likely):
        mutant: Any = outcome.label
        records.add(mutant.key, path, suite, outcome.failed, outcome.seconds)
        if outcome.failed is None:
            print(f"  survived ({outcome.seconds:.1f} s): {mutant.path}:{mutant.line} {mutant.function}")
            print(f"    - {mutant.before}\n    + {mutant.after}", flush=True)
        elif "::" in outcome.failed:
            killers[outcome.failed] += 1
    return True


def _task(path: str, tree: ast.Module, mutant: Mutant | None, limit: float) -> pool.Task:
    apply = (lambda: None) if mutant is None else mutant.apply
    return pool.Task(path, tree, apply, SUITES[path], limit, mutant)


if __name__ == "__main__":
    raise SystemExit(main())
