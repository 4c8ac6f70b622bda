"""Metrics in the lines that a program prints: COORD lines, matches of the settings, lines of boosting libraries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coordinator.project import MetricsSettings
from coordinator.results.events import EVENT_PREFIX, Event, event_of
from coordinator.results.readers.points import PLACES, Point, number_of, whole_of

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)"
# LightGBM: "[100]\tvalid_0's auc: 0.81\tvalid_0's binary_logloss: 0.31 + 0.02"; XGBoost: "[10]\tvalid-auc:0.81".
# CatBoost: "100:\tlearn: 0.31\ttest: 0.42\tbest: 0.41 (99)\ttotal: 2.1s".
_BOOSTING = re.compile(rf"^(?:\[(\d+)\]|(\d+):)\t((?:[^\t]+?: ?(?:{_NUMBER})(?:[ \t(].*)?)+)$")
_BOOSTED = re.compile(rf"([^\t:]+?): ?({_NUMBER})(?![\w.])")
_NO_METRICS = ("total", "remaining", "best")  # columns of CatBoost that are no metrics


# LightGBM, in the line above the values of the round that it goes back to.
_BEST = "best iteration is:"


class LineReader:
    """Reads the lines of one log in their order. It remembers where a boosting library began again: the next fold."""

    def __init__(self, settings: MetricsSettings) -> None:
        self._patterns = [re.compile(pattern) for pattern in settings.lines]
        self._reads_boosting = settings.read in (None, "boosting") and not self._patterns
        self._boosted: dict[tuple[str, ...], _Training] = {}
        """By the names of its metrics: one program may use several libraries."""
        self._best_follows = False

    def may_wait(self, line: str) -> bool:
        """Whether a line may be read at any time, with `event_of`: a COORD line in which nothing else is looked for."""
        return line.startswith(EVENT_PREFIX) and not self._best_follows and not self._patterns

    def event(self, line: str) -> Event | None:
        """What the line reports; None if it reports nothing."""
        found = event_of(line)
        if found is not None:
            return found
        point = self.point(line)
        if point is None:
            return None
        kind = "fold" if point.epoch is None and point.fold is not None else "epoch"
        place = {"fold": point.fold, "epoch": point.epoch, "seed": point.seed}
        whole = {
            name: number for name, value in place.items() if (number := whole_of(value)) is not None and number == value
        }
        return Event.parse({"event": kind, **whole, "metrics": dict(point.metrics)})

    def point(self, line: str) -> Point | None:
        """The metrics in a line that is no COORD line."""
        for pattern in self._patterns:
            if match := pattern.search(line):
                return _point(match)
        return self._of_boosting(line) if self._reads_boosting else None

    def _of_boosting(self, line: str) -> Point | None:
        match = _BOOSTING.match(line)
        if match is None:
            self._best_follows = _BEST in line.lower()
            return None
        at = whole_of(match[1] or match[2])
        metrics = {
            name.strip().replace("'s ", "/"): number
            for name, value in _BOOSTED.findall(match[3])
            if name.strip() not in _NO_METRICS and (number := number_of(value)) is not None
        }
        if not metrics or at is None:
            return None
        training = self._boosted.setdefault(tuple(metrics), _Training())
        training.goes_on(at, ends=self._best_follows)
        self._best_follows = False
        return Point(metrics, fold=training.fold, epoch=at)


@dataclass
class _Training:
    """Counts the trainings of a boosting library by their rounds, which begin again with each one."""

    fold: int = 0
    round: int | None = None
    """The last that was seen of this training; None before its first."""
    has_ended: bool = False

    def goes_on(self, at: int, *, ends: bool) -> None:
        """`ends` is a line that repeats the best round of a training, and is its last."""
        if not ends and self.round is not None and at <= self.round:
            self.fold += 1
        if self.has_ended and not ends:
            self.fold += 1
        self.has_ended, self.round = ends, None if ends else at


def points_in(lines: Iterator[str] | Sequence[str], settings: MetricsSettings) -> list[Point]:
    """The points of a log that COORD lines do not report."""
    reader = LineReader(settings)
    points = [point for line in lines if (point := reader.point(line)) is not None]
    if {point.fold for point in points} == {0} and not settings.lines:  # one training: no folds
        return [Point(point.metrics, epoch=point.epoch) for point in points]
    return points


def _point(match: re.Match[str]) -> Point | None:
    groups = {name: text for name, text in match.groupdict().items() if text is not None}
    if "name" in groups and "value" in groups:
        groups[groups.pop("name")] = groups.pop("value")
    numbers = {name: number for name, text in groups.items() if (number := number_of(text)) is not None}
    place = {name: numbers.pop(name) for name in PLACES if name in numbers}
    if not numbers:
        return None
    epoch = place.get("epoch", place.get("step"))
    return Point(numbers, fold=whole_of(place.get("fold")), epoch=epoch, seed=whole_of(place.get("seed")))
