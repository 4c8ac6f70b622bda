"""The README's three minutes, run as they stand there: each command, in order, with the output that is shown."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from tests.coordinator.command import Coord, until
from tests.documented import shown_commands, unlike
from tests.paths import ROOT
from tests.warm import COMMANDS, run_warm

README = ROOT / "README.md"


@pytest.mark.slow
def test_the_three_minutes(tmp_path: Path) -> None:
    """Real commands in an empty folder. Only `coord ui`, which serves until it is stopped, has tests of its own."""
    steps = list(shown_commands(README, kind="console"))
    assert [step.command.split()[1] for step in steps if step.command.startswith("coord")][:3] == [
        "init",
        "dry-run",
        "local",
    ]
    environment = {**os.environ, "COLUMNS": "80"}
    folder = tmp_path
    for step in steps:
        words = shlex.split(step.command)
        if words[0] == "cd":
            folder /= words[1]
            continue
        assert words[0] == "coord", step.command
        if words[1] == "ui":
            continue
        if words[1:] == ["fetch-results", "--all"]:
            _wait_for_all(folder, environment)
        done = run_warm(*("coordinator", *words[1:]), cwd=folder, env=environment, loaded=COMMANDS, is_merged=True)
        assert done.returncode == 0, f"{step.where}: {step.command}\n{done.stdout}"
        missing = unlike(step.output, done.stdout)
        assert missing is None, f"{step.where}: {step.command} did not print {missing!r}:\n{done.stdout}"
    assert len(steps) >= 8


def _wait_for_all(folder: Path, environment: dict[str, str]) -> None:
    """A reader of the page does not press Enter before the runs have ended."""

    def has_ended() -> bool:
        shown = Coord(folder, environment).here("status").stdout
        return "RUNNING" not in shown and "QUEUED" not in shown

    until(has_ended, "the end of the sweep")


def test_it_is_short() -> None:
    """Three minutes of reading: at most 200 lines, none longer than 120 characters."""
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 200
    assert [line for line in lines if len(line) > 120] == []
