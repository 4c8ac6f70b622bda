"""What a report would show and does not have here: results that were not fetched, or were deleted."""

from __future__ import annotations

from collections.abc import Sequence

from coordinator.ledger import Run
from coordinator.project import Project
from coordinator.runs import fetch
from coordinator.text import command_line

_SHOWN = 3


def lacks(project: Project, runs: Sequence[Run]) -> list[str]:
    """A sentence for each kind of gap, with the runs and the command that closes it."""
    ended = [run for run in runs if run.has_kernel and not run.state.is_active]
    never = [run for run in ended if not run.fetched_at]
    missing = {run.label: found for run in ended if (found := fetch.lacking(project, run))}
    gone = [label for label, found in missing.items() if found[0].endswith("/")]
    parts = [f"{label} ({', '.join(_few(found))})" for label, found in missing.items() if label not in gone]
    every = command_line("coord", "fetch-results", "--all")
    shows = "the page has no curves, worst cases and logs of them"
    sentences = [
        (f"not fetched: {{}}; {shows}", [run.label for run in never]),
        (f"the results were deleted here: {{}}; {shows}", gone),
        ("files of the results were deleted here: {}", parts),
    ]
    return [f"{text.format(', '.join(_few(names)))}. Fetch them: {every}" for text, names in sentences if names]


def _few(names: Sequence[str]) -> list[str]:
    return [*names[:_SHOWN], *([f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else [])]
