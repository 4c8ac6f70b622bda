"""What a program reports while it runs: `COORD {json}` lines in its log, and the same objects in metrics.jsonl."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coordinator.results.untrusted import float_of, mapping, number, parse_json, seconds, text, whole
from coordinator.text import clean

if TYPE_CHECKING:
    from coordinator.target import LogRecord

EVENT_PREFIX = "COORD "
LINE_MAX = 1 << 20
"""Characters of a line that are read at once."""
_EVENT_MAX = 1 << 18  # characters; the ledger keeps each run's last event
EVENTS_MAX = 1 << 26
"""Bytes of metrics.jsonl that are read."""

_DECODER = json.JSONDecoder()
_METRICS_SHOWN = 3  # in a line about one event
# Not after a quotation mark: that is a text about an event, in a program's source for example.
_EVENT_START = re.compile(rf"(?<![\"'`]){EVENT_PREFIX}(?=\{{)")
_WITHIN = r"""[^{}"\\]*+(?:"[^"\\]*+"[^{}"\\]*+)*+"""
_ONE_OBJECT = re.compile(rf"{EVENT_PREFIX}\{{{_WITHIN}(?:\{{{_WITHIN}\}}{_WITHIN})*+\}}")
"""An event as nearly all are, with objects in it, but none in these: its JSON, if it is any, ends with the line.

It takes a sixth of the time of parsing. A text with a backslash does not match: it may hide a quotation mark.
"""


@dataclass(frozen=True)
class Event:
    """Something that happened in a run: an epoch ended, or a fold, or the whole run; or a message to its reader."""

    _json: Any = field(repr=False)
    kind: str
    """"start", "epoch", "fold", "message", "end" of coord's own model source; other programs may have more."""
    time: float | None
    """Seconds since the program started."""
    seed: int | None
    """Of a repeat; None in the first."""
    fold: int | None
    folds: int | None
    """How many there are, as `epochs`."""
    epoch: int | float | None
    """Counted from 1. Not whole if the program reports more often than once an epoch."""
    epochs: int | None
    step: int | None
    status: str
    """How the run ended; see `Summary.status`."""
    text: str
    metrics: Mapping[str, float]
    """In the order of the report. NaN where the program reported no number, infinite where it did so."""

    @classmethod
    def parse(cls, data: object) -> Event:
        """Takes any JSON value. Raises nothing."""
        found = mapping(data)
        epoch = found.get("epoch")
        return cls(
            data,
            kind=text(found.get("event")),
            time=seconds(found.get("time")),
            epoch=number(epoch) if whole(epoch) is None else whole(epoch),
            seed=whole(found.get("seed")),
            fold=whole(found.get("fold")),
            folds=whole(found.get("folds")),
            epochs=whole(found.get("epochs")),
            step=whole(found.get("step")),
            status=text(found.get("status")),
            text=text(found["text"]) if isinstance(found.get("text"), str) else "",
            metrics={clean(name): float_of(value) for name, value in mapping(found.get("metrics")).items()},
        )

    @property
    def is_partial(self) -> bool:
        """Whether the run reports that it ended before it was finished."""
        return self.status not in ("", "complete")

    def to_json(self) -> Any:
        """The JSON that it was parsed from, with the parts that coord does not know."""
        return self._json

    @property
    def repeat_and_fold(self) -> str:
        """`seed 4, fold 0`, or an empty string."""
        named = (("seed", self.seed), ("fold", self.fold))
        return ", ".join(f"{name} {number}" for name, number in named if number is not None)

    @property
    def place(self) -> str:
        """Where in a training it is: `fold 0, epoch 3/8`, or an empty string."""
        of = "" if self.epochs is None else f"/{self.epochs}"
        epoch = "" if self.epoch is None else f"epoch {self.epoch}{of}"
        return ", ".join(filter(None, [self.repeat_and_fold, epoch]))

    @property
    def figures(self) -> dict[str, float]:
        """The finite metrics: first those of unseen data, then the sum of the losses, then the parts of that sum."""
        names = sorted(self.metrics, key=lambda name: (name.startswith("train/"), name != "train/loss"))
        return {name: self.metrics[name] for name in names if math.isfinite(self.metrics[name])}

    def __str__(self) -> str:
        """One line: `fold 0, epoch 3/8: val/dice 0.7123, train/loss 0.4321`; in a repeat, it starts with the seed."""
        words = ", ".join(filter(None, [self.place, self.text]))
        shown = ", ".join(f"{name} {value:.4f}" for name, value in list(self.figures.items())[:_METRICS_SHOWN])
        return ": ".join(filter(None, [words, shown])) or self.kind


class Lines:
    """Joins the records of a log into lines, without control characters. A record may end in the middle of a line.

    A line of more than LINE_MAX characters is taken for several. An event is always a line of its own: a program may
    print one behind an unfinished line (a progress bar), and other processes may write into its line.
    """

    def __init__(self) -> None:
        self._rest: dict[str, _Unfinished] = {}

    def feed(self, record: LogRecord) -> list[str]:
        """The lines that this record completes."""
        *whole, last = record.data.split("\n")
        rest = self._rest.get(record.stream)
        if rest is None:
            rest = self._rest[record.stream] = _Unfinished()
        found = []
        for end in whole:
            if rest.size or len(end) > LINE_MAX:
                rest.add(end)
                found += rest.taken()
            else:  # as nearly always: the line is in one piece
                found.append(end)
        if last:
            rest.add(last)
        if rest.size > LINE_MAX:
            *more, kept = rest.taken()
            found += more
            rest.add(kept)
        return [line for text in found for line in _separated(text)]

    def end(self) -> list[str]:
        """The last line of each stream, if it does not end with a newline."""
        left = [line for rest in self._rest.values() if rest.size for text in rest.taken() for line in _separated(text)]
        self._rest = {}
        return left


@dataclass
class _Unfinished:
    """The pieces of a line. They are joined once, at its end: a program may print for hours without ending a line."""

    pieces: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, text: str) -> None:
        self.pieces.append(text)
        self.size += len(text)

    def taken(self) -> list[str]:
        """The line, in parts of at most LINE_MAX characters; nothing is left here."""
        line = "".join(self.pieces)
        self.pieces, self.size = [], 0
        return [line[start : start + LINE_MAX] for start in range(0, len(line), LINE_MAX)] or [""]


def _separated(text: str) -> Iterator[str]:
    """A line of a log as it is shown, with each event that is in it as a line of its own.

    What comes before a carriage return is replaced, as in a terminal, but for its events.
    """
    if EVENT_PREFIX not in text:
        yield clean(text)
        return
    *replaced, shown = text.rstrip("\r").split("\r")
    for part in replaced:
        yield from (piece for piece in _pieces(clean(part)) if event_of(piece))
    yield from _pieces(clean(shown))


def _pieces(text: str) -> Iterator[str]:
    """The events of a line and the text between them, in their order."""
    if text.startswith(f"{EVENT_PREFIX}{{") and (_is_one(text) or _end_of_json(text, len(EVENT_PREFIX)) == len(text)):
        yield text  # as nearly always; whether it is an event, who reads it finds out
        return
    done = 0
    for found in _EVENT_START.finditer(text):
        end = _end_of_event(text, found.end()) if found.start() >= done else None
        if end is None:
            continue
        if between := text[done : found.start()].strip():
            yield between
        yield text[found.start() : end]
        done = end
    if text[done:].strip() or not done:
        yield text[done:]


def _is_one(text: str) -> bool:
    return EVENT_PREFIX not in text[1:] and _ONE_OBJECT.fullmatch(text) is not None


def _end_of_event(text: str, start: int) -> int | None:
    """Where the event ends whose JSON begins at `start`; None if there is none."""
    end = _end_of_json(text, start)
    return end if end is not None and event_in(text[start:end]) else None


def _end_of_json(text: str, start: int) -> int | None:
    try:
        _, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return end


def log_lines(records: Iterable[LogRecord]) -> Iterator[str]:
    """The lines of a log."""
    whole = Lines()
    for record in records:
        yield from whole.feed(record)
    yield from whole.end()


def event_of(line: str) -> Event | None:
    """The event that a line of a log reports; None if it reports none."""
    return event_in(line.removeprefix(EVENT_PREFIX)) if line.startswith(EVENT_PREFIX) else None


def event_in(text: str) -> Event | None:
    """The event in a JSON text; None if the text holds none, is too large, or cannot be strict JSON again."""
    if len(text) > _EVENT_MAX:
        return None
    try:
        found = parse_json(text)
    except ValueError:
        return None
    return Event.parse(found) if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def read_events(file: Path) -> Iterator[Event | None]:
    """The events in the lines of metrics.jsonl, whose metrics may be infinite; None for a line that is no JSON object.

    A line that is too large is none, and one None stands for all that is behind the first EVENTS_MAX bytes. No events
    if there is no such file. Raises OSError if it cannot be read.
    """
    with contextlib.suppress(FileNotFoundError), file.open("rb") as content:
        while line := content.readline(LINE_MAX):
            yield _event_in_file(line)
            if content.tell() > EVENTS_MAX:
                yield None
                return


def _event_in_file(line: bytes) -> Event | None:
    try:
        found: Any = json.loads(line.decode("utf-8", errors="replace")) if len(line) <= _EVENT_MAX else None
    except (ValueError, RecursionError):
        return None
    return Event.parse(found) if isinstance(found, dict) else None
