"""Submissions: the checks before, what is recorded, lost answers, and the scores."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from coordinator.clock import Clock
from coordinator.errors import (
    BundleError,
    CoordError,
    Later,
    NoAccess,
    NoAnswer,
    SubmissionError,
    TargetError,
    UsageError,
)
from coordinator.files import held
from coordinator.ledger import submissions
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.project import Project, find_project
from coordinator.results.summary import Summary
from coordinator.submissions.scores import refresh, wait
from coordinator.submissions.submit import SubmitOptions, submit_run
from coordinator.target import local
from coordinator.target.competitions import Allowance, Standing, SubmissionState
from coordinator.target.credentials import Credentials
from coordinator.target.kaggle import Kaggle
from coordinator.target.protocol import KernelRef, RunState
from coordinator.workspace import Workspace
from runner_test.faults import Fault, Faults, Kind
from runner_test.server import running_server
from tests.coordinator.command import Coord, delete_kernels
from tests.coordinator.scripted import Time
from tests.coordinator.targets import MemoryCompetitions, MemoryTarget
from tests.paths import SAMPLES

# The share of the ids with the right label.
SCORER = """
import csv

def rows(path):
    with open(path, newline="") as file:
        return dict(row for row in csv.reader(file))

def score(submission, solution, ids):
    given, right = rows(submission), rows(solution)
    if given["n0"] == "bad":
        raise ValueError("n0 makes no sense")
    return sum(given[each] == right[each] for each in ids) / len(ids)
"""
IDS = [f"n{number}" for number in range(8)]
SAMPLE = "id,label\n" + "".join(f"{each},0\n" for each in IDS)
GOOD = "id,label\n" + "".join(f"{each},1\n" for each in IDS)
DAY = 86400.0


def _project(root: Path) -> Project:
    shutil.copytree(SAMPLES / "tiny", root, ignore=shutil.ignore_patterns("__pycache__"))
    settings = root / "pyproject.toml"
    text = settings.read_text().replace("[tool.coord]\n", '[tool.coord]\nscorer = "metric:score"\n', 1)
    settings.write_text(
        text.replace("[tool.coord.kernel]\n", '[tool.coord.kernel]\ncompetition_sources = ["parity"]\n')
    )
    (root / "metric.py").write_text(SCORER)
    train = root / "tiny_model" / "train.py"
    train.write_text(train.read_text().replace('"ImageId,EncodedPixels\\n"', repr(GOOD)))
    return find_project(root)


def _register(project: Project, folder: Path, *, daily_limit: int = 3, kernels_only: bool = False) -> None:
    """`parity`: n0 and n1 are public; all labels are 1, but n1's and n2's are 0."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    (data / "sample_submission.csv").write_text(SAMPLE)
    solution = folder / "solution.csv"
    right = [0 if each in ("n1", "n2") else 1 for each in IDS]
    parts = ["Public" if each in ("n0", "n1") else "Private" for each in IDS]
    rows = "".join(f"{each},{label},{part}\n" for each, label, part in zip(IDS, right, parts, strict=True))
    solution.write_text("id,label,Usage\n" + rows)
    local.add_competition(project, "parity", data, local.Scoring(solution, 0.5, daily_limit, kernels_only))


@pytest.fixture
def coord(tmp_path: Path) -> Iterator[Coord]:
    """`coord` in a tiny project whose runs write a submission, with a competition that accepts three a day."""
    project = _project(tmp_path / "tiny")
    _register(project, tmp_path)
    yield Coord(project.root, dict(os.environ))
    delete_kernels(project.local_kaggle)


def test_from_a_push_to_the_scores(coord: Coord) -> None:
    """A kernel's version is submitted once, waited for, and listed with score and CV; the daily limit holds."""
    coord.here("push", "--exp", "base", "--wait")
    done = coord.here("submit", "--exp", "base", "--file", "submision.csv", code=1)
    assert 'base local-v1 left no submision.csv (did you mean "submission.csv"?)' in done.output
    done = coord.here("submit", "--exp", "base", "--version", "7", code=1)
    assert 'coord: "base" has no run of version 7\n' in done.output  # and no other name is suggested
    (coord.root / "results" / "base" / "local-v1" / "run.json").unlink()
    done = coord.here("submit", "--exp", "base", "--wait")
    assert "fetching submission.csv of base local-v1" in done.stderr
    assert done.stdout == "base local-v1, submission 1 to parity: public 0.5, private 0.83333\n"
    done = coord.here("submit", "--exp", "base", code=1)
    assert "the same file was submitted to parity with base local-v1, as submission 1 on" in done.output
    assert "public score 0.5" in done.output
    again = json.loads(coord.here("submit", "--exp", "base", "--force", "--upload", "--wait", "--json").stdout)
    assert (again["ref"], again["public"], again["private"], again["cv"]) == (2, 0.5, 0.83333, 0.755)
    _loses_an_answer(find_project(coord.root))
    done = coord.here("submit", "--exp", "base", "--force", code=75)
    assert "today's submissions to parity are spent (3)" in done.output
    assert "There are new ones at 00:00 UTC, in " in done.output

    listed = json.loads(coord.here("scores", "--json").stdout)
    run = coord.json("status")[0]["id"]
    assert [each["is_upload"] for each in listed["submissions"]] == [False, True, False]
    for each in listed["submissions"]:
        assert each["description"] == f"base local-v1, cv/dice 0.7550 (coord {run}-{each['id']})"
        assert each["sha256"] == hashlib.sha256(GOOD.encode()).hexdigest()
    assert [(each["part"], each["n"]) for each in listed["agreements"]] == [("public", 1), ("private", 1)]
    shown = coord("scores").stdout
    for expected in ("local-v1", "cv/dice", "0.7550", "0.50000", "0.83333", "parity", "over 1 run: nothing to rank"):
        assert expected in shown
    assert coord.here("scores", "--csv").stdout.splitlines()[1].startswith("base,1,local,parity,complete,cv/dice,max,")


def _loses_an_answer(project: Project) -> None:
    """The connection is lost after the competition accepted a submission: it is found, and not sent again."""
    faults = Faults([Fault("CreateCodeSubmission", Kind.RESET, when="after")])
    said: list[str] = []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running_server(project.local_kaggle, faults=faults))
        me = Credentials("the test", username="ada", key=server.token)
        ledger = stack.enter_context(Ledger(project.ledger))
        kaggle = Kaggle(name="local", endpoint=server.url, credentials=me, owner="ada")
        stack.callback(kaggle.close)
        found = submit_run(
            Workspace(project, ledger, kaggle, say=said.append),
            ledger.find("base"),
            SubmitOptions(force=True),
        )
        assert [each.ref for each in kaggle.competitions.submissions("parity")] == [3, 2, 1]
        assert wait(Workspace(project, ledger, kaggle), found).public == 0.5
    assert (found.ref, said[-1]) == (3, "it did: submission 3")


# One run that is here, and competitions that answer as a test says


@dataclass
class Case:
    """A complete run that was fetched, and where it can be submitted."""

    project: Project
    ledger: Ledger
    run: Run
    contest: MemoryCompetitions
    time: Time
    said: list[str]

    def submit(self, **changes: Any) -> submissions.Submission:
        return submit_run(self.workspace, self.run, SubmitOptions(**changes))

    @property
    def workspace(self) -> Workspace:
        clock = Clock(self.time.clock, sleep=self.time.sleep)
        target = MemoryTarget(contest=self.contest)
        return Workspace(self.project, self.ledger, target, clock=clock, say=self.said.append)

    def fetched(self, text: str, *, version: int = 1) -> None:
        """Writes this submission into the run's results."""
        folder = self.project.results("base", "local", version)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "submission.csv").write_text(text)
        kept = {"size": len(text.encode()), "sha256": hashlib.sha256(text.encode()).hexdigest()}
        about = {"id": self.run.id, "output": {"submission.csv": kept}}
        (folder / "run.json").write_text(json.dumps(about))

    def recorded(self) -> list[submissions.Submission]:
        return submissions.all_submissions(self.ledger)


def _run(number: int, **changes: Any) -> Run:
    values: dict[str, Any] = {
        "id": f"{number:016x}",
        "experiment": "base",
        "target": "local",
        "owner": "ada",
        "slug": "tiny-base",
        "digest": "sha256:0",
        "config": {},
        "metadata": {"competition_sources": ["parity"]},
        "overrides": [],
        "state": RunState.COMPLETE,
        "created_at": "2026-11-01T00:00:00+00:00",
        "version": number,
        "fetched_at": "2026-11-01T00:00:00+00:00",
    }
    return Run(**{**values, **changes})


@pytest.fixture
def case(tiny: Project) -> Iterator[Case]:
    with Ledger(tiny.ledger) as ledger:
        run = _run(1)
        ledger.add(run)
        case = Case(tiny, ledger, run, MemoryCompetitions(sample_text=SAMPLE), Time(time.time()), [])
        case.fetched(GOOD)
        yield case


def test_what_is_not_ready_is_not_submitted(case: Case) -> None:
    """A run that is not complete, a changed file, a missing file: nothing is sent to the competition."""
    case.run = case.ledger.update(case.run.id, state=RunState.ERROR, message="it broke")
    with pytest.raises(CoordError, match="base local-v1 has failed, and only a complete run can be submitted: it b"):
        case.submit()
    case.run = case.ledger.update(case.run.id, state=RunState.COMPLETE, message="")
    folder = case.project.results("base", "local", 1)
    with pytest.raises(SubmissionError, match=r'left no submision.csv \(did you mean "submission.csv"') as no_file:
        case.submit(file_name="submision.csv")
    assert no_file.value.hint == "It left submission.csv."
    with pytest.raises(UsageError, match="name one of the run's output files"):
        case.submit(file_name="../run.json")
    (folder / "submission.csv").write_text(SAMPLE)
    with pytest.raises(SubmissionError, match=r"submission.csv is not as the run left it") as changed:
        case.submit()
    assert "--only submission.csv --force" in str(changed.value.hint)
    assert (case.contest.sent, case.recorded()) == ([], [])


def test_a_run_that_stopped_early_is_told(case: Case) -> None:
    """The session is complete, but the run reports that it is not: an error without a file, a warning with one."""
    case.run = case.ledger.update(case.run.id, summary=Summary.parse({"status": "incomplete"}))
    with pytest.raises(SubmissionError, match=r"left no other.csv: it reports that it is incomplete") as no_file:
        case.submit(file_name="other.csv")
    assert no_file.value.hint == "Go on with it: coord continue --exp base"
    case.submit()
    assert "warning: base local-v1 reports that it is incomplete" in case.said


def test_which_competition(case: Case) -> None:
    """From the option, the setting, or the attached source; none, an unknown and a closed one are errors."""
    assert case.submit().competition == "parity"
    case.run = case.ledger.update(case.run.id, metadata={})
    with pytest.raises(UsageError, match="to which competition"):
        case.submit()
    with pytest.raises(NoAccess, match=r'no partiy \(did you mean "parity"\?\)'):
        case.submit(competition="partiy")
    settings = dataclasses.replace(
        case.project.settings, submission=dataclasses.replace(case.project.settings.submission, competition="parity")
    )
    case.project = dataclasses.replace(case.project, settings=settings)
    assert case.submit(force=True).competition == "parity"
    case.contest.is_open = False
    with pytest.raises(TargetError, match="parity takes no submissions"):
        case.submit(force=True)
    case.contest.is_open, case.contest.kernels_only = True, True
    with pytest.raises(UsageError, match="takes versions of kernels, and no files"):
        case.submit(force=True, is_upload=True)
    case.run = case.ledger.update(case.run.id, metadata={"enable_internet": True})
    with pytest.raises(SubmissionError, match="base local-v1 had the internet"):
        case.submit(force=True)


def test_a_file_that_would_be_refused_is_not_sent(case: Case) -> None:
    """The message names the lines; without a sample submission the ids are not checked."""
    case.fetched(GOOD.replace("n3,1", "n3,").replace("n5,1", "m5,NaN"))
    with pytest.raises(SubmissionError) as refused:
        case.submit()
    assert refused.value.what.splitlines() == [
        "submission.csv of base local-v1 has 4 problems:",
        "  line 5: label is empty",
        '  line 7: "m5" is not an id of the sample',
        "  line 7: label is NaN, which is read as missing",
        "  8 rows, the sample has 8; missing: n5",
    ]
    assert case.contest.sent == []
    case.contest.sample_text = None
    case.fetched(GOOD.replace("n3,1", "m3,1"))
    case.submit()
    assert "no file that is clearly its sample submission" in case.said[0]


def test_the_same_file_is_sent_once(case: Case) -> None:
    """Except with `force`, or if the first could not be scored; another file is another submission."""
    case.submit()
    with pytest.raises(SubmissionError, match=r"with base local-v1, as submission 1 on .*: not scored yet"):
        case.submit()
    case.submit(force=True)
    contest = case.contest
    contest.sent = [dataclasses.replace(each, state=SubmissionState.ERROR, error="no") for each in contest.sent]
    case.submit(is_upload=True)
    assert case.contest.uploads == [GOOD.encode()]
    assert case.contest.versions == [("ada/tiny-base v1", "submission.csv")] * 2
    case.fetched(SAMPLE)
    case.submit()
    assert [each.ref for each in case.recorded()] == [4, 3, 2, 1]
    assert [each.state.value for each in case.recorded()] == ["pending", "pending", "error", "error"]


def test_another_version_of_a_code_competition_is_sent(case: Case) -> None:
    """Its few visible predictions are the same; what it does with the hidden data is not known. The same one is not."""
    case.contest.kernels_only = True
    case.submit()
    with pytest.raises(SubmissionError, match=r"the same version was submitted to parity with base local-v1, as su"):
        case.submit()
    case.run = _run(2)
    case.ledger.add(case.run)
    case.fetched(GOOD, version=2)
    case.submit()
    assert [version for version, _ in case.contest.versions] == ["ada/tiny-base v1", "ada/tiny-base v2"]


def test_the_days_limit_is_known_before_anything_is_sent(case: Case) -> None:
    """Exit code 75, and the time of the next ones; the limit of the whole competition is another error."""
    case.contest.left = 0
    case.time.now = 20000 * DAY + 20.5 * 3600
    with pytest.raises(Later, match=r"today's submissions to parity are spent \(0\)") as spent:
        case.submit()
    assert spent.value.hint == "There are new ones at 00:00 UTC, in 3 h 30 min."
    case.contest.is_for_good = True
    with pytest.raises(TargetError, match="no more submissions to parity") as for_good:
        case.submit()
    assert not isinstance(for_good.value, Later)
    assert case.recorded() == []


def test_a_secret_in_the_message_is_not_sent(case: Case) -> None:
    """Nor does it get into the ledger."""
    with pytest.raises(
        BundleError, match="--message holds what looks like a Groq key; it would become part of the sub"
    ):
        case.submit(message="with gsk_" + "q7Hd2kLm9Xw4ZtRv" * 3 + "q7Hd")
    assert (case.contest.sent, case.recorded()) == ([], [])


def test_a_lost_answer_is_settled_by_asking(case: Case) -> None:
    """A submission that arrived is adopted; one that did not is not sent again automatically."""
    case.contest.lost = "after"
    found = case.submit(message="a try")
    assert (found.ref, found.state, len(case.contest.sent)) == (1, SubmissionState.PENDING, 1)
    assert found.description == f"a try (coord {case.run.id}-{found.id})"
    assert "it did: submission 1" in case.said
    case.contest.lost = "before"
    with pytest.raises(NoAnswer, match="never arrived") as never:
        case.submit(force=True)
    assert never.value.hint == "Nothing was submitted: run the same command again."
    assert sum(case.time.waits) > 60
    assert [each.state.value for each in case.recorded()] == ["refused", "pending"]
    # It comes late all the same: it is found.
    late = case.recorded()[0]
    case.contest.lost = ""
    case.contest.sent.insert(0, Standing(7, SubmissionState.COMPLETE, late.description, 0.5, None, ""))
    with pytest.raises(SubmissionError, match=r"as submission 7 on .*: public score 0.5"):
        case.submit()
    assert case.recorded()[0].scored_at is not None


def test_a_submission_that_the_ledger_has_lost_is_taken_in(case: Case) -> None:
    """The description names its run; submissions without such a description are ignored."""
    stamp = submissions.stamp(case.run.id, "1a2b3c4d")
    told = Standing(9, SubmissionState.COMPLETE, f"mine {stamp}", 0.5, 0.4, "", "submission.csv", "2026-11-02T00:00:00")
    by_hand = Standing(8, SubmissionState.COMPLETE, "by hand", 0.6, None, "")
    other = Standing(7, SubmissionState.COMPLETE, submissions.stamp("f" * 16, "00000000"), 0.6, None, "")
    case.contest.sent = [told, by_hand, other]
    for _ in range(2):
        (found,) = refresh(case.workspace, "parity")
        assert (found.id, found.run_id, found.ref) == ("1a2b3c4d", case.run.id, 9)
        assert (found.public, found.private) == (0.5, 0.4)
        assert (found.file_name, found.created_at) == ("submission.csv", "2026-11-02T00:00:00")
    with pytest.raises(SubmissionError, match=r"with base local-v1, as submission 9 on .*: public score 0.5"):
        case.submit()
    assert case.submit(force=True).ref == 4


def test_what_is_not_known_stays_open(case: Case) -> None:
    """If the list of submissions is not available either, a second try is refused until it is."""
    case.contest.lost = "silent"
    with pytest.raises(NoAnswer, match="it is not known whether the submission to parity arrived"):
        case.submit()
    assert [each.state.value for each in case.recorded()] == ["sending"]
    case.contest.lost = ""
    case.contest.sent.clear()
    with pytest.raises(SubmissionError, match="not known yet whether it arrived"):
        case.submit()
    assert case.contest.sent == []
    # Minutes later it can't arrive any more: its process was killed, say.
    submissions.update(case.ledger, case.recorded()[0], created_at="2026-11-01T00:00:00+00:00")
    assert case.submit().ref == 1
    assert [each.state.value for each in case.recorded()] == ["pending", "refused"]


def test_waiting_for_a_score(case: Case) -> None:
    """The intervals between questions grow; a few missing answers are tolerated."""
    sent = case.submit()
    assert sent.ref is not None
    done = dataclasses.replace(case.contest.sent[0], state=SubmissionState.COMPLETE, public=0.5)
    case.contest.standings = [None, case.contest.sent[0], None, None, case.contest.sent[0], done]
    found = wait(case.workspace, sent)
    assert (found.public, found.state) == (0.5, SubmissionState.COMPLETE)
    assert case.time.waits == sorted(case.time.waits)
    assert len(case.time.waits) == 5
    case.contest.standings = [None] * 3
    with pytest.raises(NoAnswer):
        wait(case.workspace, sent)
    assert wait(case.workspace, found) == found


@pytest.mark.parametrize("slug", ["../parity", "https://www.kaggle.com/c/parity", "a b", ""])
def test_what_is_no_competitions_name(case: Case, slug: str) -> None:
    """Such a name would become part of a path and of requests."""
    with pytest.raises(UsageError, match="is no competition's name"):
        case.submit(competition=slug)


def test_one_process_at_a_time_submits_to_a_competition(case: Case) -> None:
    """Two that look at the same time would find nothing submitted, and both send the file."""
    free: list[bool] = []

    def look() -> None:
        with held(case.project.submit_lock("local", "parity"), wait=False) as ours:
            free.append(ours)

    class Watched(MemoryCompetitions):
        def submit_version(self, slug: str, kernel: KernelRef, file_name: str, description: str) -> int | None:
            look()
            return super().submit_version(slug, kernel, file_name, description)

    case.contest = Watched(sample_text=SAMPLE)
    look()
    case.submit()
    assert free == [True, False]


def test_a_submission_is_dated_when_it_is_sent(case: Case) -> None:
    """Not when the command began to wait for another process: from its date on, its answer is waited for."""
    later = datetime.fromtimestamp(time.time() + 40, UTC).isoformat(timespec="seconds")

    class Slow(MemoryCompetitions):
        def allowance(self, slug: str) -> Allowance:
            case.ledger.add(_run(2, created_at=later))  # the ledger's time does not go back behind this
            return super().allowance(slug)

    case.contest = Slow(sample_text=SAMPLE)
    assert case.submit().created_at == later


def test_a_submission_is_known_by_its_number(case: Case) -> None:
    """Its description may be changed on the target's page: neither is it lost, nor taken in a second time."""
    sent = case.submit()
    for description in ("mine", submissions.stamp(case.run.id, "1a2b3c4d")):
        case.contest.sent = [
            dataclasses.replace(
                case.contest.sent[0], description=description, public=0.5, state=SubmissionState.COMPLETE
            )
        ]
        (found,) = refresh(case.workspace, "parity")
        assert (found.id, found.public) == (sent.id, 0.5)
