"""Follows a run to its end: its live log from the start; reconnecting neither repeats nor loses a record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coordinator.clock import SYSTEM_CLOCK, Clock
from coordinator.errors import Later, NoAnswer, RunFailed
from coordinator.ledger import Run, run_times
from coordinator.runs.refresh import refresh_run
from coordinator.target import LogRecord, RunState
from coordinator.workspace import Workspace

_IDLE_SECONDS = 20.0
_PATIENCE = 600.0
"""Seconds of waiting, all in all, for a target that gives no answer: a router takes less to restart."""


@dataclass
class Pace:
    """How long to wait between two questions about a state, in seconds: short at first, then longer each time."""

    wait: float = 0.2
    most: float = 10.0
    clock: Clock = SYSTEM_CLOCK
    silent: float = 0.0
    """How long the target has given no answer."""

    @staticmethod
    def of(workspace: Workspace) -> Pace:
        """A new one for the workspace's target."""
        return Pace(most=workspace.target.abilities.look_every.wait, clock=workspace.clock)

    def answered(self) -> None:
        self.silent = 0.0

    def not_answered(self, error: NoAnswer | Later) -> None:
        """Raises the error once there was no answer for ten minutes. (Later asks for fewer requests: waiting does.)"""
        if self.silent >= _PATIENCE:
            raise error
        self.silent += self.wait

    def sleep(self) -> None:
        self.clock.sleep(self.wait)
        self.wait = min(self.wait * 1.3, self.most)


def follow_run(workspace: Workspace, run: Run) -> Iterator[Run | LogRecord]:
    """Yields the run whenever its state changes, and every record of its log once; the last is the run that has ended.

    Raises NoAnswer (or Later) when the target gives no answer for ten minutes; the run itself continues.
    """
    yield run
    seen, shown, pace = 0, run.state, Pace.of(workspace)
    while True:
        try:
            run = refresh_run(workspace, run, look_at_log=False)
            if run.state.is_active and run.state is not shown:
                yield run
                shown, pace.wait = run.state, 0.2
            if run.state is RunState.RUNNING:
                for number, record in enumerate(workspace.target.follow(run.ref, idle_seconds=_IDLE_SECONDS)):
                    if number >= seen:
                        seen = number + 1
                        yield record
            if not run.state.is_active:
                if run.version is not None:
                    yield from workspace.target.log(run.ref)[seen:]
                if run.state is not shown:
                    yield run
                return
            pace.answered()
        except (NoAnswer, Later) as error:
            pace.not_answered(error)
        pace.sleep()


def wait_for_end(workspace: Workspace, run: Run) -> Run:
    """The run once it has ended, without its log.

    Raises NoAnswer (or Later) when the target gives no answer for ten minutes, RunFailed if the session should have
    ended by the target's own rules; the run itself continues.
    """
    pace = Pace.of(workspace)
    while True:
        try:
            run = refresh_run(workspace, run, look_at_log=False)
            pace.answered()
        except (NoAnswer, Later) as error:
            pace.not_answered(error)
        if not run.state.is_active:
            return run
        at = run_times(run)
        if at.is_stuck:
            look = f"Look at {run.url}. " if run.url else ""
            raise RunFailed(
                f"{run.label} is reported as running, but a session ends after {at.limit}",
                hint=f"{look}To end it: coord cancel --exp {run.experiment} --version {run.version}",
            )
        pace.sleep()
