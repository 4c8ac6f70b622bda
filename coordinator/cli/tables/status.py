"""The table of `coord status`: a line a run, and a line a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from coordinator.cli.tables.lines import Cell, Column, Cut, LineTable, has_blocks, spark
from coordinator.cli.tables.runs import age, duration
from coordinator.ledger import Run, Times, run_times
from coordinator.live_page import LivePage, address_of
from coordinator.results import Event
from coordinator.runs import Status, StatusLine
from coordinator.target import RunState
from coordinator.text import clean, in_one_line, sentences

COLOURS = {
    "complete": "green",
    "error": "red",
    "refused": "red",
    "stuck": "red",
    "cancelled": "yellow",
    "running": "cyan",
    "queued": "cyan",
    "pushing": "yellow",
}
_COLUMNS = (
    Column("run", Cut.MIDDLE),
    Column("state"),
    Column("age", right=True, from_width=50),
    Column("last reported, or why it ended", Cut.END),
)


class StatusTable:
    """The newest first; below the lines, what to do about runs that are stuck, and how a sweep is opened."""

    def __init__(
        self,
        found: Sequence[StatusLine],
        now: Status,
        page: LivePage | None = None,
        *,
        has_urls: bool = False,
        has_courses: bool = False,
        has_messages: bool = False,
    ) -> None:
        """`page` has the addresses of local runs, if it is open.

        `has_messages` adds why the newest run ended, with all lines, where the table has not all of it.
        """
        self._found = [entry.now(now) for entry in found]
        self._now = now
        self._page = page
        self._has_urls = has_urls
        self._has_courses = has_courses
        self._has_messages = has_messages

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = LineTable(_COLUMNS)
        for entry in self._found:
            if entry.sweep is not None:
                lines.rows.append(_sweep(entry))
                continue
            run = entry.runs[0]
            # Of a run that has ended, its metric says more: who watches sees both.
            is_drawn = has_blocks(console) and (run.state.is_active or (self._has_courses and _is_complete(run)))
            drawn = spark(self._now.courses.get(run.id, ())) if is_drawn else ""
            lines.rows.append(_row(run, self._now, drawn, address_of(run, self._page)))
        yield lines
        runs = [entry.runs[0] for entry in self._found if entry.sweep is None]
        notes = [_stuck(run, at) for run in runs if (at := run_times(run)).is_stuck]
        if any(entry.sweep for entry in self._found):
            notes.append("a sweep's runs: coord sweep status NAME")
        yield from (Text(note, style="dim") for note in notes)
        if self._has_messages and runs and runs[0].message:
            whole = "\n".join(map(clean, runs[0].message.splitlines()))
            if whole != in_one_line(whole) or lines.cuts(0, console):
                yield Text(f"\n{clean(runs[0].label)}: {whole}", style=COLOURS["error"] * (not _is_complete(runs[0])))
        if self._has_urls:
            yield Text()
            yield from addresses([run for entry in self._found for run in entry.runs], self._page)


def addresses(runs: Iterable[Run], page: LivePage | None) -> Iterator[Text]:
    """A line for each run that has an address."""
    for run in runs:
        if url := clean(address_of(run, page)):
            yield Text.assemble((f"{clean(run.label)}  ", "dim"), (url, f"link {url}"), no_wrap=True, overflow="ignore")


def line(run: Run, now: Status) -> str:
    """One run as a line of text: `base local-v3  RUNNING  val/dice 0.7123, epoch 3/8`."""
    return "  ".join(filter(None, (run.label, _state(run, run_times(run)), about(run, now))))


def with_errors(found: RenderableType, errors: Sequence[str]) -> RenderableType:
    """The table, and below it why it is not up to date."""
    return Group(found, *(Text(clean(each), style="red", no_wrap=True, overflow="ellipsis") for each in errors))


def _row(run: Run, now: Status, drawn: str, address: str) -> list[Cell | str]:
    state = _state(run, run_times(run))
    told = f"{drawn} {about(run, now)}".strip()
    return [
        Cell(run.label, "dim" if run.hidden_at else "", address),
        Cell(state, COLOURS[state.lower()]),
        age(run.created_at),
        Cell(told, "red" if run.state is RunState.ERROR else ""),
    ]


def about(run: Run, now: Status) -> str:
    """What one most wants to know of it first: the end of the text may be cut off."""
    at, outdated = run_times(run), now.outdated.get(run.id, ())
    event = run.last_event
    waits = run.state is RunState.QUEUED and at.queued is not None and not run.attempts
    links = now.chains.get(run.id, ())
    reads = ", ".join(f"{name} v{source.version}" for name, source in run.needs_read.items())
    parts = [
        "hidden" if run.hidden_at else "",
        "its session should have ended" if at.is_stuck else "",
        in_one_line(run.message) if not _is_complete(run) else "",
        "outdated" if outdated else "",
        _starts(run),
        f"waits {duration(at.queued)}" if waits and at.queued is not None else "",
        _summary(run) if event is None else ", ".join(filter(None, _reported(event))),
        in_one_line(run.message) if _is_complete(run) else "",
        f"continues {', '.join(f'v{link.version}' for link in links[:-1])}" if len(links) > 1 else "",
        f"reads {reads}" if reads else "",
        _beside(event),
        *map(str, outdated),
    ]
    return clean(sentences(*parts))


def _is_complete(run: Run) -> bool:
    return run.state is RunState.COMPLETE


def _summary(run: Run) -> str:
    """`cv/dice 0.8222`, of a run whose log was not read: a merged one has none."""
    value = run.reported.primary_value
    return "" if value is None else f"{run.reported.primary_name} {value:.4f}"


def _reported(event: Event) -> list[str]:
    """`val/dice 0.7123`, `fold 0, epoch 3/8`; of a whole run the metric alone."""
    figures = [f"{name} {value:.4f}" for name, value in list(event.figures.items())[:1]]
    return [*figures, event.place] if figures or event.place else [event.text if event.kind == "message" else ""]


def _beside(event: Event | None) -> str:
    """The second metric of a whole run, which is what a trivial prediction scores."""
    figures = [] if event is None or event.place else list(event.figures.items())[1:2]
    return "".join(f"{name} {value:.4f}" for name, value in figures)


def _state(run: Run, at: Times) -> str:
    return "STUCK" if at.is_stuck else run.state.upper()


def _sweep(entry: StatusLine) -> list[Cell | str]:
    """`sweep lr  RUNNING  3m  8 of 12 complete, 3 running, 1 failed; best cv/dice 0.8222`."""
    assert entry.sweep is not None
    state, told = sweep_state(entry)
    return [
        Cell(f"sweep {entry.sweep.name}", "bold"),
        Cell(state.upper(), COLOURS[state]),
        age(entry.runs[0].created_at),
        told,
    ]


def sweep_state(entry: StatusLine) -> tuple[RunState, str]:
    """(what its runs do, or how one of them ended; `8 of 12 complete, 3 running; best cv/dice 0.8222`)."""
    assert entry.sweep is not None
    states = [run.state for run in entry.runs]
    waiting = len(entry.sweep.members) - len(states)
    order = (RunState.RUNNING, RunState.QUEUED, RunState.PUSHING, RunState.ERROR, RunState.REFUSED, RunState.CANCELLED)
    first = next((state for state in order if state in states), RunState.COMPLETE)
    others = [f"{states.count(state)} {state}" for state in order if state in states]
    counts = [f"{states.count(RunState.COMPLETE)} of {len(entry.sweep.members)} complete", *others]
    if waiting > 0:
        counts.append(f"{waiting} not pushed")
    return first, "; ".join(filter(None, [", ".join(counts), _best(entry.runs)]))


def _best(runs: Sequence[Run]) -> str:
    """`best cv/dice 0.8222`, if its complete runs report one metric, and in which direction it is better."""
    primaries = [run.reported.primary for run in runs if _is_complete(run)]
    names = {(each.name, each.mode) for each in primaries if each is not None and each.mode}
    values = [value for run in runs if _is_complete(run) and (value := run.reported.primary_value) is not None]
    if len(names) != 1 or not values:
        return ""
    ((name, mode),) = names
    return f"best {name} {(min if mode == 'min' else max)(values):.4f}"


def _starts(run: Run) -> str:
    """`2nd start`, of a run that was started again; the target starts one by itself that it had to stop."""
    if run.attempts < 1 or (run.attempts == 1 and run.state is not RunState.QUEUED):
        return ""
    number = run.attempts + (run.state is RunState.QUEUED)
    start = f"{number}{ {2: 'nd', 3: 'rd'}.get(number, 'th') } start"
    return f"was stopped, waits for its {start}" if run.state is RunState.QUEUED else start


def _stuck(run: Run, at: Times) -> str:
    most = "" if at.limit is None else f" after {duration(at.limit)}"
    ran = "" if at.running is None else f"{duration(at.running)} "
    return (
        f"{run.label} is reported as running {ran}now, but a session ends{most}: look at its "
        f"page, and if it does not run there, coord cancel --exp {run.experiment} --version {run.version}"
    )
