"""What `coord ledger check` finds, and what it rebuilds."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from coordinator.bundle.script import stamped
from coordinator.errors import LedgerError
from coordinator.kernel.build import build_kernel
from coordinator.ledger import remarks, submissions, sweeps
from coordinator.ledger.ledger import Ledger, Run
from coordinator.maintenance.ledger.checks import NotAsked, Problem, check, check_file
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.results.summary import Summary
from coordinator.runs.fetch.fetch import provenance
from coordinator.target.competitions import Standing, SubmissionState
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.command import Coord
from tests.coordinator.sample_runs import BARE, COMPLETE, FULL
from tests.coordinator.targets import MemoryCompetitions, MemoryTarget

SENT = submissions.Submission(
    id="s1",
    run_id="r1",
    target="local",
    competition="cup",
    file_name="submission.csv",
    sha256="0" * 64,
    is_upload=True,
    description="first",
    state=SubmissionState.PENDING,
    created_at=BARE.created_at,
)


def _found(project: Project, ledger: Ledger, *targets: MemoryTarget, repair: bool = False) -> list[Problem]:
    found = []
    for problem in check(Workspace(project, ledger), targets):
        assert isinstance(problem, Problem)
        found.append(problem)
        if repair and problem.repair is not None:
            problem.repair()
    return found


def _kernel(project: Project, run_id: str) -> str:
    return stamped(build_kernel(project, resolve(project, "base", [])).script.text, run_id=run_id, git="abc")


def _results(project: Project, run: Run, text: str, **changes: Any) -> Path:
    """What a fetch leaves of a run."""
    assert run.version is not None
    directory = project.results(run.experiment, run.target, run.version)
    directory.mkdir(parents=True)
    (directory / "run.json").write_text(json.dumps({**provenance(run, []), **changes}))
    (directory / "metrics.json").write_text(json.dumps({"run_id": run.id, "status": "complete"}))
    (directory / "kernel.py").write_text(text)
    return directory


def _as_pushed(project: Project, run: Run) -> tuple[Run, str]:
    """The run with the digest and metadata of its kernel, and that."""
    built = build_kernel(project, resolve(project, run.experiment, []))
    run = dataclasses.replace(
        run, digest=built.script.digest, config=built.experiment.config, metadata=built.metadata.data
    )
    return run, _kernel(project, run.id)


def test_a_sound_ledger_has_no_problems(tiny: Project, ledger: Ledger) -> None:
    """With its results here and its version on the target, and beside kernels of other origin."""
    run, text = _as_pushed(tiny, COMPLETE)
    ledger.add(run)
    _results(tiny, run, text)
    target = MemoryTarget({"tiny-base": [text, "print('by hand')"], "another-project": ["# coord: run=x digest=y"]})
    assert _found(tiny, ledger, target) == []


def test_a_run_is_rebuilt_from_its_results(tiny: Project, ledger: Ledger) -> None:
    """With config, overrides, metrics and final state; the target, which has it too, is not used as a second source."""
    run, text = _as_pushed(
        tiny, dataclasses.replace(COMPLETE, overrides=["a=1"], pushed_at="2026-11-01T00:00:05+00:00", continues="r0")
    )
    _results(tiny, run, text)
    target = MemoryTarget({"tiny-base": [text]})
    (problem,) = _found(tiny, ledger, target)
    assert problem.what == "results/base/local-v1/ is of run r1, which the ledger does not have"
    assert ledger.runs() == []
    _found(tiny, ledger, target, repair=True)
    (rebuilt,) = ledger.runs()
    for name in ("id", "label", "digest", "config", "metadata", "overrides", "state", "created_at", "continues"):
        assert getattr(rebuilt, name) == getattr(run, name)
    assert rebuilt.summary == Summary.parse({"run_id": "r1", "status": "complete"})
    assert _found(tiny, ledger, target) == []


def test_how_a_run_ended_is_rebuilt_too(tiny: Project, ledger: Ledger) -> None:
    """From run.json; without a state there, the metrics decide whether it is complete, and the kernel has its files."""
    cancelled = dataclasses.replace(
        FULL, experiment="base", state=RunState.CANCELLED, fetched_at=None, never_arrived=False
    )
    run, text = _as_pushed(tiny, cancelled)
    (_results(tiny, run, text) / "metrics.json").unlink()
    _found(tiny, ledger, repair=True)
    assert ledger.get(run.id) == dataclasses.replace(run, summary=None, sent_at=None)

    # Of a coord that told by the message alone what a run lacks.
    run, text = _as_pushed(tiny, dataclasses.replace(COMPLETE, id="r3", version=4))
    file = _results(tiny, run, text) / "run.json"
    told = {**json.loads(file.read_text()), "message": "without ada/x, which local did not accept"}
    del told["lacks"], told["stop_requested"]
    file.write_text(json.dumps(told))
    _found(tiny, ledger, repair=True)
    assert ledger.get(run.id).lacks == ("ada/x",)

    run, text = _as_pushed(tiny, COMPLETE)
    file = _results(tiny, run, text) / "run.json"
    older = ("id", "experiment", "target", "owner", "slug", "version", "url", "digest", "git", "overrides", "pushed_at")
    file.write_text(json.dumps({name: run.to_json()[name] for name in (*older, "config", "metadata")}))
    _found(tiny, ledger, repair=True)
    rebuilt = ledger.get(run.id)
    assert (rebuilt.state, rebuilt.message) == (RunState.COMPLETE, "")
    assert rebuilt.files.keys() == {file.path for file in build_kernel(tiny, resolve(tiny, "base", [])).files}


def test_runs_are_rebuilt_from_their_kernels(tiny: Project, ledger: Ledger) -> None:
    """With all that a kernel contains, as queued, so that status asks for the state, in the order of their versions."""
    ledger.add(dataclasses.replace(COMPLETE, version=3, id="third"))
    target = MemoryTarget({"tiny-base": [_kernel(tiny, name) for name in ("first", "second", "third", "fourth")]})
    problems = _found(tiny, ledger, target, repair=True)
    assert problems[-1].what == "ada/tiny-base v1 on local is of run first, which the ledger does not have"
    assert [(run.id, run.version) for run in ledger.runs()] == [
        ("fourth", 4),
        ("third", 3),
        ("second", 2),
        ("first", 1),
    ]
    first = ledger.get("first")
    built = build_kernel(tiny, resolve(tiny, "base", []))
    assert (first.state, first.experiment, first.git) == (RunState.QUEUED, "base", "abc")
    assert (first.digest, first.config) == (built.script.digest, built.experiment.config)
    assert first.files == {file.path: file.sha256 for file in built.files}
    assert _found(tiny, ledger, target) == []


def test_a_version_of_a_push_that_was_given_up_is_adopted(tiny: Project, ledger: Ledger) -> None:
    """However late the version appeared."""
    ledger.add(dataclasses.replace(COMPLETE, version=None, state=RunState.REFUSED, never_arrived=True))
    target = MemoryTarget({"tiny-base": [_kernel(tiny, "r1")]})
    (problem,) = _found(tiny, ledger, target, repair=True)
    assert problem.remedy == "adopt the version"
    assert (ledger.get("r1").state, ledger.get("r1").version) == (RunState.QUEUED, 1)


def test_two_versions_of_one_push_are_told(tiny: Project, ledger: Ledger) -> None:
    """The extra session is reported, without a repair: only a person can decide."""
    ledger.add(COMPLETE)
    (problem,) = _found(tiny, ledger, MemoryTarget({"tiny-base": [_kernel(tiny, "r1")] * 2}))
    assert problem.what == "ada/tiny-base v2 on local is of run r1, too, which is base local-v1"
    assert problem.repair is None


def test_a_target_that_does_not_answer_is_left_out_with_a_word(tiny: Project, ledger: Ledger) -> None:
    """The other targets are still asked."""
    ledger.add(dataclasses.replace(COMPLETE, state=RunState.QUEUED, version=None))
    found = list(check(Workspace(tiny, ledger), [MemoryTarget(reachable=False, name="kaggle"), MemoryTarget()]))
    assert [(type(each), each.what) for each in found] == [
        (Problem, "base local-v? (run r1) is queued, but has no version"),
        (NotAsked, "kaggle could not be asked: no connection"),
    ]


def test_a_check_without_credentials_says_what_it_left_out(tiny: Project, ledger: Ledger) -> None:
    """The exit code depends on the local checks, unless the target was named on the command line."""
    ledger.add(dataclasses.replace(COMPLETE, target="kaggle"))
    coord = Coord(tiny.root, {**os.environ, "HOME": str(tiny.root)})
    said = coord("ledger", "check").stderr
    assert said.startswith("left out: kaggle could not be asked: no Kaggle credentials found")
    assert said.endswith("\n1 run, 0 problems repaired, 0 left\n")
    assert coord("ledger", "check", "--target", "kaggle", code=1).stderr == said
    (left_out,) = coord.json("ledger", "check")["not_asked"]
    assert "KAGGLE_API_TOKEN" in left_out["hint"]


def test_sweeps_are_rebuilt_from_any_of_their_runs(tiny: Project, ledger: Ledger) -> None:
    """With all experiments, also those not pushed yet; a sweep that the ledger has does not change."""
    members = [
        sweeps.Member(f"base--lr{lr}", "base", (f"optim.lr={lr}",), whole="", work=str(lr), run_id=None)
        for lr in (0.1, 0.2)
    ]
    sweep = sweeps.Sweep("lr", "base", "local", False, BARE.created_at, tuple(members))
    run, text = _as_pushed(tiny, COMPLETE)
    _results(tiny, run, text, sweeps=[sweep.to_json(), "nonsense"])
    whats = [problem.what for problem in _found(tiny, ledger, repair=True)]
    assert whats[1:] == ["runs in results/ are of the sweep lr, which the ledger does not have"]
    assert sweeps.all_sweeps(ledger) == [sweep]
    assert _found(tiny, ledger) == []


def test_notes_and_tags_outlive_the_ledger(tiny: Project) -> None:
    """They are also written to a file beside the results; removed ones stay removed."""
    coord = Coord(tiny.root, dict(os.environ))
    coord("note", "--exp", "base", "the one with ü")
    coord("tag", "--exp", "base", "odd")
    coord("tag", "--exp", "base", "good")
    coord("tag", "--exp", "base", "odd", "--remove")
    with tiny.remarks.open("a") as file:
        file.write('{"experiment": "ba')  # a process that was killed
    shutil.rmtree(tiny.state)
    coord("note", "--exp", "base", "later")
    assert (
        "results/remarks.jsonl has notes or tags that the ledger lacks: 2"
        in coord("ledger", "check", "--offline", code=1).stdout
    )
    coord("ledger", "check", "--offline", "--repair")
    with Ledger(tiny.ledger) as ledger:
        assert {each.text for each in remarks.remarks_of(ledger)} == {"the one with ü", "good", "later"}
        tiny.remarks.unlink()
        (problem,) = _found(tiny, ledger, repair=True)
        assert problem.what == "results/remarks.jsonl lacks notes or tags of the ledger: 3"
        assert sorted(map(str, remarks.kept(tiny.remarks))) == sorted(map(str, remarks.remarks_of(ledger)))
        tiny.remarks.unlink()
        tiny.remarks.mkdir()
        with pytest.raises(LedgerError, match="Is a directory"):
            remarks.tag(ledger, "base", "new", copy=tiny.remarks)


def test_submissions_are_rebuilt_from_the_competitions(tiny: Project, ledger: Ledger) -> None:
    """Submissions of the ledger's runs, with the digest of the file, which prevents that it is submitted twice."""
    run, text = _as_pushed(tiny, dataclasses.replace(COMPLETE, id="a" * 16))
    run = dataclasses.replace(run, metadata={**run.metadata, "competition_sources": ["cup", "other"]})
    ledger.add(run)
    _results(tiny, run, text, output={"submission.csv": {"size": 1, "sha256": "5" * 64}})
    standing = Standing(7, SubmissionState.COMPLETE, f"x {submissions.stamp(run.id, 'b' * 8)}", 0.5, None, "")
    standing = dataclasses.replace(standing, file_name="submission.csv")
    sent = [standing, dataclasses.replace(standing, ref=8, description="by hand")]
    target = MemoryTarget(contest=MemoryCompetitions("cup", sent=sent))
    (problem,) = _found(tiny, ledger, target, repair=True)
    assert problem.what == "cup on local has submissions of the ledger's runs that it does not have: 1"
    (found,) = submissions.all_submissions(ledger)
    assert (found.id, found.ref, found.run_id, found.public, found.sha256) == ("b" * 8, 7, run.id, 0.5, "5" * 64)
    assert _found(tiny, ledger, target) == []


def test_what_a_rebuilt_run_continues(tiny: Project, ledger: Ledger) -> None:
    """A kernel names the kernel that it continues; which version, is known when no earlier run is active any more."""
    project = dataclasses.replace(tiny, settings=dataclasses.replace(tiny.settings, continue_setting="train.wait_for"))
    config = {"train": {"wait_for": "ada/tiny-base"}}
    for number, state in enumerate((RunState.COMPLETE, RunState.COMPLETE, RunState.ERROR), 1):
        ledger.add(dataclasses.replace(COMPLETE, id=f"r{number}", version=number, state=state))
    ledger.add(dataclasses.replace(COMPLETE, id="r4", version=4, config=config))
    ledger.update("r3", state=RunState.QUEUED)
    assert _found(project, ledger) == []
    ledger.update("r3", state=RunState.ERROR)
    (problem,) = _found(project, ledger, repair=True)
    assert problem.remedy == "note that it continues v2, the newest that was complete"
    assert ledger.get("r4").continues == "r2"
    assert _found(project, ledger) == []


@pytest.mark.parametrize(
    ("changes", "what", "after"),
    [
        ({"state": RunState.REFUSED}, "is refused, but has a version", RunState.QUEUED),
        ({"version": None}, "is complete, but has no version", RunState.PUSHING),
    ],
)
def test_states_that_cannot_be_are_opened(
    tiny: Project, ledger: Ledger, changes: dict[str, Any], what: str, after: RunState
) -> None:
    """The target will be asked for the real state."""
    ledger.add(dataclasses.replace(COMPLETE, **changes))
    (problem,) = _found(tiny, ledger, repair=True)
    assert problem.what.endswith(what)
    assert ledger.get("r1").state is after
    assert _found(tiny, ledger) == []


def test_a_version_of_two_runs_in_a_row(tiny: Project, ledger: Ledger) -> None:
    """Version 1 may come again (a kernel that was deleted), and so may others after it; twice in a row is wrong."""
    numbers = (1, 2, 1, 2, 2)
    for number, version in enumerate(numbers):
        ledger.add(dataclasses.replace(COMPLETE, id=f"r{number}", version=version))
    (problem,) = _found(tiny, ledger)
    assert problem.what == "base local-v2 is the version of two runs in a row: r3 and r4"


def test_results_that_were_moved_aside_are_not_gone(tiny: Project, ledger: Ledger) -> None:
    """A deleted kernel counts its versions from 1 again: the folder of the run before has another name then."""
    run, text = _as_pushed(tiny, dataclasses.replace(COMPLETE, fetched_at="2026-11-01T00:00:00+00:00"))
    ledger.add(run)
    directory = _results(tiny, run, text)
    directory.rename(directory.with_name(f"{directory.name}-{run.id[:8]}"))
    assert _found(tiny, ledger) == []


def test_results_that_do_not_belong_to_their_run(tiny: Project, ledger: Ledger) -> None:
    """Metrics of another run, another kernel than the pushed one, a folder of an unknown run, a missing folder."""
    run, text = _as_pushed(tiny, COMPLETE)
    ledger.add(run)
    directory = _results(tiny, run, text)
    (directory / "metrics.json").write_text('{"run_id": "other"}')
    (directory / "kernel.py").write_text(text + "# edited")
    (tiny.root / "results" / "base" / "local-v9").mkdir()
    ledger.add(dataclasses.replace(run, id="r2", version=2, fetched_at="2026"))
    moved = _results(tiny, dataclasses.replace(run, version=4), text)
    found = [problem.what for problem in _found(tiny, ledger)]
    assert found[0] == "results/base/local-v1/metrics.json is of run other, not r1"
    assert found[1].startswith("results/base/local-v1/kernel.py is not what was pushed: its digest is sha256:")
    assert found[2] == "results/base/local-v4/ holds the results of base local-v4, but its run r1 is base local-v1"
    assert found[3] == "results/base/local-v9/ has no readable run.json: its run is not known"
    assert found[4] == "base local-v2 was fetched, and its results are gone"
    shutil.rmtree(moved)
    _found(tiny, ledger, repair=True)
    assert ledger.get("r2").fetched_at is None


@pytest.mark.parametrize(("column", "value"), [("config", "{"), ("state", "asleep"), ("files", "[]")])
def test_a_row_that_does_not_read(tiny: Project, ledger: Ledger, column: str, value: str) -> None:
    """Other commands fail and name the check; the row is rebuilt from its results, if they are here."""
    run, text = _as_pushed(tiny, COMPLETE)
    ledger.add(run)
    with closing(sqlite3.connect(tiny.ledger)) as connection, connection:
        connection.execute(f"UPDATE runs SET {column} = ?", (value,))
    (problem,) = _found(tiny, ledger)
    assert problem.what.startswith("the row of run r1 does not read: ")
    assert (problem.remedy, problem.repair) == ("ask local, which may have its kernel", None)
    _results(tiny, run, text)
    _found(tiny, ledger, repair=True)
    assert ledger.get("r1").config == run.config
    assert _found(tiny, ledger) == []


def test_a_row_of_an_unknown_target(tiny: Project, ledger: Ledger) -> None:
    """The row is reported as damaged; the target is taken from its results, if they are here, and never guessed."""
    run, text = _as_pushed(tiny, COMPLETE)
    ledger.add(run)
    with closing(sqlite3.connect(tiny.ledger)) as connection, connection:
        connection.execute("UPDATE runs SET target = 'The moon'")
    with pytest.raises(LedgerError, match="row, run r1: 'The moon' is no name of a target"):
        ledger.runs()
    (problem,) = _found(tiny, ledger, repair=True)
    assert problem.what.startswith("the row of run r1 does not read: 'The moon' is no name")
    assert problem.remedy.startswith("update coord if a newer one wrote it")
    _results(tiny, run, text)
    _found(tiny, ledger, repair=True)
    assert ledger.get("r1").target == "local"


def test_a_row_that_nobody_can_tell_is_emptied_where_it_does_not_read(tiny: Project, ledger: Ledger) -> None:
    """Otherwise every command would fail at it; the readable columns stay."""
    ledger.add(dataclasses.replace(FULL, slug="tiny-base"))
    with closing(sqlite3.connect(tiny.ledger)) as connection, connection:
        connection.execute("UPDATE runs SET config = '{', summary = '[]', metadata = x'ff', state = 'asleep'")
    (problem, *_) = _found(tiny, ledger, MemoryTarget(), repair=True)
    assert problem.remedy == "empty what does not read of it"
    run = ledger.get(FULL.id)
    assert (run.config, run.summary, run.state, run.files) == ({}, None, RunState.QUEUED, FULL.files)
    assert run.metadata == {"id": "ada/tiny-base", "code_file": "kernel.py"}


def test_a_file_that_cannot_be_looked_at_is_not_called_damaged(tiny: Project) -> None:
    """Otherwise --repair would replace an intact ledger."""
    tiny.ledger.mkdir(parents=True)
    with pytest.raises(LedgerError, match="cannot be checked: unable to open database file"):
        check_file(tiny.ledger)


@pytest.mark.parametrize("part", ["end", "schema"])
def test_runs_are_read_from_a_file_that_sqlite_refuses(tiny: Project, part: str) -> None:
    """A truncated file, and one in which the definition of another table does not parse."""
    with Ledger(tiny.ledger) as ledger:
        for number in range(100):
            ledger.add(dataclasses.replace(FULL, id=f"r{number}", message="x" * 500))
    content = tiny.ledger.read_bytes()
    broken = (
        content[: len(content) // 2]
        if part == "end"
        else content.replace(b"CREATE TABLE remarks", b"CREATE TA\xffLE remarks")
    )
    tiny.ledger.write_bytes(broken)
    problem = check_file(tiny.ledger)
    assert problem is not None
    assert problem.repair is not None
    problem.repair()
    assert tiny.ledger.with_name("ledger.sqlite.damaged-1").read_bytes() == broken
    with Ledger(tiny.ledger) as ledger:
        assert len(ledger.readable()) > (20 if part == "end" else 99)  # the first half has pages of indexes, too


def test_a_damaged_file_is_set_aside_and_what_reads_is_kept(tiny: Project) -> None:
    """The file is never deleted; notes, sweeps and submissions are kept; an intact file, or none, is no problem."""
    assert check_file(tiny.ledger) is None
    member = sweeps.Member("base--lr1", "base", ("optim.lr=1",), whole="", work="w")
    with Ledger(tiny.ledger) as ledger:
        remarks.note(ledger, "base", "odd")
        sweep = sweeps.Sweep("lr", "base", "local", False, "2026", (member,))
        sweeps.add(ledger, sweep)
        submissions.add(ledger, SENT)
        for number in range(200):
            ledger.add(dataclasses.replace(FULL, id=f"r{number}", message="x" * 500))
    assert check_file(tiny.ledger) is None
    with tiny.ledger.open("r+b") as file:
        file.seek(tiny.ledger.stat().st_size // 2)
        file.write(b"\xff" * 20_000)
    damaged = tiny.ledger.read_bytes()
    problem = check_file(tiny.ledger)
    assert problem is not None
    assert problem.repair is not None
    problem.repair()
    assert tiny.ledger.with_name("ledger.sqlite.damaged-1").read_bytes() == damaged
    assert check_file(tiny.ledger) is None
    with Ledger(tiny.ledger) as ledger:
        kept = {run.id for run in ledger.runs(hidden=True)}
        assert [each.text for each in remarks.remarks_of(ledger)] == ["odd"]
        assert sweeps.all_sweeps(ledger) == [sweep]
        assert submissions.all_submissions(ledger) == [SENT]
    assert 50 < len(kept) < 200
    assert {"r0", "r199"} <= kept  # read from both ends

    tiny.ledger.write_bytes(b"no database at all")
    for wal in ("-wal", "-shm"):
        tiny.ledger.with_name(tiny.ledger.name + wal).unlink(missing_ok=True)
    problem = check_file(tiny.ledger)
    assert problem is not None
    assert problem.repair is not None
    problem.repair()
    assert tiny.ledger.with_name("ledger.sqlite.damaged-2").is_file()


def test_a_ledger_that_was_lost_comes_back(coord: Coord) -> None:
    """One run is rebuilt from its results, one from its kernel; without --repair nothing changes."""
    coord("push", "--exp", "base", "--wait")
    coord("fetch-results")
    coord("push", "--exp", "base", "--wait", "--force")
    with Ledger(coord.root / ".coord" / "ledger.sqlite") as ledger:
        before = ledger.runs()
    for file in (coord.root / ".coord").glob("ledger.sqlite*"):
        file.write_bytes(b"\0" * 5000)
    damaged = coord("ledger", "check", code=1)
    assert "problem: ledger.sqlite is damaged: file is not a database\n    --repair would move it" in damaged.stdout
    assert "coord ledger check" in coord("status", code=1).stderr
    assert coord("ledger", "check", "--repair").stderr == "2 runs, 3 problems repaired, 0 left\n"
    after = coord.json("status")
    assert [run["id"] for run in after] == [run.id for run in before]
    for name in ("version", "digest", "config", "files", "state"):
        assert [run[name] for run in after] == [getattr(run, name) for run in before]
    assert coord.json("ledger", "check") == {"runs": 2, "problems": [], "repaired": [], "not_asked": []}
