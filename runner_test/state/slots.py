"""The queue: two sessions run at a time, the others wait in the order in which they were saved.

A waiting session has a ticket, a file whose name sorts by age and whose text is the version's folder. Only the oldest
ticket with a live supervisor may take a slot. A ticket expires and a slot becomes free when their supervisor ends,
because both depend on locks that it holds.
"""

import time
from collections.abc import Callable
from pathlib import Path

from runner_test.state import files, locks
from runner_test.state.paths import VersionPaths

SLOTS = 2  # Kaggle's limit of concurrent sessions, 2026
_POLL = 0.05  # seconds


def enqueue(paths: VersionPaths, ticket: str) -> None:
    """Add a version to the end of the queue; `ticket` must sort after all earlier ones."""
    queue = paths.root / "queue"
    queue.mkdir(exist_ok=True)
    files.write_text(queue / ticket, str(paths.folder.relative_to(paths.root)))


def wait_for_slot(paths: VersionPaths, ticket: str, *, stop: Callable[[], bool]) -> int | None:
    """Wait until this version is the first in the queue and a slot is free.

    Returns the descriptor that holds the slot until it is closed, or None if `stop()` was true first. The ticket is
    removed in both cases.
    """
    root = paths.root
    (root / "slots").mkdir(exist_ok=True)
    try:
        while not stop():
            if _is_first(root, ticket):
                for number in range(SLOTS):
                    slot = locks.try_hold(root / "slots" / f"{number}.lock")
                    if slot is not None:
                        return slot
            time.sleep(_POLL)
        return None
    finally:
        (root / "queue" / ticket).unlink(missing_ok=True)


def _is_first(root: Path, ticket: str) -> bool:
    older = sorted(path for path in (root / "queue").iterdir() if path.name[0] != "." and path.name < ticket)
    for path in older:
        try:
            waiting = VersionPaths(root / path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue  # it has left the queue meanwhile
        if locks.is_held(waiting.alive):
            return False
        path.unlink(missing_ok=True)
    return True
