"""Makes the charts of a board and the table of settings for the page's sections."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from markupsafe import Markup

from coordinator.comparison import without_seed
from coordinator.project import Project
from coordinator.report import charts
from coordinator.report.boards import Board, Entry
from coordinator.report.material import Curve, Item, Score
from coordinator.results import Bottlenecks
from coordinator.text import clean

_COMPARED = 8  # configs in one chart of curves
_ROWS = 25  # rows of the chart of folds
_DOTS = 60  # of one row of it
_STRIP = 40  # dots of one config's values
_CELL = 200  # characters of one value in the table of settings
_COLUMNS = 8  # settings that are shown without unfolding
_CURVES = 4  # charts of one run

T = TypeVar("T")

Items = Mapping[str, Item]
"""By run id."""


@dataclasses.dataclass(frozen=True)
class Learning:
    """The learning curves of a board's best configs."""

    metric: str
    is_primary: bool
    """Whether it is the board's own metric."""
    chart: Markup
    left_out: int


@dataclasses.dataclass(frozen=True)
class SettingsTable:
    """The table of settings: configs as rows, the settings in which they differ as columns."""

    paths: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[tuple[str, bool], ...]], ...]
    """(name, anchor, for each path its value and whether that differs from the first row's)"""

    @property
    def shown(self) -> int:
        """How many columns are shown at first; the others can be unfolded."""
        return min(_COLUMNS, len(self.paths))


def learning(board: Board, items: Items) -> Learning | None:
    """Curves by epoch: the mean over each config's runs (each is the mean over its folds), and the range of the runs.

    Of the primary metric if it was reported by epoch; or else of a metric on unseen data, or of the loss.
    """
    names = {name: None for entry in board.entries for item in _items(entry, items) for name in item.curves}
    last = board.metric.rpartition("/")[2]
    unseen = [name for name in names if not name.startswith("train/")]
    own = next((name for name in (f"val/{last}", *unseen) if name in names and name.rpartition("/")[2] == last), None)
    name = own or next(iter(unseen), "train/loss" if "train/loss" in names else next(iter(names), None))
    if name is None:
        return None
    series, bands = {}, {}
    for entry in board.entries:
        found = [_mean(list(item.curves[name].values())) for item in _items(entry, items) if name in item.curves]
        if found:
            series[entry.name] = _mean(found)
            if len(found) > 1:
                bands[entry.name] = [(x, min(values), max(values)) for x, values in _over(found)]
    shown = dict(list(series.items())[:_COMPARED])
    bands = {entry: band for entry, band in bands.items() if entry in shown}
    chart = charts.lines(f"{name} by epoch", shown, x_label="epoch", bands=bands, is_wide=True)
    unknown = sum(not _items(entry, items) for entry in board.entries)
    return Learning(name, own is not None, chart, len(series) + unknown - len(shown))


def run_curves(item: Item) -> list[tuple[str, Markup]]:
    names = sorted(item.curves, key=lambda name: (name.startswith("train/") and name != "train/loss",))
    return [(name, charts.lines(f"{name} by epoch", item.curves[name], x_label="epoch")) for name in names[:_CURVES]]


def folds(board: Board) -> tuple[Markup, int, bool]:
    """A row for each config with a dot for each fold of its runs; the best configs only.

    Also how many configs are left out, and whether folds are.
    """
    rows = []
    is_thinned = False
    for entry in board.entries[:_ROWS]:
        dots = [
            (f"{repeat.label}, fold {each.fold}", each.value)
            for repeat in entry.side.repeats
            for each in repeat.folds
            if each.value is not None
        ]
        if len(dots) > _DOTS:
            is_thinned, dots = True, _some(sorted(dots, key=itemgetter(1)), _DOTS)
        rows.append((entry.name, dots, entry.mean))
    has_folds = any(dots for _, dots, _ in rows)
    chart = charts.spread(f"{board.metric} by fold", rows) if has_folds else Markup("")
    return chart, max(0, len(board.entries) - _ROWS), is_thinned


def against(board: Board, items: Items) -> Markup:
    """The chart of the runs that have a public score: CV across, score up."""
    points = [
        (item.label, item.value, item.score.public)
        for entry in board.entries
        for item in _items(entry, items)
        if item.value is not None and item.score.public is not None
    ]
    return charts.scatter(f"{board.metric} against the public score", points, x_label=board.metric)


def strip(board: Board, entry: Entry) -> Markup:
    values = [value for each in board.entries for value in each.side.values]
    shown = entry.side.values if len(entry.side.values) <= _STRIP else _some(sorted(entry.side.values), _STRIP)
    return charts.strip(shown, entry.mean, min(values), max(values))


def score(entry: Entry, items: Items) -> Score:
    """The score of its newest run that has one."""
    found = [item.score for item in _items(entry, items) if item.score.public is not None]
    return found[0] if found else Score()


def settings(project: Project, boards: Sequence[Board], items: Sequence[Item]) -> SettingsTable | None:
    """The configs that were compared, then those of runs without a line; None with fewer than two."""
    configs = [(entry.name, entry.runs[0].id, entry.side.config) for board in boards for _, entry in board.lines]
    there = with_a_line(boards, items)
    configs += [(item.label, item.run.id, item.run.config) for item in items if item.run.id not in there]
    anchors = {item.run.id: item.anchor for item in items}
    values = [
        {path: _short(_text(value)) for path, value in without_seed(project, config).items()}
        for _, _, config in configs
    ]
    if len(values) < 2:
        return None
    every = dict.fromkeys(path for each in values for path in each)
    paths = tuple(path for path in every if len({each.get(path, "") for each in values}) > 1)
    rows = tuple(
        (
            name,
            anchors.get(run, ""),
            tuple((text := each.get(path, ""), text != values[0].get(path, "")) for path in paths),
        )
        for (name, run, _), each in zip(configs, values, strict=True)
    )
    return SettingsTable(paths, rows)


def with_a_line(boards: Sequence[Board], items: Sequence[Item]) -> set[str]:
    """Ids of the runs that a leaderboard shows, alone or as a part of another one."""
    found = {run.id for board in boards for entry in board.entries for run in entry.runs}
    return found | {part.id for item in items if item.run.id in found for part in item.parts}


def lost(board: Board, items: Items) -> tuple[list[str], list[tuple[str, Bottlenecks, dict[str, Any]]]]:
    """(kinds of error, rows of (config, analysis of its newest run, kind -> how much of the score it costs))."""
    rows = []
    for entry in board.entries:
        found = next((item.bottlenecks for item in _items(entry, items) if item.bottlenecks), None)
        if found is not None and found.losses:
            rows.append((entry.name, found, {share.kind: share.loss for share in found.losses}))
    return list(dict.fromkeys(kind for _, _, losses in rows for kind in losses)), rows


def _items(entry: Entry, items: Items) -> list[Item]:
    return [items[run.id] for run in entry.runs if run.id in items]


def _some(ordered: Sequence[T], most: int) -> list[T]:
    """At most so many of them, at even steps, the first and the last among them."""
    step = max(1.0, (len(ordered) - 1) / (most - 1))
    return [ordered[round(at * step)] for at in range(min(most, len(ordered)))]


def _mean(curves: Sequence[Curve]) -> Curve:
    return [(x, sum(values) / len(values)) for x, values in _over(curves)]


def _over(curves: Sequence[Curve]) -> list[tuple[float, list[float]]]:
    """The values at each epoch, of the curves that have one there."""
    at: dict[float, list[float]] = {}
    for line in curves:
        for x, y in line:
            at.setdefault(x, []).append(y)
    return sorted(at.items())


def _short(text: str) -> str:
    """The beginning of a long text, and a digest by which it differs from others."""
    return (
        text
        if len(text) <= _CELL
        else f"{text[:_CELL]}… ({len(text)} characters, {zlib.crc32(text.encode(errors='replace')):08x})"
    )


def _text(value: Any) -> str:
    return clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
