"""Rows of the ledger as values: the least a run has, one with every field set, and complete ones with a version."""

from __future__ import annotations

import dataclasses

from coordinator.kernel.work import Source
from coordinator.ledger.run import Run
from coordinator.results.events import Event
from coordinator.results.summary import Summary
from coordinator.target.protocol import RunState

BARE = Run(
    id="r1",
    experiment="smoke",
    target="local",
    owner="ada",
    slug="smoke",
    digest="sha256:0",
    config={},
    metadata={},
    overrides=[],
    state=RunState.PUSHING,
    created_at="2026-11-01T00:00:00+00:00",
)
FULL = dataclasses.replace(
    BARE,
    id="r2",
    config={"optim": {"lr": 0.1}, "note": "ü'\";--", "none": None},
    metadata={"id": "ada/smoke", "is_private": True},
    overrides=["optim.lr=0.1"],
    state=RunState.ERROR,
    files={"model_src/train.py": "0" * 64},
    launch={"entry": "train.py", "args": ["--fold", "0"], "cwd": "checkout", "delivery": {"kind": "file"}},
    git="0123456789ab-dirty",
    version=3,
    url="https://www.kaggle.com/code/ada/smoke",
    message="it broke\nhere",
    timeout_seconds=3600,
    sent_at="2026-11-01T00:00:01+00:00",
    pushed_at="2026-11-01T00:00:01+00:00",
    started_at="2026-11-01T00:00:01+00:00",
    ended_at="2026-11-01T00:00:02+00:00",
    fetched_at="2026-11-01T00:00:03+00:00",
    last_event=Event.parse({"event": "epoch", "metrics": {"val/dice": 0.5}}),
    summary=Summary.parse({"metrics": [], "text": "\ud800"}),
    continues="r1",
    lacks=("ada/x", 'b"/\\ü'),
    never_arrived=True,
    stop_requested=True,
    hidden_at="2026-11-05T08:00:00+00:00",
    reads=(Source("ada/base", 2),),
)
COMPLETE = dataclasses.replace(
    BARE, experiment="base", slug="tiny-base", version=1, state=RunState.COMPLETE, ended_at=BARE.created_at
)
ON_KAGGLE = dataclasses.replace(
    BARE,
    id="r7",
    experiment="base",
    target="kaggle",
    slug="tiny-base",
    version=3,
    state=RunState.COMPLETE,
    metadata={"code_file": "kernel.py"},
)
