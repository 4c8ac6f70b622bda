"""Tries a command, to know whether this machine allows it."""

import subprocess
from collections.abc import Sequence

_SECONDS = 10.0


def failure(command: Sequence[str]) -> str | None:
    """Why the command does not work: the last line of what it says; None if it works."""
    try:
        tried = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = tried.stderr.decode("utf-8", "replace").strip().splitlines()
    return None if tried.returncode == 0 else said[-1] if said else f"exit code {tried.returncode}"
