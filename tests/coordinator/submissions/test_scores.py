"""Scores and CV: rank correlations against known values, directions, tables, and targets without an answer."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
from collections.abc import Sequence

import pytest
from rich.console import Console

from coordinator.cli.tables import scores as score_tables
from coordinator.errors import CoordError, LedgerError
from coordinator.ledger import submissions
from coordinator.ledger.ledger import Ledger, Run
from coordinator.ledger.submissions import Submission
from coordinator.project.project import Project
from coordinator.project.settings import SubmissionSettings
from coordinator.submissions.agreement import kendall, spearman
from coordinator.submissions.recorded import recorded_agreements, recorded_scores
from coordinator.submissions.scores import SubmissionScore, agreements, all_scores, check
from coordinator.target.competitions import SubmissionState
from tests.coordinator.command import Coord
from tests.coordinator.submissions.scored import scored_run, submission


@pytest.mark.parametrize(
    ("first", "second", "rho", "tau"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 1.0, 1.0),
        ([1.0, 2.0, 3.0], [9.0, 4.0, 1.0], -1.0, -1.0),
        # Worked by hand: the squared differences of the ranks sum to 8; 3 of 10 pairs are the other way round.
        ([0.71, 0.68, 0.74, 0.70, 0.69], [0.803, 0.801, 0.804, 0.806, 0.8], 0.6, 0.4),
        # With ties: products of ranks 7 of sqrt(9 * 8); 6 pairs more that agree, of 8 and 7 that are not tied.
        ([1.0, 1.0, 2.0, 2.0, 3.0], [1.0, 2.0, 2.0, 2.0, 5.0], 7 / math.sqrt(72), 6 / math.sqrt(56)),
    ],
)
def test_rank_correlations(first: Sequence[float], second: Sequence[float], rho: float, tau: float) -> None:
    """They equal values computed by hand, also with ties, and in either order of the arguments."""
    assert spearman(first, second) == spearman(second, first) == pytest.approx(rho)
    assert kendall(first, second) == kendall(second, first) == pytest.approx(tau)


def test_the_examples_of_scipys_documentation() -> None:
    """The results equal those of spearmanr and kendalltau."""
    assert spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]) == pytest.approx(0.82078268166812329)
    assert kendall([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]) == pytest.approx(-0.47140452079103173)


def test_no_order_no_correlation() -> None:
    """Without values, with one value, or with one side constant."""
    for first, second in (([], []), ([1.0], [2.0]), ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])):
        assert spearman(first, second) is None
        assert kendall(first, second) is None


def _recorded(ledger: Ledger, runs: Sequence[Run], sent: Sequence[Submission]) -> list[SubmissionScore]:
    for run in runs:
        ledger.add(run)
    for each in sent:
        submissions.add(ledger, each)
    return all_scores(ledger, submissions.all_submissions(ledger))


def test_cv_and_scores_that_rank_alike(tiny: Project, ledger: Ledger) -> None:
    """A loss that falls while the score rises agrees with it; n counts the runs that have both."""
    runs = [
        scored_run(number, loss, metric="val/loss", mode="min")
        for number, loss in enumerate((0.45, 0.44, 0.43, 0.40), 1)
    ]
    sent = [submission(1, 0.801, 0.79), submission(2, 0.802, 0.78), submission(3, 0.806, 0.77), submission(4, None)]
    found = _recorded(ledger, runs, sent)
    assert [each.cv for each in found] == [0.40, 0.43, 0.44, 0.45]
    settings = dataclasses.replace(tiny.settings, submission=SubmissionSettings(mode="max"))
    for each, part, expected in zip(
        agreements(dataclasses.replace(tiny, settings=settings), found), ("public", "private"), (1.0, -1.0), strict=True
    ):
        assert (each.part, each.n) == (part, 3)
        assert each.spearman == pytest.approx(expected)
        assert each.kendall == pytest.approx(expected)
    # Without the setting the score is taken for one that falls, as the metric does.
    assert [each.kendall for each in agreements(tiny, found)] == [-1.0, 1.0]


@pytest.mark.parametrize(
    ("public", "why"),
    [((0.8, 0.7), "over 2 runs: nothing to rank (it takes 3)"), ((0.8,) * 3, "(one side is the same everywhere)")],
)
def test_why_nothing_is_ranked(tiny: Project, ledger: Ledger, public: Sequence[float], why: str) -> None:
    """Too few runs, or no order among them."""
    numbers = range(1, len(public) + 1)
    sent = [submission(number, score) for number, score in zip(numbers, public, strict=True)]
    found = _recorded(ledger, [scored_run(number, number / 10) for number in numbers], sent)
    console = Console(width=120)
    with console.capture() as shown:
        console.print(score_tables.scores(found, agreements(tiny, found)))
    assert why in shown.get()


def test_only_what_can_be_compared_is_ranked_together(tiny: Project, ledger: Ledger) -> None:
    """By metric and competition; a run counts once; what was not scored, or has no CV, does not count."""
    runs = [
        scored_run(1, 0.7),
        scored_run(2, 0.8),
        scored_run(3, 0.9),
        scored_run(4, 0.5, metric="cv/iou"),
        scored_run(5, None),
    ]
    late = submission(3, 0.9, id="0000000a", ref=9, is_upload=True)
    error = submission(2, None, id="0000000b", state=SubmissionState.ERROR, message="no row for x")
    lost = submission(77, 0.1)
    sent = [*(submission(number, 0.1 * number) for number in range(1, 6)), late, error, lost]
    found = _recorded(ledger, runs, sent)
    assert [(each.metric, each.part, each.n) for each in agreements(tiny, found)] == [
        ("cv/dice", "public", 3),
        ("cv/dice", "private", 0),
        ("cv/iou", "public", 1),
        ("cv/iou", "private", 0),
    ]
    assert found[0].label == "run 000000000000004d"
    with pytest.raises(CoordError, match="could not be scored: no row for x"):
        check(found[1])

    console = Console(width=80)
    with console.capture() as capture:
        console.print(score_tables.scores(found, agreements(tiny, found)))
    text = capture.get()
    assert max(map(len, text.splitlines())) <= 80
    for expected in ("kaggle-v3", "0.9000", "12345672", "ERROR:", "over 3 runs: Spearman +1.00, Kendall +1.00"):
        assert expected in text


def test_what_the_ledger_has_is_what_was_recorded(ledger: Ledger) -> None:
    """Every field of a submission is read back, changes are stored, and an unpaired surrogate is no error."""
    full = submission(1, 0.5, 0.25, is_upload=True, message="it broke", scored_at="2026-11-01T00:00:00+00:00")
    submissions.add(ledger, full)
    assert submissions.all_submissions(ledger) == [full]
    assert submissions.all_submissions(ledger, target="local") == []
    assert submissions.all_submissions(ledger, competition="other") == []
    submissions.update(ledger, full, message="\ud800", state=SubmissionState.ERROR)
    assert submissions.all_submissions(ledger) == [dataclasses.replace(full, message="?", state=SubmissionState.ERROR)]
    ledger.statement("UPDATE submissions SET target = :name", {"name": "The moon"})
    with pytest.raises(LedgerError, match="damaged row, submission 00000001: 'The moon' is no name"):
        submissions.all_submissions(ledger)
    stamp = submissions.stamp("0" * 16, "1a2b3c4d")
    assert submissions.stamped(f"mine (coord, say) {stamp}") == ("0" * 16, "1a2b3c4d")
    assert submissions.stamped("mine") is None


def test_scores_that_files_record_join_in(tiny: Project, ledger: Ledger) -> None:
    """Marked, with the mean of the recorded CV beside them, and ranked among themselves by the directions recorded."""
    figures = {"one": (0.45, 0.801), "two": (0.44, 0.803), "three": (0.43, 0.802), "four": (None, 0.9)}
    for name, (loss, public) in figures.items():
        cv = [f"{{metric: val/loss, mode: min, value: {loss + off}}}" for off in (-0.01, 0.01)] if loss else []
        score = f"{{metric: leaderboard/public, mode: max, value: {public}, note: version 7}}"
        (tiny.experiments / f"{name}.yaml").write_text(f"base: base\nrecorded: [{', '.join([score, *cv])}]\n")
    (tiny.experiments / "broken.yaml").write_text("base: nothing\n")
    found = recorded_scores(tiny, say=print)
    assert [(each.experiment, each.cv, each.n, each.public) for each in found] == [
        ("four", None, 0, 0.9),
        ("one", pytest.approx(0.45), 2, 0.801),
        ("three", pytest.approx(0.43), 2, 0.802),
        ("two", pytest.approx(0.44), 2, 0.803),
    ]
    by_public, by_private = recorded_agreements(found)
    assert (by_public.n, by_private.n) == (3, 0)
    assert by_public.spearman == pytest.approx(0.5)
    coord = Coord(tiny.root, {**os.environ, "COLUMNS": "80"})
    shown = coord.here("scores").stdout
    assert any(line.startswith(" recorded ") for line in shown.splitlines())
    assert "public score and val/loss over 3 experiments: Spearman +0.50, Kendall +0.33" in shown
    data = json.loads(coord.here("scores", "--json").stdout)
    assert (data["submissions"], data["recorded"][1]["note"]) == ([], "version 7")
    assert [each["target"] for each in data["agreements"]] == ["recorded", "recorded"]
    table = list(csv.DictReader(io.StringIO(coord.here("scores", "--exp", "two", "--csv").stdout)))
    assert [(row["experiment"], row["target"], row["public"]) for row in table] == [("two", "recorded", "0.803")]
    assert "recorded" not in coord.here("scores", "--target", "local").stdout


def test_the_diarys_scores_stand_beside_its_losses(repository: Project) -> None:
    """Two experiments have both, the better loss with the better score; one has a score alone."""
    found = recorded_scores(repository, say=print)
    assert [(each.experiment, each.public) for each in found] == [
        ("lr0005_step3", 0.8042),
        ("lr0005_step4_little", 0.8037),
        ("lr001_step4", 0.8061),
    ]
    assert [each.cv for each in found] == [0.4508452685549855, None, pytest.approx(0.434980, abs=1e-6)]
    assert (found[2].n, recorded_agreements(found)[0].n) == (4, 2)


def test_scores_where_a_target_does_not_answer(tiny: Project, ledger: Ledger) -> None:
    """The known scores are shown with the error and its exit code; an unknown experiment is an error."""
    coord = Coord(tiny.root, dict(os.environ))
    done = coord.here("scores")
    assert "nothing was submitted yet: coord submit --exp NAME" in done.output
    _recorded(ledger, [scored_run(1, 0.7)], [submission(1, 0.8)])
    done = coord.here("scores", "--csv", code=1)
    assert "lr001_step4_with_a_long_name,1,kaggle,siim-acr-" in done.output
    assert "~/.kaggle/access_token" in done.output
    assert "--csv or --json, not both" in coord.here("scores", "--csv", "--json", code=2).output
    assert (
        'did you mean "lr001_step4_with_a_long_name"'
        in coord.here("scores", "--exp", "lr001_step4_with", code=1).output
    )
