"""The processes of a session: which they are, how much memory they hold together, and how they are killed."""

import os
import re
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

_SHARES = Path("/proc/self/smaps_rollup")
_KILLING = 10.0  # seconds that killed processes are given to end


def members(leader: int) -> list[psutil.Process]:
    """The living processes of the session that process `leader` leads, and all their descendants.

    A process that starts a session of its own and loses its parent is found, too: the leader adopts it (execute.py).
    """
    found: dict[int, psutil.Process] = {}
    for pid in psutil.pids():
        if pid not in found and leader in (pid, _session(pid)):
            found |= {process.pid: process for process in _family(pid)}
    return list(found.values())


def _family(pid: int) -> list[psutil.Process]:
    """A process and its descendants, if they live. The search looks at all processes: it is left out if it has none."""
    try:
        process = psutil.Process(pid)
        if not _is_living(process):
            return []
        if not _may_have_children(pid):
            return [process]
        return [process, *filter(_is_living, process.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []  # it has just ended


def _may_have_children(pid: int) -> bool:
    """Whether any of the process's threads has a child, if the kernel tells (Linux, with CONFIG_PROC_CHILDREN).

    Its list of several may lack some that end at that moment, but it is empty only if there is none.
    """
    told = list(Path(f"/proc/{pid}/task").glob("*/children"))
    try:
        return not told or any(children.read_bytes() for children in told)
    except OSError:
        return True  # one of the threads has just ended


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None  # it has just ended


def _is_living(process: psutil.Process) -> bool:
    try:
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def kill_session(leader: int) -> None:
    """Kill all members with SIGKILL, the leader last, and wait until they have ended, for at most ten seconds.

    The leader is a child of this process that lives on until then, because it adopts the children of those that are
    killed. It is not reaped here: until it is, its number can't be another process's.
    """
    give_up = time.monotonic() + _KILLING
    _kill_others(leader, give_up)
    os.kill(leader, signal.SIGKILL)
    _await_end(leader)
    # What it started meanwhile. (bubblewrap does not end with its parent in its first milliseconds.)
    _kill_others(leader, give_up)


def _await_end(child: int) -> None:
    """Wait until a child has ended, without reaping it."""
    if sys.platform == "linux":
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    else:  # Python has no waitid on macOS before 3.13
        while _is_living(psutil.Process(child)):
            time.sleep(0.002)


def _kill_others(leader: int, give_up: float) -> None:
    while (living := [each for each in members(leader) if each.pid != leader]) and time.monotonic() < give_up:
        for process in living:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass  # it has just ended
        time.sleep(0.002)


def memory_above(limit: float, processes: Iterable[psutil.Process]) -> int | None:
    """Bytes of memory that the processes hold together, if that is more than `limit` bytes; else None.

    Counts resident pages, a shared page divided among the processes that share it (PSS), so workers forked from a large
    process add next to nothing. PSS is expensive (the kernel walks page tables), so it is read only if the sum of all
    resident pages, which is never less than it and cheap to read, exceeds the limit.

    Files in the `/dev/shm` of isolated processes are memory, too, whether a process has mapped them or not.
    """
    processes = list(processes)
    files = _shared_files(processes)
    if sum(_resident(process) for process in processes) + files <= limit:
        return None
    pages = [_proportional(process) for process in processes]
    held = sum(own for own, _ in pages) + max(sum(shared for _, shared in pages), files)
    return held if held > limit else None


def _shared_files(processes: Iterable[psutil.Process]) -> int:
    """Bytes of the files in the processes' `/dev/shm`; 0 if it is this machine's, which others use, too."""
    for process in processes:
        folder = f"/proc/{process.pid}/root/dev/shm"
        try:
            if os.stat(folder).st_dev != os.stat("/dev/shm").st_dev:  # noqa: PTH116
                found = os.statvfs(folder)
                return (found.f_blocks - found.f_bfree) * found.f_frsize
        except OSError:
            pass  # it has ended, or gave up its own rights, as bubblewrap does: another one can tell
    return 0


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _proportional(process: psutil.Process) -> tuple[int, int]:
    """Bytes of the process's share (PSS): of its own pages and files, and of shared memory."""
    if not _SHARES.exists():  # macOS tells no shares
        return _resident(process), 0
    try:
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
    except PermissionError:
        return _resident(process), 0  # a process that gave up its own rights, as bubblewrap does
    except OSError:
        return 0, 0  # it has just ended
    found = dict(re.findall(r"^(Pss|Pss_Shmem): +([0-9]+) kB$", text, re.MULTILINE))
    shared = int(found.get("Pss_Shmem", 0)) * 1024
    return int(found.get("Pss", 0)) * 1024 - shared, shared
