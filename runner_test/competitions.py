"""Competitions that take submissions, on disk: their rules, the solution, what was submitted and what it scored.

    <root>/competition-rules/<slug>/rules.json, solution.csv, parts.json   written once, at registration
    <root>/uploads/<token>/upload.json, content                            a file on its way in
    <root>/submissions/<number>/submission.json, file, result.json         result.json once it has been scored

The solution is a CSV file whose first column names the things that are scored; several rows may name the same one. A
column `Usage` says which part each belongs to (Public, Private or Ignored, as on Kaggle); without it the parts are
drawn by a hash of the names, so they are the same each time. The column is taken out before the scorer sees the file.
"""

import csv
import gzip
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runner_test import atomic, locks
from runner_test.errors import BadCompetition
from runner_test.layout import inherited, remove_tree
from runner_test.reference import check_name

DAILY_LIMIT = 5  # submissions a day, as most competitions have it
PUBLIC_SHARE = 0.3
LOST = "The process that scored this submission has died."
_LONGEST_VALUE = 2**26  # characters
_DAY = 24 * 3600.0


@dataclass(frozen=True)
class Rules:
    """How a competition scores, and what it takes."""

    scorer: str  # module:function
    project: str  # the folder that the scorer's module is imported from
    python: str  # the interpreter that runs it
    public_share: float = PUBLIC_SHARE
    daily_limit: int = DAILY_LIMIT
    kernels_only: bool = False  # a code competition: no files, and no kernels with the internet on


@dataclass(frozen=True)
class Entry:
    """One submission as it was sent in."""

    number: int
    competition: str
    user: str
    description: str
    file_name: str
    size: int  # bytes
    created: float  # seconds since 1970
    kernel: str  # owner/slug/version, or "" for a file


@dataclass(frozen=True)
class Result:
    """What has become of a submission."""

    status: str  # PENDING, COMPLETE or ERROR
    public: float | None = None
    private: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Upload:
    """A file that somebody has announced."""

    token: str
    user: str
    competition: str
    file_name: str
    size: int  # bytes
    expires: float  # seconds since 1970


# Registration


def register(root: Path, slug: str, data: Path, solution: Path, rules: Rules) -> None:
    """Let a competition take submissions. Raises BadName and BadCompetition; an earlier registration is replaced."""
    name = check_name(slug)
    where = f"competition {name}"
    if solution.resolve().is_relative_to(data.resolve()):
        raise BadCompetition(f"{where}: {solution} lies in the data, where every session could read it: move it out")
    if rules.daily_limit < 1 or not 0 < rules.public_share < 1:
        raise BadCompetition(f"{where}: the daily limit is at least 1, and the public share between 0 and 1")
    header, rows, usage = _read(solution, where)
    parts = _parts(list(dict.fromkeys(row[0] for row in rows)), usage, rules.public_share)
    if not all(parts.values()):
        raise BadCompetition(f"{where}: {solution} has too few rows for a public and a private part")
    _try(rules, where)
    folder = _rules(root, name)
    made = folder.with_name(f".{name}.{secrets.token_hex(4)}")
    made.mkdir(parents=True)
    try:
        atomic.write_json(made / "rules.json", asdict(rules))
        atomic.write_json(made / "parts.json", parts)
        with (made / "solution.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        if folder.exists():
            remove_tree(folder)
        made.rename(folder)
    finally:
        if made.exists():
            remove_tree(made)


def _read(path: Path, where: str) -> tuple[list[str], list[list[str]], Mapping[str, str]]:
    """The solution's header and rows without the column `Usage`, and that column by name."""
    csv.field_size_limit(_LONGEST_VALUE)
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig", newline="")
        ) as file:
            header, *rows = [row for row in csv.reader(file) if row] or [[]]
    except OSError as error:
        raise BadCompetition(f"{where}: {path} can't be read: {error.strerror or error}") from error
    except (csv.Error, UnicodeDecodeError, EOFError) as error:
        raise BadCompetition(f"{where}: {path} is no CSV file: {error}") from error
    if not rows or any(len(row) != len(header) for row in rows):
        raise BadCompetition(f"{where}: {path} needs a header, and rows that are as long as it")
    column = next((index for index, name in enumerate(header) if name.strip().lower() == "usage"), None)
    usage: dict[str, str] = {}
    if column is not None:
        usage = {row[0].strip(): row.pop(column).strip().lower() for row in rows}
        header.pop(column)
        if unknown := sorted(set(usage.values()) - {"public", "private", "ignored"}):
            raise BadCompetition(f"{where}: {path}: Usage is Public, Private or Ignored, not {unknown[0]!r}")
    return header, [[row[0].strip(), *row[1:]] for row in rows], usage


def _parts(ids: Sequence[str], usage: Mapping[str, str], public_share: float) -> dict[str, list[str]]:
    """The ids of the public and of the private part, in the solution's order."""
    if not usage:
        drawn = sorted(ids, key=lambda each: hashlib.sha256(each.encode("utf-8")).digest())
        public = set(drawn[: min(max(round(public_share * len(ids)), 1), len(ids) - 1)])
        usage = {each: "public" if each in public else "private" for each in ids}
    return {part: [each for each in ids if usage[each] == part] for part in ("public", "private")}


def _try(rules: Rules, where: str) -> None:
    """Raises BadCompetition where the scorer can't be had."""
    done = subprocess.run(
        [rules.python, "-m", "runner_test.scoring", "check", json.dumps(asdict(rules))],
        cwd=rules.project,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BadCompetition(f"{where}: the scorer {rules.scorer!r} can't be used: {lines[-1]}")


def rules_of(root: Path, slug: str) -> Rules | None:
    """The rules of a competition that takes submissions."""
    try:
        return Rules(**json.loads((_rules(root, slug) / "rules.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def solution_of(root: Path, slug: str) -> tuple[Path, Mapping[str, list[str]]]:
    """The solution, and the ids of each part of it."""
    folder = _rules(root, slug)
    parts: dict[str, list[str]] = json.loads((folder / "parts.json").read_text(encoding="utf-8"))
    return folder / "solution.csv", parts


# Uploads


def start_upload(root: Path, user: str, competition: str, file_name: str, size: int, *, lifetime: float) -> Upload:
    """Announce a file; its token is the leave to send it."""
    upload = Upload(secrets.token_hex(16), user, competition, file_name, size, time.time() + lifetime)
    folder = root / "uploads" / upload.token
    folder.mkdir(parents=True)
    atomic.write_json(folder / "upload.json", asdict(upload))
    return upload


def upload_of(root: Path, token: str) -> Upload | None:
    """The upload of a token, if it is not over."""
    if not token.isalnum():
        return None
    try:
        upload = Upload(**json.loads((root / "uploads" / token / "upload.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    return upload if time.time() < upload.expires else None


def end_upload(root: Path, token: str) -> None:
    """Forget an upload and its file."""
    remove_tree(root / "uploads" / token)


def upload_content(root: Path, token: str) -> Path:
    """Where the content of an upload lies once all of it has come."""
    return root / "uploads" / token / "content"


# Submissions


def submit(
    root: Path, rules: Rules, content: Path, *, competition: str, user: str, description: str, name: str, kernel: str
) -> Entry | None:
    """Take a file as a submission and start to score it; None where the day's limit is reached."""
    with locks.holding(root / "lock"):
        if allowed_today(root, rules, competition, user) < 1:
            return None
        folder = root / "submissions"
        folder.mkdir(exist_ok=True)
        # Numbers begin at 1 and are never used again: a submission is never deleted.
        number = max((int(each.name) for each in folder.iterdir() if each.name.isdecimal()), default=0) + 1
        entry = Entry(
            number=number,
            competition=competition,
            user=user,
            description=description,
            file_name=name,
            size=content.stat().st_size,
            created=time.time(),
            kernel=kernel,
        )
        made = folder / f".{number}.{secrets.token_hex(4)}"
        made.mkdir()
        try:
            shutil.copyfile(content, made / f"file{_suffix(name)}")
            atomic.write_json(made / "submission.json", asdict(entry))
            lock = locks.try_hold(made / "alive.lock")
            assert lock is not None
            try:
                made.rename(folder / str(number))
                _start(folder / str(number), rules, lock)
            finally:
                os.close(lock)
        finally:
            if made.exists():
                remove_tree(made)
    return entry


def _start(folder: Path, rules: Rules, lock: int) -> None:
    """Leave a process behind that holds `lock` (a descriptor) and scores what lies in the folder."""
    with (folder / "scoring.log").open("ab") as diary:
        subprocess.run(
            [rules.python, "-m", "runner_test.scoring", "score", str(folder), str(lock)],
            cwd=rules.project,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=diary,
            stderr=diary,
            pass_fds=[lock],
            start_new_session=True,
            check=False,  # what did not start has no result, and is reported as lost
        )


def _environment() -> dict[str, str]:
    return inherited() | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}


def entries(root: Path, competition: str, user: str) -> list[Entry]:
    """A user's submissions, the newest first."""
    folder = root / "submissions"
    if not folder.is_dir():
        return []
    numbers = sorted((int(each.name) for each in folder.iterdir() if each.name.isdecimal()), reverse=True)
    found = [entry_of(root, number) for number in numbers]
    return [entry for entry in found if entry and (entry.competition, entry.user) == (competition, user)]


def entry_of(root: Path, number: int) -> Entry | None:
    """The submission of that number."""
    try:
        fields: dict[str, Any] = json.loads(
            (root / "submissions" / str(number) / "submission.json").read_text(encoding="utf-8")
        )
    except FileNotFoundError:
        return None
    return Entry(**fields)


def submitted_file(root: Path, entry: Entry) -> Path:
    """What was submitted, with the ending that it came with: it tells a scorer how to read it."""
    return root / "submissions" / str(entry.number) / f"file{_suffix(entry.file_name)}"


def _suffix(name: str) -> str:
    suffix = Path(name).suffix
    return suffix if suffix[1:].isalnum() else ""


def result_of(root: Path, entry: Entry) -> Result:
    """What has become of it."""
    folder = root / "submissions" / str(entry.number)
    found = _stored(folder)
    if found is None and not locks.is_held(folder / "alive.lock"):
        # It may have ended, in good order, between the two looks.
        found = _stored(folder) or Result("ERROR", error=LOST)
    return found or Result("PENDING")


def _stored(folder: Path) -> Result | None:
    try:
        return Result(**json.loads((folder / "result.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def valid(root: Path, competition: str, user: str) -> list[Entry]:
    """The submissions that count: those that could not be scored don't."""
    return [entry for entry in entries(root, competition, user) if result_of(root, entry).status != "ERROR"]


def today(root: Path, competition: str, user: str) -> int:
    """How many of them are of today (UTC)."""
    midnight = time.time() // _DAY * _DAY
    return sum(entry.created >= midnight for entry in valid(root, competition, user))


def allowed_today(root: Path, rules: Rules, competition: str, user: str) -> int:
    """How many more the user may submit today."""
    return max(rules.daily_limit - today(root, competition, user), 0)


def _rules(root: Path, slug: str) -> Path:
    return root / "competition-rules" / slug
