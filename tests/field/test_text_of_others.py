"""Text of others that would steer a terminal, hide what it says, or be computed by a spreadsheet.

Seen: CVE-2021-42574 ("Trojan Source": characters that change the direction of text), and the formulas in exported CSV
files of https://owasp.org/www-community/attacks/CSV_Injection; on coord all of them passed.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from typing import Any

import pytest

from coordinator.cli.terminal import answer, say, show_csv, show_text
from coordinator.ledger import export
from coordinator.ledger.ledger import Ledger
from coordinator.text import clean, to_json
from tests.coordinator.sample_runs import FULL

STEERING = (
    *("\x1b[2J", "\x9b2J", "\x9b", "\x85", "\x7f", "\x00", "\x07", "\x08", "\x90", "\x9d0;t\x9c"),
    *("\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069", "\ud800", "\udcff"),
)
SHOWN = ("é", "日本", "مرحبا", "שלום", "\u200f", "😀", "👩\u200d👩", "\u00a0", "\u2028", "a\tb")


@pytest.mark.parametrize("text", STEERING, ids=ascii)
def test_what_steers_a_terminal(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """For people it is removed; in JSON it is escaped, and is the same value when it is read."""
    for print_it in (show_text, say, lambda text: show_csv([{"a": text}], ["a"])):
        print_it(f"a{text}b")
        shown = "".join(capsys.readouterr())
        assert not set(text) & set(shown) & set("".join(STEERING)) - set("[2J0;t")
    answer({"name": f"a{text}b", text: [text]})
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert json.loads(printed) == {"name": f"a{text}b", text: [text]}


@pytest.mark.parametrize("text", SHOWN, ids=ascii)
def test_what_people_write(text: str) -> None:
    """Letters of any script, with what joins them, stay as they are."""
    assert clean(text) == text
    assert json.loads(to_json([text])) == [text]
    assert text in to_json([text]) or "\t" in text


FORMULAS = (
    *("=1+1", "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://x")', "\t=1", "\n=1", " =1"),
    *("-", "+", "=", "--x", "-1.5.2", "+x", "-a note", "\x1b[0m=1", "\u202e=1", "x\r=1"),
)
NUMBERS: tuple[Any, ...] = ("-1.5", "+2", "-1e-05", "-inf", -1.5, -3, None, True, "a=b", "1-2", "a@b", "")


@pytest.mark.parametrize("cell", FORMULAS, ids=ascii)
def test_cells_that_a_spreadsheet_would_compute(ledger: Ledger, cell: str) -> None:
    """Their first character is a quote: a spreadsheet shows the text. Of every table that coord prints for people."""
    ledger.add(dataclasses.replace(FULL, message=cell, config={"x": cell}))
    text = export.as_csv(export.with_all(ledger))
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["message"] == row["config.x"] == f"'{clean(cell)}"


@pytest.mark.parametrize("cell", NUMBERS, ids=ascii)
def test_cells_that_stay_as_they_are(cell: Any) -> None:
    """Numbers are numbers, written as texts or not."""
    (row,) = csv.DictReader(io.StringIO(export.as_csv([{"a": cell, "b": 1}])))
    assert row["a"] == ("" if cell is None else str(cell))
