"""Which commit of the project a run came from."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path, PurePosixPath


def commit(root: Path, inputs: Iterable[Path] = ()) -> str | None:
    """The short commit, with "-dirty" (as `git describe --dirty` has it) if it would not give the same kernel again.

    It would not if a tracked file differs from it, or one of `inputs` (what the kernel is made of, below `root`) isn't
    tracked: other new files, such as notes and data, make no difference. None outside a git work tree, before its first
    commit, or without git.
    """
    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    if top is None:
        return None
    # One process answers both questions. An untracked folder is one line, however many files it has.
    status = _git(top, "status", "--porcelain=v2", "--branch", "-z", "--no-renames", "--untracked-files=normal")
    head, changed, untracked = "", False, set[str]()
    for line in status.split("\0"):
        kind, _, rest = line.partition(" ")
        if kind == "#":
            head = rest.removeprefix("branch.oid ") if rest.startswith("branch.oid ") else head
        elif kind == "?":
            untracked.add(rest.rstrip("/"))
        elif kind:
            changed = True
    if not head or head == "(initial)":
        return None
    changed = changed or any(_is_among(untracked, path.relative_to(top)) for path in inputs if path.is_relative_to(top))
    return head[:12] + ("-dirty" if changed else "")


def tracked_though_ignored(top: Path) -> frozenset[Path]:
    """The files of a work tree that git tracks although an ignore file names them, and the folders that they lie in."""
    listed = _git(top, "ls-files", "-z", "--cached", "--ignored", "--exclude-standard")
    files = [top / name for name in listed.split("\0") if name]
    return frozenset(files).union(*(file.parents for file in files))


def _is_among(names: set[str], path: Path) -> bool:
    """Whether the path, or a folder that it lies in, is one of the names."""
    posix = PurePosixPath(path.as_posix())
    return any(str(part) in names for part in (posix, *posix.parents))


def _git(root: Path, *arguments: str) -> str:
    # Without optional locks, so that a push does not block the user's own git.
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "surrogateescape") if done.returncode == 0 else ""
