"""The page takes its file's place as a whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.errors import UsageError
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.report.make import Contents
from coordinator.report.write import write_report
from coordinator.workspace import Workspace
from tests.coordinator.finished_runs import finished


def test_a_page_is_written(tiny: Project, tmp_path: Path) -> None:
    """What is returned is what the file has; nothing else is left beside it."""
    run = finished(tiny, "base", 1, [0.5, 0.7])
    folder = tmp_path / "pages"
    folder.mkdir()
    with Ledger(tiny.ledger) as ledger:
        written = write_report(Workspace(tiny, ledger), folder / "page.html", Contents(title="A title of its own"))
    (file,) = folder.iterdir()
    assert (written.file, written.size) == (file, file.stat().st_size)
    assert (written.runs, written.configs) == ((run.id,), 1)
    page = file.read_text(encoding="utf-8")
    assert "<title>A title of its own" in page
    # Were text of a run to become markup: it could load nothing, and send nothing.
    policy = page.partition('http-equiv="Content-Security-Policy" content="')[2].partition('"')[0]
    assert policy.split("; ")[:2] == ["default-src 'none'", "img-src data:"]


def test_a_page_that_cannot_be_written(tiny: Project, tmp_path: Path) -> None:
    """The folder is missing, or a folder is where the file should be: one line, and nothing left over."""
    finished(tiny, "base", 1, [0.5, 0.7])
    (tmp_path / "taken").mkdir()
    with Ledger(tiny.ledger) as ledger:
        for file in (tmp_path / "missing" / "page.html", tmp_path / "taken"):
            with pytest.raises(UsageError, match=f"--output {file}: "):
                write_report(Workspace(tiny, ledger), file, Contents())
    assert not list(tmp_path.glob(".*.new"))
