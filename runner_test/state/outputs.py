"""The output of a session: the files in its working directory that can be served."""

from dataclasses import dataclass
from pathlib import Path

from runner_test.settings import Settings
from runner_test.state import tree


@dataclass(frozen=True)
class Output:
    """A file of a session's output."""

    name: str  # relative, with slashes
    size: int  # bytes
    modified: float  # seconds since 1970


def listed(working: Path, settings: Settings) -> list[Output]:
    """The files below the folder, sorted by name.

    Without what can't be served (state/tree.py). Where there is more than the limits allow (a sparse file can have any
    size), the largest files are left out.
    """
    found = [Output(name, status.st_size, status.st_mtime) for name, status in tree.readable_files(working)]
    left = settings.output
    kept: list[Output] = []
    for output in sorted(found, key=lambda each: each.size):
        left -= output.size
        if left < 0 or len(kept) >= settings.files:
            break
        kept.append(output)
    return sorted(kept, key=lambda each: each.name)
