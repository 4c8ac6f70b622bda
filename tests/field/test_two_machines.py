"""One folder that is synced between two machines: another one wrote last, or left its own version of the ledger.

Seen: syncthing's and Dropbox's documented names of conflicting copies; found by trying it on coord, which said nothing.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from coordinator.ledger import machine
from coordinator.ledger.ledger import Ledger
from coordinator.ledger.machine import claim, other_writer
from coordinator.ledger.salvage import other_copies
from coordinator.maintenance.doctor.of_project import check_ledger
from coordinator.maintenance.ledger.of_runs import check
from coordinator.project.project import Project
from coordinator.runs.push_several import push_several
from coordinator.target.protocol import RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.sample_runs import COMPLETE
from tests.coordinator.targets import MemoryCompetitions, MemoryTarget
from tests.field.submitting import fetched_run, submitted


@pytest.fixture
def machine_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with this machine's id, which a test changes to be on another one."""
    file = tmp_path / "machine-id"
    file.write_text("a" * 32 + "\n")
    monkeypatch.setattr(machine, "_MACHINE_ID", file)
    return file


def pushed(project: Project, ledger: Ledger, name: str) -> list[str]:
    """What a push of the experiment says about the machine."""
    said: list[str] = []
    target = MemoryTarget(slots=1, session=SessionState(RunState.COMPLETE))
    here = Workspace(project, ledger, target, say=said.append)
    (result,) = push_several(here, [name], [], force=True, wait_for_slot=False)
    assert result.error is None
    return [text for text in said if "wrote last into this ledger" in text]


def test_another_machine_is_told_once(tiny: Project, ledger: Ledger, machine_id: Path) -> None:
    """At each change, by the push and by doctor; the id itself is not written down."""
    assert pushed(tiny, ledger, "base") == []
    assert pushed(tiny, ledger, "slow") == []
    assert not any("wrote last" in each.what for each in check_ledger(tiny))
    machine_id.write_text("b" * 32)
    assert any("wrote last" in each.what for each in check_ledger(tiny))
    assert len(pushed(tiny, ledger, "base")) == 1
    assert pushed(tiny, ledger, "slow") == []
    machine_id.write_text("a" * 32)
    assert len(pushed(tiny, ledger, "base")) == 1
    assert b"a" * 32 not in tiny.ledger.read_bytes()


def test_a_submission_tells_it_too(tiny: Project, ledger: Ledger, machine_id: Path) -> None:
    """It is recorded as well."""
    run = fetched_run(tiny, ledger, metadata={"competition_sources": ["parity"]})
    claim(ledger)
    machine_id.write_text("b" * 32)
    assert other_writer(ledger) is not None
    submitted(tiny, ledger, run, MemoryCompetitions())
    assert other_writer(ledger) is None


@pytest.mark.parametrize("content", ["", "\n", "ü" * 32, None])
def test_a_machine_without_an_id(tiny: Project, ledger: Ledger, machine_id: Path, content: str | None) -> None:
    """A container: what is not known is not said, and nothing is recorded."""
    claim(ledger)
    machine_id.unlink()
    if content is not None:
        machine_id.write_text(content)
    assert pushed(tiny, ledger, "base") == []
    machine_id.write_text("a" * 32)
    assert other_writer(ledger) is None


@pytest.mark.parametrize(
    "name",
    [
        "ledger.sync-conflict-20261101-120000-ABCDEFG.sqlite",  # Syncthing
        "ledger (ada's conflicted copy 2026-11-01).sqlite",  # Dropbox
        "ledger (conflicted copy 2026-11-01 120000).sqlite",  # Nextcloud
        "ledger-LAPTOP.sqlite",  # OneDrive
        "ledger (1).sqlite",  # Google Drive
        "ledger 2.sqlite",  # iCloud
        "ledger.sqlite.orig",
    ],
)
def test_a_copy_that_a_sync_tool_left(tiny: Project, name: str) -> None:
    """Its runs are added to the ledger's, and it is moved aside."""
    copy = tiny.ledger.with_name(name)
    with Ledger(tiny.ledger) as ledger:
        ledger.add(dataclasses.replace(COMPLETE, id="theirs"))
    shutil.move(tiny.ledger, copy)
    with Ledger(tiny.ledger) as ledger:
        ledger.add(dataclasses.replace(COMPLETE, id="ours", version=2))
        (problem,) = check(Workspace(tiny, ledger))
        assert name in problem.what
        assert problem.repair is not None
        problem.repair()
        assert {run.id for run in ledger.runs()} == {"ours", "theirs"}
        assert list(check(Workspace(tiny, ledger))) == []
    assert not copy.exists()
    assert (tiny.state / "ledger.sqlite.taken-over-1").is_file()


def test_files_of_our_own(tiny: Project) -> None:
    """SQLite's, and damaged ledgers that were moved aside."""
    with Ledger(tiny.ledger):
        tiny.ledger.with_name("ledger.sqlite.damaged-1").touch()
        tiny.ledger.with_name("ledger.sqlite.damaged-1-wal").touch()
        assert other_copies(tiny.ledger) == []
