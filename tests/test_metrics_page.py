"""docs/metrics.md against the code: the readers, the settings, the keys of the files, the environment variables."""

from __future__ import annotations

import dataclasses
import re
import typing

from coordinator.bundle import bootstrap
from coordinator.project import SCORES, MetricsSettings, OutOfFoldSettings
from coordinator.results import Event, table
from coordinator.results.oof import OOF_MAX
from coordinator.results.readers.points import PLACES
from coordinator.results.table import ROWS_MAX
from model_src.output.report import Report
from tests.paths import ROOT

PAGE = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")


def first_cells(heading: str) -> set[str]:
    """The names in backquotes in the first column of the table below a header row."""
    rows = PAGE.partition(heading)[2].partition("\n\n")[0].splitlines()[1:]
    return {name for row in rows if row.startswith("|") for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def test_every_reader_is_listed() -> None:
    hint = typing.get_type_hints(MetricsSettings)["read"]
    names = {name for part in typing.get_args(hint) for name in typing.get_args(part)}
    assert first_cells("| `read` |") == names


def test_every_setting_is_shown() -> None:
    shown = set(re.findall(r"^(\w+) = ", PAGE.partition("[tool.coord.metrics]\n")[2].partition("```")[0], flags=re.M))
    assert shown == {field.name for field in dataclasses.fields(MetricsSettings)}


def test_every_key_of_the_table_and_every_score_is_listed() -> None:
    assert first_cells("| key of `oof` |") == {field.name for field in dataclasses.fields(OutOfFoldSettings)}
    assert first_cells("| `score` |") == {*SCORES, "module:function"}


def test_the_limits_and_kinds_of_tables_are_those_of_the_code() -> None:
    assert f"{OOF_MAX >> 20} MiB, {spaced(ROWS_MAX)} rows, and {spaced(table._CELLS_MAX)}\npredictions" in PAGE
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| `file` |"))
    assert set(re.findall(r"`(\.\w+)`", row)) == set(table._OPENING)


def test_every_key_of_an_event_is_listed() -> None:
    keys = {field.name for field in dataclasses.fields(Event)} - {"_json", "kind"} | {"event"}
    assert first_cells("| key | in which events") == keys
    assert set(PLACES) <= keys


def test_every_key_of_a_summary_is_listed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    report = Report(tmp_path, experiment="e", run_id="r", digest="d")
    assert first_cells("| key | what it is |") == set(report._summary)


def test_every_variable_of_a_kernel_is_listed() -> None:
    source = (ROOT / "coordinator/bundle/bootstrap.py").read_text(encoding="utf-8")
    assert bootstrap.STAMP
    assert first_cells("| variable |") == set(re.findall(r"COORD_[A-Z_]+", source))
