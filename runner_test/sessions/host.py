"""What the host of a competition can see of a rerun, and its participant can't."""

import json
from dataclasses import dataclass
from pathlib import Path

from runner_test.sessions.log import Record, lines_from
from runner_test.state import (
    Entry,
    RerunEnd,
    Result,
    VersionPaths,
    competitions,
    reruns,
    sources,
    submissions,
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


def rerun_report(root: Path, number: int) -> RerunReport | None:
    """The rerun of a submission, or None if it has none."""
    entry = submissions.entry_of(root, number)
    if entry is None or not entry.rerun:
        return None
    paths = reruns.rerun_paths(submissions.submission_folder(root, number))
    log = _records(paths.kernel)
    rules, visible = competitions.rules_of(root, entry.competition), sources.competition(root, entry.competition)
    named = []
    if rules and visible and rules.reruns and not rules.gateway:
        named = reruns.only_visible("".join(each.data for each in log), visible, Path(rules.hidden))
    result = submissions.result_of(root, entry)
    return RerunReport(entry, result, reruns.read_end(paths), log, _records(paths.gateway), named)


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
