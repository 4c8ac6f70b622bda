"""Runs a program as in a checkout of its repository: its files lie in the working directory while it runs.

What the program reads by a relative name is there, and what it writes is there afterwards, even if it is killed. Its
own files are removed at the end where it left them unchanged: they are no output.

This code uses the standard library only. It is a part of the kernels that need it, and coord imports it as a module for
its tests.
"""

import atexit
import contextlib
import hashlib
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

PASSED_ON = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
PR_SET_PDEATHSIG = 1  # see prctl(2)


def check_out(contents: dict[str, bytes], _: Path) -> Path:
    """Writes the program's files into the working directory and returns that directory, in a process of its own.

    The process that called it waits for that one, passes signals on, removes the unchanged files, and ends as that one
    did. (The program's process can't do this itself: it may be killed, or crash.) No bytecode is written, which is no
    output either. A file that is here already with another content ends the run.
    """
    here = Path.cwd()
    # Not in another folder (PYTHONPYCACHEPREFIX): Python would look for that of libraries there, too, and compile them.
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # for its children
    others = [path for path, data in contents.items() if differs(here / path, data)]
    if others:
        raise SystemExit(
            f"coord: {here} has another {others[0]} than this kernel: run the kernel in an empty directory"
        )
    try:
        written, folders = write_new(contents, here)
    except OSError as error:
        raise SystemExit(f"coord: {here} cannot take the program's files: {error}") from None
    if sys.platform == "win32":
        atexit.register(remove_unchanged, written, folders)
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)  # until somebody can take them
        child = os.fork()
        if child:
            status = waited_for(child)
            remove_unchanged(written, folders)
            end_as(status)
        if not on_terminal():
            os.setpgid(0, 0)
        die_with_parent()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    return here


def differs(path: Path, data: bytes) -> bool:
    """Whether something else than a file with this content has the path."""
    if not os.path.lexists(path):
        return any(os.path.lexists(folder) and not folder.is_dir() for folder in path.parents)
    return not path.is_file() or path.stat().st_size != len(data) or path.read_bytes() != data


def write_new(contents: dict[str, bytes], here: Path) -> tuple[dict[Path, str], list[Path]]:
    """Writes the files that are not here yet. Returns them with their SHA-256, and the folders that were made."""
    written = {}
    folders = []
    for name, data in contents.items():
        path = here / name
        if path.exists():
            continue
        missing = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        folders += missing
        path.write_bytes(data)
        if data.startswith(b"#!"):
            path.chmod(0o755)  # the program may start it by its name
        written[path] = hashlib.sha256(data).hexdigest()
    return written, folders


def remove_unchanged(written: dict[Path, str], folders: list[Path]) -> None:
    """Removes the files that still have this SHA-256, and then the folders that are empty."""
    for path, sha256 in written.items():
        try:
            if not path.is_symlink() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                path.unlink()
        except OSError:  # removed by the program, or replaced by a folder
            continue
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        try:
            folder.rmdir()
        except OSError:  # it holds output
            continue


def on_terminal() -> bool:
    """Whether a terminal sends its signals (Ctrl-C) to the program's process group.

    Without one the program gets a group of its own, so that a signal that is sent to the whole group of the kernel
    reaches the program once.
    """
    try:
        return os.isatty(0)
    except OSError:  # there is no standard input
        return False


if sys.platform != "win32":

    def waited_for(child: int) -> int:
        """The wait status of the child, to which signals are passed on meanwhile."""

        def pass_on(number: int, _: object) -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)

        for number in PASSED_ON:
            signal.signal(number, pass_on)
        if on_terminal():
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the child without help
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        return os.waitpid(child, 0)[1]

    def end_as(status: int) -> NoReturn:
        """Ends this process as the wait status says: with that exit code, or by that signal."""
        if not os.WIFSIGNALED(status):
            raise SystemExit(os.WEXITSTATUS(status))
        import resource

        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the child has left its own
        atexit._run_exitfuncs()  # which a death by signal leaves out
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        raise SystemExit(128 + number)  # the signal is blocked


def die_with_parent() -> None:
    """Lets Linux kill this process when its parent is killed, so that a stopped kernel leaves nothing running."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
