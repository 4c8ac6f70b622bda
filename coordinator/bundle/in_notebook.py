"""Runs in a notebook, before its last cell: makes one script of the cells and runs it as a process of its own.

In the notebook's own process a program would not run as usual: there is no `__file__` that workers could start from,
and there are other signal handlers and other modules. In a new process it runs as in a kernel of the type script.

This code uses the standard library, and IPython for the cells' text. It is a cell of every notebook, and coord imports
it as a module, too, to read notebooks.
"""

import codecs
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

STAMP = "# coord: run="
"""Begins the bundle's first cell."""
RULER = "# " + "-" * 64 + " "
"""Begins each other cell of the bundle; the rest of the line is the cell's heading."""
THIS = RULER + "coord in a notebook"
"""Begins the cell that has this text; it is not a part of the script."""

CELLS: list[str] = []
"""The first lines of the script's cells, in their order. In a notebook, the end of this cell sets it."""

_KILL = 9  # SIGKILL, a name that Windows does not have
# What a notebook's kernel sets for itself: pictures and colours for a browser.
_OF_THE_NOTEBOOK = ("MPLBACKEND", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "JPY_PARENT_PID")


def heading(cell: str) -> str | None:
    """The line that identifies a cell of the script; None for any other cell. (The stamp differs from push to push.)"""
    first = cell.partition("\n")[0]
    if first.startswith(STAMP):
        return STAMP
    return first if first.startswith(RULER) and first != THIS else None


def pieces(cells: Iterable[str]) -> dict[str, str]:
    """The script's cells by their headings; if a cell was run several times, its last text."""
    found = {}
    for cell in cells:
        name = heading(cell)
        if name is not None:
            found[name] = cell
    return found


def joined(cells: Iterable[str]) -> str:
    """The script: the cells, with an empty line between any two."""
    return "\n\n".join(cells) + "\n"


def run(**_: Any) -> None:
    """Replaces the bootstrap's `run`, which the script calls: runs the script that the cells make now.

    Raises RuntimeError, which fails the notebook, if some cells have not run or the script ends with another exit code
    than 0.
    """
    from IPython import get_ipython

    shell = get_ipython()
    found = pieces(shell.history_manager.input_hist_raw if shell and shell.history_manager else [])
    missing = [name.removeprefix(RULER) for name in CELLS if name not in found]
    if missing:
        raise RuntimeError(f"coord: {len(missing)} of {len(CELLS)} cells have not run ({missing[0]}): choose Run All")
    directory = Path(tempfile.mkdtemp(prefix="coord-notebook-"))
    try:
        script = directory / "script.py"
        script.write_bytes(joined(found[name] for name in CELLS).encode("utf-8"))
        code = follow([sys.executable, str(script)])
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if code != 0:
        raise RuntimeError(f"coord: the script ended with exit code {code}; its output is above")


def follow(command: list[str]) -> int:
    """Runs a program and shows its output as it comes. Returns its exit code, 128 + n where signal n ended it.

    An interrupt is passed on to the program and all that it started, like Ctrl-C in a terminal, and the program decides
    what it means. Raises KeyboardInterrupt if that ended it.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _OF_THE_NOTEBOOK}
    with subprocess.Popen(
        command,
        env=environment | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        process_group=0,  # or an interrupt of the notebook's process group would reach it twice
    ) as process:
        interrupts = []

        def interrupt(number: int, _: Any) -> None:
            interrupts.append(number)
            _send(process, number)

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            _show(process)
        finally:
            signal.signal(signal.SIGINT, before)
            if process.poll() is None:
                _send(process, _KILL)
    code = process.returncode
    if interrupts and code in (-signal.SIGINT, 128 + signal.SIGINT):
        raise KeyboardInterrupt
    return code if code >= 0 else 128 - code


def _send(process: "subprocess.Popen[bytes]", number: int) -> None:
    """Sends a signal to the program and all that it started."""
    if sys.platform != "win32":
        os.killpg(process.pid, number)


def _show(process: "subprocess.Popen[bytes]") -> None:
    """Copies both output streams of a process to this one's until it ends."""
    with selectors.DefaultSelector() as selector:
        for pipe, out in ((process.stdout, sys.stdout), (process.stderr, sys.stderr)):
            assert pipe is not None
            # What is read at once may end within a character.
            selector.register(
                pipe, selectors.EVENT_READ, (out, codecs.getincrementaldecoder("utf-8")(errors="replace"))
            )
        while selector.get_map():
            ended = process.poll() is not None
            ready = selector.select(0.2)
            if ended and not ready:
                return  # a process that the program left behind keeps the pipes open
            for key, _ in ready:
                out, decoder = key.data
                chunk = os.read(key.fd, 1 << 16)
                out.write(decoder.decode(chunk, final=not chunk))
                out.flush()
                if not chunk:
                    selector.unregister(key.fileobj)
    process.wait()
