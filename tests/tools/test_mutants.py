"""The tool that changes the source: what it changes, what it leaves alone, what it remembers, and what it reports."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tools.mutants.catalogue import mutants
from tools.mutants.child import module_name
from tools.mutants.equivalents import Equivalents
from tools.mutants.pool import is_forgotten
from tools.mutants.records import Records, digest
from tools.mutants.suite import COMMON, SUITES, Group, Suite
from tools.mutants.summary import table, verdicts

ROOT = Path(__file__).parents[2]


def found(source, path="a.py"):
    tree = ast.parse(textwrap.dedent(source))
    return tree, mutants(path, tree)


def afters(expression, function="f"):
    """What an expression of a function is changed to, without the assignment around it."""
    _, all_of_them = found(f"def {function}(x, y, t):\n    a = {expression}")
    return {mutant.after.removeprefix("a = ") for mutant in all_of_them}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("x + y", {"x - y"}),
        ("x - y * t", {"x + y * t", "x - y / t"}),
        ("x * y - t", {"x * y + t", "x / y - t", "-(x * y) - t"}),
        ("x / y", {"x * y", "-(x / y)"}),
        ("(x / y) ** 2", {"(x * y) ** 2", "x / y * 2", "(x / y) ** 3", "(x / y) ** 1"}),
        ("-x", {"x"}),
        ("0 * x", {"1 * x", "0 / x"}),
        ("x @ y", {"y @ x", "x.T @ y", "x @ y.T", "-(x @ y)"}),
        ("x @ y.T", {"y.T @ x", "x.T @ y.T", "x @ y", "-(x @ y.T)"}),
        ("x < y", {"x <= y", "x >= y"}),
        ("x is None", {"x is not None"}),
        ("x and y", {"x or y"}),
        ("x if t else y", {"y if t else x"}),
        ("x[0]", {"x[1]"}),
        ("x[2]", {"x[1]"}),
        ("x[t]", {"x[t - 1]", "x[t + 1]"}),
        ("x[t + 1]", {"x[t - 1]", "x[t + 2]", "x[t + 0]"}),
        ("x[:, y]", {"x[:, y - 1]"}),
        ("x.sum(axis=1)", {"x.sum(axis=2)", "x.sum(axis=0)"}),
        ("f(0.5)", {"f(1.0)", "f(0.0)"}),
        ("f(512)", {"f(1024)"}),
        ("f(True)", {"f(False)"}),
        ("x.real", {"x.imag"}),
        ("x.conj()", {"x"}),
        ("x.swapaxes(0, 1)", {"x", "x.swapaxes(1, 1)", "x.swapaxes(0, 2)", "x.swapaxes(0, 0)"}),
        ("abs(x)", {"x"}),
        ("np.sin(x)", {"np.cos(x)"}),
        ("np.outer(x, y)", {"np.outer(y, x)"}),
        ("np.einsum('tbi,oi->tbo', x, y)", {"np.einsum('tbi,oi->i', x, y)"}),
        ("type(x[0])(1)", {"type(x[0])(2)", "type(x[0])(0)"}),
        ("zip(x, y, strict=True)", set()),
        ("integer('n', x + 1)", set()),
        ("'a sentence'", set()),
    ],
)
def test_changes(expression, expected):
    assert afters(expression) == expected


def test_sums_are_changed_where_they_are_added():
    _, all_of_them = found("def f(x, y):\n    x += y\n    x |= y")
    assert [mutant.after for mutant in all_of_them] == ["x -= y", "x = y"]


def test_every_result_of_a_pass_is_negated():
    _, all_of_them = found("def unit_pullback(x, y, zero):\n    return (x, y), (zero,), 0 * x")
    assert {mutant.after for mutant in all_of_them} == {
        "return ((-x, y), (zero,), 0 * x)",
        "return ((x, -y), (zero,), 0 * x)",
        "return ((x, y), (zero,), 1 * x)",
        "return ((x, y), (zero,), 0 / x)",
    }


def test_what_does_not_compute_is_left_alone():
    _, all_of_them = found('''
        """A docstring, 1 + 1."""
        from a import b
        Law = tuple[int, str]

        class C(B, metaclass=M):
            """1."""
            @cache(2)
            def f(self, x: int = 3, *, y: Array[4] = 5 + 6) -> Array[7]:
                """8."""
                z: Array[9] = x
                if x > 10:
                    y = 11 + 12
                    raise ValueError(f"{x + 13}")
                assert x < 14
                self._require_own(x + 15)
                return z

            def config(self):
                return 16 + 17

            def _init(self):
                return 18 + 19
    ''')
    assert all_of_them == []


def test_the_key_tells_mutants_apart_and_holds_no_line():
    source = "def f(x):\n    x = x + 1\n    x = x + 1\n    return x\n"
    _, first = found(source)
    _, second = found("\n\n" + source)
    assert len({mutant.key for mutant in first}) == len(first) == 6
    assert [mutant.key for mutant in first] == [mutant.key for mutant in second]
    assert [mutant.line + 2 for mutant in first] == [mutant.line for mutant in second]


@pytest.mark.parametrize("path", ["enrnn_ref/cells/lstm.py", "enrnn_ref/backends/kernels.py"])
def test_a_mutant_changes_one_statement_and_compiles(path):
    """Every hundredth."""
    source = (ROOT / path).read_text()
    before = ast.unparse(ast.parse(source)).splitlines()
    for number in range(0, len(mutants(path, ast.parse(source))), 100):
        tree = ast.parse(source)
        mutants(path, tree)[number].apply()
        compile(tree, path, "exec")
        after = ast.unparse(tree).splitlines()
        assert len(after) == len(before)
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_a_changed_file_and_what_imports_it_are_imported_anew():
    """Else a child would go on with the unchanged one."""
    assert [path for path in SUITES if not is_forgotten(module_name(path))] == []


def test_every_file_that_computes_has_a_suite_of_tests_that_exist():
    for path, suite in SUITES.items():
        assert (ROOT / path).is_file(), path
        for test in suite.files:
            assert (ROOT / test).is_file(), test
    folders = ("cells", "filters", "parametrizations", "linalg", "backends", "models")
    there = {f"enrnn_ref/{name}/{file.name}" for name in folders for file in (ROOT / "enrnn_ref" / name).glob("*.py")}
    without = {path for path in there - SUITES.keys() if not path.endswith("__init__.py")}
    # BLAS threads; a search with a proof, and a proof, whose constants are bounds and not values; kernels on disk, how
    # they are compiled and what they hide from the compiler; results of a pass; arguments of every model; on which side
    # arrays lie, which only the simulator's tests see; and two models that only name their parts.
    names = (
        *(
            "linalg/threads",
            "linalg/tracking",
            "linalg/deflation",
            "backends/cache",
            "backends/compiler",
            "backends/rows",
        ),
        *("models/run", "models/base", "models/door", "models/exprnn", "models/rnn"),
    )
    assert without == {f"enrnn_ref/{name}.py" for name in names}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A repository of one file and two tests."""
    monkeypatch.chdir(tmp_path)
    digest.cache_clear()
    for name in ("a.py", "test_a.py", "test_b.py", *COMMON):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    yield Suite((Group(("test_a.py",)), Group(("test_b.py",))))
    digest.cache_clear()


def change(name):
    Path(name).write_text("something else")
    digest.cache_clear()


def test_verdicts_are_kept(place):
    file = Path("kept/results.jsonl")
    Records(file).add("killed", "a.py", place, "test_a.py::test", 0.5)
    Records(file).add("survived", "a.py", place, None, 0.5)
    records = Records(file)
    assert records.get("killed", "a.py", place).killer == "test_a.py::test"
    assert records.get("survived", "a.py", place).killer is None
    assert records.get("unknown", "a.py", place) is None


@pytest.mark.parametrize(
    ("name", "killed", "survived"),
    [("a.py", False, False), ("test_a.py", False, False), ("test_b.py", True, False), (COMMON[0], True, False)],
)
def test_verdicts_end_with_what_they_depend_on(place, name, killed, survived):
    file = Path("results.jsonl")
    Records(file).add("killed", "a.py", place, "test_a.py::test", 0.5)
    Records(file).add("survived", "a.py", place, None, 0.5)
    change(name)
    records = Records(file)
    assert (records.get("killed", "a.py", place) is not None) == killed
    assert (records.get("survived", "a.py", place) is not None) == survived


def test_the_summary_tells_explained_refuted_stale_and_open(place):
    _, (plus, again, less) = found("def f(x):\n    return x + 1")
    reasons = {(mutant.path, mutant.function, mutant.before, mutant.after): "because" for mutant in (plus, again)}
    gone = ("a.py", "f", "return x + 2", "return x - 2")
    equivalents = Equivalents({**reasons, gone: "because"})
    records = Records(Path("results.jsonl"))
    known = {
        plus.key: records.add(plus.key, "a.py", place, None, 0.1),
        again.key: records.add(again.key, "a.py", place, "test_a.py::test", 0.1),
        less.key: records.add(less.key, "a.py", place, None, 0.1),
    }
    count = verdicts([plus, again, less], known, equivalents)
    assert (count.all, count.killed, count.explained) == (3, 1, 1)
    assert (count.open, count.refuted, count.stale) == ([less], [again], [gone])
    assert table({"a.py": count}).splitlines()[2:] == ["| `a.py` | 3 | 1 | 1 | 1 |", "| all | 3 | 1 | 1 | 1 |"]


def test_the_list_of_equivalents_can_be_read():
    for (path, *_), reason in Equivalents.read().reasons.items():
        assert path in SUITES
        assert len(reason) > 20, path


FORKS = """
import ast, os, pathlib, sys
os.environ.update(NUMBA_DISABLE_JIT="1", OPENBLAS_NUM_THREADS="1", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
from tools.mutants import pool
from tools.mutants.suite import Group, Suite

suite = Suite((Group(("tests/cells/test_every_cell.py",)),))
path = "enrnn_ref/cells/relu.py"
source = pathlib.Path(path).read_text()
assert "x <= zero" in source
sources = {
    "as it is": source,
    "wrong": source.replace("x <= zero", "x >= zero"),
    "endless": source.replace("x = z[0]", "x = z[0]\\n    while True: pass"),
    "broken": "import nothing_of_this_name",
    "deadly": "import os; os.kill(os.getpid(), 9)",
}
pool.preload(suite.files)
tasks = [
    pool.Task(path, ast.parse(text), lambda: None, suite, 5.0 if name == "endless" else 60.0, name)
    for name, text in sources.items()
]
for outcome in sorted(pool.run(tasks, 3, lambda path: ()), key=lambda outcome: outcome.label):
    print("OUTCOME", outcome.label, "|", outcome.failed)
"""


def test_processes_tell_a_right_file_from_wrong_ones():
    """Mistakes, endless loops, files that do not import and processes that die are all noticed, each for itself."""
    done = subprocess.run([sys.executable, "-c", FORKS], cwd=ROOT, capture_output=True, text=True, check=False)
    outcomes = [line.removeprefix("OUTCOME ") for line in done.stdout.splitlines() if line.startswith("OUTCOME ")]
    named = dict(line.split(" | ") for line in outcomes)
    assert named.keys() == {"as it is", "wrong", "endless", "broken", "deadly"}, done.stderr
    assert named["as it is"] == "None"
    assert named["wrong"].startswith("tests/cells/test_every_cell.py::")
    assert named["endless"] == "timeout"
    assert named["broken"] in ("conftest", "tests/cells/test_every_cell.py")
    assert named["deadly"] == "died (-9)"
