"""How long sessions have held accelerators: what the weekly quota is counted from.

Read off the versions that are on disk. A kernel's deletion gives no hours back, so what its sessions used is written to
`<root>/usage.jsonl` before it goes; a ticket is one session's, so a deletion that was killed half-way counts nothing
twice.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from runner_test.state.progress import SessionProgress
from runner_test.state.version import Version


@dataclass(frozen=True)
class Usage:
    """One session's time on its machine. Times are seconds since 1970; `ended` is None while it runs."""

    ticket: str
    owner: str
    machine_shape: str
    started: float
    ended: float | None


def usage(version: Version, progress: SessionProgress) -> Usage | None:
    """What a version's session has used so far; None where it has no accelerator, or has not started."""
    if not version.machine_shape or progress.started is None:
        return None
    ended = progress.ended if progress.state.final else None
    return Usage(version.ticket, version.owner, version.machine_shape, progress.started, ended)


def keep(root: Path, used: Iterable[Usage]) -> None:
    """Note what is about to be deleted; for the holder of the writers' lock."""
    with (root / "usage.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(item)) + "\n" for item in used)


def kept(root: Path) -> list[Usage]:
    """What has been noted, oldest first."""
    try:
        lines = (root / "usage.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [Usage(**json.loads(line)) for line in lines]
