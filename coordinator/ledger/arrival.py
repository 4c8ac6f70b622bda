"""A push whose answer was lost: how long it may still arrive, and how a run says so."""

from __future__ import annotations

from coordinator.target import RunState

ARRIVAL_SECONDS = 60.0
"""A push whose answer was lost may still arrive for this long: as long as an answer to it would be waited for."""


ACTIVE = tuple(state for state in RunState if state.is_active)


NEVER_ARRIVED = "it never arrived"


NOT_YET = "no answer to its push, and nothing has arrived so far"
