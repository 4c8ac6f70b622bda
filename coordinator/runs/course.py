"""The course of a run's first metric in the fold that it is in, from its log or its file of events."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence

from coordinator.results import Event, event_of


def course(found: Sequence[Event | str]) -> tuple[float, ...]:
    """The values of the metric that the newest epoch puts first, over the epochs of its fold; empty without one.

    `found` has events and COORD lines, the oldest first. Only lines that can tell of this metric are parsed.
    """
    values: list[float] = []
    place: tuple[int | None, int | None] = (None, None)
    name, may_tell = "", _with_text('"metrics"')
    for each in reversed(found):
        event = each if isinstance(each, Event) else event_of(each) if may_tell(each) else None
        if event is None or event.kind != "epoch":
            continue
        if not values:
            if not (figures := event.figures):
                continue
            name, place = next(iter(figures)), (event.seed, event.fold)
            may_tell = _of_fold(name, event.fold)
        value = event.metrics.get(name, math.nan)
        if (event.seed, event.fold) == place and math.isfinite(value):
            values.append(value)
    return tuple(reversed(values))


def _with_text(text: str) -> Callable[[str], bool]:
    """Whether a line may have this text in its JSON. With a backslash it may be written in another way."""
    return lambda line: text in line or "\\" in line


def _of_fold(name: str, fold: int | None) -> Callable[[str], bool]:
    """Whether a line may tell of the metric in this fold."""
    names_it = _with_text(json.dumps(name, ensure_ascii=False))
    if fold is None:
        return names_it
    number = re.compile(rf'"fold"\s*:\s*{fold or "-?0"}(?!\d)|\\')
    return lambda line: names_it(line) and number.search(line) is not None
