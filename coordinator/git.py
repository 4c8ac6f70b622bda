"""Which commit of the project a run came from."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit(root: Path) -> str | None:
    """The short commit, with "+dirty" if tracked files differ from it; None outside a git work tree."""
    head = _git(root, "rev-parse", "--short=12", "HEAD")
    if not head:
        return None
    return head + ("+dirty" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
