"""What is done when the answer to a request is lost: the same protocol for a push and for a submission.

The request was recorded before it was sent, and carries its id. The target is asked what exists. What carries the id is
adopted. Otherwise the request may still arrive for `ARRIVAL_SECONDS`; afterwards it is recorded as never arrived.
Nothing is sent again before that is certain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from coordinator.clock import Clock
from coordinator.errors import Later, NoAnswer

Row = TypeVar("Row")

ARRIVAL_SECONDS = 60.0
"""A request whose answer was lost may still arrive for this long: as long as an answer to it would be waited for."""
NEVER_ARRIVED = "it never arrived"
"""The message, for people, of a run or a submission that was given up."""
_ASK_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Waits between two questions whether it arrived; the last one is repeated."""
_SILENT_AT_MOST = 2
"""A target that does not answer so many questions in a row is not asked again. (Each is retried by the client.)"""


def may_still_arrive(sent: float, clock: Clock) -> bool:
    """Whether a request may arrive that was last on its way to the target at `sent`, in seconds since 1970."""
    return clock.seconds() - sent <= ARRIVAL_SECONDS


def is_ahead(sent: float, clock: Clock) -> bool:
    """Whether this machine recorded a time that lies in its future: its clock was set back since.

    How long ago that was is not known. Such a time has to be recorded again, or the request is waited for until then.
    """
    return sent - clock.seconds() > ARRIVAL_SECONDS


@dataclass(frozen=True)
class Unanswered(Generic[Row]):
    """A request without an answer, and how its kind is looked for and recorded."""

    sent: float
    """When it was last on its way, in seconds since 1970."""
    find: Callable[[], Row | None]
    """Asks the target what exists, and adopts the request in the ledger; None if the target does not have it."""
    give_up: Callable[[], Row]
    """Records in the ledger that it never arrived."""

    def settle(self, clock: Clock) -> Row | None:
        """Asks once; None while the request is not there and may still arrive."""
        found = self.find()
        return found if found is not None or may_still_arrive(self.sent, clock) else self.give_up()

    def wait(self, clock: Clock) -> Row:
        """Asks until it is known whether the request arrived.

        Raises NoAnswer or Later, and leaves the request open, if the target does not answer the questions either.
        """
        asked, silent = 0, 0
        # By its own waits, not by the time of day: the clock may be set while it waits, forward or back.
        left = ARRIVAL_SECONDS - max(clock.seconds() - self.sent, 0.0)
        while True:
            try:
                found, silent = self.find(), 0
                if found is None and left < 0:
                    return self.give_up()
            except (NoAnswer, Later):
                found, silent = None, silent + 1
                if silent >= _SILENT_AT_MOST:
                    raise
            if found is not None:
                return found
            pause = _ASK_SECONDS[min(asked, len(_ASK_SECONDS) - 1)]
            clock.sleep(pause)
            left -= pause
            asked += 1
