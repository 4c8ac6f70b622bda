"""The verb ledger check, as a whole: the file, the runs, results/ and the targets; repairs what can be repaired."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from coordinator.errors import CoordError
from coordinator.ledger import Ledger
from coordinator.maintenance.ledger.checks import check, check_file
from coordinator.maintenance.ledger.problem import NotAsked, Problem
from coordinator.progress import Count, Progress, show_nothing
from coordinator.project import Project, target_name
from coordinator.target import LOCAL, Target, open_target
from coordinator.workspace import Workspace


@dataclass(frozen=True)
class CheckedLedger:
    """What was found, and what was repaired of it."""

    runs: int | None
    """How many runs the ledger has; None if its file is too damaged to be opened."""
    left: tuple[Problem, ...]
    repaired: tuple[Problem, ...]
    not_asked: tuple[NotAsked, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "runs": self.runs,
            "problems": [problem.to_json() for problem in self.left],
            "repaired": [problem.to_json() for problem in self.repaired],
            "not_asked": [each.to_json() for each in self.not_asked],
        }


def check_ledger(
    project: Project,
    target: str | None,
    *,
    repair: bool,
    offline: bool,
    show: Callable[[Problem, bool], None],
    progress: Progress = show_nothing,
) -> CheckedLedger:
    """Looks for problems, and with `repair` repairs each that can be before it looks for the next one.

    Without a `target`, all targets that have runs are asked, and the one that the project uses; with `offline` none is.
    `show` is called with each problem as it is found, and whether it was repaired. It takes a project, not a workspace:
    the ledger may be too damaged to be opened.
    """
    left, repaired, not_asked = list[Problem](), list[Problem](), list[NotAsked]()

    def found(problem: Problem) -> None:
        if repair and problem.repair is not None:
            problem.repair()
            repaired.append(problem)
            show(problem, True)
        else:
            left.append(problem)
            show(problem, False)

    with progress(Count("checking the ledger's file")):
        damaged = check_file(project.ledger)
        if damaged is not None:
            found(damaged)
    count = None
    if damaged is None or repair:
        with Ledger(project.ledger) as ledger, contextlib.ExitStack() as stack:
            here = Workspace(project, ledger, progress=progress)
            opened = [] if offline else _targets(here, target, stack, not_asked)
            for each in check(here, opened):
                if isinstance(each, Problem):
                    found(each)
                else:
                    not_asked.append(each)
            count = len(ledger.readable())
    return CheckedLedger(count, tuple(left), tuple(repaired), tuple(not_asked))


def _targets(
    workspace: Workspace, option: str | None, stack: contextlib.ExitStack, not_asked: list[NotAsked]
) -> list[Target]:
    """Those that have runs and the one that is set, without those that cannot be opened."""
    project = workspace.project
    names = {target_name(project, option)}
    if option is None:
        names |= {run.target for run in workspace.ledger.readable()}
    opened = []
    for name in sorted(names):
        if name == LOCAL and not project.local_kaggle.is_dir():
            continue  # nothing was ever pushed there
        try:
            opened.append(stack.enter_context(open_target(project, name)))
        except CoordError as error:
            hint = error.hint or "Without it: --offline"
            not_asked.append(NotAsked(f"{name} could not be asked: {error.what}", hint))
    return opened
