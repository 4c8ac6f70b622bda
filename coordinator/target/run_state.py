"""The states of a run. Apart from the protocol, because what only reads the ledger needs these alone."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """The state of a run. In the first two there is no session yet."""

    PUSHING = "pushing"
    """The intent is recorded, the target's answer is not (yet) known."""
    REFUSED = "refused"
    """The target did not accept the push: there is no version."""
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        """A session is waiting or running, or may be."""
        return self in (RunState.PUSHING, RunState.QUEUED, RunState.RUNNING)

    @property
    def phrase(self) -> str:
        """The state in a sentence about a run, after its name: "is running", "has failed"."""
        others = {
            "pushing": "is being pushed",
            "refused": "was refused",
            "error": "has failed",
            "cancelled": "was cancelled",
        }
        return others.get(self.value, f"is {self.value}")
