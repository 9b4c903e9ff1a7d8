"""A changed ratio is noticed, noise is not, and what cannot be compared is refused."""

import json

import pytest

from enrnn_ref.bench import SIZES, Size
from enrnn_ref.bench.compare import compare, differences, load
from enrnn_ref.errors import DataError
from tests.bench.small import report


def run(size=SIZES["adding"], **seconds):
    return report((size, "float32", {"ours": 1.0, "eager": 3.0, "mkl": 0.9} | seconds, None))


def verdicts(now, before):
    return {change.ratio: change.verdict for change in compare(now, before)}


def test_ratios_say_the_same_on_a_machine_of_half_the_speed():
    found = verdicts(run(ours=2.0, eager=6.0, mkl=1.8), run())
    assert found == {"limit": "as before", "peer": "as before"}


def test_a_slower_loop_is_noticed():
    assert verdicts(run(ours=1.5), run()) == {"limit": "worse", "peer": "worse"}
    assert verdicts(run(), run(ours=1.5)) == {"limit": "better", "peer": "better"}


def test_a_small_change_is_noise_and_so_is_a_wide_one():
    assert set(verdicts(run(ours=1.2), run()).values()) == {"as before"}
    now = run(ours=1.5)
    for ratio in now["cases"][0]["ratios"].values():  # the quartiles of the two overlap
        ratio.update(lower_quartile=0.1, upper_quartile=100.0)
    assert set(verdicts(now, run()).values()) == {"as before"}


def test_another_size_of_the_same_name_is_not_compared():
    assert compare(run(Size("own", 2, 2, 2, 2)), run(Size("own", 2, 2, 2, 3))) == []


def test_what_else_differs_is_named():
    now = run()
    now["machine"] = {"processor": "another", "cores": "2", "torch": "3"}
    assert differences(now, run()) == ["processor: made up before, another now", "torch: none before, 3 now"]


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "another"}', json.dumps({**run(), "version": 99})])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "cpu.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"cpu\.json"):
        load(path)


def test_no_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "cpu.json")
