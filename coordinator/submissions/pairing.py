"""The cross-validation that a submission's score is paired with: the run's own, or that of a run whose output it read.

A kernel that only predicts has no cross-validation. What it reads was made by a run that has one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from coordinator.errors import CoordError
from coordinator.ledger import Run, runs_read
from coordinator.runs import fetch
from coordinator.workspace import Workspace

_WITH_METRICS = fetch.Choice(only=("metrics.json*", "*.json", "*.csv"))
"""The files of a run that readers take metrics from, without weights and pictures."""


@dataclasses.dataclass(frozen=True)
class PairedCV:
    """A value of cross-validation, and the run that measured it."""

    run: Run | None = None
    """None if no run has one, or several have."""
    metric: str = ""
    """That run's primary metric; without a value that of the submitted run, if it has one."""
    mode: str = "max"
    """The metric's direction, "max" or "min"."""
    value: float | None = None
    several: tuple[Run, ...] = ()
    """The runs that were read and have a value each: which of them the score belongs to is not known."""
    not_fetched: tuple[Run, ...] = ()
    """Runs that were read and may have a value, too: their metrics are not in the ledger."""

    @property
    def note(self) -> str:
        """What keeps it from being known, or from being certain."""
        many = f"it reads {len(self.several)} runs with a CV: {_labels(self.several)}" if self.several else ""
        lacking = f"not fetched: {_labels(self.not_fetched)}" if self.not_fetched else ""
        return "; ".join(filter(None, [many, lacking]))


def paired_cv(run: Run, runs: Sequence[Run]) -> PairedCV:
    """The CV of a run; where it has none, that of the nearest run that it read, directly or through another one.

    `runs` are the ledger's, newest first. There is no value if several runs are equally near and have one, or if a
    nearer run was not fetched: that one may have it.
    """
    own = _of(run)
    if own.value is not None:
        return own
    level, seen = [run], {run.id}
    while level:
        read = {each.id: each for reader in level for each in runs_read(reader, runs) if each.id not in seen}
        level = list(read.values())
        seen |= read.keys()
        found = [cv for each in level if (cv := _of(each)).value is not None]
        lacking = tuple(each for each in level if each.summary is None and not each.fetched_at)
        if len(found) == 1:
            return dataclasses.replace(found[0], not_fetched=lacking)
        if found or lacking:
            several = tuple(cv.run for cv in found if cv.run)
            return dataclasses.replace(own, several=several, not_fetched=lacking)
    return own


def own_cv(run: Run) -> PairedCV | None:
    """The CV that a run has itself; None without one."""
    found = _of(run)
    return found if found.value is not None else None


def fetched_cv(workspace: Workspace, run: Run) -> PairedCV:
    """The same, after the metrics of the runs that it read were fetched: of those whose own are not in the ledger.

    A run whose metrics can't be fetched is left as it is, with a warning. The workspace's target is the run's.
    """
    tried = set[str]()
    while True:
        found = paired_cv(run, workspace.ledger.runs(target=run.target, hidden=True))
        missing = [each for each in found.not_fetched if each.id not in tried]
        if not missing:
            return found
        for each in missing:
            tried.add(each.id)
            workspace.say(f"fetching the metrics of {each.label}, which {run.label} read")
            try:
                fetch.fetch_run(workspace, each, force=False, choice=_WITH_METRICS)
            except CoordError as error:
                workspace.say(f"warning: they can't be fetched, so its CV is not known: {error.what}")


def _of(run: Run) -> PairedCV:
    """What the run itself reported."""
    primary, value = run.reported.primary, run.reported.primary_value
    if primary is None:
        return PairedCV()
    return PairedCV(run if value is not None else None, primary.name, "min" if primary.mode == "min" else "max", value)


def _labels(runs: Sequence[Run]) -> str:
    return ", ".join(run.label for run in runs)
