"""Submissions and their scores.

<root>/submissions/<number>/submission.json, file, result.json   result.json once it has been scored

In a code competition with hidden data, the file is that of a rerun (reruns.py), and exists once that has ended. A
rehearsal, `<root>/rehearsals/<owner>.<slug>/`, has the same files, but is no submission.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner_test.errors import StartFailed
from runner_test.state import files, locks
from runner_test.state.competitions import Rules, scorer_environment
from runner_test.state.detached import start_detached
from runner_test.state.paths import VersionPaths
from runner_test.state.reference import Reference
from runner_test.state.reruns import Failure, prepare, start_rerun
from runner_test.state.version import Version

LOST = "The process that scored this submission has died."
LOST_RERUN = f"{Failure.KAGGLE.value}: the process that ran this submission again has died; submit it again"
_DAY = 24 * 3600.0


@dataclass(frozen=True)
class NewSubmission:
    """What a user submits: a file, or an output file of a kernel's version."""

    competition: str
    user: str
    description: str
    file_name: str
    kernel: str  # owner/slug/version, or "" for a file


@dataclass(frozen=True)
class Entry(NewSubmission):
    """An accepted submission."""

    number: int
    size: int  # bytes
    created: float  # seconds since 1970
    rerun: bool = False  # whether the file is that of a rerun: nobody but the host of the competition may read it


@dataclass(frozen=True)
class Result:
    """The result of a submission."""

    status: str  # PENDING, COMPLETE or ERROR
    public: float | None = None
    private: float | None = None
    error: str | None = None
    detail: str | None = None  # of a rerun's error: what the host may know, and the participant not
    counted: bool = False  # whether an error counts against the day's limit


def failed(failure: Failure, detail: str | None) -> Result:
    """The result of a rerun that failed."""
    return Result("ERROR", error=failure.message, detail=detail, counted=failure.counted)


def submit(root: Path, rules: Rules, content: Path, new: NewSubmission) -> Entry | None:
    """Accept the file `content` as a submission and start its scoring; None if the day's limit is reached."""

    def fill(made: Path, number: int) -> Entry:
        shutil.copyfile(content, made / f"file{_suffix(new.file_name)}")
        return Entry(**asdict(new), number=number, size=content.stat().st_size, created=time.time())

    return _accept(root, rules, new, fill, lambda folder, lock: start_scoring(folder, rules, lock))


def submit_again(root: Path, rules: Rules, version: Version, saved: VersionPaths, new: NewSubmission) -> Entry | None:
    """Accept a version as a submission and start its rerun, whose file is scored; None if the day's limit is reached.

    Raises MissingFolder and BadName if its sources are no longer there.
    """

    def fill(made: Path, number: int) -> Entry:
        prepare(made, root, version, saved)
        return Entry(**asdict(new), number=number, size=0, created=time.time(), rerun=True)

    return _accept(root, rules, new, fill, start_rerun)


def rehearse(root: Path, version: Version, saved: VersionPaths, new: NewSubmission) -> Path:
    """Start a rerun of a version that is no submission, in place of its kernel's last one; returns its folder.

    It counts against no limit, and is listed nowhere. Raises MissingFolder and BadName if its sources are no longer
    there, StartFailed while the last one of its kernel runs.
    """
    folder = rehearsal_folder(root, version.reference)
    with locks.writing(root):
        if folder.exists():
            if locks.is_held(folder / "alive.lock"):
                raise StartFailed(f"{version.reference} is being rehearsed already: wait for that")
            remove_rehearsal(root, version.reference)
        folder.parent.mkdir(exist_ok=True)
        with files.unfinished_folder(folder) as made:
            prepare(made, root, version, saved)
            entry = Entry(**asdict(new), number=0, size=0, created=time.time(), rerun=True)
            _hand_over(made, folder, entry, start_rerun)
    return folder


def remove_rehearsal(root: Path, kernel: Reference) -> None:
    """Remove the last rehearsal of a kernel, which ends if it runs."""
    folder, trash = rehearsal_folder(root, kernel), root / "trash" / os.urandom(8).hex()
    trash.parent.mkdir(exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        folder.rename(trash)
        files.remove_tree(trash)


def rehearsal_folder(root: Path, kernel: Reference) -> Path:
    """The folder of the last rehearsal of a kernel, whether there was one or not."""
    return root / "rehearsals" / f"{kernel.owner}.{kernel.slug}"


def _accept(
    root: Path,
    rules: Rules,
    new: NewSubmission,
    fill: Callable[[Path, int], Entry],
    start: Callable[[Path, int], None],
) -> Entry | None:
    """Make a submission's folder with `fill`, and hand it to `start` with the descriptor of its held lock."""
    with locks.writing(root):
        if allowed_today(root, rules, new.competition, new.user) < 1:
            return None
        submissions = root / "submissions"
        submissions.mkdir(exist_ok=True)
        # Numbers begin at 1 and are never used again: a submission is never deleted.
        number = max((int(each.name) for each in submissions.iterdir() if each.name.isdecimal()), default=0) + 1
        folder = submissions / str(number)
        with files.unfinished_folder(folder) as made:
            entry = fill(made, number)
            _hand_over(made, folder, entry, start)
    return entry


def _hand_over(made: Path, folder: Path, entry: Entry, start: Callable[[Path, int], None]) -> None:
    """Put a submission's folder into its place, and hand it to `start` with the descriptor of its held lock."""
    files.write_json(made / "submission.json", asdict(entry))
    lock = locks.try_hold(made / "alive.lock")
    assert lock is not None
    try:
        made.rename(folder)
        start(folder, lock)
    finally:
        os.close(lock)


def start_scoring(folder: Path, rules: Rules, lock: int) -> None:
    """Start a detached process that holds `lock` (a descriptor) and scores the submission in `folder`."""
    command = [rules.python, "-m", "runner_test.sessions.scoring", "score", str(folder)]
    # If it does not start, there is no result, and the submission is reported as lost.
    start_detached(command, rules.project, scorer_environment(), diary=folder / "scoring.log", lock=lock)


def entries(root: Path, competition: str | None = None, user: str | None = None) -> list[Entry]:
    """The submissions to a competition by a user, newest first; None is any competition, any user."""
    folder = root / "submissions"
    if not folder.is_dir():
        return []
    numbers = sorted((int(each.name) for each in folder.iterdir() if each.name.isdecimal()), reverse=True)
    found = [entry_of(root, number) for number in numbers]
    return [
        entry for entry in found if entry and competition in (None, entry.competition) and user in (None, entry.user)
    ]


def entry_of(root: Path, number: int) -> Entry | None:
    """The submission with that number, or None if there is none."""
    return entry_in(submission_folder(root, number))


def entry_in(folder: Path) -> Entry | None:
    """The submission in a folder, or None if there is none."""
    try:
        fields: dict[str, Any] = json.loads((folder / "submission.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Entry(**fields)


def submission_folder(root: Path, number: int) -> Path:
    """The folder of a submission, whether it exists or not."""
    return root / "submissions" / str(number)


def submitted_file(root: Path, entry: Entry) -> Path:
    """The path of the submitted file. It has the suffix of its original name, from which a scorer knows its format."""
    return file_in(submission_folder(root, entry.number), entry)


def file_in(folder: Path, entry: Entry) -> Path:
    """The path of the file that was submitted, of the submission in that folder."""
    if entry.rerun:  # its gateway may have chosen another format than the submitted version
        return next(folder.glob("file.*"), folder / "file")
    return folder / f"file{_suffix(entry.file_name)}"


def keep_file(submission: Path, file: Path) -> None:
    """Make a rerun's output file the file of the submission in that folder."""
    with files.replacing(submission / f"file{_suffix(file.name)}") as new:
        shutil.copyfile(file, new)


def _suffix(name: str) -> str:
    suffix = Path(name).suffix
    return suffix if suffix[1:].isalnum() else ""


def result_of(root: Path, entry: Entry) -> Result:
    """The current result of a submission."""
    return result_in(submission_folder(root, entry.number), entry)


def result_in(folder: Path, entry: Entry) -> Result:
    """The current result of the submission in a folder."""
    found = _stored(folder)
    if found is None and not locks.is_held(folder / "alive.lock"):
        # The scoring may have ended since the result was looked for.
        found = _stored(folder) or Result("ERROR", error=LOST_RERUN if entry.rerun else LOST)
    return found or Result("PENDING")


def _stored(folder: Path) -> Result | None:
    try:
        return Result(**json.loads((folder / "result.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def valid(root: Path, competition: str, user: str) -> list[Entry]:
    """A user's submissions to a competition without those that could not be scored.

    Failed reruns stay, as on Kaggle: else they would tell about the hidden data for nothing.
    """
    found = ((entry, result_of(root, entry)) for entry in entries(root, competition, user))
    return [entry for entry, result in found if result.status != "ERROR" or result.counted]


def today(root: Path, competition: str, user: str) -> int:
    """How many of these were submitted today (UTC)."""
    midnight = time.time() // _DAY * _DAY
    return sum(entry.created >= midnight for entry in valid(root, competition, user))


def allowed_today(root: Path, rules: Rules, competition: str, user: str) -> int:
    """How many more submissions the user may make today."""
    return max(rules.daily_limit - today(root, competition, user), 0)
