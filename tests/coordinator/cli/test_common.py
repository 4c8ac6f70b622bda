"""What all commands share: how they end, and the workspace that they open."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import typer

from coordinator.cli.common import command, workspace, worst
from coordinator.errors import CoordError, Later, NoSlot, UsageError
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.target.protocol import RunState
from tests.coordinator.command import Coord
from tests.coordinator.sample_runs import BARE


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


def test_runs_of_a_target_whose_table_is_gone(tiny: Project, ledger: Ledger, coord: Coord) -> None:
    """What the ledger has of them is shown; what needs the target itself says that its table is gone."""
    assert 'there is no target "uni"' in coord.here("status", "-t", "uni", code=2).stderr
    ledger.add(dataclasses.replace(BARE, experiment="base", target="uni", version=1, state=RunState.COMPLETE))
    assert "base uni-v1  COMPLETE" in coord.here("status", "-t", "uni").stdout
    assert "base uni-v1" in coord.here("runs", "-t", "uni").stdout
    assert "uni" in coord.here("push", "--exp", "base", "-t", "uni", code=1).stderr
    assert 'there is no target "unu"' in coord.here("status", "-t", "unu", code=2).stderr
