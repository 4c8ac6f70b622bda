"""How far a sweep is: of each experiment the state, what its log said last, its metric, and the time left."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from coordinator.errors import CoordError
from coordinator.kaggle_rules import SESSIONS_AT_ONCE
from coordinator.ledger import MERGED, Ledger, Member, Run, Sweep, run_of, stopped_early, sweeps
from coordinator.runs import refresh_run
from coordinator.sweeps import estimates
from coordinator.target import RunState
from coordinator.workspace import Workspace


@dataclass(frozen=True)
class Standing:
    """Where one experiment of a sweep stands."""

    member: Member
    run: Run | None
    """None, or a refused one, if it is still to be pushed."""
    left: float | None
    """Seconds until it has ended, once it runs; None if that cannot be told."""

    @property
    def is_waiting(self) -> bool:
        return self.run is None or self.run.state is RunState.REFUSED

    @property
    def is_going(self) -> bool:
        return self.run is not None and self.run.state.is_active

    @property
    def state(self) -> str:
        return "waiting" if self.run is None or self.is_waiting else str(self.run.state)

    @property
    def metric(self) -> tuple[str, float] | None:
        """The primary metric of a complete run: of its summary, or what its log ends with until that is here."""
        if self.run is None or self.run.state is not RunState.COMPLETE or self.stopped:
            return None
        return _metric(self.run)

    @property
    def stopped(self) -> bool:
        """Whether the run ended by its own settings before it was finished."""
        return self.run is not None and stopped_early(self.run)

    @property
    def about(self) -> str:
        """In a few words: where a run is that goes on, and why one is not what it should be."""
        run = self.run
        if run is None or (run.state is RunState.COMPLETE and not self.stopped):
            return ""
        if run.state.is_active or self.stopped:
            if self.stopped:
                return "stopped before its end"
            return str(run.last_event) if run.last_event and not run.end else ""
        # Of a push that was refused its end: what went before says which push it was.
        said = run.message.partition("\n")[0]
        return said.rpartition(": ")[2] if self.is_waiting else said

    def to_json(self) -> dict[str, Any]:
        metric = self.metric
        return {
            "experiment": self.member.experiment,
            "overrides": list(self.member.overrides),
            "state": self.state,
            "run": self.run.to_json() if self.run else None,
            "metric": metric[0] if metric else None,
            "value": metric[1] if metric else None,
            "about": self.about,
            "seconds": estimates.seconds(self.run) if self.run else None,
            "left_seconds": self.left,
        }


@dataclass(frozen=True)
class Progress:
    """Where a sweep stands."""

    sweep: Sweep
    standings: tuple[Standing, ...]
    merged: Mapping[str, Run | None]
    """Each experiment that was divided by folds, with the run that was merged of them."""

    @property
    def counts(self) -> dict[str, int]:
        """How many are in each state, the states in the order of a run's life."""
        order = ["waiting", *map(str, RunState)]
        states = [each.state for each in self.standings]
        return {state: states.count(state) for state in order if state in states}

    @property
    def left(self) -> float | None:
        """Seconds until all have ended; None if that cannot be told."""
        begun = sorted(self.standings, key=lambda each: each.state != RunState.RUNNING)
        going = [each.left for each in begun if each.is_going]
        waiting = [each.left for each in self.standings if each.is_waiting]
        known = [left for left in (*going, *waiting) if left is not None]
        if len(known) < len(going) + len(waiting):
            return None
        # What runs has a session already, even more of them than the account is thought to have; the others follow.
        running = sum(each.state == RunState.RUNNING for each in self.standings)
        return estimates.wall_seconds(known, max(SESSIONS_AT_ONCE, running))

    @property
    def to_fetch(self) -> int:
        """How many are complete, and their results not here."""
        runs = [each.run for each in self.standings if each.run]
        return sum(run.state is RunState.COMPLETE and run.summary is None for run in runs)

    def to_json(self) -> dict[str, Any]:
        return {
            "sweep": self.sweep.name,
            "base": self.sweep.base,
            "target": self.sweep.target,
            "created_at": self.sweep.created_at,
            "counts": self.counts,
            "left_seconds": self.left,
            "experiments": [each.to_json() for each in self.standings],
            "merged": {whole: run.to_json() if run else None for whole, run in self.merged.items()},
        }


def last_known(ledger: Ledger, sweep: Sweep) -> Progress:
    """Where the sweep stood when its runs were last asked for, without times."""
    found = (Standing(member, run_of(ledger, sweep, member), None) for member in sweep.members)
    return Progress(sweep, tuple(found), {})


def standing(workspace: Workspace, sweep: Sweep, at: datetime | None = None) -> Progress:
    """Where the sweep stands by the ledger; `at` is this moment.

    The time left is by earlier runs, or else by what those that go on have done of their epochs so far.
    """
    at = at or datetime.now(UTC)
    runs, settings = workspace.ledger.runs(target=sweep.target), workspace.project.settings.sweep
    found = last_known(workspace.ledger, sweep).standings
    own = {each.run.id: estimates.by_progress(each.run, settings) for each in found if each.run and each.is_going}
    known = [total for total in own.values() if total is not None]
    typical = statistics.median(known) if known else None
    timed = []
    for each in found:
        if each.is_going or each.is_waiting:
            experiment = sweeps.find_experiment(workspace.project, each.member.experiment)
            guess = estimates.estimate_run(runs, experiment.config, experiment.kernel.machine_shape, settings.folds)
            ran = _ran(each.run, at)
            totals = (guess.seconds if guess else None, own.get(each.run.id) if each.run else None, typical)
            # One that has taken longer than such runs do tells more itself.
            left = next((total - ran for total in totals if total is not None and total > ran), None)
            each = replace(each, left=0.0 if left is None and any(totals) else left)
        timed.append(each)
    wholes = dict.fromkeys(member.whole for member in sweep.members if member.whole)
    return Progress(sweep, tuple(timed), {whole: _merged(runs, whole) for whole in wholes})


def current_progress(workspace: Workspace, sweep: Sweep) -> tuple[Progress, CoordError | None]:
    """Where the sweep stands now; with the error, if the target could not be asked, where it stood when it last was."""
    error = None
    try:
        with workspace.open_target(sweep.target) as there:
            brought_up_to_date(there, sweep)
    except CoordError as raised:
        error = raised
    return standing(workspace, sweep), error


def brought_up_to_date(workspace: Workspace, sweep: Sweep) -> None:
    """Asks for the state of every run of the sweep that may be going on."""
    for member in sweep.members:
        run = run_of(workspace.ledger, sweep, member)
        if run is not None and run.state.is_active:
            refresh_run(workspace, run)


def _merged(runs: Sequence[Run], whole: str) -> Run | None:
    return next((run for run in runs if run.experiment == whole and run.version == MERGED), None)


def _metric(run: Run) -> tuple[str, float] | None:
    if run.summary is not None:
        name, value = run.summary.primary_name, run.summary.primary_value
        return (name, value) if name is not None and value is not None else None
    # The primary metric comes first; what a trivial prediction scores is beside it.
    return next(iter(run.end.figures.items()), None) if run.end else None


def _ran(run: Run | None, at: datetime) -> float:
    """Seconds that a run's session has taken so far."""
    if run is None or run.started_at is None:
        return 0.0
    return max(0.0, (at - datetime.fromisoformat(run.started_at)).total_seconds())
