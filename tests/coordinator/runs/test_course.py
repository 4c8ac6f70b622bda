"""The course of a run's metric, against a plain reading of all of its events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from coordinator.results.events import EVENT_PREFIX, Event, event_of
from coordinator.runs.course import course

NAMES = ("val/dice", "val/ious", "train/loss", 'a "b"', "größe", "fold")
NUMBERS = st.one_of(
    st.floats(-9, 9), st.integers(-9, 9), st.sampled_from([float("nan"), float("inf"), None, True, "1"])
)
EVENTS = st.fixed_dictionaries(
    {"event": st.sampled_from(["epoch", "epoch", "epoch", "step", "note"])},
    optional={
        "fold": st.sampled_from([0, 1, 1, 11, -1, -0.0, None, "1"]),
        "seed": st.sampled_from([0, 1, None]),
        "metrics": st.one_of(st.dictionaries(st.sampled_from(NAMES), NUMBERS, max_size=3), st.none()),
        "text": st.sampled_from(["val/dice", '"metrics"', '"fold": 1', "a\\b"]),
    },
)


def _plain(events: list[Event | None]) -> tuple[float, ...]:
    """What the docstring says, with every event parsed."""
    epochs = [each for each in events if each is not None and each.kind == "epoch" and each.figures]
    if not epochs:
        return ()
    name, last = next(iter(epochs[-1].figures)), epochs[-1]
    of_fold = (each.figures for each in epochs if (each.seed, each.fold) == (last.seed, last.fold))
    return tuple(figures[name] for figures in of_fold if name in figures)


@settings(max_examples=300, deadline=None)
@example([({"event": "epoch", "metrics": {"größe": value}}, value < 2, False) for value in (1.0, 2.0)])
@given(st.lists(st.tuples(EVENTS, st.booleans(), st.booleans()), max_size=12))
def test_it_is_that_of_all_events(found: list[tuple[dict[str, Any], bool, bool]]) -> None:
    """Whatever the lines hold, and however their letters are written; events that are parsed already, too."""
    lines = [f"{EVENT_PREFIX}{json.dumps(each, ensure_ascii=ascii)}" for each, ascii, _ in found]
    parsed = [event_of(line) for line in lines]
    mixed = [
        event if event and is_parsed else line
        for line, event, (_, _, is_parsed) in zip(lines, parsed, found, strict=True)
    ]
    assert course(mixed) == _plain(parsed)


def test_other_folds_and_other_metrics_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long log only the lines of the fold that is drawn are read."""
    epochs = [
        {"event": "epoch", "fold": fold, "epoch": epoch, "metrics": {"val/dice": epoch / 10}}
        for fold in (0, 1, 12, 2)
        for epoch in range(5)
    ]
    steps = [{"event": "epoch", "fold": 2, "metrics": {"train/loss": 1.0}}, {"event": "note", "text": "on it goes"}]
    lines = [f"{EVENT_PREFIX}{json.dumps(each)}" for each in (*steps, *epochs)]
    read = list[str]()

    def reading(line: str) -> Event | None:
        read.append(line)
        return event_of(line)

    monkeypatch.setattr("coordinator.runs.course.event_of", reading)
    assert course(lines) == (0.0, 0.1, 0.2, 0.3, 0.4)
    assert read == lines[-5:][::-1]
