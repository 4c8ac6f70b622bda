"""Competitions that take submissions: their rules, and the solution with its two parts.

    <root>/competition-rules/<slug>/rules.json, solution.csv, parts.json   written once, at registration

The solution is a CSV file whose first column names the things that are scored; several rows may name the same one. A
column `Usage` says which part each belongs to (Public, Private or Ignored, as on Kaggle); without it the parts are
drawn by a hash of the names, so they are the same each time. The column is taken out before the scorer sees the file.
"""

import csv
import gzip
import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from runner_test.environment import inherited
from runner_test.errors import BadCompetition
from runner_test.state import files, locks
from runner_test.state.reference import check_name

DAILY_LIMIT = 5  # submissions a day, as most competitions have it
PUBLIC_SHARE = 0.3
_LONGEST_VALUE = 2**26  # characters


@dataclass(frozen=True)
class Rules:
    """How a competition scores, and what it takes."""

    scorer: str  # module:function
    project: str  # the folder that the scorer's module is imported from
    python: str  # the interpreter that runs it
    public_share: float = PUBLIC_SHARE
    daily_limit: int = DAILY_LIMIT
    kernels_only: bool = False  # a code competition: no files, and no kernels with the internet on


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
    with files.unfinished_folder(folder) as made:
        files.write_json(made / "rules.json", asdict(rules))
        files.write_json(made / "parts.json", parts)
        with (made / "solution.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        with locks.writing(root):
            if folder.exists():
                files.remove_tree(folder)
            made.rename(folder)


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
        [rules.python, "-m", "runner_test.sessions.scoring", "check", json.dumps(asdict(rules))],
        cwd=rules.project,
        env=scorer_environment(),
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


def scorer_environment() -> dict[str, str]:
    """The variables of a process that loads a scorer: those of a session, and the way to this package."""
    return inherited() | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def _rules(root: Path, slug: str) -> Path:
    return root / "competition-rules" / slug
