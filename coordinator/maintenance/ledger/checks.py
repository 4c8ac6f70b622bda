"""Puts the checks of the ledger in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from coordinator.ledger import damage, salvage_ledger
from coordinator.maintenance.ledger import of_results, of_runs, of_targets
from coordinator.maintenance.ledger.problem import NotAsked as NotAsked, Problem as Problem
from coordinator.target import Target
from coordinator.workspace import Workspace


def check_file(file: Path) -> Problem | None:
    """The problem of a damaged ledger file, which must be repaired before the ledger can be opened and `check`ed."""
    found = damage(file)
    if not found:
        return None
    return Problem(
        f"{file.name} is damaged: {found[0]}" + (f" (and {len(found) - 1} more)" if len(found) > 1 else ""),
        f"move it to {file.name}.damaged-N, make a new one, and copy what can still be read",
        partial(salvage_ledger, file),
    )


def check(workspace: Workspace, targets: Iterable[Target]) -> Iterator[Problem | NotAsked]:
    """Yields all problems; a caller that repairs one does so before it asks for the next.

    Results come before targets, because they have more of a run: its overrides, when it was pushed, how it ended.
    """
    yield from of_runs.check(workspace)
    yield from of_results.check(workspace)
    asked = set()
    for target in targets:
        asked.add(target.name)
        for found in of_targets.check(workspace.at(target)):
            if isinstance(found, NotAsked):
                asked.discard(target.name)
            yield found
    yield from of_runs.check_rows_left(workspace.ledger, asked)
    yield from of_runs.check_links(workspace)
