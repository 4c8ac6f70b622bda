"""What the host of a competition can do: see of a rerun what its participant can't, and rehearse one."""

import json
from dataclasses import dataclass
from pathlib import Path

from runner_test.sessions.log import Record, lines_from
from runner_test.state import (
    Entry,
    NewSubmission,
    Reference,
    RerunEnd,
    Result,
    VersionPaths,
    competitions,
    read_version,
    reruns,
    sources,
    submissions,
    version_paths,
)


@dataclass(frozen=True)
class RerunReport:
    """A rerun so far."""

    entry: Entry
    result: Result
    end: RerunEnd | None
    """None while it runs, and if its process has died."""
    log: list[Record]
    gateway_log: list[Record]
    """Empty without a gateway."""
    only_visible: list[str]
    """Files that the log names and that only the visible data have."""
    limit: float
    """Seconds that it may take."""
    file: Path | None
    """The file that is scored, if it left one."""


def rerun_report(root: Path, number: int) -> RerunReport | None:
    """The rerun of a submission, or None if it has none."""
    return _report(root, submissions.submission_folder(root, number))


def start_rehearsal(root: Path, kernel: str, competition: str, file_name: str) -> None:
    """Start a rerun of a complete version (owner/slug/number) that is no submission, in place of its kernel's last one.

    Raises BadName, MissingFolder if a source is gone, and StartFailed while the last one runs.
    """
    name, _, number = kernel.rpartition("/")
    reference = Reference.parse(name)
    saved = version_paths(root, reference, int(number))
    new = NewSubmission(competition, reference.owner, "", file_name, kernel)
    submissions.rehearse(root, read_version(saved), saved, new)


def end_rehearsal(root: Path, kernel: str) -> None:
    """Remove a kernel's rehearsal (owner/slug); if it runs, its sessions end."""
    submissions.remove_rehearsal(root, Reference.parse(kernel))


def rehearsal_report(root: Path, kernel: str) -> RerunReport | None:
    """The last rehearsal of a kernel (owner/slug), or None if it had none. Raises BadName."""
    return _report(root, submissions.rehearsal_folder(root, Reference.parse(kernel)))


def _report(root: Path, folder: Path) -> RerunReport | None:
    entry = submissions.entry_in(folder)
    if entry is None or not entry.rerun:
        return None
    paths = reruns.rerun_paths(folder)
    log = _records(paths.kernel)
    rules = competitions.rules_of_reruns(root, entry.competition)
    visible = sources.competition(root, entry.competition)
    named = []
    if rules and visible and rules.reruns and not rules.gateway:
        named = reruns.only_visible("".join(each.data for each in log), visible, Path(rules.hidden))
    file = submissions.file_in(folder, entry)
    return RerunReport(
        entry,
        submissions.result_in(folder, entry),
        reruns.read_end(paths),
        log,
        _records(paths.gateway),
        named,
        limit=(rules.time_limit if rules else 0) or read_version(paths.kernel).timeout,
        file=file if file.is_file() else None,
    )


def newest_rerun(root: Path, competition: str) -> int | None:
    """The number of the newest submission to a competition that has a rerun, or None."""
    folder = root / "submissions"
    names = [each.name for each in folder.iterdir() if each.name.isdecimal()] if folder.is_dir() else []
    for number in sorted(map(int, names), reverse=True):
        entry = submissions.entry_of(root, number)
        if entry is not None and entry.rerun and entry.competition == competition:
            return number
    return None


def _records(paths: VersionPaths) -> list[Record]:
    lines, _ = lines_from(paths.log, 0)
    return [Record(**json.loads(line)) for line in lines]
