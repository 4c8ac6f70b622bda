"""Follows a run to its end: its live log from the start, reconnecting without repeating or losing a record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from coordinator.errors import Later, NoAnswer
from coordinator.ledger import Ledger, Run
from coordinator.project import Project
from coordinator.runs.refresh import refresh_run
from coordinator.target import LogRecord, RunState, Target

_IDLE_SECONDS = 20.0
_PATIENCE = 600.0
"""Seconds of waiting, all in all, for a target that gives no answer: a router that starts anew takes less."""


@dataclass
class Pace:
    """How long to wait between two questions about a state, in seconds: soon at first, then ever more patiently."""

    wait: float = 0.2
    most: float = 10.0
    pause: Callable[[float], object] = time.sleep

    def sleep(self) -> None:
        self.pause(self.wait)
        self.wait = min(self.wait * 1.3, self.most)


def follow_run(
    project: Project, target: Target, ledger: Ledger, run: Run, *, pause: Callable[[float], object] = time.sleep
) -> Iterator[Run | LogRecord]:
    """Yields the run whenever its state changes, and every record of its log once; ends after the run has ended.

    Raises NoAnswer (or Later) when the target gives no answer for ten minutes; the run goes on without us.
    """
    yield run
    seen, silent, pace = 0, 0.0, Pace(most=2.0 if target.name == "local" else 15.0, pause=pause)
    while True:
        try:
            current = refresh_run(project, target, ledger, run, look_at_log=False)
            if current.state is not run.state:
                yield current
                pace.wait = 0.2
            run = current
            if run.state is RunState.RUNNING:
                for number, record in enumerate(target.follow(run.ref, idle_seconds=_IDLE_SECONDS)):
                    if number >= seen:
                        seen = number + 1
                        yield record
            if not run.state.is_active:
                if run.version is not None:
                    yield from target.log(run.ref)[seen:]
                return
            silent = 0.0
        except (NoAnswer, Later):  # Later: it asks to slow down, which is what follows
            if silent >= _PATIENCE:
                raise
            silent += pace.wait
        pace.sleep()
