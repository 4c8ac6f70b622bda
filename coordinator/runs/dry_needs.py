"""What stands in for the output of needed runs in a dry run: what was fetched of them, or else their own dry runs."""

from __future__ import annotations

from pathlib import Path

from coordinator.errors import ProjectError
from coordinator.ledger import Ledger, Run
from coordinator.project import Need, Project, TargetName, target_name
from coordinator.results import Results
from coordinator.target import RunState
from coordinator.text import command_line

_EXIT_CODE = "exit_code"


def note_end(root: Path, exit_code: int) -> None:
    """Records in a dry run's folder how it ended: what a run that failed, or was killed, left is no output."""
    (root / _EXIT_CODE).write_text(f"{exit_code}\n", encoding="utf-8", newline="\n")


def stand_in(project: Project, experiment: str, need: Need) -> tuple[Path, str]:
    """(folder, what it is) for a need of that experiment: the newest output that was fetched, or a dry run's.

    Raises ProjectError, with the commands that make one, if there is neither.
    """
    target = target_name(project, None)
    complete = _complete(project, need, target)
    for run in complete:
        folder = project.results(run.experiment, run.target, run.results_version)
        results = Results(folder)
        if results.run_id() == run.id and results.fetched():
            later = f"; v{complete[0].version} is not fetched" if run != complete[0] else ""
            return folder, f"{need.name} is {project.relative(folder)}, the output of {run.label}{later}"
    root = project.dry_run(need.experiment)
    code = (root / _EXIT_CODE).read_text(encoding="utf-8").strip() if (root / _EXIT_CODE).is_file() else None
    if code == "0":
        return root / "working", f"{need.name} is {project.relative(root / 'working')}, the output of its dry run"
    failed = f": its dry run ended with exit code {code}" if code else ""
    fetch = command_line("coord", "fetch-results", "--exp", need.experiment)
    dry = command_line("coord", "dry-run", "--exp", need.experiment)
    first = (
        f"Fetch it: {fetch}\nor make one here: {dry}"
        if complete
        else f"Make one here: {dry}\nor, after a run on {target}: {fetch}"
    )
    raise ProjectError(f"{experiment} needs {need} ({need.name}), and no output of it is here{failed}", hint=first)


def _complete(project: Project, need: Need, target: TargetName) -> list[Run]:
    """Its complete runs on that target, newest first; only the version that is asked for, if one is."""
    if not project.ledger.is_file():
        return []
    with Ledger(project.ledger) as ledger:
        runs = ledger.runs(experiment=need.experiment, target=target)
    return [
        run for run in runs if run.has_kernel and run.state is RunState.COMPLETE and need.version in (None, run.version)
    ]
