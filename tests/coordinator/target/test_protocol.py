"""The values that a target's methods return."""

from __future__ import annotations

import pytest

from coordinator.target.protocol import RunState


@pytest.mark.parametrize(
    ("state", "phrase"),
    [
        (RunState.PUSHING, "is being pushed"),
        (RunState.REFUSED, "was refused"),
        (RunState.RUNNING, "is running"),
        (RunState.COMPLETE, "is complete"),
        (RunState.ERROR, "has failed"),
        (RunState.CANCELLED, "was cancelled"),
    ],
)
def test_a_state_in_a_sentence(state: RunState, phrase: str) -> None:
    """Messages put it after the name of a run."""
    assert state.phrase == phrase
