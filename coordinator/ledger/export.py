"""The verb ledger export: every run as one flat row, for a spreadsheet or a data frame."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from coordinator.ledger import remarks
from coordinator.ledger.ledger import Ledger, Run
from coordinator.ledger.sweeps import Sweep, all_sweeps
from coordinator.text import clean, to_json

PLAIN = (
    *("id", "experiment", "target", "owner", "slug", "version", "state", "message", "url", "digest", "git"),
    *("created_at", "sent_at", "pushed_at", "started_at", "ended_at", "fetched_at", "continues"),
    *("lacks", "never_arrived", "stop_requested", "reads", "hidden_at"),
)


def rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One row a run, all with the same columns; None where a run has no such value.

    Nested values become dotted columns (`config.optim.lr`), lists become JSON. Of the summary there are the primary
    metric and each metric's mean over the folds (`metric.cv/dice`).
    """
    found = [_row(run) for run in runs]
    columns = list(dict.fromkeys(name for row in found for name in row))
    return [{name: row.get(name) for name in columns} for row in found]


def with_all(ledger: Ledger) -> list[dict[str, Any]]:
    """`rows` of all runs, newest first, and each run's sweeps, tags and notes as JSON."""
    runs, sweeps = ledger.runs(hidden=True), all_sweeps(ledger)
    found = remarks.Remarks(remarks.remarks_of(ledger))
    beside = [
        {
            "sweeps": [sweep.name for sweep in sweeps if sweep.target == run.target and _has(sweep, run)],
            "tags": found.texts(run, "tag"),
            "notes": found.texts(run, "note"),
        }
        for run in runs
    ]
    return [
        {**row, **{name: json.dumps(value, ensure_ascii=False) for name, value in more.items()}}
        for row, more in zip(rows(runs), beside, strict=True)
    ]


def _has(sweep: Sweep, run: Run) -> bool:
    return any(run.experiment in (each.experiment, each.whole) or run.id == each.run_id for each in sweep.members)


def as_csv(table: Sequence[dict[str, Any]], *, columns: Sequence[str] = PLAIN) -> str:
    """With a header line, of `columns` if the table is empty; None becomes an empty cell, and texts stay texts."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(table[0]) if table else list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in table)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """The value without control characters, and with a quote before a text that a spreadsheet would compute.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    if not isinstance(value, str):
        return value
    text = clean(value)
    return f"'{text}" if text.lstrip()[:1] in tuple("=+-@") and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def as_json(table: Sequence[dict[str, Any]]) -> str:
    return to_json(table) + "\n"


def plain_row(run: Run) -> dict[str, Any]:
    """The columns of a run that every run has."""
    row: dict[str, Any] = {name: getattr(run, name) for name in PLAIN}
    reads = [str(each) for each in run.named_reads]
    row |= {"state": run.state.value, "lacks": json.dumps(run.lacks, ensure_ascii=False), "reads": json.dumps(reads)}
    row |= {"primary": None, "mode": None, "value": None}
    if primary := run.reported.primary:
        row |= {"primary": primary.name, "mode": primary.mode or None, "value": run.reported.primary_value}
    return row


def _row(run: Run) -> dict[str, Any]:
    row = plain_row(run)
    row |= {f"metric.{metric.name}": metric.mean for metric in run.reported.metrics if metric.name}
    for name in ("overrides", "config", "metadata"):
        _flatten(row, name, getattr(run, name))
    return row


def _flatten(row: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(row, f"{name}.{key}", inner)
    else:
        row[name] = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
