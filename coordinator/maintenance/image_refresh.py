"""The verb image refresh: makes the project's own table of the image's packages from a kernel's log.

The log has the output of `coord image probe`, `pip freeze` or `pip list`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from coordinator.bundle import PREFIX, Image, image_from, normalised, shipped_image
from coordinator.errors import ProjectError
from coordinator.files import write_atomically
from coordinator.ledger import Run
from coordinator.project import Project
from coordinator.results import LOG_RECORDS, log_lines
from coordinator.target import LogRecord

# A shorter list is not that of an image, but part of the output of a `pip install`.
_FEWEST = 10

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_FROZEN = (
    re.compile(rf"(?P<name>{_NAME})===?(?P<version>\S+)"),
    re.compile(rf"(?P<name>{_NAME}) @ \S.*"),
    re.compile(rf"-e \S+#egg=(?P<name>{_NAME})"),
)
_LISTED = re.compile(rf"(?P<name>{_NAME})\s+(?P<version>\d\S*)(?:\s+\S.*)?")
_PYTHON = re.compile(r"Python (3\.\d+)(?:\.\d+)?\b.*")


def refresh_image(project: Project, log: Path, *, python: str | None = None) -> Image:
    """Reads the log and writes the project's table. Raises ProjectError if the log has no list of packages."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
        day = time.strftime("%Y-%m-%d", time.gmtime(log.stat().st_mtime))
    except OSError as error:
        raise ProjectError(f"{log} cannot be read: {error.strerror}") from error
    image = read_packages(text, name=log.name, day=day, python=python)
    write_atomically(project.image_table, image.to_json())
    return image


def log_of(project: Project, run: Run) -> Path:
    """The log of a fetched run. Raises ProjectError if it is not on this machine."""
    log = project.results(run.experiment, run.target, run.ref.version) / LOG_RECORDS
    if not log.is_file():
        raise ProjectError(
            f"the log of {run.label} is not here", hint=f"Run: coord fetch-results --exp {run.experiment}"
        )
    return log


def read_packages(text: str, *, name: str, day: str, python: str | None = None) -> Image:
    """The table in a log's text: Kaggle's (JSON), a fetched run's, or plain.

    The probe's line has everything. A list of pip has no date, no Python version and no import names. Instead, `day` is
    used; `python`, or a line such as "Python 3.12.13" in the log, or the shipped table's version; and the shipped
    table's import names.
    """
    lines = _lines(text)
    probed = next((line for line in reversed(lines) if line.startswith(PREFIX)), None)
    if probed is not None:
        return _from_probe(probed.removeprefix(PREFIX), name)
    packages = _frozen(lines) or _listed(lines)
    if not packages:
        raise ProjectError(
            f"{name} has no list of packages",
            hint="Run one of these in the kernel, and give its log: the script that coord image probe writes; "
            "in a notebook !pip freeze; in a script, after import importlib.metadata as m, "
            'print(*(f"{d.name}=={d.version}" for d in m.distributions()), sep="\\n")',
        )
    said = (match[1] for line in lines if (match := _PYTHON.fullmatch(line)))
    known = shipped_image()
    table = {
        "date": day,
        "python": python or next(said, known.python),
        "source": f"pip's list in {name}; import names are those of the table that coord ships",
        "packages": dict(sorted(packages.items())),
        "modules": {module: of for module, of in known.modules.items() if of is None or of in packages},
    }
    return image_from(table, where=name)


def _from_probe(text: str, name: str) -> Image:
    try:
        found: Any = json.loads(text)
        table = {
            "date": found["date"],
            "python": ".".join(found["python"].split(".")[:2]),
            "source": f"the probe's line in {name}",
            "packages": dict(sorted((normalised(each), version) for each, version in found["packages"].items())),
            "modules": _telling({module: of and normalised(of) for module, of in sorted(found["modules"].items())}),
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProjectError(f"{name}: the probe's line is not whole ({error})", hint="Run the probe again.") from error
    return image_from(table, where=name)


def _telling(modules: dict[str, str | None]) -> dict[str, str | None]:
    """The modules, without those of distributions whose only module has the same name."""
    of: dict[str | None, list[str]] = {}
    for module, distribution in modules.items():
        of.setdefault(distribution, []).append(module)
    plain = {names[0] for distribution, names in of.items() if len(names) == 1 and normalised(names[0]) == distribution}
    return {module: distribution for module, distribution in modules.items() if module not in plain}


def _lines(text: str) -> list[str]:
    """The lines of a log in any form. Kaggle's records are pieces of lines, which are joined first."""
    records = list(_records(text))
    lines = log_lines(records) if records else text.splitlines()
    return [line.strip() for line in lines]


def _records(text: str) -> Iterator[LogRecord]:
    """Records of a JSON array, or of lines that are one JSON object each, with or without the array's commas."""
    try:
        found = json.loads(text)
    except ValueError:
        found = [_object(line.strip().removeprefix("[").strip(" ,]")) for line in text.splitlines()]
    for record in found if isinstance(found, list) else []:
        if isinstance(record, dict) and isinstance(record.get("data"), str):
            yield LogRecord(str(record.get("stream_name", record.get("stream", ""))), 0.0, record["data"])


def _object(line: str) -> Any:
    try:
        return json.loads(line) if line.startswith("{") else None
    except ValueError:
        return None


def _frozen(lines: Sequence[str]) -> dict[str, str | None]:
    """The longest run of `pip freeze` lines; comments do not interrupt it."""
    matches = [
        next((match for form in _FROZEN if (match := form.fullmatch(line))), None)
        for line in lines
        if line and not line.startswith("#")
    ]
    return _longest(matches)


def _listed(lines: Sequence[str]) -> dict[str, str | None]:
    """The rows of the longest `pip list` table."""
    return _longest(_LISTED.fullmatch(line) for line in lines)


def _longest(matches: Iterable[re.Match[str] | None]) -> dict[str, str | None]:
    runs = ([match for match in run if match] for there, run in groupby(matches, key=bool) if there)
    longest = max(runs, key=len, default=[])
    if len(longest) < _FEWEST:
        return {}
    return {normalised(match["name"]): match.groupdict().get("version") for match in longest}
