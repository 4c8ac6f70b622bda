"""The metrics of a fetched run: read from its output and its log as the project's settings say, and recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from coordinator.errors import RunNotFound, TargetError
from coordinator.ledger import Run
from coordinator.results import LOG_TEXT, Results, Summary, folder_of, read_results, table_faults, too_large
from coordinator.runs.fetch.fetched import Fetched
from coordinator.target import RunState
from coordinator.workspace import Workspace


def with_metrics(workspace: Workspace, run: Run, directory: Path, lines: Sequence[str]) -> tuple[Run, list[str]]:
    """(the run with its summary, also in the ledger; what the user should know about its metrics).

    `lines` is its log. Raises TargetError if the output is another run's.
    """
    settings = workspace.project.settings.metrics
    summary, remarks = read_results(directory, lines, settings, is_complete=run.state is RunState.COMPLETE)
    if summary is not None:
        check_origin(run, summary)
        remarks += _other_script(run, summary)
        run = workspace.ledger.update(run.id, summary=summary)
    return run, [*remarks, *too_large(directory), *table_faults(workspace.project, directory)]


def no_metrics(run: Run) -> list[str]:
    """The warning about a run all of whose output is here, and has no metrics."""
    return [] if run.summary else [f"{run.label} left no metrics that coord reads; docs/metrics.md says what those are"]


def reread(workspace: Workspace, run: Run) -> Fetched:
    """Reads the metrics of a run again from the results that are here, for example after the settings changed.

    Raises RunNotFound if they are not here.
    """
    directory = folder_of(workspace.project.results(run.experiment, run.target, run.results_version), run.id)
    if directory is None:
        raise RunNotFound(
            f"the results of {run.label} are not here",
            hint=f"coord fetch-results --exp {run.experiment} --target {run.target} --version {run.version}",
        )
    log = directory / LOG_TEXT
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    run, remarks = with_metrics(workspace, run, directory, lines)
    remarks += [] if remarks else no_metrics(run)
    return Fetched(run, directory, Results(directory).names(), 0, 0, tuple(remarks))


def check_origin(run: Run, summary: Summary) -> None:
    """Raises TargetError if the summary names another run: a result must never be attributed to another version."""
    if summary.run_id and summary.run_id != run.id:
        raise TargetError(
            f"the metrics.json of {run.label} says that it comes from run {summary.run_id}, not from {run.id}",
            hint="Nothing was recorded. Was this kernel pushed by something else, or its id taken over?",
        )


def _other_script(run: Run, summary: Summary) -> Iterator[str]:
    if summary.digest and summary.digest != run.digest:
        yield f"the script that ran ({summary.digest}) is not the one that was pushed ({run.digest})"
