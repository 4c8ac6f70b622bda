"""Rows of runs: what is read of them at once, what later, and which damage is found when."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import LedgerError
from coordinator.ledger.ledger import Ledger
from coordinator.ledger.rows import BRIEF
from coordinator.results.summary import Summary
from tests.coordinator.results.sample_summary import SUMMARY
from tests.coordinator.sample_runs import FULL

RUN = dataclasses.replace(FULL, summary=Summary.parse({**SUMMARY, "status": "complete", "versions": {"torch": "2"}}))


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add(RUN)
        yield ledger


def test_a_brief_run_has_what_comparisons_need(ledger: Ledger) -> None:
    """These fields are those of the whole run; another one is an error, and never the default of its field."""
    (run,) = ledger.runs(brief=True, hidden=True)
    for name in (*BRIEF.own, *BRIEF.shared, *BRIEF.later):
        assert getattr(run, name) == getattr(RUN, name), name
    there, whole = run.reported, RUN.reported
    assert (there.status, there.seconds, there.primary, there.modes) == (
        *(whole.status, whole.seconds, whole.primary, whole.modes),
    )
    assert (there.metrics, there.repeats) == (whole.metrics, whole.repeats)
    with pytest.raises(AttributeError, match=f"the message of run {RUN.id} was not read"):
        _ = run.message
    with pytest.raises(ValueError, match="Expecting value"):
        _ = there.versions


def test_what_all_rows_have_of_their_own_is_parsed_when_it_is_asked_for(ledger: Ledger) -> None:
    """The config, the last event and the summary: reading JSON takes most of the time to read a row."""
    (run,) = ledger.runs(hidden=True)
    assert vars(run).keys().isdisjoint((*BRIEF.later, "last_event", "summary"))
    assert run == RUN
    assert run.reported.versions == {"torch": "2"}
    assert run.config is run.config


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("config", text) for text in ("{", "[]", b"\xff")),
        *(("summary", text) for text in ("{", "[]", "5")),
        *(("files", "[]"), ("state", "asleep"), ("target", "The moon")),
    ],
)
def test_damage_is_found_whatever_is_read_of_a_row(ledger: Ledger, column: str, value: object) -> None:
    with ledger.transaction() as connection:
        connection.execute(f"UPDATE runs SET {column} = ?", (value,))
    for brief in (False, True):
        with pytest.raises(LedgerError, match=f"damaged row, run {RUN.id}"):
            ledger.runs(brief=brief, hidden=True)
    assert list(ledger.unreadable()) == [RUN.id]


def test_what_python_reads_and_sqlite_does_not(ledger: Ledger) -> None:
    """NaN, and a BLOB that holds JSON: no damage."""
    with ledger.transaction() as connection:
        connection.execute(
            "UPDATE runs SET config = ?, summary = ?", (b'{"a": 1}', '{"seconds": NaN, "status": "error"}')
        )
    for brief in (False, True):
        (run,) = ledger.runs(brief=brief, hidden=True)
        assert (run.config, run.reported.status, run.message) == ({"a": 1}, "error", RUN.message)
        assert math.isnan(run.reported.to_json()["seconds"])
    assert ledger.unreadable() == {}


def test_all_rows_are_read_again_once_one_was_written(ledger: Ledger, tmp_path: Path) -> None:
    """From here, or through another connection; otherwise the check of a ledger reads them once."""
    assert ledger.readable()[0] is ledger.readable()[0]
    ledger.update(RUN.id, message="from here")
    assert ledger.readable()[0].message == "from here"
    with Ledger(tmp_path / "ledger.sqlite") as other:
        other.update(RUN.id, message="from there")
    assert ledger.readable()[0].message == "from there"
