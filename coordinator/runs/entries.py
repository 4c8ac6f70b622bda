"""What `coord status` lists: runs, and sweeps in place of their runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from coordinator.ledger import Ledger, Run, Sweep, all_sweeps, listing
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
    ledger: Ledger, most: int | None, target: str | None = None, *, hidden: bool = False
) -> list[StatusLine]:
    """`entries` of the runs on that target; with `most`, as many as so many lines take, or more."""
    runs = listing.runs_named(ledger, None, target, hidden=hidden, most=most)
    found = entries(ledger, runs)
    # Runs of a sweep share a line, and their older ones belong to it.
    is_all = most is None or len(runs) < most or not any(each.sweep for each in found)
    return found if is_all else entries(ledger, listing.runs_named(ledger, None, target, hidden=hidden))


def entries(ledger: Ledger, runs: Sequence[Run]) -> list[StatusLine]:
    """The runs, newest first, and in place of those of a sweep the sweep, where its newest run is."""
    sweeps = {
        (sweep.target, member.experiment): sweep for sweep in reversed(all_sweeps(ledger)) for member in sweep.members
    }
    found: dict[str, list[Run]] = {}
    of: dict[str, Sweep] = {}
    for run in runs:
        sweep = sweeps.get((run.target, run.experiment))
        if sweep is None or run.continues is not None or run.is_merged:
            found[run.id] = [run]  # a run that goes on from another one has another config
        else:
            key = f"sweep {sweep.name}"  # no run has such an id
            of[key] = sweep
            found.setdefault(key, []).append(run)
    by_id = {run.id: run for run in runs}
    return [
        StatusLine((*_newest_of_each(each), *_done_elsewhere(of.get(key), each, by_id)), of.get(key))
        for key, each in found.items()
    ]


def _done_elsewhere(sweep: Sweep | None, own: Sequence[Run], by_id: Mapping[str, Run]) -> Iterator[Run]:
    """The earlier runs, of other names, that have done the work of members without a run of their own."""
    there = {run.experiment for run in own}
    for member in sweep.members if sweep is not None else ():
        if member.experiment not in there and (run := by_id.get(member.run_id or "")) is not None:
            yield run


def _newest_of_each(runs: Sequence[Run]) -> Iterator[Run]:
    seen = set[str]()
    for run in runs:
        if run.experiment not in seen:
            seen.add(run.experiment)
            yield run
