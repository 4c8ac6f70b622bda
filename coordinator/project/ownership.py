"""Whether a project may be used: its settings name code that coord runs, so another user's project must be allowed.

Git's lesson of 2022 (CVE-2022-24765): whoever may write into a folder above, such as /tmp, could plant a project there.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from coordinator.errors import ProjectError
from coordinator.system import user_number

TRUST_VARIABLE = "COORD_TRUST"


def check_owner(root: Path, paths: Iterable[Path]) -> None:
    """Raises ProjectError if one of the paths belongs to another user, unless the variable names the project's root.

    Root's are as good as one's own. Links count with what they lead to.
    """
    us = user_number()
    if us is None or root in _trusted():
        return
    for path in paths:
        for owner in (path.lstat().st_uid, path.stat().st_uid) if path.exists() else ():
            if owner not in _ours(us):
                raise ProjectError(
                    f"{path} belongs to another user (number {owner}), and this project's settings name code to run",
                    hint=f"If you trust it: export {TRUST_VARIABLE}={shlex.quote(str(root))}",
                )


def _ours(us: int) -> set[int]:
    """Numbers of users who can do what we can do anyway: us, root, and who became root by sudo."""
    sudo = os.environ.get("SUDO_UID", "") if us == 0 else ""
    return {us, 0, *([int(sudo)] if sudo.isascii() and sudo.isdigit() else [])}


def _trusted() -> set[Path]:
    named = os.environ.get(TRUST_VARIABLE, "").split(os.pathsep)
    return {Path(each).expanduser().resolve() for each in named if each.strip()}
