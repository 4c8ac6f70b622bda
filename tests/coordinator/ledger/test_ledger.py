"""The ledger: what goes in comes out, in every process at once, and what cannot be read is told."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import LedgerError, RunNotFound
from coordinator.files import held
from coordinator.ledger.ledger import Ledger, Run, connect, new_run_id
from coordinator.ledger.migrations import MIGRATIONS
from coordinator.ledger.salvage import salvage_ledger
from coordinator.ledger.submissions import all_submissions
from coordinator.target.protocol import KernelRef, RunState
from tests import forked
from tests.coordinator.sample_runs import BARE, FULL
from tests.paths import ROOT


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.sqlite"


def _run(number: int, **values: Any) -> Run:
    values = {"created_at": f"2026-11-01T00:00:{number:02}+00:00", "state": RunState.COMPLETE, **values}
    return dataclasses.replace(BARE, id=f"n{number}", **values)


@pytest.mark.parametrize("run", [BARE, FULL], ids=["bare", "full"])
def test_every_column_comes_back(file: Path, run: Run) -> None:
    """A run is the same after it was written by one connection and read by another, text of any kind included."""
    with Ledger(file) as ledger:
        ledger.add(run)
    with Ledger(file) as ledger:
        assert ledger.get(run.id) == run
        assert ledger.runs(hidden=True) == [run]
    assert set(dataclasses.asdict(run)) == set(run.to_json())


def test_a_row_gives_what_the_class_would_make(file: Path) -> None:
    """Rows are read past `__init__`: fields, their order (that of the JSON), and the work of `__post_init__` stay."""
    typed = dataclasses.replace(FULL, owner="Ada", slug="Base-One")
    with Ledger(file) as ledger:
        ledger.add(typed)
        ledger.statement("UPDATE runs SET owner = 'Ada', slug = 'Base-One' WHERE id = :id", {"id": typed.id})
        found = ledger.get(typed.id)
    assert list(found.fields()) == [field.name for field in dataclasses.fields(Run)]
    assert list(found.to_json()) == list(typed.to_json())
    assert (found.owner, found.slug) == ("ada", "base-one")
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.version = 7  # type: ignore[misc]


def test_every_field_can_be_updated(file: Path) -> None:
    """An update of all fields makes the one run into the other; the updated run is what comes back."""
    with Ledger(file) as ledger:
        ledger.add(BARE)
        changes = {field.name: getattr(FULL, field.name) for field in dataclasses.fields(Run) if field.name != "id"}
        updated = ledger.update("r1", **changes)
        assert updated == dataclasses.replace(FULL, id="r1") == ledger.get("r1")
        with pytest.raises(RunNotFound, match="the ledger has no run nobody"):
            ledger.update("nobody", message="x")


def test_half_a_character_is_no_reason_to_forget_a_run(file: Path) -> None:
    """A message from a target is text of any kind; what cannot be stored becomes a question mark."""
    with Ledger(file) as ledger:
        ledger.add(BARE)
        assert ledger.update("r1", message="it said \ud83d").message == "it said ?"


def test_the_folder_keeps_itself_out_of_git(file: Path) -> None:
    """The state's folder is made with a .gitignore that ignores everything in it, and an edited one is left alone."""
    with Ledger(file):
        pass
    ignore = file.parent / ".gitignore"
    assert ignore.read_text().splitlines()[-1] == "*"
    ignore.write_text("mine\n")
    with Ledger(file):
        pass
    assert ignore.read_text() == "mine\n"


def test_an_intent_survives_a_process_that_dies(file: Path) -> None:
    """What was added is on disk before the next line runs: a killed push leaves its intent."""
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom coordinator.ledger import Ledger, Run\n"
        "from coordinator.target import RunState\n"
        "with Ledger(Path(sys.argv[1])) as ledger:\n"
        "    ledger.add(Run(id='x', experiment='e', target='local', owner='a', slug='e', digest='d', config={},\n"
        "               metadata={}, overrides=[], state=RunState.PUSHING, created_at='2026'))\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert forked.run([sys.executable, "-c", code, str(file)]).returncode == -9
    with Ledger(file) as ledger:
        assert ledger.get("x").state is RunState.PUSHING


def test_processes_that_open_and_write_at_once(file: Path) -> None:
    """Six processes start on a ledger that is not there yet, migrate it and add runs: every run is there in the end."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom coordinator.ledger import Ledger, Run, new_run_id\n"
        "from coordinator.target import RunState\n"
        "for number in range(15):\n    with Ledger(Path(sys.argv[1])) as ledger:\n"
        "        run = Run(id=new_run_id(), experiment='e', target='local', owner='a', slug='e', digest='d',\n"
        "                  config={}, metadata={}, overrides=[], state=RunState.PUSHING, created_at='2026')\n"
        "        ledger.add(run)\n        ledger.update(run.id, state=RunState.QUEUED, version=number)\n"
    )
    running = [
        forked.start([sys.executable, "-c", code, str(file)], stderr=subprocess.PIPE, text=True) for _ in range(6)
    ]
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in running] == [("", 0)] * 6
    with Ledger(file) as ledger:
        assert len(ledger.runs()) == 6 * 15


def test_runs_are_newest_first_and_can_be_narrowed(file: Path) -> None:
    """By time, and by the order of writing within one second."""
    with Ledger(file) as ledger:
        for run in (_run(2), _run(1, experiment="other"), _run(3, target="kaggle")):
            ledger.add(run)
        ledger.add(dataclasses.replace(_run(3), id="n4"))
        assert [run.id for run in ledger.runs()] == ["n4", "n3", "n2", "n1"]
        assert [run.id for run in ledger.runs(experiment="smoke", target="local")] == ["n4", "n2"]
        assert ledger.runs(experiment="none") == []


def test_find(file: Path) -> None:
    """The newest run that has a version, or the one of a version; what there is instead, where there is none."""
    with Ledger(file) as ledger:
        with pytest.raises(RunNotFound) as caught:
            ledger.find("smoke")
        assert (caught.value.what, caught.value.hint) == ('no run of "smoke"', "Push one: coord push --exp smoke")
        for run in (_run(1, version=1), _run(2, version=2), _run(3, version=1, target="kaggle"), _run(4)):
            ledger.add(run)
        assert ledger.find("smoke").id == "n3"
        assert ledger.find("smoke", target="local").id == "n2"
        assert ledger.find("smoke", target="local", version=1).id == "n1"
        with pytest.raises(RunNotFound) as caught:
            ledger.find("smoke", version=9)
        assert caught.value.what == '"smoke" has no run of version 9'
        assert caught.value.hint == "It has kaggle-v1, local-v2, local-v1."
        with pytest.raises(RunNotFound) as caught:
            ledger.find("smokey", target="kaggle")
        assert caught.value.what == 'no run of "smokey" on kaggle (did you mean "smoke"?)'
        assert caught.value.hint == "There are runs of smoke."


def test_a_run_without_a_version_has_no_address(file: Path) -> None:
    """Its label says so, and asking for its address is an error with the way out."""
    assert BARE.label == "smoke local-v?"
    assert FULL.label == "smoke local-v3"
    assert FULL.ref == KernelRef("ada", "smoke", 3)
    with pytest.raises(LedgerError, match="has no version yet") as caught:
        _ = BARE.ref
    assert caught.value.hint == "Run: coord status"
    assert len({new_run_id() for _ in range(100)}) == 100


def test_a_deleted_kernel_counts_from_one_again(file: Path) -> None:
    """A version number that is used again is the new run's; the run that was active under it was cancelled."""
    with Ledger(file) as ledger:
        for run in (
            _run(1, version=1, state=RunState.COMPLETE, message="fine"),
            _run(2, version=2, state=RunState.RUNNING),
            _run(3, version=1, state=RunState.RUNNING, slug="other"),
            _run(4, version=2, state=RunState.RUNNING, target="kaggle"),
            _run(5, state=RunState.PUSHING),
        ):
            ledger.add(run)
        ledger.update("n5", state=RunState.QUEUED, version=1)
        states = {run.id: (run.state.value, run.message) for run in ledger.runs()}
        assert states == {
            "n1": ("complete", "fine"),
            "n2": ("cancelled", "its kernel was deleted and created again"),
            "n3": ("running", ""),
            "n4": ("running", ""),
            "n5": ("queued", ""),
        }
        assert ledger.find("smoke", target="local", version=1).id == "n5"
        assert ledger.get("n2").ended_at is not None


def test_a_late_answer_ends_no_later_run(file: Path) -> None:
    """A version that is adopted while a later one runs (a push that was forced meanwhile) leaves that one alone."""
    with Ledger(file) as ledger:
        ledger.add(_run(1, state=RunState.PUSHING))
        ledger.add(_run(2, version=2, state=RunState.RUNNING))
        ledger.update("n1", state=RunState.QUEUED, version=1)
        assert ledger.get("n2").state is RunState.RUNNING


def test_what_was_seen_earlier_does_not_replace_what_is_known_since(file: Path) -> None:
    """An update that is only for some states does not change a run in another state, and returns it."""
    with Ledger(file) as ledger:
        ledger.add(_run(1, version=1, state=RunState.COMPLETE))
        ledger.add(_run(2, version=2, state=RunState.RUNNING))
        late = ledger.update("n1", only_in=[RunState.QUEUED, RunState.RUNNING], state=RunState.RUNNING, message="late")
        assert late == ledger.get("n1") == _run(1, version=1, state=RunState.COMPLETE)
        assert ledger.update("n2", only_in=[RunState.RUNNING], state=RunState.ERROR).state is RunState.ERROR
        ledger.update("n1", only_in=[RunState.RUNNING], version=1)
        assert [run.state for run in ledger.runs()] == [RunState.ERROR, RunState.COMPLETE]


def test_later_versions_end_no_earlier_run(file: Path) -> None:
    """A second session beside a running one (a push that was forced) leaves the first one's state alone."""
    with Ledger(file) as ledger:
        ledger.add(_run(1, version=1, state=RunState.RUNNING))
        ledger.add(_run(2, state=RunState.PUSHING))
        ledger.update("n2", state=RunState.QUEUED, version=2)
        assert ledger.get("n1").state is RunState.RUNNING


OF_VERSION_12: dict[str, Any] = {"hidden_at": None, "attempts": 0}
OF_VERSION_9: dict[str, Any] = {"reads": (), "launch": {}, **OF_VERSION_12}
OF_VERSION_8: dict[str, Any] = {"lacks": (), "never_arrived": False, "stop_requested": False, **OF_VERSION_9}
OF_VERSION_5: dict[str, Any] = {"continues": None, **OF_VERSION_8}
OF_VERSION_4: dict[str, Any] = {"started_at": None, "timeout_seconds": None, **OF_VERSION_5}
OF_VERSION_3: dict[str, Any] = {"sent_at": None, **OF_VERSION_4}


@pytest.mark.parametrize(
    ("version", "later"),
    [(1, {"files": {}, **OF_VERSION_3}), (2, OF_VERSION_3), (3, OF_VERSION_4), (4, OF_VERSION_5)],
)
def test_a_ledger_of_an_older_coord_is_taken_over(file: Path, version: int, later: dict[str, Any]) -> None:
    """Its runs are all there, without what was not written down then; new ones have it."""
    with Ledger(file) as ledger:
        ledger.add(FULL)
    with sqlite3.connect(file) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if table != "runs":
                connection.execute(f"DROP TABLE {table}")
        connection.execute("DROP INDEX runs_to_list")
        for column in (*later, "primary_name", "primary_mode", "primary_value"):
            connection.execute(f"ALTER TABLE runs DROP COLUMN {column}")
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with Ledger(file) as ledger:
        assert ledger.get(FULL.id) == dataclasses.replace(FULL, **later)
        ledger.add(dataclasses.replace(FULL, id="new"))
        assert ledger.get("new") == dataclasses.replace(FULL, id="new")


OLD_MESSAGES: list[tuple[str, int | None, str, dict[str, Any]]] = [
    ("refused", None, "it never arrived", {"never_arrived": True}),
    ("refused", None, "the quota is spent", {}),
    ("pushing", None, "no answer to its push, and nothing has arrived so far", {}),
    ("queued", 3, "without ada/x, b/c, which local did not accept", {"lacks": ("ada/x", "b/c")}),
    ("running", 4, "its answer was lost: whether it has a/b/c/d is not known", {"lacks": ("a/b/c/d",)}),
    ("complete", 5, 'without q"\\x, which kaggle did not accept', {"lacks": ('q"\\x',)}),
    ("running", 6, "it was asked to stop", {"stop_requested": True}),
    ("error", 7, "it broke without any, which is odd", {}),
    ("complete", 8, "", {}),
    ("complete", 0, "merged from 2 runs, one a fold", {}),
]


def _old_ledger(file: Path) -> None:
    """Writes a ledger of the format before, in which only the messages hold these states."""
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file)
    for script in MIGRATIONS[:8]:
        assert isinstance(script, str)
        connection.executescript(script)
    for number, (state, version, message, _) in enumerate(OLD_MESSAGES):
        connection.execute(
            "INSERT INTO runs (id, experiment, target, owner, slug, digest, config, metadata, overrides, created_at,"
            " version, state, message)"
            " VALUES (?, 'smoke', 'local', 'ada', 'smoke', 'd', '{}', '{}', '[]', '2026', ?, ?, ?)",
            (f"r{number}", version, state, message),
        )
    connection.executemany(
        "INSERT INTO submissions (id, run_id, target, competition, file_name, sha256, is_upload, description, state,"
        " message, created_at) VALUES (?, 'r0', 'local', 'parity', 'f', '', 0, '', 'refused', ?, '2026')",
        [("s0", "it never arrived"), ("s1", "no")],
    )
    connection.execute("PRAGMA user_version = 8")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("is_damaged", [False, True])
def test_states_that_were_messages_are_carried_over(file: Path, is_damaged: bool) -> None:
    """Each message of the older format gives its fields and is kept; also if a damaged ledger is salvaged."""
    _old_ledger(file)
    if is_damaged:
        salvage_ledger(file)
    with Ledger(file) as ledger:
        for number, (state, version, message, fields) in enumerate(OLD_MESSAGES):
            run = ledger.get(f"r{number}")
            assert (run.state.value, run.version, run.message) == (state, version, message)
            found = {name: getattr(run, name) for name in OF_VERSION_8}
            assert found == {**OF_VERSION_8, **fields}, message
            assert run.is_whole == (not run.lacks and not run.stop_requested)
            assert (run.is_merged, run.has_kernel) == (version == 0, bool(version))
            assert run.may_arrive == (message == "it never arrived" or state == "pushing")
        assert {each.id: each.never_arrived for each in all_submissions(ledger)} == {"s0": True, "s1": False}


def test_a_ledger_of_a_newer_coord_is_not_touched(file: Path) -> None:
    """Its format is refused with what to do, and the file does not change."""
    with Ledger(file) as ledger:
        ledger.add(BARE)
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LedgerError, match=r"was written by a newer coord \(format 99\)") as caught, Ledger(file):
        pass
    assert caught.value.hint == "Update coord."
    connection = sqlite3.connect(file)
    assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize(
    "content", [b"this is no database, but text of some length" * 100, b"SQLite format 3\0" + b"x" * 200]
)
def test_a_file_that_is_no_database(file: Path, content: bytes) -> None:
    """The error names the path; the file does not change."""
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(LedgerError, match=r"the ledger .*ledger\.sqlite cannot be opened"), Ledger(file):
        pass
    assert file.read_bytes() == content


def test_a_place_where_no_ledger_can_be(tmp_path: Path) -> None:
    """A folder under the ledger's name, or a file under its folder's, are one line each."""
    (tmp_path / "ledger.sqlite").mkdir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "ledger.sqlite", tmp_path / "file" / "ledger.sqlite"):
        with pytest.raises(LedgerError, match="cannot be opened"), Ledger(path):
            pass


def test_a_run_is_added_once(file: Path) -> None:
    """The same id again is refused, and the transaction leaves the first one as it was."""
    with Ledger(file) as ledger:
        ledger.add(BARE)
        with pytest.raises(LedgerError, match="cannot be written: UNIQUE"):
            ledger.add(dataclasses.replace(FULL, id=BARE.id))
        assert ledger.runs() == [BARE]


def test_a_transaction_that_fails_leaves_nothing(file: Path) -> None:
    """Nor do the parts of it that had succeeded."""

    def half(ledger: Ledger) -> None:
        with ledger.transaction():
            ledger.add(BARE)
            raise ValueError("half of it")

    with Ledger(file) as ledger:
        with pytest.raises(ValueError, match="half"):
            half(ledger)
        assert ledger.runs() == []
    with Ledger(file) as ledger:
        assert ledger.runs() == []


def test_what_was_recorded_survives_a_power_failure(file: Path) -> None:
    """SQLite waits for the disk at each commit (2 is FULL), in every connection that coord makes."""
    with Ledger(file) as ledger:
        assert [tuple(row) for row in ledger.statement("PRAGMA synchronous", {})] == [(2,)]


def test_a_writer_has_its_lock_before_it_reads(file: Path) -> None:
    """Else two transactions could read the same, and both write what follows of it."""
    with Ledger(file) as first, contextlib.closing(connect(file)) as second, first.transaction():
        second.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            second.execute("BEGIN IMMEDIATE")


def test_a_new_ledger_is_made_by_one_process_at_a_time(file: Path) -> None:
    """SQLite lets one of two fail that turn a new file to WAL at once; once it has that mode, nobody waits."""

    def opened() -> None:
        with Ledger(file):
            pass

    thread = threading.Thread(target=opened)
    with held(file.with_suffix(".lock"), wait=True):
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
    thread.join(30)
    with held(file.with_suffix(".lock"), wait=True):
        opened()


def test_a_closed_ledger_is_not_used(file: Path) -> None:
    """Using it outside its context is a mistake in the program, not an answer."""
    ledger = Ledger(file)
    with pytest.raises(RuntimeError, match="not open"):
        ledger.runs()


def test_rows_are_json_that_other_programs_can_read(file: Path) -> None:
    """`sqlite3 .coord/ledger.sqlite` and a JSON reader are enough to get at everything."""
    with Ledger(file) as ledger:
        ledger.add(FULL)
    connection = sqlite3.connect(file)
    (config, summary) = connection.execute("SELECT config, summary FROM runs").fetchone()
    connection.close()
    assert json.loads(config) == FULL.config
    assert json.loads(summary) == FULL.reported.to_json()


def test_two_connections_of_one_process_beside_other_processes(tmp_path: Path) -> None:
    """Opening a ledger again in this process does not drop the locks of the first connection.

    Without them, another process that closes the ledger removes the log that the first connection reads.
    """
    file = tmp_path / "ledger.sqlite"
    code = (
        "import sys; from pathlib import Path; from coordinator.ledger.ledger import Ledger\n"
        "with Ledger(Path(sys.argv[1])) as ledger: ledger.update('one', message='two')"
    )
    with Ledger(file) as first:
        first.add(dataclasses.replace(BARE, id="one"))
        for _ in range(2):
            with Ledger(file) as second:
                assert second.get("one").id == "one"
            forked.run([sys.executable, "-c", code, str(file)], check=True, cwd=ROOT)
            assert first.get("one").message == "two"
            first.update("one", message="three")
