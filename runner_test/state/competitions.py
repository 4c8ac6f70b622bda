"""Competitions that accept submissions: their rules, and the solution with its public and private part.

    <root>/competition-rules/<slug>/rules.json, solution.csv, parts.json   written once, at registration

A code competition may have hidden data: a submission then runs the kernel again with them (sessions/rerun.py).

The solution is a CSV file whose first column has the ids that are scored; several rows may have the same id. A column
`Usage` assigns each id to a part (Public, Private or Ignored, as on Kaggle); without it, ids are assigned by their
hash, so the parts are the same each time. The column is removed before the scorer gets the file.
"""

import csv
import gzip
import hashlib
import json
import math
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from runner_test.environment import inherited
from runner_test.errors import BadCompetition
from runner_test.state import files, locks
from runner_test.state.reference import check_name

DAILY_LIMIT = 5  # submissions a day, as most competitions have it
PUBLIC_SHARE = 0.3
_LONGEST_VALUE = 2**26  # characters


@dataclass(frozen=True)
class Rules:
    """How a competition scores submissions, and which it accepts."""

    scorer: str  # module:function
    project: str  # the folder that the scorer's module is imported from
    python: str  # the interpreter that runs the scorer
    public_share: float = PUBLIC_SHARE
    daily_limit: int = DAILY_LIMIT
    kernels_only: bool = False  # a code competition: accepts only kernels with the internet off
    mode: Literal["max", "min"] = "max"  # whether the higher or the lower score is the better one
    # Fields of competitions whose submissions are run again.
    hidden: str = ""  # the folder that takes the place of the competition's data in a rerun
    gateway: str = ""  # the program that sends the hidden data to the kernel's inference server, and has its answers
    time_limit: float = 0.0  # seconds that a rerun may take; 0: as long as the version's session

    @property
    def reruns(self) -> bool:
        """Whether a submission runs its kernel again, with hidden data."""
        return bool(self.hidden)


def register(root: Path, slug: str, data: Path, solution: Path | None, rules: Rules) -> None:
    """Make a competition accept submissions, in place of an earlier registration. Raises BadName and BadCompetition.

    Without a solution, and with rules that name no scorer, it accepts none: its hidden data are for rehearsals.
    """
    name = check_name(slug)
    where = f"competition {name}"
    rules = _with_own_gateway(where, data, rules)
    _check_places(where, data, solution, rules)
    if rules.daily_limit < 1 or not 0 < rules.public_share < 1:
        raise BadCompetition(f"{where}: the daily limit must be at least 1, and the public share between 0 and 1")
    if not 0 <= rules.time_limit < math.inf:
        raise BadCompetition(f"{where}: the time limit must be 0 seconds or more, is {rules.time_limit:g}")
    solved = None if solution is None else _solved(where, solution, rules)
    folder = _rules(root, name)
    with files.unfinished_folder(folder) as made:
        files.write_json(made / "rules.json", asdict(rules))
        if solved is not None:
            files.write_json(made / "parts.json", solved.parts)
            with (made / "solution.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(solved.rows)
        with locks.writing(root):
            if folder.exists():
                files.remove_tree(folder)
            made.rename(folder)


@dataclass(frozen=True)
class _Solved:
    """A solution whose scorer was tried."""

    rows: list[list[str]]
    """With the header."""
    parts: dict[str, list[str]]


def _solved(where: str, solution: Path, rules: Rules) -> _Solved:
    header, rows, usage = _read(solution, where)
    parts = _parts(list(dict.fromkeys(row[0] for row in rows)), usage, rules.public_share)
    if not all(parts.values()):
        raise BadCompetition(f"{where}: {solution} has too few rows for a public and a private part")
    _try(rules, where)
    return _Solved([header, *rows], parts)


def unregister(root: Path, slug: str) -> None:
    """Let a competition accept no submissions any more. Raises BadName."""
    folder = _rules(root, check_name(slug))
    if folder.exists():
        with locks.writing(root):
            files.remove_tree(folder)


def _check_places(where: str, data: Path, solution: Path | None, rules: Rules) -> None:
    """Raise BadCompetition where a session could read what only the host may see, or the hidden data are of no use."""
    hidden, gateway = Path(rules.hidden), Path(rules.gateway)
    if solution is not None and _is_in(solution, data):
        raise BadCompetition(f"{where}: {solution} is in the data folder, which sessions can read: move it elsewhere")
    if not rules.reruns:
        if rules.gateway or rules.time_limit:
            given = "a gateway" if rules.gateway else "a time limit"
            raise BadCompetition(f"{where}: {given} is for reruns with hidden data: name their folder, too")
        return
    if not rules.kernels_only:
        raise BadCompetition(f"{where}: only a code competition runs submissions again with hidden data")
    if not hidden.is_dir():
        raise BadCompetition(f"{where}: there is no folder {hidden} with hidden data")
    if _is_in(hidden, data) or _is_in(data, hidden):
        raise BadCompetition(
            f"{where}: the hidden data in {hidden} and the data in {data} must be two folders, neither in the other: "
            "sessions can read the data"
        )
    if solution is not None and _is_in(solution, hidden):
        raise BadCompetition(f"{where}: {solution} is in the hidden folder, which reruns can read: move it elsewhere")
    if rules.gateway and not gateway.is_file():
        raise BadCompetition(f"{where}: there is no gateway program {gateway}")


def _with_own_gateway(where: str, data: Path, rules: Rules) -> Rules:
    """The rules with the hidden data's copy of the gateway where they name that of the data.

    Kits find their data beside their own files: that of the visible data would send those. Raises BadCompetition.
    """
    if not (rules.gateway and rules.hidden and _is_in(Path(rules.gateway), data)):
        return rules
    name = Path(rules.gateway).resolve().relative_to(data.resolve())
    own = Path(rules.hidden) / name
    if not own.is_file():
        raise BadCompetition(f"{where}: the hidden folder has no {name}: copy the kit into it, as Kaggle does")
    return replace(rules, gateway=str(own))


def _is_in(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _read(path: Path, where: str) -> tuple[list[str], list[list[str]], Mapping[str, str]]:
    """The solution's header and rows without the column `Usage`, and that column by name."""
    csv.field_size_limit(_LONGEST_VALUE)
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")
            if path.suffix.lower() == ".gz"
            else path.open(encoding="utf-8-sig", newline="")
        ) as file:
            header, *rows = [row for row in csv.reader(file) if row] or [[]]
    except OSError as error:
        raise BadCompetition(f"{where}: {path} can't be read: {error.strerror or error}") from error
    except (csv.Error, UnicodeDecodeError, EOFError) as error:
        raise BadCompetition(f"{where}: {path} is not a CSV file: {error}") from error
    if not rows or any(len(row) != len(header) for row in rows):
        raise BadCompetition(f"{where}: {path} needs a header, and rows of the same length")
    column = next((index for index, name in enumerate(header) if name.strip().lower() == "usage"), None)
    usage: dict[str, str] = {}
    if column is not None:
        usage = {row[0].strip(): row.pop(column).strip().lower() for row in rows}
        header.pop(column)
        if unknown := sorted(set(usage.values()) - {"public", "private", "ignored"}):
            raise BadCompetition(f"{where}: {path}: Usage must be Public, Private or Ignored, not {unknown[0]!r}")
    return header, [[row[0].strip(), *row[1:]] for row in rows], usage


def _parts(ids: Sequence[str], usage: Mapping[str, str], public_share: float) -> dict[str, list[str]]:
    """The ids of the public and the private part, in the solution's order."""
    if not usage:
        drawn = sorted(ids, key=lambda each: hashlib.sha256(each.encode("utf-8")).digest())
        public = set(drawn[: min(max(round(public_share * len(ids)), 1), len(ids) - 1)])
        usage = {each: "public" if each in public else "private" for each in ids}
    return {part: [each for each in ids if usage[each] == part] for part in ("public", "private")}


def _try(rules: Rules, where: str) -> None:
    """Raise BadCompetition if the scorer can't be loaded."""
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
        raise BadCompetition(f"{where}: the scorer {rules.scorer!r} can't be loaded: {lines[-1]}")


def rules_of(root: Path, slug: str) -> Rules | None:
    """The rules of a competition, or None if it accepts no submissions."""
    rules = rules_of_reruns(root, slug)
    return rules if rules is not None and rules.scorer else None


def rules_of_reruns(root: Path, slug: str) -> Rules | None:
    """The rules of a competition, which accepts no submissions if they name no scorer; None if it has none."""
    try:
        return Rules(**json.loads((_rules(root, slug) / "rules.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def solution_of(root: Path, slug: str) -> tuple[Path, Mapping[str, list[str]]]:
    """The path of the solution, and the ids of its parts "public" and "private"."""
    folder = _rules(root, slug)
    parts: dict[str, list[str]] = json.loads((folder / "parts.json").read_text(encoding="utf-8"))
    return folder / "solution.csv", parts


def scorer_environment() -> dict[str, str]:
    """The variables of a process that loads a scorer: those that a session inherits, and the path of this package."""
    return inherited() | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def _rules(root: Path, slug: str) -> Path:
    return root / "competition-rules" / slug
