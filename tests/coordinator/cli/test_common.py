"""What all commands share: how they end, and the workspace that they open."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from coordinator.cli.common import command, workspace, worst
from coordinator.errors import CoordError, Later, NoSlot, UsageError
from coordinator.project.project import Project


@pytest.mark.parametrize(
    ("raised", "code", "shown"),
    [
        (UsageError("no such thing", hint="Try another."), 2, "coord: no such thing\nTry another.\n"),
        (Later("not now"), 75, "coord: not now\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (KeyboardInterrupt("interrupted: go on with: coord resume"), 130, "interrupted: go on with: coord resume\n"),
    ],
)
def test_how_a_command_ends(raised: BaseException, code: int, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Expected errors and Ctrl-C give a line or two on stderr, and their exit code; a verb may explain Ctrl-C."""

    @command
    def failing() -> None:
        raise raised

    with pytest.raises(typer.Exit) as ended:
        failing()
    captured = capsys.readouterr()
    assert (ended.value.exit_code, captured.err, captured.out) == (code, shown, "")


def test_a_workspace_of_this_folder(
    tiny: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found from a folder inside the project; what a verb says goes to stderr."""
    monkeypatch.chdir(tiny.root / "experiments")
    with workspace() as here:
        assert here.project.root == Path.cwd().parent
        assert here.ledger.runs() == []
        here.say("half of it is done")
    assert capsys.readouterr() == ("", "half of it is done\n")


def test_later_is_the_exit_code_only_if_nothing_worse_has_happened() -> None:
    """A script that tries again at exit code 75 must not do so for an error that stays."""
    assert worst([Later("a"), NoSlot("b")]) == 75
    assert worst([Later("a"), CoordError("b")]) == 1
