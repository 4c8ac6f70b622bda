"""Starts a process that outlives the one that started it, and holds a lock which says that it is alive."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def start_detached(
    command: Sequence[str], folder: str, environment: Mapping[str, str], *, diary: Path, lock: int
) -> int:
    """Run `command`, which forks, with the descriptor `lock`; what it prints goes to `diary`. Its exit code.

    The descriptor's number is the command's last argument. There is no child to wait for later.
    """
    with diary.open("ab") as file:
        return subprocess.run(
            [*command, str(lock)],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            pass_fds=[lock],
            start_new_session=True,
            check=False,
        ).returncode
