"""Submissions and their scores.

<root>/submissions/<number>/submission.json, file, result.json   result.json once it has been scored
"""

import json
import os
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner_test.state import files, locks
from runner_test.state.competitions import Rules, scorer_environment

LOST = "The process that scored this submission has died."
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


@dataclass(frozen=True)
class Result:
    """The result of a submission."""

    status: str  # PENDING, COMPLETE or ERROR
    public: float | None = None
    private: float | None = None
    error: str | None = None


def submit(root: Path, rules: Rules, content: Path, new: NewSubmission) -> Entry | None:
    """Accept the file `content` as a submission and start its scoring; None if the day's limit is reached."""
    with locks.writing(root):
        if allowed_today(root, rules, new.competition, new.user) < 1:
            return None
        submissions = root / "submissions"
        submissions.mkdir(exist_ok=True)
        # Numbers begin at 1 and are never used again: a submission is never deleted.
        number = max((int(each.name) for each in submissions.iterdir() if each.name.isdecimal()), default=0) + 1
        entry = Entry(**asdict(new), number=number, size=content.stat().st_size, created=time.time())
        folder = submissions / str(number)
        with files.unfinished_folder(folder) as made:
            shutil.copyfile(content, made / f"file{_suffix(new.file_name)}")
            files.write_json(made / "submission.json", asdict(entry))
            lock = locks.try_hold(made / "alive.lock")
            assert lock is not None
            try:
                made.rename(folder)
                _start(folder, rules, lock)
            finally:
                os.close(lock)
    return entry


def _start(folder: Path, rules: Rules, lock: int) -> None:
    """Start a detached process that holds `lock` (a descriptor) and scores the submission in `folder`."""
    with (folder / "scoring.log").open("ab") as diary:
        subprocess.run(
            [rules.python, "-m", "runner_test.sessions.scoring", "score", str(folder), str(lock)],
            cwd=rules.project,
            env=scorer_environment(),
            stdin=subprocess.DEVNULL,
            stdout=diary,
            stderr=diary,
            pass_fds=[lock],
            start_new_session=True,
            check=False,  # if it does not start, there is no result, and the submission is reported as lost
        )


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
    try:
        fields: dict[str, Any] = json.loads(
            (root / "submissions" / str(number) / "submission.json").read_text(encoding="utf-8")
        )
    except FileNotFoundError:
        return None
    return Entry(**fields)


def submitted_file(root: Path, entry: Entry) -> Path:
    """The path of the submitted file. It has the suffix of its original name, from which a scorer knows its format."""
    return root / "submissions" / str(entry.number) / f"file{_suffix(entry.file_name)}"


def _suffix(name: str) -> str:
    suffix = Path(name).suffix
    return suffix if suffix[1:].isalnum() else ""


def result_of(root: Path, entry: Entry) -> Result:
    """The current result of a submission."""
    folder = root / "submissions" / str(entry.number)
    found = _stored(folder)
    if found is None and not locks.is_held(folder / "alive.lock"):
        # The scoring may have ended since the result was looked for.
        found = _stored(folder) or Result("ERROR", error=LOST)
    return found or Result("PENDING")


def _stored(folder: Path) -> Result | None:
    try:
        return Result(**json.loads((folder / "result.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def valid(root: Path, competition: str, user: str) -> list[Entry]:
    """A user's submissions to a competition without those that could not be scored."""
    return [entry for entry in entries(root, competition, user) if result_of(root, entry).status != "ERROR"]


def today(root: Path, competition: str, user: str) -> int:
    """How many of these were submitted today (UTC)."""
    midnight = time.time() // _DAY * _DAY
    return sum(entry.created >= midnight for entry in valid(root, competition, user))


def allowed_today(root: Path, rules: Rules, competition: str, user: str) -> int:
    """How many more submissions the user may make today."""
    return max(rules.daily_limit - today(root, competition, user), 0)
