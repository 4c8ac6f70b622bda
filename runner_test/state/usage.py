"""How long sessions have used accelerators, from which the weekly quota is counted.

It is computed from the versions on disk. Deleting a kernel gives no hours back, so the use of its sessions is appended
to `<root>/usage.jsonl` before. Each session has a ticket of its own, so nothing counts twice if a deletion is killed
and repeated.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from runner_test.state.progress import SessionProgress
from runner_test.state.version import Version


@dataclass(frozen=True)
class Usage:
    """A session's use of its machine. Times are seconds since 1970; `ended` is None while it runs."""

    ticket: str
    owner: str
    machine_shape: str
    started: float
    ended: float | None


def usage(version: Version, progress: SessionProgress) -> Usage | None:
    """The use by a version's session so far; None if it has no accelerator or has not started."""
    if not version.machine_shape or progress.started is None:
        return None
    ended = progress.ended if progress.state.final else None
    return Usage(version.ticket, version.owner, version.machine_shape, progress.started, ended)


def keep(root: Path, used: Iterable[Usage]) -> None:
    """Record the use of sessions that are about to be deleted. The caller holds the writers' lock."""
    with (root / "usage.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(item)) + "\n" for item in used)


def kept(root: Path) -> list[Usage]:
    """The recorded use of deleted sessions, oldest first."""
    try:
        lines = (root / "usage.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [Usage(**json.loads(line)) for line in lines]
