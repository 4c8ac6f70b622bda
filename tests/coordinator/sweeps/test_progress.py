"""The progress of a sweep, from the logs of its runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from coordinator.results.events import Event
from coordinator.sweeps.progress import sweep_progress
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.sweeps.sweeper import NAMES, Sweeper


def test_what_the_logs_say_is_shown(sweeper: Sweeper) -> None:
    """Before anything is fetched: epoch and remaining time of a run, the metric of a complete one, the reason of a
    failure. Without earlier runs, waiting ones are estimated to take as long as the running ones."""
    sweep, sweeper.target.slots = sweeper.begin(), 9
    sweeper.resume(sweep)
    runs = {run.experiment: run for run in sweeper.ledger.runs()}
    epoch = {"event": "epoch", "fold": 0, "epoch": 1, "epochs": 4, "time": 30.0, "metrics": {"val/dice": 0.5}}
    end = {"event": "end", "time": 100.0, "status": "complete", "metrics": {"cv/dice": 0.7, "baseline/empty": 0.6}}
    changes: list[dict[str, Any]] = [
        {"state": RunState.RUNNING, "started_at": "2026-11-01T00:00:00+00:00", "last_event": Event.parse(epoch)},
        {"state": RunState.QUEUED},
        {"state": RunState.COMPLETE, "last_event": Event.parse({**end, "status": "incomplete"})},
        {"state": RunState.ERROR, "message": "no GPU\nand more"},
    ]
    for name, change in zip(NAMES, changes, strict=True):
        sweeper.ledger.update(runs[name].id, **change)
    moment = datetime(2026, 11, 1, 0, 0, 50, tzinfo=UTC)
    now = sweep_progress(Workspace(sweeper.project, sweeper.ledger), sweep, moment)
    assert [each.about for each in now.members] == [
        "fold 0, epoch 1/4: val/dice 0.5000",
        "",
        "stopped before its end",
        "no GPU; and more",
    ]
    assert [each.left for each in now.members] == [70.0, 120.0, None, None]
    assert [each.metric for each in now.members] == [None] * 4
    assert now.left == 120.0
    sweeper.ledger.update(runs[NAMES[2]].id, last_event=Event.parse(end))
    assert sweep_progress(Workspace(sweeper.project, sweeper.ledger), sweep, moment).members[2].metric == (
        "cv/dice",
        0.7,
    )
