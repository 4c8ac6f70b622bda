"""The tables of comparisons, rankings and lists of runs, for a terminal of 80 columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from coordinator.cli.tables.lines import Column, Cut, LineTable
from coordinator.cli.tables.runs import age
from coordinator.comparison import Comparison, Interval, Report, Side, figure, percent, summarize
from coordinator.text import clean, in_one_line

_RUNS_SHOWN = 3
_SOURCES_SHOWN = 5
_SHORT = ("state", "created_at", "mode")
_AGE = "age"
_FROM = {"created_at": 60, "primary": 60}
_NAMES = ("run", "experiment", "primary", "url")
_NOISE_MARKS = {True: "~", False: " ", None: "?"}
_BETTER = {"max": "higher", "min": "lower"}


def report(found: Report) -> RenderableType:
    """First the verdicts, then the sides, what each comparison is based on, and notes."""
    parts: list[RenderableType] = [_verdict(each, len(found.comparisons)) for each in found.comparisons]
    if found.luck is not None:
        parts.append(Text(found.luck, style="bold"))
    parts.append(Text(f"\n{clean(found.metric)}, {_BETTER[found.mode]} is better", style="bold"))
    sides = _table("", "mean", "sd", "n", "runs", right=(1, 2, 3))
    for each in found.sides:
        summary = summarize(each)
        sides.add_row(each.name, _value(summary["mean"]), _value(summary["sd"]), str(summary["n"]), _runs(each))
    parts.append(sides)
    for comparison in found.comparisons:
        parts += _comparison(comparison)
    if found.floor is not None:
        spread = found.floor.spread
        parts.append(
            Text(
                f"noise floor: sd {figure(spread.sd)} ({spread.df:g} degrees of freedom), pooled within "
                f"{found.floor.of}",
                style="dim",
            )
        )
    parts += [Text(clean(note), style="dim") for note in found.notes]
    return Group(*parts)


def _comparison(found: Comparison) -> list[RenderableType]:
    a, b = found.a.name, found.b.name
    parts: list[RenderableType] = [Text(f"{b} against {a}", style="bold")]
    if found.changes:
        changes = _table("config", a, b)
        for change in found.changes:
            changes.add_row(change.path, clean(json.dumps(change.base)), clean(json.dumps(change.value)))
        parts.append(changes)
    else:
        parts.append(Text("the same config"))
    if found.sources:
        more = f" and {len(found.sources) - _SOURCES_SHOWN} more" if len(found.sources) > _SOURCES_SHOWN else ""
        parts.append(Text(f"other sources: {', '.join(found.sources[:_SOURCES_SHOWN])}{more}"))
    if found.folds:
        folds = _table("fold", a, b, *(["difference"] if found.are_folds_shared else []), right=(1, 2, 3))
        for fold in found.folds:
            apart = "" if fold.a is None or fold.b is None else f"{fold.b - fold.a:+.4f}"
            folds.add_row(fold.fold, _value(fold.a), _value(fold.b), *([apart] if found.are_folds_shared else []))
        parts += [Text(f"fold by fold, {found.fold_runs[0]} and {found.fold_runs[1]}"), folds]
        if not found.are_folds_shared:
            parts.append(
                Text(f"whether both have the same folds is not known: the {found.images.rows} of a fold may differ")
            )
    how = "paired" if found.images.is_paired else "not paired"
    if found.images.interval is not None:
        why = f": {found.images.why}" if found.images.why else ""
        parts.append(
            Text(f"on {found.images.images} {found.images.rows}, {how}{why}: {_interval(found.images.interval)}")
        )
    else:
        parts.append(Text(f"no difference on {found.images.rows}: {found.images.why}"))
    if found.seeds is not None:
        over = "over seeds" if len(found.a.values) > 1 and len(found.b.values) > 1 else "by the noise floor"
        parts.append(Text(f"{over}: {_interval(found.seeds)}"))
    if found.folds or found.images.interval or found.seeds:
        parts.append(Text(f"(differences are {b} - {a}, intervals of {percent(found.level)})", style="dim"))
    return parts


def _verdict(found: Comparison, of: int) -> Text:
    """The verdict; one of several with the names that it is about."""
    colour = {"better": "green", "likely": "yellow"}.get(found.verdict.kind, "")
    about = f"{found.b.name} against {found.a.name}: " if of > 1 else ""
    return Text(f"{about}{found.verdict.text}", style=f"bold {colour}".strip())


def ranking(found: Sequence[dict[str, Any]]) -> RenderableType:
    """The rows of `coord best`."""
    metric, mode = (found[0]["metric"], found[0]["mode"])
    table = _table("", "newest run", clean(metric), "sd", "n", "behind", right=(0, 2, 3, 4, 5))
    for row in found:
        behind = "" if row["behind"] is None else f"{row['behind']:.4f} {_NOISE_MARKS[row['within_noise']]}"
        table.add_row(str(row["rank"]), row["run"], _value(row["mean"]), _value(row["sd"]), str(row["n"]), behind)
    parts: list[RenderableType] = [Text(f"means over seeds; {_BETTER[mode]} is better"), table]
    if any(row["within_noise"] for row in found):
        level = percent(found[0]["level"])
        parts.append(Text(f"~ may be as good as the first: within the noise (intervals of {level})", style="dim"))
    if any(row["within_noise"] is None for row in found):
        parts.append(Text("? may be as good as the first: without repeats the noise is not known", style="dim"))
    return Group(*parts)


def listing(found: Sequence[dict[str, Any]]) -> RenderableType:
    """A column for each value of the rows; times are shown as ages."""
    names = list(found[0]) if found else []
    table = _table(*(name.removesuffix("_at") for name in names), right=_numbers(found))
    for row in found:
        table.add_row(*(_cell(name, value) for name, value in row.items()))
    return table


def runs(found: Sequence[dict[str, Any]], asked: Sequence[str] = ()) -> RenderableType:
    """The same with a line a row.

    Unless columns were asked for, those that have nothing in them are left out, ages are short, and a metric that all
    rows have in common is the name of the column.
    """
    rows = [dict(row) for row in found]
    metrics = {row["primary"] for row in rows if row.get("primary")} if not asked else set()
    if len(metrics) == 1:
        (metric,) = metrics
        rows = [{metric if name == "value" else name: row[name] for name in row if name != "primary"} for row in rows]
    names = [name for name in (rows[0] if rows else ()) if asked or any(row[name] not in (None, "") for row in rows)]
    numbers = [list(rows[0])[at] for at in _numbers(rows)]
    columns = [
        Column(
            clean(_AGE if name == "created_at" and not asked else name.removesuffix("_at")),
            Cut.NOTHING if name in (*numbers, *_SHORT) else Cut.MIDDLE if name in _NAMES else Cut.END,
            right=name in numbers,
            from_width=_FROM.get(name, 0),
        )
        for name in names
    ]

    def cell(name: str, value: Any) -> str:
        if name == "message":
            return in_one_line(value)
        return age(value) if name == "created_at" and not asked else _cell(name, value)

    return LineTable(columns, [[cell(name, row[name]) for name in names] for row in rows])


def _numbers(found: Sequence[dict[str, Any]]) -> list[int]:
    """The columns that have one in any row, counted from 0."""
    names = list(found[0]) if found else []
    return [at for at, name in enumerate(names) if any(isinstance(row[name], int | float) for row in found)]


def _runs(side: Side) -> str:
    if side.is_recorded:
        return "recorded"
    labels = [repeat.label for repeat in side.repeats]
    more = f", and {len(labels) - _RUNS_SHOWN} more" if len(labels) > _RUNS_SHOWN else ""
    return ", ".join(labels[:_RUNS_SHOWN]) + more


def _interval(found: Interval) -> str:
    return f"{found.estimate:+.4f}, {found.low:+.4f} to {found.high:+.4f} ({found.method})"


def _value(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if not value or 1e-3 <= abs(value) < 1e9 else f"{value:.4g}"


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith("_at"):
        return f"{age(value)} ago"
    return f"{value:.6g}" if isinstance(value, float) else clean(str(value))


def _table(*columns: str, right: Sequence[int] = ()) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for at, column in enumerate(columns):
        table.add_column(column, overflow="fold", justify="right" if at in right else "left")
    return table
