"""What `coord status` lists: runs, and sweeps in place of their runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from coordinator.ledger import Ledger, Run, RunSelection, Sweep, sweeps
from coordinator.runs.status import Status


@dataclass(frozen=True)
class StatusLine:
    """One line: a run, or a sweep with the newest run of each of its members that has one."""

    runs: tuple[Run, ...]
    """Newest first; exactly one unless it is a sweep."""
    sweep: Sweep | None = None

    @property
    def is_active(self) -> bool:
        return any(run.state.is_active for run in self.runs)

    def now(self, status: Status) -> StatusLine:
        """The same with its runs as they are in the status."""
        current = {run.id: run for run in status.runs}
        return replace(self, runs=tuple(current.get(run.id, run) for run in self.runs))


def newest_entries(
    ledger: Ledger, most: int | None, target: str | None = None, *, hidden: bool = False, active: bool = False
) -> list[StatusLine]:
    """The newest lines of the runs on that target, at most so many; with `active` also older ones with a session."""
    which = RunSelection(target=target, hidden=hidden)
    every = {run.id: run for run in ledger.selected(which)} if most is None else {}
    found = []
    for line in sweeps.newest_lines(ledger, which, most, active=active):
        runs = [every.get(run_id) or ledger.get(run_id) for run_id in line.runs]
        found.append(StatusLine((*runs, *_done_elsewhere(ledger, which, line.sweep, runs)), line.sweep))
    return found


def _done_elsewhere(ledger: Ledger, which: RunSelection, sweep: Sweep | None, own: Sequence[Run]) -> Iterator[Run]:
    """The earlier runs, of other names, that have done the work of members without a run of their own."""
    there = {run.experiment for run in own}
    for member in sweep.members if sweep is not None else ():
        if member.experiment in there or not member.run_id:
            continue
        run = ledger.known(member.run_id)  # the ledger may have been rebuilt without it
        if run is not None and which.target in (None, run.target) and (which.hidden or run.counts):
            yield run
