"""The processes of a session, and the memory that they take together, from /proc."""

import os
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")  # bytes


def members(leader: int) -> list[int]:
    """The living processes of the session that process `leader` leads, and all that descend from them.

    A program that begins a session of its own is found as long as its parents live; where the session has a process
    namespace, they always do.
    """
    children: dict[int, list[int]] = {}
    found: set[int] = set()
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just been reaped
            # After the name: the state, the parent, the group, the session.
            if fields[0] not in (b"Z", b"X"):
                pid = int(folder.name)
                children.setdefault(int(fields[1]), []).append(pid)
                if leader in (pid, int(fields[3])):
                    found.add(pid)
    to_follow = list(found)
    while to_follow:
        new = [child for child in children.get(to_follow.pop(), ()) if child not in found]
        found.update(new)
        to_follow += new
    return sorted(found)


def memory_above(limit: float, pids: Iterable[int]) -> int | None:
    """Bytes of memory that the processes hold together, if those are more than `limit`.

    Resident pages, a shared one divided among those who share it (PSS): workers that were forked from a large process
    take next to nothing. That figure walks page tables, so it is taken only where the sum of all resident pages, which
    is never less and costs nothing, is above the limit.
    """
    pids = list(pids)
    if sum(_resident(pid) for pid in pids) <= limit:
        return None
    held = sum(_proportional(pid) for pid in pids)
    return held if held > limit else None


def _resident(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0  # it has just ended


def _proportional(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_bytes().splitlines()
    except PermissionError:
        return _resident(pid)  # it has given up its own rights, as bubblewrap does
    except OSError:
        return 0  # it has just ended
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(b"Pss:")), 0)
