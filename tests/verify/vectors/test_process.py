"""Programs that speak JSON lines: a right one passes, and whatever a wrong one does is reported for its case alone."""

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from enrnn_ref.errors import OptionError
from enrnn_ref.verify.vectors import Program, Suite
from enrnn_ref.verify.vectors.child import Child, EndError, SilenceError
from enrnn_ref.verify.vectors.sources import judged
from enrnn_ref.verify.verdicts import Verdict
from tests.verify.vectors.golden import encoded, right, small

pytestmark = pytest.mark.usefixtures("undiagnosed")

ROOT = Path(__file__).parents[3]
REPLAY = Path(__file__).parent / "clients" / "replay.py"
VICTIM = "gru-small"  # the second of four
PYTHON = f"{sys.executable} -I -S"
ENOUGH = 60.0  # seconds: for a reply that comes, however busy the machine
SHORT = 2.0  # for one that does not


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return small(tmp_path_factory.mktemp("golden"))


@pytest.fixture
def answers(tmp_path, cases):
    path = tmp_path / "answers.json"
    path.write_text(json.dumps({"answers": {case.id: encoded(right(case)) for case in cases}}))
    return path


def judge(cases, answers, behaviour, timeout=ENOUGH):
    """The suite of a replaying client; afterwards neither it nor what it has started is left."""
    program = Program(f"{PYTHON} '{REPLAY}' '{answers}' '{behaviour}' {VICTIM}", timeout)
    suite = Suite(program.name, tuple(judged(program, cases)))
    assert [report.title for report in suite.reports] == [case.id for case in cases]
    for pid in pids(answers):
        assert not alive(pid)
    return suite


def pids(answers):
    return [int(line) for line in Path(f"{answers}.pids").read_text().split()]


def alive(pid):
    """A process that is neither gone nor waiting for whoever adopted it to notice."""
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def failed_rows(suite):
    """Of the victim; every other case has passed."""
    for report in suite.reports:
        assert report.passed == (report.title != VICTIM), str(suite)
    return [row for row in suite[VICTIM].rows if not row.passed]


def test_a_right_program_passes_and_is_started_once(cases, answers):
    suite = judge(cases, answers, "none")
    assert suite.passed
    assert len(pids(answers)) == 1
    assert {"y", "final h", "recurrent", "input", "bias", "x", "state h"} <= {
        row.name for row in suite["rnn-last"].rows
    }


def test_the_client_in_python_passes(cases):
    client = ROOT / "examples" / "clients" / "python" / "client.py"
    for dtype in ("float64", "float32"):
        program = Program(f"{sys.executable} -W error '{client}' {dtype}", ENOUGH)
        suite = Suite("client", tuple(judged(program, cases)))
        assert suite.passed, str(suite)
        assert {report.settings["dtype"] for report in suite.reports} == {dtype}


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ("ends", "ended with status 3 before it replied to 'evaluate'; its standard error ends: something went"),
        ("falls", "was ended by signal SIGKILL"),
        ("chats", "is not JSON: 'debug: computing'"),
        ("other id", "does not carry its id"),
        ("no id", "does not carry its id"),
        ("no object", "does not carry its id: [1, 2]"),
        ("not json", "is not JSON"),
        ("not text", "is not JSON"),
        ("empty line", "is not JSON"),
        ("nested", "is not JSON"),
        ("one endless line", "more than 16777216 bytes"),
        ("endless lines", "does not carry its id: 0"),
        ("closes its output", "closed its standard output"),
        ("declines", "declined 'evaluate': unknown option 'readout'"),
    ],
)
def test_no_answer(cases, answers, behaviour, told):
    (row,) = failed_rows(judge(cases, answers, behaviour))
    assert row.verdict is Verdict.NO_ANSWER
    assert told in row.detail
    assert len(row.detail) < 1000
    assert len(pids(answers)) == (1 if behaviour == "declines" else 2), "started anew, unless there is no need"


@pytest.mark.parametrize(("behaviour", "kind"), [("silent", "evaluate"), ("leaves a child", "evaluate")])
def test_silence_ends_at_the_timeout(cases, answers, behaviour, kind, monkeypatch):
    """However little patience there is, a program that has answered before is asked again."""
    monkeypatch.setattr("enrnn_ref.verify.vectors.process.PATIENCE", 1)
    (row,) = failed_rows(judge(cases, answers, behaviour, SHORT))
    assert row.verdict is Verdict.NO_ANSWER
    assert f"no reply to '{kind}' within 2 s" in row.detail


@pytest.mark.parametrize(
    ("behaviour", "name", "verdict", "told"),
    [
        ("ok is a word", "answer", Verdict.SHAPE, "true or false"),
        ("no ok", "answer", Verdict.SHAPE, "true or false"),
        ("no y", "y", Verdict.SHAPE, "is missing"),
        ("unknown key", "why", Verdict.SHAPE, "is unknown"),
        ("y is a list", "y", Verdict.SHAPE, "is a list"),
        ("y has no data", "y", Verdict.SHAPE, "'data' is a required property"),
        ("y of another shape", "y", Verdict.SHAPE, "has shape [2, 1]; expected [6, 3, 2]"),
        ("y too short", "y", Verdict.SHAPE, "has shape [6, 3, 2] but 1 entries"),
        ("y of objects", "y", Verdict.SHAPE, "['data'][0]"),
        ("y of words", "y", Verdict.SHAPE, "'much' does not match"),
        ("y too many axes", "y", Verdict.SHAPE, "expected [6, 3, 2]"),
        ("y huge and empty", "y", Verdict.SHAPE, "has shape [0, 1"),
        (
            "y null",
            "y",
            Verdict.NOT_FINITE,
            "1 of 36 entries are NaN or infinite, the first at [0, 0, 0] at time step 0",
        ),
        ("y nan", "y", Verdict.NOT_FINITE, "1 of 36"),
        ("y word nan", "y", Verdict.NOT_FINITE, "1 of 36"),
        ("y beyond float64", "y", Verdict.NOT_FINITE, "1 of 36"),
        ("y hex beyond float64", "y", Verdict.NOT_FINITE, "1 of 36"),
        ("y zero", "y", Verdict.WRONG, "1 of 36 entries differ; 0.0 instead of"),
        ("state is a list", "state", Verdict.SHAPE, "is a list"),
        ("ends at gradients", "gradients", Verdict.NO_ANSWER, "ended with status 3 before it replied to 'gradients'"),
        ("declines gradients", "gradients", Verdict.NO_ANSWER, "declined 'gradients': forward only"),
    ],
)
def test_one_bad_part_leaves_the_others_judged(cases, answers, behaviour, name, verdict, told):
    suite = judge(cases, answers, behaviour)
    rows = failed_rows(suite)
    assert [(row.name, row.verdict) for row in rows] == [(name, verdict)]
    assert told in rows[0].detail
    assert len(suite[VICTIM].rows) > 1 or name == "answer"


def test_a_flood_on_standard_error_does_no_harm(cases, answers):
    assert judge(cases, answers, "complains").passed


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ("says hello", "is not JSON"),
        ("another protocol", "at protocol: 1 was expected"),
        ("refuses to start", "declined 'start': protocol 1 is unknown"),
        ("no dtype", "'dtype' is a required property"),
        ("half precision", "at dtype"),
        ("ends at the start", "ended with status 3"),
    ],
)
def test_a_program_that_does_not_start_is_given_up(cases, answers, behaviour, told):
    suite = judge(cases, answers, behaviour)
    details = [report["answer"].detail for report in suite.reports]
    assert all(told in detail for detail in details[:3])
    assert details[3] == "not asked, after 3 failed starts in a row"
    assert len(pids(answers)) == 3


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ("silent from the start", "not asked, after 3 failed starts"),
        ("silent at every case", "not asked, after 3 silences"),
    ],
)
def test_a_program_that_never_answers_is_given_up(cases, answers, behaviour, told):
    suite = judge(cases, answers, behaviour, SHORT / 2)
    details = [report["answer"].detail for report in suite.reports]
    assert all("within 1 s" in detail for detail in details[:3])
    assert details[3].startswith(told)


def test_a_command_that_cannot_be_started(cases):
    suite = Suite("nothing", tuple(judged(Program("no/such/program --fast"), cases)))
    details = [report["answer"].detail for report in suite.reports]
    assert all(detail.startswith("cannot be started:") and "no/such/program" in detail for detail in details[:3])
    assert details[3] == "not asked, after 3 failed starts in a row"


def test_a_program_that_does_not_stop_is_stopped(cases, answers):
    started = time.monotonic()
    assert judge(cases, answers, "does not stop").passed
    assert time.monotonic() - started < ENOUGH


def test_nothing_is_left_when_the_judge_is_interrupted(cases, answers):
    program = Program(f"{PYTHON} '{REPLAY}' '{answers}' none {VICTIM}", ENOUGH)
    reports = judged(program, cases)
    next(reports)
    (pid,) = pids(answers)
    assert alive(pid)
    reports.close()
    assert not alive(pid)


def test_a_program_that_does_not_read_blocks_nobody():
    threads = threading.active_count()
    child = Child([*PYTHON.split(), "-c", "import time; time.sleep(1000)"])
    child.send(b"0" * 10_000_000 + b"\n")
    with pytest.raises(SilenceError):
        child.receive(0.2)
    child.kill()
    assert threading.active_count() == threads


def test_no_more_than_the_end_of_standard_error_is_kept():
    child = Child([*PYTHON.split(), "-c", "import sys; sys.stderr.write('x' * 1_000_000 + 'end')"])
    with pytest.raises(EndError):
        child.receive(ENOUGH)
    assert child.ended() == "ended with status 0"
    assert child.last_words().endswith("xxxend")
    assert len(child.last_words()) < 10_000
    child.kill()


@pytest.mark.parametrize(("command", "timeout"), [("", 1.0), ("  ", 1.0), ("'open", 1.0), ("cat", 0.0), ("cat", -1.0)])
def test_bad_arguments(command, timeout):
    with pytest.raises(OptionError):
        Program(command, timeout)
