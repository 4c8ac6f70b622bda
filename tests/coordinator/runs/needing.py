"""Runs that an experiment needs, as the ledger has them."""

from __future__ import annotations

import dataclasses
from typing import Any

from coordinator.ledger.run import Run
from coordinator.target.protocol import RunState
from tests.coordinator.sample_runs import BARE


def version(number: int, state: RunState = RunState.COMPLETE, experiment: str = "base", **changes: Any) -> Run:
    """A version of the experiment's kernel, numbered by the day of November on which it was pushed."""
    day = f"2026-11-{number:02}T00:00:00+00:00"
    made = dataclasses.replace(BARE, experiment=experiment, slug=f"tiny-{experiment}", state=state, created_at=day)
    return dataclasses.replace(made, **{"id": f"{experiment}-{number}", "version": number, **changes})
