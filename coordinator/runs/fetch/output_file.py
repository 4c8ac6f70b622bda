"""One file of a run's output: on this machine, and as the run left it."""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path

from coordinator.errors import SubmissionError, UsageError, did_you_mean
from coordinator.ledger import Run
from coordinator.names import confined, local_name
from coordinator.results import Results
from coordinator.runs.fetch.fetch import Choice, again, fetch_run
from coordinator.workspace import Workspace


def ensure_local(workspace: Workspace, run: Run, name: str) -> tuple[Run, Path]:
    """The run and its file, which is fetched if it is not here: with the figures, but without weights and pictures.

    Raises UsageError for a name that no output file can have, SubmissionError if the run left no such file, or it was
    changed here.
    """
    try:
        path = local_name(confined(name))
    except ValueError as error:
        raise UsageError(f"--file {name}: name one of the run's output files ({error})") from None
    results = Results(workspace.project.results(run.experiment, run.target, run.results_version))
    if results.run_id() != run.id or not (run.fetched_at or path in results.fetched()):
        workspace.say(f"fetching {path} of {run.label}")
        wanted = Choice(only=(glob.escape(str(path)), "metrics.json*", "*.csv"))
        run = fetch_run(workspace, run, force=False, choice=wanted).run
    kept = results.fetched().get(path)
    if kept is None:
        if (ended := status_of(run)) != "complete":
            raise SubmissionError(
                f"{run.label} left no {name}: it reports that it is {ended}",
                hint=f"Go on with it: coord continue --exp {run.experiment}",
            )
        others = [str(each) for each in results.fetched() if each.suffix.lower() == ".csv"]
        has = f"It left {', '.join(others)}." if others else "It left no CSV file at all."
        raise SubmissionError(f"{run.label} left no {name}" + did_you_mean(name, others), hint=has)
    file = results.directory / path
    if not file.is_file() or sha256(file) != kept.sha256:
        raise SubmissionError(
            f"{workspace.project.relative(file)} is not as the run left it",
            hint=f"Bring it again: {again(run)} --only {name} --force",
        )
    return run, file


def status_of(run: Run) -> str:
    """The status that an ended run reports: "incomplete" where its time was over, though its session ended well."""
    return run.reported.status or "complete"


def sha256(file: Path) -> str:
    """The digest of the file's contents, in hexadecimal digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
