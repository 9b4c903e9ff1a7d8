"""The README keeps its word: its Python runs, and its commands and links exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from enrnn_ref.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def line_starts(pattern: str, text: str) -> set[str]:
    found = set(re.findall(rf"^{pattern}", text, flags=re.MULTILINE))
    assert found, pattern
    return found


def test_python_from_the_readme(capsys):
    first, second = blocks("python")
    assert max(len(first.splitlines()), len(second.splitlines())) <= 25
    names: dict[str, object] = {}
    exec(compile(first, "README.md", "exec"), names)
    loss, radius, *report = capsys.readouterr().out.splitlines()
    trained, baseline = map(float, re.findall(r"\d\.\d+", loss))
    assert trained < baseline
    assert float(radius) == pytest.approx(1, abs=1e-5)  # float32
    assert report[0].endswith(": passed")
    exec(compile(second, "README.md", "exec"), names)  # goes on where the first ended; raises unless the check passes


def test_commands_exist():
    shown = "\n".join(blocks("console"))
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    commands |= {group.name for group in app.registered_groups}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert line_starts("enrnn-ref ([a-z-]+)", shown) <= commands
    assert line_starts("make ([a-z-]+)", shown) <= line_starts("([a-z-]+):", makefile)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    local = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in local if not (ROOT / link).exists()] == []
