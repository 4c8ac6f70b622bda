"""Keeps a program and all that it starts, also what detaches itself; ends with them when asked to, or with its parent.

`python keeper.py COMMAND ...`. It is asked with SIGTERM, or by the end of its standard input, which its parent holds:
nothing is left of a Slurm or a Ray after a failed test, a Ctrl-C, or a test process that was killed. Linux only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys

import psutil

SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2): what loses its parent becomes this process's child."""
PATIENCE = 2.0
"""Seconds between asking the processes to end and killing them."""


def main() -> None:
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    signal.signal(signal.SIGCHLD, _collect)
    try:
        subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
        sys.stdin.read()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end_all()


def _collect(*_: object) -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:  # there are none
        pass


def _end_all() -> None:
    this = psutil.Process()
    for kill, seconds in [(False, PATIENCE), (True, PATIENCE)]:
        # Again and again: a process that ends may have started another one meanwhile.
        while running := this.children(recursive=True):
            for process in running:
                try:
                    (process.kill if kill else process.terminate)()
                except psutil.NoSuchProcess:
                    pass
            _, alive = psutil.wait_procs(running, timeout=seconds)
            if alive:
                break


if __name__ == "__main__":
    main()
