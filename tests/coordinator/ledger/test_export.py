"""The export of the ledger: a row per run, as CSV or JSON, printed or written to a file."""

from __future__ import annotations

import csv
import dataclasses
import json
import os

from coordinator.ledger import export, remarks, sweeps
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.results.summary import Summary
from tests.coordinator.command import Coord
from tests.coordinator.sample_runs import BARE, COMPLETE, FULL


def test_runs_as_rows() -> None:
    """Every row has every column; config and metrics are columns of their own; CSV and JSON say the same."""
    summary = {"primary": {"name": "cv/dice", "mode": "max", "value": 0.5}, "metrics": [{"name": "a", "mean": 1.5}]}
    table = export.rows([dataclasses.replace(FULL, summary=Summary.parse(summary)), BARE])
    assert table[0]["config.optim.lr"] == 0.1
    assert table[1]["config.optim.lr"] is None
    assert (table[0]["primary"], table[0]["value"], table[0]["metric.a"]) == ("cv/dice", 0.5, 1.5)
    assert table[0]["overrides"] == '["optim.lr=0.1"]'
    assert (table[0]["state"], table[0]["message"]) == ("error", "it broke\nhere")
    assert json.loads(export.as_json(table)) == table
    read = list(csv.DictReader(export.as_csv(table).splitlines(keepends=True)))
    assert [row["id"] for row in read] == ["r2", "r1"]
    assert read[0]["message"] == "it broke\nhere"
    assert read[1]["config.optim.lr"] == ""
    assert export.as_csv([]).startswith("id,experiment,target,")


def test_the_export_is_printed_or_written(tiny: Project, ledger: Ledger) -> None:
    """As CSV, or as JSON with --json; a file that cannot be written gives one line."""
    ledger.add(COMPLETE)
    remarks.tag(ledger, "base", "good")
    member = sweeps.Member("base", "base", (), whole="", work="w")
    sweeps.add(ledger, sweeps.Sweep("lr", "base", "local", False, "2026", (member,)))
    coord = Coord(tiny.root, dict(os.environ))
    assert coord("ledger", "export").stdout.startswith("id,experiment,target,owner,slug,version,state,")
    assert coord("ledger", "export", "--json", "-o", "runs.json").stdout == ""
    (row,) = json.loads((tiny.root / "runs.json").read_text())
    assert (row["id"], row["tags"], row["sweeps"], row["notes"]) == ("r1", '["good"]', '["lr"]', "[]")
    assert "not both" in coord("ledger", "export", "--csv", "--json", code=2).stderr
    assert "--output nowhere/x.csv" in coord("ledger", "export", "-o", "nowhere/x.csv", code=2).stderr
