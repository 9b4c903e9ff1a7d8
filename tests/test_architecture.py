"""The rules of ARCHITECTURE.md that a script can check: who may import whom, when, and what kernels may contain."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import enrnn_ref

PACKAGE = Path(enrnn_ref.__file__).parent
TESTS = Path(__file__).parent

# The floors of ARCHITECTURE.md. Imports go down, or stay within a room.
FLOORS = {
    "errors": 0,
    "arrays": 0,
    "initializers": 0,
    "linalg": 0,
    "parametrizations": 1,
    "cells": 1,
    "filters": 1,
    "backends": 2,
    "models": 3,
    "losses": 4,
    "optimizers": 4,
    "tasks": 4,
    "weights": 4,
    "training": 5,
    "verify": 5,
    "analysis": 5,
    "bench": 5,
    "plotting": 6,
    "cli": 6,
}
# Where the floors allow too much: what is independent stays so.
STRANGERS = [
    ("parametrizations", "cells"),
    ("parametrizations", "filters"),
    ("cells", "parametrizations"),
    ("cells", "filters"),
    ("filters", "parametrizations"),
    ("backends", "parametrizations"),
]
# Third parties and the only rooms or files that may import them.
OWNERS = {
    "numba": {
        "bench/threads.py",
        "backends/cpu.py",
        "backends/cache.py",
        "backends/compiler.py",
        "backends/kernels.py",
        "backends/elementary.py",
        "backends/products.py",
        "backends/rows.py",
        "backends/tile.py",
        "backends/cuda/target.py",
    },
    "threadpoolctl": {"linalg/threads.py", "bench/threads.py"},
    "matplotlib": {"plotting"},
    "typer": {"cli", "__main__.py"},
    "rich": {"cli"},
    "jax": {"verify"},
    "torch": {"verify"},
    "keras": {"verify"},
    "onnx": {"verify"},
    "onnxruntime": {"verify"},
    "mpmath": {"verify/vectors/oracle/arithmetic.py"},
    "jsonschema": {"verify/vectors/schema.py"},
    "pickle": {"backends/cache.py"},  # of what this package wrote itself
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def imports_of(path, root=PACKAGE, package="enrnn_ref"):
    """Every imported module of a file, absolute, with its line; ``from a import b`` gives a.b."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: relative import"
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return found


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down_the_floors(path):
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    assert room in FLOORS, f"{name_of(path)} has no floor"
    for module, line in imports_of(path):
        parts = module.split(".")
        if parts[0] != "enrnn_ref":
            continue
        target = parts[1]
        if target == "__version__":
            continue
        assert target in FLOORS, f"{name_of(path)}:{line} imports {module}, which has no floor"
        down = FLOORS[target] < FLOORS[room]
        same = target == room or FLOORS[target] == FLOORS[room]
        assert down or same, f"{name_of(path)}:{line} imports {module}, upwards"
        assert (room, target) not in STRANGERS, f"{name_of(path)}:{line} imports {module}"


def module_of(path):
    return ".".join(("enrnn_ref", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def loaded_with(path, known):
    """The package's modules that load when this one does: its imports outside functions."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in known else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_circle_between_modules():
    known = {module_of(path) for path in MODULES}
    graph = {module_of(path): sorted(set(loaded_with(path, known)) & known) for path in MODULES}
    done, trail = set(), []

    def visit(module):
        assert module not in trail, " -> ".join([*trail[trail.index(module) :], module])
        if module not in done:
            trail.append(module)
            for target in graph[module]:
                visit(target)
            done.add(trail.pop())

    for module in graph:
        visit(module)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_third_parties_stay_in_their_rooms(path):
    for module, line in imports_of(path):
        owners = OWNERS.get(module.split(".")[0])
        if owners is not None:
            assert {room_of(path), name_of(path)} & owners, f"{name_of(path)}:{line} imports {module}"


def test_readable_twins_never_import_the_compiled_backend():
    twins = [PACKAGE / "backends" / "reference.py", PACKAGE / "backends" / "base.py", *(TESTS / "oracles").glob("*.py")]
    for path in twins:
        for module, line in imports_of(path):
            assert not module.startswith(("numba", "enrnn_ref.backends.cpu", "enrnn_ref.backends.kernels")), (
                path,
                line,
            )


def test_oracles_share_no_code_with_the_package():
    for path in (TESTS / "oracles").glob("*.py"):
        assert not [module for module, _ in imports_of(path) if module.startswith("enrnn_ref")], path


def _modules_loaded_by(statement):
    code = f"import sys\n{statement}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_numpy_and_scipy_only():
    loaded = _modules_loaded_by("import enrnn_ref")
    assert {"numpy", "scipy", "enrnn_ref"} <= loaded
    heavy = {"numba", "llvmlite", "jax", "torch", "matplotlib", "typer", "rich", "sklearn", "safetensors"}
    heavy |= {"mpmath", "jsonschema", "keras", "onnx", "onnxruntime"}
    assert not loaded & heavy


def test_the_reference_backend_runs_without_numba():
    loaded = _modules_loaded_by(
        "import numpy, enrnn_ref as er\n"
        "m = er.ENRNN(2, 3, 4, 1); p = m.init(0)\n"
        "r = m.forward(p, numpy.ones((3, 2, 2)), backend='reference'); m.backward(r, r.y)\n"
        "m.tangent(p, numpy.ones((3, 2, 2)), p, backend='reference')"
    )
    assert not loaded & {"numba", "llvmlite"}


def _float_literals(node):
    return [
        child.lineno
        for child in ast.walk(node)
        if isinstance(child, ast.Constant) and isinstance(child.value, (float, complex))
    ]


def _functions(path):
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)]


def test_kernels_contain_no_bare_float_literal():
    """A literal would turn float32 into float64 without a word."""
    units = [
        (path, function)
        for path in (PACKAGE / "cells").glob("*.py")
        for function in _functions(path)
        if function.name.startswith("unit_")
    ]
    units += [
        (path, function)
        for path in (PACKAGE / "optimizers").glob("*.py")
        for function in _functions(path)
        if function.name.startswith("entry_")
    ]
    compiled = [
        (path, function)
        for path in (PACKAGE / "backends").glob("*.py")
        for function in _functions(path)
        if any(
            ast.unparse(decorator).startswith(("jit", "functools.partial(jit")) for decorator in function.decorator_list
        )
    ]
    compiled += [
        (path, inner)  # what an overload returns
        for path in (PACKAGE / "backends").glob("*.py")
        for function in _functions(path)
        if any(ast.unparse(decorator).startswith("overload") for decorator in function.decorator_list)
        for inner in function.body
        if isinstance(inner, ast.FunctionDef)
    ]
    assert len(units) >= 22
    assert len(compiled) >= 9
    for path, function in (*units, *compiled):
        assert not _float_literals(function), f"{name_of(path)}: {function.name}"


def test_nothing_is_random_without_a_seed():
    """Randomness comes from generators made from an explicit seed; NumPy's global state is never touched."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            module, _, function = ast.unparse(node.func).rpartition(".")
            if module in ("np.random", "numpy.random"):
                assert function == "default_rng" or function[0].isupper(), f"{name_of(path)}:{node.lineno}"
                assert node.args or node.keywords, f"{name_of(path)}:{node.lineno} draws a seed of its own"


def test_compiler_options_come_from_one_table():
    """``fastmath`` and ``cache`` stay off; every kernel is compiled with the same options."""
    for path in MODULES:
        calls = [
            node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)
        ]
        uses = [node for node in calls if ast.unparse(node) in ("numba.njit", "numba.jit", "numba.vectorize")]
        assert len(uses) == (1 if name_of(path) == "backends/compiler.py" else 0), name_of(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in ("fastmath", "cache", "parallel"):
                assert ast.unparse(node.value) == "False", name_of(path)
