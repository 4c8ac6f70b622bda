"""What the live page's lists show of runs: their state, their curve, what they read and what read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from coordinator.ledger import Remark, Run, run_times, texts
from coordinator.report import charts
from coordinator.results import Event
from coordinator.target import RunState
from coordinator.text import clean, in_one_line

_COLOURS = {RunState.COMPLETE: "good", RunState.ERROR: "bad", RunState.REFUSED: "bad", RunState.CANCELLED: "warn"}


@dataclass(frozen=True)
class RunRow:
    """One run in a list."""

    id: str
    label: str
    experiment: str
    state: str
    colour: str
    """Of its state: good, bad, warn, live."""
    age: str
    age_seconds: float
    took: str
    took_seconds: float | None
    metric: str
    value: float | None
    """Its primary metric, or while it runs the last value of its first metric."""
    about: str
    tags: tuple[str, ...]
    curve: Markup
    """A small one, of the metric on unseen data that it reports first."""

    @property
    def text(self) -> str:
        """What a filter looks into."""
        return " ".join([self.label, self.state, self.metric, self.about, *self.tags]).lower()


@dataclass(frozen=True)
class Relation:
    """A run that another one has to do with."""

    words: str
    run: Run | None
    """None if the ledger does not have it."""
    name: str
    """What is shown instead of it."""
    warning: str = ""


@dataclass(frozen=True)
class Connected:
    """A run with what it continues and reads, and what continues and reads it."""

    run: Run
    before: tuple[Relation, ...]
    after: tuple[Relation, ...]


def row_of(run: Run, events: Sequence[Event], remarks: Sequence[Remark]) -> RunRow:
    """The row of a run; `events` is what it reported, as far as that is known."""
    at = run_times(run)
    line = first_curve(events)
    value, metric = run.reported.primary_value, run.reported.primary_name
    if value is None and line:
        metric, value = line[0], line[1][-1][1]
    return RunRow(
        id=run.id,
        label=run.label,
        experiment=run.experiment,
        state="stuck" if at.is_stuck else str(run.state),
        colour="bad" if at.is_stuck else _COLOURS.get(run.state, "live"),
        age=span(_since(run.created_at)),
        age_seconds=_since(run.created_at).total_seconds(),
        took="" if at.running is None else span(at.running),
        took_seconds=None if at.running is None else at.running.total_seconds(),
        metric=metric or "",
        value=value,
        about=about(run, events),
        tags=tuple(texts(remarks, run, "tag")),
        curve=charts.spark([y for _, y in line[1]]) if line else Markup(""),
    )


def about(run: Run, events: Sequence[Event] = ()) -> str:
    """The last that its log reported while it goes on, or until its results are here; why it did not complete."""
    if run.state.is_active:
        told = next((event for event in reversed(events) if event.kind in ("epoch", "fold")), run.last_event)
        return clean(str(told)) if told else ""
    if run.state is RunState.COMPLETE:
        reported = str(run.last_event) if run.fetched_at is None and run.last_event else ""
        return in_one_line(run.message) or clean(reported)
    error = run.reported.error
    return in_one_line(error.line if error else run.message)


def first_curve(events: Sequence[Event]) -> tuple[str, list[tuple[float, float]]] | None:
    """The metric that is reported first by epoch (of unseen data before losses), and its values in its last fold."""
    epochs = [event for event in events if event.kind == "epoch" and event.figures]
    epochs = [event for event in epochs if event.repeat_and_fold == epochs[-1].repeat_and_fold]
    if not epochs:
        return None
    name = next(iter(epochs[0].figures))
    found = [(float(at), event.figures[name]) for at, event in enumerate(epochs) if name in event.figures]
    return name, found


def connections(runs: Sequence[Run], warnings: Mapping[str, Sequence[str]]) -> list[Connected]:
    """The runs that continue or read others, or are read; newest first. `warnings` are by run id."""
    by_source = {(run.ref.address, run.version): run for run in reversed(runs) if run.has_kernel}
    by_id = {run.id: run for run in runs}
    before: dict[str, list[Relation]] = {}
    after: dict[str, list[Relation]] = {}
    for run in runs:
        if run.continues:
            earlier = by_id.get(run.continues)
            before.setdefault(run.id, []).append(Relation("continues", earlier, run.continues))
            if earlier is not None:
                after.setdefault(earlier.id, []).append(Relation("continued by", run, run.label))
        for read in run.named_reads:
            source = by_source.get((read.source.reference, read.source.version))
            words = f"reads {read.name} from" if read.name else "reads"
            before.setdefault(run.id, []).append(Relation(words, source, str(read.source)))
            if source is not None:
                after.setdefault(source.id, []).append(Relation("read by", run, run.label))
        if run.id in before and warnings.get(run.id):
            before[run.id] += [Relation("outdated:", None, text) for text in warnings[run.id]]
    return [
        Connected(run, tuple(before.get(run.id, ())), tuple(after.get(run.id, ())))
        for run in runs
        if run.id in before or run.id in after
    ]


def span(time: timedelta) -> str:
    """A time span in its largest unit: 45 s, 12 min, 3 h, 2 d."""
    seconds = int(time.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} s"


def _since(moment: str) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(moment)
