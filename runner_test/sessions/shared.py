"""What two isolated sessions have together: a network without the internet, host names, a folder.

A kernel with an inference server and the gateway that asks it are two containers on Kaggle, which reach each other by
name. Here they have one loopback: bubblewrap makes it for a process that starts both sessions, each in its own
namespaces otherwise.
"""

import functools
import shutil
from dataclasses import dataclass
from pathlib import Path

from runner_test.sessions import probe


@dataclass(frozen=True)
class Shared:
    """What an isolated session has together with another one, besides the network of the process that starts both."""

    hosts: Path
    """Becomes `/etc/hosts`."""
    folder: Path
    """Becomes `/kaggle/shared`."""
    writable: bool
    """Whether this session may write into the folder."""


def without_network() -> list[str]:
    """The start of a command that runs the rest of it as it is, but with no network except a loopback of its own.

    The sessions that it starts with bubblewrap have that loopback together.
    """
    return [_program(), "--unshare-user", "--unshare-net", "--die-with-parent", "--dev-bind", "/", "/", "--"]


@functools.cache
def problem() -> str | None:
    """Why isolated sessions can't have one network without the internet, or None. It is tried once a process."""
    inner = [_program(), "--unshare-user", "--uid", "1000", "--gid", "1000", "--unshare-pid", "--unshare-ipc"]
    folders = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    why = probe.failure([*without_network(), *inner, *folders, "true"])
    return why and f"bubblewrap may not run inside of itself here: {why}"


def _program() -> str:
    return shutil.which("bwrap") or "bwrap"
