"""How long a run will take, from made-up runs whose times are known."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator.ledger.ledger import Run
from coordinator.project.result_settings import SweepSettings
from coordinator.results.events import Event
from coordinator.results.summary import Summary
from coordinator.sweeps.estimates import Estimate, by_progress, estimate_run, seconds, wall_seconds
from coordinator.target.protocol import RunState


def _run(took: float | None, config: dict[str, Any], *, folds: int = 5, **values: Any) -> Run:
    summary = {"seconds": took, "metrics": [{"name": "cv/dice", "folds": [{}] * folds}]}
    given: dict[str, Any] = {"metadata": {"machine_shape": "NvidiaTeslaT4"}, "state": RunState.COMPLETE, **values}
    return Run(
        id="r",
        experiment="e",
        target="local",
        owner="ada",
        slug="e",
        digest="",
        config=config,
        overrides=[],
        created_at="2026-11-01T00:00:00+00:00",
        summary=None if took is None else Summary.parse(summary),
        **given,
    )


def _config(lr: float, epochs: int, run: list[int] | None = None) -> dict[str, Any]:
    return {"optim": {"lr": lr}, "train": {"epochs": epochs}, "folds": {"run": run or []}}


RUNS = [
    _run(100, _config(0.1, 1)),
    _run(300, _config(0.1, 3)),
    _run(340, _config(0.2, 3)),
    _run(9, _config(0.5, 3), state=RunState.ERROR),
    _run(8, _config(0.5, 3), metadata={"machine_shape": None}),
    _run(None, _config(0.5, 3)),
]


def test_the_nearest_runs_tell() -> None:
    """Those with the fewest differences, on the same machine; neither failed runs nor those without a time."""
    assert estimate_run(RUNS, _config(0.3, 3), "NvidiaTeslaT4") == Estimate(320, 2, 1)
    assert estimate_run(RUNS, _config(0.1, 1), "NvidiaTeslaT4") == Estimate(100, 1)
    assert estimate_run(RUNS, _config(0.1, 1), None) == Estimate(8, 1, 2)
    assert estimate_run(RUNS, _config(0.1, 1), "TpuV5E8") is None


def test_a_fold_takes_its_share() -> None:
    """Of the time of a run of all folds; and all of them as many times that of one."""
    assert estimate_run(RUNS, _config(0.1, 3, [4]), "NvidiaTeslaT4", "folds.run") == Estimate(60, 1)
    one = [_run(60, _config(0.1, 3, [4]), folds=1)]
    assert estimate_run(one, _config(0.1, 3, [2]), "NvidiaTeslaT4", "folds.run") == Estimate(60, 1)


def test_a_run_without_a_summary_has_its_log_and_its_session() -> None:
    """The end that it reported, or else when it was seen to start and to end."""
    times: dict[str, Any] = {"started_at": "2026-11-01T00:01:00+00:00", "ended_at": "2026-11-01T00:03:00+00:00"}
    assert seconds(_run(None, {}, **times)) == 120
    assert seconds(_run(None, {}, **times, last_event=Event.parse({"event": "end", "time": 110.5}))) == 110.5
    assert seconds(_run(None, {})) is None


@pytest.mark.parametrize(
    ("chosen", "event", "total"),
    [
        ([], {"event": "epoch", "time": 30, "fold": 1, "epoch": 1, "epochs": 2}, 100),
        ([], {"event": "fold", "time": 40, "fold": 1}, 100),
        ([3], {"event": "epoch", "time": 30, "fold": 3, "epoch": 3, "epochs": 4}, 40),
        ([3], {"event": "epoch", "time": 30, "fold": 3, "epoch": 3, "epochs": 4, "seed": 1}, None),
        ([3], {"event": "epoch", "time": 30, "fold": 1, "epoch": 3, "epochs": 4}, None),
        ([3], {"event": "epoch", "time": "x", "fold": 3, "epoch": 3, "epochs": 4}, None),
        ([3], {"event": "epoch", "time": 30, "fold": 3, "epoch": 0, "epochs": 4}, None),
        ([3], {"event": "message"}, None),
        ([3], None, None),
    ],
)
def test_a_run_tells_itself_how_long_it_takes(chosen: list[int], event: dict[str, Any] | None, total: int) -> None:
    """By the share of its epochs and folds that its last event says are done."""
    run = _run(None, {"folds": {"n": 5, "run": chosen}}, last_event=event and Event.parse(event))
    assert by_progress(run, SweepSettings(folds="folds.run", fold_count="folds.n")) == total


@pytest.mark.parametrize(("each", "wall"), [([], 0), ([5], 5), ([5, 5, 5], 10), ([9, 1, 1, 1], 9), ([1, 1, 9], 10)])
def test_as_many_at_once_as_the_account_allows(each: list[float], wall: float) -> None:
    """Two, in the order in which they are pushed."""
    assert wall_seconds(each, at_once=2) == wall
