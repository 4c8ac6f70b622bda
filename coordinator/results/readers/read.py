"""Reads a run's metrics with the first reader that finds any, or with the one that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from coordinator.project import MetricsSettings
from coordinator.results.events import Event, event_of, read_events
from coordinator.results.folder import SUMMARY
from coordinator.results.readers.files import read_csv, read_json, read_trainer_state
from coordinator.results.readers.lines import points_in
from coordinator.results.readers.points import Point, Reading, summary_of
from coordinator.results.review import reported
from coordinator.results.summary import Summary

EVENTS = "metrics.jsonl"

Reader = Callable[[Path, Sequence[str], MetricsSettings], Reading | None]


def read_results(
    folder: Path, lines: Iterable[str], settings: MetricsSettings, *, is_complete: bool = True
) -> tuple[Summary | None, list[str]]:
    """(what the program reported, or None; what the user should know about it).

    `folder` has the program's output, `lines` is its log. A metrics.json in coord's own form comes first. Then the
    readers of `_READERS` follow in their order; the settings may name one of them. `is_complete` says whether the
    session ended without an error. Nothing that a program wrote raises an error.
    """
    own, remarks = None, list[str]()
    if settings.read in (None, "coord"):
        own, faults = reported(folder / SUMMARY) if _is_plain(folder / SUMMARY) else (None, ())
        # What is wrong in a file of another form is said by the reader of that form.
        remarks += faults if own is None or own.is_coords else ()
        if own is not None and own.is_coords:
            return own, remarks
    log = list(lines)
    for name in _order(settings):
        try:
            reading = _READERS[name](folder, log, settings)
        except (OSError, ValueError) as error:
            remarks.append(f"the metrics cannot be read as {name}: {error}")
            continue
        if reading is not None:
            found, more = summary_of(reading, settings, status="complete" if is_complete else "error")
            return Summary.parse(found), [*remarks, *more]
    if settings.read not in (None, "coord"):
        remarks.append(f'the reader "{settings.read}" of [tool.coord.metrics] found no metrics')
    return None, remarks


def _is_plain(file: Path) -> bool:
    """Whether it is a file, and no link: in a dry run's folder a session may have left anything."""
    return file.is_file() and not file.is_symlink()


def _order(settings: MetricsSettings) -> list[str]:
    if settings.read is not None:
        return [settings.read] if settings.read in _READERS else []
    first = ["line"] if settings.line else ["csv", "trainer_state", "json"] if settings.file else []
    return list(dict.fromkeys([*first, *_READERS]))


def _read_events(folder: Path, lines: Sequence[str]) -> Reading | None:
    """COORD lines, or the same events in metrics.jsonl: the values of whole folds, or else of their epochs."""
    file = folder / EVENTS
    events = [event for event in read_events(file) if event is not None] if _is_plain(file) else []
    source = f"events: {EVENTS}"
    if not events:
        events = [event for line in lines if (event := event_of(line)) is not None]
        source = "events: COORD lines of the log"
    measured = [event for event in events if event.metrics and event.kind != "end"]
    whole = {event.fold for event in measured if event.kind == "fold"}
    points = tuple(
        Point(event.metrics, event.fold, event.epoch, event.seed)
        for event in measured
        if event.kind == "fold" or event.fold not in whole
    )
    final = _last_metrics(events)
    return Reading(source, points, final) if points or final else None


def _last_metrics(events: Sequence[Event]) -> dict[str, float]:
    return next((dict(event.metrics) for event in reversed(events) if event.kind == "end"), {})


def _read_lines(lines: Sequence[str], settings: MetricsSettings) -> Reading | None:
    points = tuple(points_in(lines, settings))
    name = "line" if settings.lines else "boosting"
    return Reading(f"{name}: the log", points) if points else None


_READERS: dict[str, Reader] = {
    "events": lambda folder, lines, _: _read_events(folder, lines),
    "json": lambda folder, _, settings: read_json(folder, settings),
    "csv": lambda folder, _, settings: read_csv(folder, settings),
    "trainer_state": lambda folder, _, settings: read_trainer_state(folder, settings),
    "boosting": lambda _, lines, settings: _read_lines(lines, settings),
    "line": lambda _, lines, settings: _read_lines(lines, settings),
}
