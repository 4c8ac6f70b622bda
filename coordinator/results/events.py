"""What a kernel reports while it runs: `COORD {json}` lines in its log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from coordinator.results.untrusted import number, parse_json
from coordinator.target import LogRecord
from coordinator.text import clean as clean  # part of how a log is read

EVENT_PREFIX = "COORD "


_METRICS_SHOWN = 3  # in a line about one event


class Lines:
    """Puts records together to whole lines, clean of control characters: record borders are not line borders."""

    def __init__(self) -> None:
        self._rest: dict[str, str] = {}

    def feed(self, record: LogRecord) -> list[str]:
        """The lines that this record completes."""
        *whole, self._rest[record.stream] = (self._rest.get(record.stream, "") + record.data).split("\n")
        return [clean(text) for text in whole]

    def end(self) -> list[str]:
        """What is left without a line's end."""
        left = [clean(text) for text in self._rest.values() if text]
        self._rest = {}
        return left


def lines(records: Iterable[LogRecord]) -> Iterator[str]:
    """The lines of a log."""
    whole = Lines()
    for record in records:
        yield from whole.feed(record)
    yield from whole.end()


def event(line: str) -> dict[str, Any] | None:
    """The event that a line of the log reports, if it does."""
    if not line.startswith(EVENT_PREFIX):
        return None
    try:
        found = parse_json(line.removeprefix(EVENT_PREFIX))
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def describe(found: dict[str, Any]) -> str:
    """An event in a few words: `fold 0, epoch 3/8: val/dice 0.7123, train/loss 0.4321`; a repeat's with its seed."""
    words = [place] if (place := where(found)) else []
    if isinstance(found.get("text"), str):
        words.append(found["text"])
    shown = ", ".join(f"{name} {value:.4f}" for name, value in list(figures(found).items())[:_METRICS_SHOWN])
    return clean(": ".join(filter(None, [", ".join(words), shown]))) or clean(str(found["event"]))


def where(found: dict[str, Any]) -> str:
    """Where in a training an event is: `fold 0, epoch 3/8`, or an empty string."""
    words = []
    if isinstance(found.get("seed"), int):
        words.append(f"seed {found['seed']}")
    if isinstance(found.get("fold"), int):
        words.append(f"fold {found['fold']}")
    if isinstance(found.get("epoch"), int):
        total = found.get("epochs")
        words.append(f"epoch {found['epoch']}" + (f"/{total}" if isinstance(total, int) else ""))
    return ", ".join(words)


def figures(found: dict[str, Any]) -> dict[str, float]:
    """An event's metrics: what was measured on unseen data first, then the sum of the losses rather than its parts."""
    metrics = found.get("metrics")
    read = {clean(name): number(value) for name, value in metrics.items()} if isinstance(metrics, dict) else {}
    numbers = {name: number for name, number in read.items() if number is not None}
    return {
        name: numbers[name]
        for name in sorted(numbers, key=lambda name: (name.startswith("train/"), name != "train/loss"))
    }
