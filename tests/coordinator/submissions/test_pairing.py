"""The CV that a submission of a chained run is paired with: that of the run it read, and of no other one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console

from coordinator.cli.tables import scores as score_tables
from coordinator.errors import NoAnswer
from coordinator.kernel.work import Source
from coordinator.ledger import submissions
from coordinator.ledger.ledger import Ledger
from coordinator.ledger.run import Run
from coordinator.project.project import Project
from coordinator.report.make import Contents, make_report
from coordinator.submissions.overview import scores_overview
from coordinator.submissions.pairing import paired_cv
from coordinator.submissions.scores import agreements, all_scores, rows
from coordinator.submissions.submit import SubmitOptions, submit_run
from coordinator.target.protocol import RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.submissions.scored import scored_run, submission
from tests.coordinator.targets import MemoryCompetitions, MemoryTarget
from tests.field.submitting import fetched_run

LATER = "2026-11-02T00:00:00+00:00"


def train(number: int, cv: float | None, **changes: Any) -> Run:
    """A fetched version of the kernel that trains."""
    run = scored_run(number, cv)
    made = {"experiment": "train", "slug": "train", "target": "local", "fetched_at": run.created_at}
    return dataclasses.replace(run, **{**made, **changes})


def infer(number: int, *read: str, **changes: Any) -> Run:
    """A later run without metrics that read these (`train v1`), as `weights` the first."""
    reads = tuple(Source(f"ada/{name}", int(version)) for name, version in (each.split(" v") for each in read))
    needs = {"weights": read[0].split(" v")[0]} if read else {}
    made = {"id": f"{number + 8:016x}", "experiment": "infer", "slug": "infer", "created_at": LATER, "reads": reads}
    return dataclasses.replace(train(number, None), **{**made, "launch": {"needs": needs}, **changes})


PRE = train(1, 0.5, id="pre", experiment="pre", slug="pre")
TRAINED = train(1, 0.7)
TUNED = train(1, 0.7, reads=(Source("ada/pre", 1),))
OTHER = train(1, 0.8, id="other", experiment="other", slug="other")
CALIBRATED = train(1, None, id="cal", experiment="cal", slug="cal", reads=(Source("ada/train", 1),))


@pytest.mark.parametrize(
    ("run", "others", "cv_of", "note"),
    [
        (infer(1, "train v1"), [TRAINED], TRAINED, ""),
        (infer(1, "train v1"), [train(2, 0.9), TRAINED], TRAINED, ""),  # not the newest: the one that was read
        (infer(1, "cal v1"), [CALIBRATED, TRAINED], TRAINED, ""),  # through another one
        (infer(1, "cal v1", "other v1"), [CALIBRATED, TRAINED, OTHER], OTHER, ""),  # the nearest
        (infer(1, "train v1"), [TUNED, PRE], TUNED, ""),
        (infer(1, "train v1"), [], None, ""),  # another ledger's
        (infer(1), [TRAINED], None, ""),
        (infer(1, "train v1"), [train(1, 0.7, target="kaggle")], None, ""),
        (infer(1, "train v1"), [train(1, 0.7, owner="bob")], None, ""),
        (infer(1, "data v1"), [TRAINED], None, ""),  # a data set: no run made it
        (infer(1, "train v1", summary=scored_run(1, 0.6).summary), [TRAINED], "itself", ""),
        # Its kernel was deleted, and counts from 1 again: of two versions of one number, that before the run.
        (infer(1, "train v1"), [train(1, 0.1, id="new", created_at="2999-01-01T00:00:00+00:00"), TRAINED], TRAINED, ""),
        (
            infer(1, "train v1", "other v1"),
            [TRAINED, OTHER],
            None,
            "it reads 2 runs with a CV: train local-v1, other local-v1",
        ),
        # What was not fetched may have one: a farther one is not taken for it, a second one is named.
        (
            infer(1, "cal v1"),
            [dataclasses.replace(CALIBRATED, fetched_at=None), TRAINED],
            None,
            "not fetched: cal local-v1",
        ),
        (
            infer(1, "train v1", "cal v1"),
            [TRAINED, dataclasses.replace(CALIBRATED, fetched_at=None)],
            TRAINED,
            "not fetched: cal local-v1",
        ),
        (infer(1, "cal v1"), [dataclasses.replace(CALIBRATED, reads=(Source("ada/infer", 1),))], None, ""),  # a circle
    ],
)
def test_whose_cv(run: Run, others: Sequence[Run], cv_of: Run | str | None, note: str) -> None:
    """Its own; or else that of the nearest run that it read, if there is one and no more."""
    found = paired_cv(run, [run, *others])
    assert found.run == (run if cv_of == "itself" else cv_of)
    assert found.note == note
    assert (found.value is None) is (found.run is None)


def _ledger(ledger: Ledger, runs: Sequence[Run], scores: Sequence[float]) -> None:
    """With a submission of each inference run, in their order."""
    for run in runs:
        ledger.add(run)
    readers = [run for run in runs if run.experiment == "infer"]
    for number, (run, score) in enumerate(zip(readers, scores, strict=True), 1):
        sent = submission(number, score, target="local", run_id=run.id, created_at=f"2026-11-03T00:00:0{number}+00:00")
        submissions.add(ledger, sent)


def test_scores_and_agreement(tiny: Project, ledger: Ledger) -> None:
    """The table, the rows and the JSON name the run that the CV is of; a CV counts once, with its newest score."""
    runs = [train(1, 0.7), train(2, 0.8), train(3, 0.9), *(infer(n, f"train v{n}") for n in (1, 2, 3))]
    _ledger(ledger, [*runs, infer(4, "train v3")], [0.81, 0.83, 0.1, 0.84])
    found = all_scores(ledger, submissions.all_submissions(ledger))
    assert [(each.label, each.cv_run.label if each.cv_run else None, each.cv) for each in found] == [
        ("infer local-v4", "train local-v3", 0.9),
        ("infer local-v3", "train local-v3", 0.9),
        ("infer local-v2", "train local-v2", 0.8),
        ("infer local-v1", "train local-v1", 0.7),
    ]
    public, _ = agreements(tiny, found)
    assert (public.metric, public.n) == ("cv/dice", 3)
    assert public.spearman == pytest.approx(1.0)
    assert found[0].to_json()["cv_run"] == rows(found)[0]["cv_run"] == "train local-v3"
    console = Console(width=80)
    with console.capture() as shown:
        console.print(score_tables.scores(found, [public]))
    lines = shown.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split() for line in lines][4:8] == [
        ["infer", lines[4].split()[1], "cv/dice", "0.9000", "0.84000", "-", "12345674"],
        ["local-v4", "(max)"],
        ["of", "train"],
        ["local-v3"],
    ]


def test_of_one_experiment(tiny: Project, ledger: Ledger) -> None:
    """A submission is about the run that was submitted and the one whose CV it is paired with."""
    _ledger(ledger, [TRAINED, OTHER, infer(1, "train v1")], [0.8])
    here = Workspace(tiny, ledger)
    for name, count in (("infer", 1), ("train", 1), ("other", 0)):
        assert len(scores_overview(here, experiment=name).scores) == count


def test_the_report_shows_the_score_beside_the_cv(tiny: Project, ledger: Ledger) -> None:
    """At the run that trained, which has the line on the board; with the run that was submitted, and what that read."""
    _ledger(ledger, [TRAINED, infer(1, "train v1")], [0.8125])
    text = make_report(Workspace(tiny, ledger), Contents()).text
    assert "<li>train local-v1: 0.7, 0.8125</li>" in text  # of the chart of CV and score
    assert "scores: infer local-v1" in text
    assert "<dt>reads</dt><dd>weights: ada/train v1</dd>" in text
    assert "0.8125" in make_report(Workspace(tiny, ledger), Contents(names=("train",))).text


@pytest.mark.parametrize("answers", [True, False])
def test_a_submission_says_whose_cv_it_is_paired_with(tiny: Project, ledger: Ledger, answers: bool) -> None:
    """The metrics of what it read are fetched for that; where they can't be, it is submitted all the same."""
    metadata = {"id": "ada/train", "code_file": "kernel.py"}
    ledger.add(train(1, None, id="f" * 16, fetched_at=None, metadata=metadata, state=RunState.COMPLETE))
    attached = {**metadata, "kernel_sources": ["ada/train"], "competition_sources": ["parity"]}
    reads = (Source("ada/train", 1),)
    run = fetched_run(tiny, ledger, experiment="infer", slug="infer", metadata=attached, reads=reads)
    metrics = b'{"primary": {"name": "cv/auc", "mode": "max", "value": 0.91}}'
    target = MemoryTarget(
        contest=MemoryCompetitions(),
        session=SessionState(RunState.COMPLETE),
        output={"metrics.json": metrics, "w.pth": b""},
    )
    target.failures = {} if answers else {"log": [NoAnswer("no connection")] * 9}
    said: list[str] = []
    sent = submit_run(Workspace(tiny, ledger, target, say=said.append), run, SubmitOptions())
    assert "fetching the metrics of train local-v1, which infer local-v1 read" in said
    about = "infer local-v1, cv/auc 0.9100 of train local-v1" if answers else "infer local-v1"
    assert sent.description == f"{about} {submissions.stamp(run.id, sent.id)}"
    assert any("its CV is not known: no connection" in text for text in said) is not answers
    (score,) = all_scores(ledger, [sent])
    assert score.cv == (0.91 if answers else None)
