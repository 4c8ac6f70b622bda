"""What is asked behind the live page: states and logs of runs that go on, the quota, and what comes of failures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.results.readers.lines import LineReader
from coordinator.target.protocol import RunState
from coordinator.ui.pages import Asked, Pages
from coordinator.ui.watcher import LINES, Watcher, read_log
from runner_test.server import running_server
from tests.coordinator.command import Coord, until
from tests.coordinator.finished_runs import finished


@contextmanager
def watching(project: Project) -> Iterator[Watcher]:
    watcher = Watcher(project)
    watcher.start()
    try:
        yield watcher
    finally:
        watcher.stop()


def test_without_credentials(tiny: Project) -> None:
    """A run on Kaggle is shown as last known, with the reason; a local run is asked about all the same."""
    finished(tiny, "base", 1, [0.5], target="kaggle", state=RunState.RUNNING, summary=None)
    with watching(tiny) as watcher:
        until(lambda: watcher.errors, "the reason")
        page = Pages(tiny, watcher).html(Asked("runs"))
        assert watcher.quota is None
    assert "As last known: " in page
    assert "credentials" in page
    assert ">running</span>" in page


def test_the_quota_of_kaggle(tiny: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is on the page if the project has to do with Kaggle."""
    finished(tiny, "base", 1, [0.5], target="kaggle")
    with running_server(tiny.local_kaggle) as server:
        monkeypatch.setenv("COORD_KAGGLE_ENDPOINT", server.url)
        monkeypatch.setenv("KAGGLE_USERNAME", "ada")
        monkeypatch.setenv("KAGGLE_KEY", server.token)
        with watching(tiny) as watcher:
            until(lambda: watcher.quota, "the quota")
            page = Pages(tiny, watcher).html(Asked("runs"))
    assert "GPU: 30.0 h left of 30" in page


def test_a_local_project_asks_for_no_quota(tiny: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with credentials: nothing is sent to Kaggle. (The address refuses connections: an error would be shown.)"""
    finished(tiny, "base", 1, [0.5])
    monkeypatch.setattr("coordinator.ui.watcher.current_quota", lambda *_: pytest.fail("asked"))
    with watching(tiny) as watcher:
        run = finished(tiny, "base", 2, [0.5], state=RunState.RUNNING)
        with Ledger(tiny.ledger) as ledger:
            until(lambda: ledger.get(run.id).state is not RunState.RUNNING or watcher.errors, "a second look")
        assert watcher.quota is None


def test_a_log_that_was_not_fetched(coord: Coord, tiny: Project) -> None:
    """The page of a run that has ended asks for its log, and has its curve without its results."""
    coord("push", "--exp", "base", "--wait")
    with Ledger(tiny.ledger) as ledger:
        run = ledger.find("base")
    asked = Asked("run", which=run.id)
    with watching(tiny) as watcher:
        pages = Pages(tiny, watcher)
        assert "There is no log here" in pages.html(asked)
        until(lambda: "fold 1, epoch 3/3: val/dice 0.7600" in pages.html(asked), "the log")
        page = pages.html(asked)
    assert page.count("<circle") >= 6
    assert "coord fetch-results --exp base" in page


def test_a_long_log_is_cut(tiny: Project) -> None:
    """Its last lines are kept with their numbers; each event counts."""
    lines = [f"line {at}" for at in range(LINES)] + [
        'COORD {"event": "epoch", "epoch": 1, "metrics": {"val/dice": 0.5}}',
        "last",
    ]
    found = read_log(lines, LineReader(tiny.settings.metrics))
    assert len(found.lines) == LINES
    assert found.lines[0] == (2, "line 2")
    assert found.lines[-2:] == ((LINES, "» epoch 1: val/dice 0.5000"), (LINES + 1, "last"))
    assert [event.epoch for event in found.events] == [1]
