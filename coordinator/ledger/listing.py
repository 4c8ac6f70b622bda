"""The verbs runs and best: every run as a row to filter, sort and cut; every config in order of its mean."""

from __future__ import annotations

import fnmatch
import functools
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from coordinator.errors import RunNotFound, UsageError, did_you_mean
from coordinator.ledger import export
from coordinator.ledger.ledger import Ledger, Run
from coordinator.ledger.remarks import Remarks, known_tags, remarks_about
from coordinator.ledger.run_name import RunName, parse_run_name
from coordinator.ledger.selection import OF_RUNS, SORT_KEYS, RunSelection, order, setting
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

    A column is one of `ledger export`, or `run`, `tags`, `notes`; `config.` and `metric.` may be left out. Without
    `columns` a row has all that one of these runs has. With `limit`, the rows of other runs are not read; to sort by a
    column that `selection.SORT_KEYS` does not have, all that match are. Raises UsageError.
    """
    state = wanted.state
    if state is not None and state not in tuple(RunState):
        raise UsageError(f'there is no state "{state}"{did_you_mean(state, RunState)}', hint=f"{', '.join(RunState)}.")
    named = selection(ledger, wanted.experiment, wanted.target, hidden=wanted.hidden)
    which = replace(named, state=state, tags=wanted.tags)

    @functools.cache
    def of_all() -> dict[str, Any]:
        """A row with every column that one of the named runs has; empty if there are none."""
        return next(iter(rows_of(ledger, ledger.selected(named))), {})

    found = _ordered(ledger, which, sort, limit, of_all)
    # The columns that every run has need no run's config, metadata or metrics.
    is_plain = bool(columns) and set(columns) <= set(ALWAYS)
    table = _keyed(ledger, found) if is_plain else rows_of(ledger, found)
    if columns:
        names = {name: _column_of(name, table, of_all) for name in columns}
        table = [{name: row.get(column) for name, column in names.items()} for row in table]
    return table


def _ordered(
    ledger: Ledger, which: RunSelection, sort: str | None, limit: int | None, of_all: Callable[[], dict[str, Any]]
) -> list[Run]:
    """The first of these runs: by SQL, by one setting that SQL reads of each, or else by a column of whole rows."""
    by = (sort or "").removeprefix("-")
    if sort is None or by in SORT_KEYS:
        return ledger.selected(which, sort=sort, most=limit)
    is_descending = sort.startswith("-")
    if limit is not None and (values := _settings(ledger, which, by)):
        of_run = [{"": run_id, by: value} for run_id, value in values.items()]
        return [ledger.get(row[""]) for row in _sorted(of_run, by, is_descending=is_descending)[:limit]]
    runs = ledger.selected(which)
    table = _keyed(ledger, runs) if by in ALWAYS else rows_of(ledger, runs)
    column = _column_of(by, table, of_all)
    by_row = [{"": run, by: row.get(column)} for row, run in zip(table, runs, strict=True)]
    return [row[""] for row in _sorted(by_row, by, is_descending=is_descending)[:limit]]


def rows_of(ledger: Ledger, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """A row for each of the runs, in their order, with all columns that one of them has."""
    about = remarks_about(ledger, runs)
    return [_row(run, row, about) for run, row in zip(runs, export.rows(runs), strict=True)]


def _keyed(ledger: Ledger, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The same rows with the columns that every run has."""
    about = remarks_about(ledger, runs)
    return [_row(run, export.plain_row(run), about) for run in runs]


def _row(run: Run, exported: dict[str, Any], about: Remarks) -> dict[str, Any]:
    tags, notes = about.texts(run, "tag"), about.texts(run, "note")
    return {"run": run.label, **exported, "tags": " ".join(tags), "notes": "; ".join(notes)}


def why_none(ledger: Ledger, wanted: Filter, experiments: Collection[str] = ()) -> str:
    """Why no run matches. Raises RunNotFound if that is a name, a version or a tag that there is not.

    `experiments` are the names of those that may have no runs yet.
    """
    text = wanted.experiment
    if text is not None:
        name = parse_run_name(text)
        names = ledger.experiments()
        own = [each for each in names if fnmatch.fnmatchcase(each, name.experiment)]
        if not own:
            if set(name.experiment) & {*"*?["}:
                return "no runs match"
            pushable = [each for each in sorted(experiments) if each == text or is_seed_of(each, text)]
            if pushable and not name.is_run:
                which = "one" if pushable == [text] else "them"
                return f"no run of {text} yet; push {which}: {command_line('coord', 'push', *pushable)}"
            near = did_you_mean(name.experiment, {*names, *experiments})
            raise RunNotFound(f'no run of "{text}"{near}', hint="See: coord runs, coord experiments")
        of_name = RunSelection(own, name.target, name.version)
        if name.is_run and not ledger.has(of_name):
            known = (run for run in ledger.short() if run.version is not None)
            has = [str(RunName(run.experiment, run.target, run.version)) for run in known]
            raise RunNotFound(f'no run "{text}"{did_you_mean(text, has)}', hint=f"See: coord runs {name.experiment}")
        if not wanted.hidden and not ledger.has(replace(of_name, hidden=False)):
            return f"all runs of {text} are hidden: --hidden shows them"
    tags = known_tags(ledger) if wanted.tags else set()
    if unknown := next((tag for tag in wanted.tags if tag not in tags), None):
        raise RunNotFound(f'nothing has the tag "{unknown}"{did_you_mean(unknown, tags)}', hint="See: coord runs")
    if not ledger.has():
        return "no runs yet; push one: coord push NAME"
    if not wanted.hidden and not ledger.has(RunSelection(hidden=False)):
        return "all runs are hidden: --hidden shows them"
    return "no runs match"


def selection(ledger: Ledger, text: str | None, target: str | None = None, *, hidden: bool = False) -> RunSelection:
    """The runs that a name or a pattern means on that target; all of them without.

    A name without runs of its own means those of its seeds, as in `coord compare`: `base` for `base-s0`, `base-s1`.

    A hidden run is among them if it has a session, if the name has its version, or with `hidden`. Raises UsageError
    for what is no name, or names another target.
    """
    if text is None:
        return RunSelection(target=target, hidden=hidden)
    name = parse_run_name(text).with_options(target)
    names = ledger.experiments()
    own = [each for each in names if fnmatch.fnmatchcase(each, name.experiment)]
    which = RunSelection(own, name.target, name.version, hidden=hidden or name.is_run)
    if own and ledger.has(which):
        return which
    return replace(which, experiments=[each for each in names if is_seed_of(each, name.experiment)])


def _settings(ledger: Ledger, which: RunSelection, name: str) -> dict[str, Any]:
    """Run ids, the newest first, each with the run's setting of that name, or None.

    Empty if no run has one, or if SQLite cannot tell (see `selection.setting`): then it may have.
    """
    where, values = which.where()
    for path in () if name in ALWAYS else (name, f"config.{name}"):
        if selected := setting(path):
            query = f"SELECT id, {selected} FROM {OF_RUNS} WHERE {where} ORDER BY {order(None)}"
            rows = [tuple(row) for row in ledger.statement(query, values)]
            kinds = {kind for _, kind, _ in rows}
            if "unknown" not in kinds and kinds - {None, "object"}:
                return {run_id: _flat(kind, value) for run_id, kind, value in rows}
    return {}


def _flat(kind: str | None, value: Any) -> Any:
    """As in the rows of the ledger's export: see `export.rows`."""
    if kind == "array":
        return json.dumps(json.loads(value), ensure_ascii=False)
    return None if kind == "object" else value


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


def _column_of(name: str, table: Sequence[dict[str, Any]], of_all: Callable[[], dict[str, Any]]) -> str:
    """The column of that name: of these rows or, if they have none such, of all runs. Raises UsageError.

    Without any run, every name is one.
    """
    if name in ALWAYS:
        return name
    if found := _found(name, table[0] if table else {}):
        return found
    return _column(name, row) if (row := of_all()) else name


def _found(name: str, row: dict[str, Any]) -> str | None:
    return next((prefix + name for prefix in _PREFIXES if prefix + name in row), None)


def _column(name: str, row: dict[str, Any]) -> str:
    found = _found(name, row)
    if found is None:
        short = [column.removeprefix("config.").removeprefix("metric.") for column in row]
        last = [column for column in short if column.rpartition(".")[2] == name]
        near = f' (did you mean "{last[0]}"?)' if last else did_you_mean(name, short)
        raise UsageError(f'there is no column "{name}"{near}', hint=f"Columns: {_listed(row)}.")
    return found
