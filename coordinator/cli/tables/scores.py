"""The tables of scores, of submissions and of what files record, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from coordinator.cli.tables.runs import age
from coordinator.submissions import Agreement, RecordedScore, SubmissionScore
from coordinator.target import SubmissionState
from coordinator.text import clean, in_one_line


def scores(found: Sequence[SubmissionScore], agreements: Sequence[Agreement]) -> RenderableType:
    """A table a competition, a row a submission, and below it how far CV and scores rank runs alike."""
    parts: list[RenderableType] = []
    for place in dict.fromkeys((each.submission.target, each.submission.competition) for each in found):
        table = _table("run", "age", "metric", "CV", "public", "private", "submission")
        for each in found:
            if (each.submission.target, each.submission.competition) == place:
                table.add_row(*_row(each))
        below = [each for each in agreements if (each.target, each.competition) == place]
        parts += [Text(f"{place[1]} on {place[0]}", style="bold"), table, *(Text(_agreement(each)) for each in below)]
    return Group(*parts)


def recorded(found: Sequence[RecordedScore], agreements: Sequence[Agreement]) -> RenderableType:
    """A row for each experiment whose file records scores."""
    table = _table("recorded", "metric", "CV", "public", "private", "note")
    for each in found:
        many = f"\nmean of {each.n}" if each.n > 1 else ""
        cv = f"{_figure(each.cv)}{many}"
        note = clean(each.note)
        table.add_row(each.experiment, _metric(each.metric, each.mode), cv, *_scores(each.public, each.private), note)
    # A part without recorded scores needs no line.
    return Group(table, *(Text(_agreement(each, "experiment")) for each in agreements if each.n))


def _row(found: SubmissionScore) -> tuple[RenderableType | str, ...]:
    each = found.submission
    about = Text("" if each.ref is None else str(each.ref))
    if each.state is not SubmissionState.COMPLETE:
        message = f": {in_one_line(each.message)}" if each.message else ""
        about.append(f"{' ' * bool(about)}{each.state.upper()}{message}", style="yellow")
    if found.paired.note:
        about.append(f"{chr(10) * bool(about)}CV: {clean(found.paired.note)}", style="yellow")
    label, metric = found.label.replace(" ", "\n"), _metric(found.metric, found.mode)
    if found.cv_run is not None and found.cv_run is not found.run:
        metric += "\nof " + found.cv_run.label.replace(" ", "\n")
    return label, age(each.created_at), metric, _figure(found.cv), *_scores(each.public, each.private), about


def _agreement(found: Agreement, what: str = "run") -> str:
    """`public score and cv/dice over 5 runs: Spearman +0.90, Kendall +0.80`."""
    over = f"{found.part} score and {found.metric} over {found.n} {what}{'s' * (found.n != 1)}"
    if found.spearman is None or found.kendall is None:
        return f"{over}: nothing to rank ({'it takes 3' if found.n < 3 else 'one side is the same everywhere'})"
    return f"{over}: Spearman {found.spearman:+.2f}, Kendall {found.kendall:+.2f}"


def _metric(name: str, mode: str) -> str:
    return f"{name}\n({mode})" if name else ""


def _scores(*found: float | None) -> list[str]:
    """Five decimals, as on a leaderboard."""
    return ["-" if score is None else f"{score:.5f}" for score in found]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in ("CV", "public", "private") else "left")
    return table
