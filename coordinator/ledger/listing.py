"""The verbs runs and best: every run as a row to filter, sort and cut; every config in order of its mean."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.errors import RunNotFound, UsageError, did_you_mean
from coordinator.ledger import export
from coordinator.ledger.ledger import Ledger, Run
from coordinator.ledger.remarks import Remark, remarks_of, texts
from coordinator.ledger.run_name import RunName, meant, parse_run_name
from coordinator.names import is_seed_of
from coordinator.target import RunState
from coordinator.text import command_line

SHOWN = ("run", "state", "created_at", "primary", "value", "tags", "notes", "message")
"""The columns for people, unless they say which."""
ALWAYS = ("run", *export.PLAIN, "primary", "mode", "value", "tags", "notes")
"""The columns of an empty table: none of a config or a metric."""
_PREFIXES = ("", "config.", "metric.")


@dataclass(frozen=True)
class Filter:
    """Which runs are wanted; a field that is left out takes all."""

    experiment: str | None = None
    """A name, or a pattern such as `base--*`; as in `base@local-v3` of one version."""
    state: str | None = None
    target: str | None = None
    tags: tuple[str, ...] = ()
    """A run must have all of them."""
    hidden: bool = False
    """Whether hidden runs match, too."""

    def takes(self, row: dict[str, Any]) -> bool:
        """Whether a row of the listing matches, but for its name and target, which its run says."""
        return (self.state is None or row["state"] == self.state) and set(self.tags) <= set(row["tags"].split())


EVERY_RUN = Filter()


def rows(
    ledger: Ledger,
    wanted: Filter = EVERY_RUN,
    *,
    sort: str | None = None,
    columns: Sequence[str] = (),
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """The runs that match, newest first or by `sort` (`-name`: from the highest down; what has no value comes last).

    A column is one of `ledger export`, or `run`, `tags`, `notes`; `config.` and `metric.` may be left out. Raises
    UsageError.
    """
    state = wanted.state
    if state is not None and state not in tuple(RunState):
        raise UsageError(f'there is no state "{state}"{did_you_mean(state, RunState)}', hint=f"{', '.join(RunState)}.")
    found_remarks = remarks_of(ledger)

    def has_all(run: Run) -> bool:
        is_meant = not is_plain or state is None or run.state == state
        has_tags = not (is_plain and wanted.tags) or set(wanted.tags) <= set(texts(found_remarks, run, "tag"))
        return is_meant and has_tags

    column = (sort or ALWAYS[0]).removeprefix("-")
    # Columns that not all runs have take the rows of all.
    is_plain = limit is not None and len(columns) > 0 and {*columns, column} <= {*ALWAYS}
    runs = runs_named(
        ledger,
        wanted.experiment,
        wanted.target,
        hidden=wanted.hidden,
        most=limit if is_plain and sort is None else None,
        is_meant=has_all,
    )
    if is_plain and sort is not None:
        asked = found_remarks if column in ("tags", "notes") else ()
        by_row = [{**_row(run, export.plain_row(run), asked), "": run} for run in runs]
        runs = [row[""] for row in _sorted(by_row, column, is_descending=sort.startswith("-"))[:limit]]
    table = rows_of(ledger, runs)
    found = [row for row in table if wanted.takes(row)]
    if sort is not None and table:
        found = _sorted(found, _column(sort.removeprefix("-"), table[0]), is_descending=sort.startswith("-"))
    if columns and table:
        names = {name: _column(name, table[0]) for name in columns}
        found = [{name: row[column] for name, column in names.items()} for row in found]
    return found[:limit]


def rows_of(ledger: Ledger, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """A row with all columns for each of the runs, in their order."""
    found_remarks = remarks_of(ledger)
    return [_row(run, row, found_remarks) for run, row in zip(runs, export.rows(runs), strict=True)]


def _row(run: Run, exported: dict[str, Any], found_remarks: Sequence[Remark]) -> dict[str, Any]:
    tags, notes = texts(found_remarks, run, "tag"), texts(found_remarks, run, "note")
    return {"run": run.label, **exported, "tags": " ".join(tags), "notes": "; ".join(notes)}


def why_none(ledger: Ledger, wanted: Filter, experiments: Collection[str] = ()) -> str:
    """Why no run matches. Raises RunNotFound if that is a name, a version or a tag that there is not.

    `experiments` are the names of those that may have no runs yet.
    """
    text, runs = wanted.experiment, ledger.runs(hidden=True)
    if text is not None:
        name = parse_run_name(text)
        names = {run.experiment for run in runs}
        if not fnmatch.filter(names, name.experiment):
            if set(name.experiment) & {*"*?["}:
                return "no runs match"
            pushable = [each for each in sorted(experiments) if each == text or is_seed_of(each, text)]
            if pushable and not name.is_run:
                which = "one" if pushable == [text] else "them"
                return f"no run of {text} yet; push {which}: {command_line('coord', 'push', *pushable)}"
            near = did_you_mean(name.experiment, {*names, *experiments})
            raise RunNotFound(f'no run of "{text}"{near}', hint="See: coord runs, coord experiments")
        if name.is_run and not any(map(name.names, runs)):
            has = [str(RunName(run.experiment, run.target, run.version)) for run in runs if run.version is not None]
            raise RunNotFound(f'no run "{text}"{did_you_mean(text, has)}', hint=f"See: coord runs {name.experiment}")
        if not wanted.hidden and not any(run.counts for run in runs if name.names(run)):
            return f"all runs of {text} are hidden: --hidden shows them"
    known = {each.text for each in remarks_of(ledger, kind="tag")}
    if unknown := next((tag for tag in wanted.tags if tag not in known), None):
        raise RunNotFound(f'nothing has the tag "{unknown}"{did_you_mean(unknown, known)}', hint="See: coord runs")
    if not runs:
        return "no runs yet; push one: coord push NAME"
    if not wanted.hidden and not any(run.counts for run in runs):
        return "all runs are hidden: --hidden shows them"
    return "no runs match"


def runs_named(
    ledger: Ledger,
    text: str | None,
    target: str | None = None,
    *,
    hidden: bool = False,
    most: int | None = None,
    is_meant: Callable[[Run], bool] = lambda _: True,
) -> list[Run]:
    """The runs that a name or a pattern means on that target, newest first; all of them without.

    A name without runs of its own means those of its seeds, as in `coord compare`: `base` for `base-s0`, `base-s1`.

    With `most`, only so many, of those that `is_meant` takes: the rows of older ones are not read.
    A hidden run is among them if it has a session, if the name has its version, or with `hidden`. Raises UsageError
    for what is no name, or names another target.
    """
    name = None if text is None else parse_run_name(text).with_options(target)
    hidden = hidden or (name is not None and name.is_run)

    def is_named(run: Run) -> bool:
        return (hidden or run.counts) and (name is None or name.names(run)) and is_meant(run)

    found = ledger.newest(is_named, most, target=target)
    if found or name is None:
        return found
    runs = (run for run in ledger.runs(target=target, hidden=True) if (hidden or run.counts) and is_meant(run))
    return meant(runs, name)[:most]


def _sorted(found: list[dict[str, Any]], column: str, *, is_descending: bool) -> list[dict[str, Any]]:
    there = [row for row in found if row[column] is not None]
    there.sort(key=lambda row: _key(row[column]), reverse=is_descending)
    return there + [row for row in found if row[column] is None]


def _key(value: Any) -> tuple[bool, float, str]:
    """Numbers before texts."""
    is_number = isinstance(value, int | float)
    return (not is_number, float(value) if is_number else 0.0, "" if is_number else str(value))


def _listed(row: dict[str, Any]) -> str:
    """The columns that every run has, and how to see the others."""
    short = [name for name in row if not name.startswith(("config.", "metadata."))]
    return f"{', '.join(short)}, and the config's values by their paths (coord show --exp NAME)"


def _column(name: str, row: dict[str, Any]) -> str:
    found = next((prefix + name for prefix in _PREFIXES if prefix + name in row), None)
    if found is None:
        short = [column.removeprefix("config.").removeprefix("metric.") for column in row]
        last = [column for column in short if column.rpartition(".")[2] == name]
        near = f' (did you mean "{last[0]}"?)' if last else did_you_mean(name, short)
        raise UsageError(f'there is no column "{name}"{near}', hint=f"Columns: {_listed(row)}.")
    return found
