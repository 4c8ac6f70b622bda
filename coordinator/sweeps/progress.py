"""The progress of a sweep: of each experiment its state, the last event of its log, its metric, and the time left."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from coordinator.errors import CoordError
from coordinator.ledger import Ledger, Member, Run, Sweep, run_of, stopped_early, sweeps
from coordinator.runs import refresh_run
from coordinator.sweeps import estimates
from coordinator.target import RunState
from coordinator.text import in_one_line
from coordinator.workspace import Workspace


@dataclass(frozen=True)
class MemberProgress:
    """The progress of one experiment of a sweep."""

    member: Member
    run: Run | None
    """None, or a refused run, if it is not pushed yet."""
    left: float | None
    """Seconds until it has ended, from its start on; None if that cannot be estimated."""

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
        """The primary metric of a complete run: of its summary, or of its log's last event until that is fetched."""
        if self.run is None or self.run.state is not RunState.COMPLETE or self.stopped:
            return None
        return _metric(self.run)

    @property
    def stopped(self) -> bool:
        """Whether the run ended by its own settings before it was finished."""
        return self.run is not None and stopped_early(self.run)

    @property
    def about(self) -> str:
        """In a few words: the last event of an active run, or why a run did not complete."""
        run = self.run
        if run is None or (run.state is RunState.COMPLETE and not self.stopped):
            return ""
        if run.state.is_active or self.stopped:
            if self.stopped:
                return "stopped before its end"
            return str(run.last_event) if run.last_event and not run.end else ""
        # Of a refused push only the reason, which comes last: before it the message names the push.
        return run.message.partition("\n")[0].rpartition(": ")[2] if self.is_waiting else in_one_line(run.message)

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
class SweepProgress:
    """The progress of a sweep."""

    sweep: Sweep
    members: tuple[MemberProgress, ...]
    merged: Mapping[str, Run | None]
    """Each experiment that was split by folds -> the run that was merged from them."""

    @property
    def counts(self) -> dict[str, int]:
        """The number of experiments in each state, in the order in which a run passes through the states."""
        order = ["waiting", *map(str, RunState)]
        states = [each.state for each in self.members]
        return {state: states.count(state) for state in order if state in states}

    @property
    def left(self) -> float | None:
        """Seconds until all have ended; None if that cannot be estimated."""
        begun = sorted(self.members, key=lambda each: each.state != RunState.RUNNING)
        going = [each.left for each in begun if each.is_going]
        waiting = [each.left for each in self.members if each.is_waiting]
        known = [left for left in (*going, *waiting) if left is not None]
        if len(known) < len(going) + len(waiting):
            return None
        # Running experiments have a session already, even if these are more than the limit that coord knows.
        running = sum(each.state == RunState.RUNNING for each in self.members)
        return estimates.wall_seconds(known, max(estimates.at_once(self.sweep.target, len(known)), running))

    @property
    def to_fetch(self) -> int:
        """The number of complete runs whose results are not fetched."""
        runs = [each.run for each in self.members if each.run]
        return sum(run.state is RunState.COMPLETE and run.summary is None for run in runs)

    def to_json(self) -> dict[str, Any]:
        return {
            "sweep": self.sweep.name,
            "base": self.sweep.base,
            "target": self.sweep.target,
            "created_at": self.sweep.created_at,
            "counts": self.counts,
            "left_seconds": self.left,
            "experiments": [each.to_json() for each in self.members],
            "merged": {whole: run.to_json() if run else None for whole, run in self.merged.items()},
        }


def last_known(ledger: Ledger, sweep: Sweep) -> SweepProgress:
    """The progress when its runs were last asked for, without times."""
    found = (MemberProgress(member, run_of(ledger, sweep, member), None) for member in sweep.members)
    return SweepProgress(sweep, tuple(found), {})


def sweep_progress(workspace: Workspace, sweep: Sweep, at: datetime | None = None) -> SweepProgress:
    """The progress by the ledger at the moment `at` (default: now).

    The time left is estimated from earlier runs, or else from the epochs that the active runs have done so far.
    """
    at = at or datetime.now(UTC)
    runs, settings = workspace.ledger.runs(target=sweep.target, hidden=True), workspace.project.settings.sweep
    found = last_known(workspace.ledger, sweep).members
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
            # An estimate that the run has exceeded already is skipped.
            left = next((total - ran for total in totals if total is not None and total > ran), None)
            each = replace(each, left=0.0 if left is None and any(totals) else left)
        timed.append(each)
    wholes = dict.fromkeys(member.whole for member in sweep.members if member.whole)
    return SweepProgress(sweep, tuple(timed), {whole: _merged(runs, whole) for whole in wholes})


def current_progress(workspace: Workspace, sweep: Sweep) -> tuple[SweepProgress, CoordError | None]:
    """Where the sweep stands now; with the error, if the target could not be asked, where it stood when it last was."""
    error = None
    try:
        with workspace.open_target(sweep.target) as there:
            refresh_sweep(there, sweep)
    except CoordError as raised:
        error = raised
    return sweep_progress(workspace, sweep), error


def refresh_sweep(workspace: Workspace, sweep: Sweep) -> None:
    """Asks for the state of every run of the sweep that may be going on."""
    for member in sweep.members:
        run = run_of(workspace.ledger, sweep, member)
        if run is not None and run.state.is_active:
            refresh_run(workspace, run)


def _merged(runs: Sequence[Run], whole: str) -> Run | None:
    return next((run for run in runs if run.experiment == whole and run.is_merged and run.counts), None)


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
