"""Asks the targets about runs that are active, in parallel, and records what they answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from coordinator.errors import CoordError, LedgerError
from coordinator.ledger import Ledger, Run
from coordinator.project import Project, TargetName
from coordinator.runs.arrival import settled
from coordinator.runs.refresh import Look, looks, record
from coordinator.target import Target
from coordinator.workspace import Workspace


def ask(
    project: Project,
    ledger: Ledger,
    runs: Sequence[Run],
    opened: Callable[[TargetName], Target],
    seen: Callable[[Run, Look], None],
    *,
    at_once: int,
) -> dict[str, CoordError]:
    """Records the state of each active run; returns the errors by run id. `opened` returns the open target of a name.

    The threads only ask; this thread writes the ledger, and calls `seen` with each answer.
    """
    failures: dict[str, CoordError] = {}
    asked: dict[Future[Look], Run] = {}
    with ThreadPoolExecutor(at_once, thread_name_prefix="status") as pool:
        for name in sorted({run.target for run in runs if run.state.is_active}):
            active = [run for run in runs if run.target == name and run.state.is_active]
            try:
                target = opened(name)
            except CoordError as error:
                failures.update((run.id, error) for run in active)
                continue
            known: list[Run] = []
            for run in active:
                try:
                    known.append(settled(Workspace(project, ledger, target), run))
                except CoordError as error:
                    failures[run.id] = error
            known = [run for run in known if run.state.is_active and run.version is not None]
            try:
                asked |= {pool.submit(each): run for run, each in looks(target, known)}
            except CoordError as error:
                failures.update((run.id, error) for run in known)
        waiting = set(asked)
        while waiting:
            answered, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            answers = [(asked[each], each.result) for each in answered]
            failures.update(_recorded(project, ledger, answers))
            for run, answer in answers:
                if run.id not in failures:
                    seen(run, answer())
    return failures


def _recorded(
    project: Project, ledger: Ledger, answered: Sequence[tuple[Run, Callable[[], Look]]]
) -> dict[str, CoordError]:
    """Records the answers in one transaction (each waits for the disk); returns the errors by run id."""
    failures: dict[str, CoordError] = {}
    try:
        with ledger.transaction():
            for run, answer in answered:
                try:
                    record(ledger, run, answer(), project.settings.metrics)
                except CoordError as error:
                    failures[run.id] = error
    except LedgerError as error:
        return {run.id: error for run, _ in answered} | failures
    return failures
