"""Runs in a notebook, before its last cell: makes one script of the cells and runs it as a process of its own.

A process, because a notebook's kernel is no place for a program: it has no `__file__` that workers could start from,
other signal handlers, and modules of its own. There the script finds what it finds in a kernel of the type script.

Standard library, and IPython to ask for the cells. This file's text is a cell of every notebook, and coord imports it
as a module too, to read notebooks.
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
"""Begins each of its other cells; what comes after it on the line is the cell's heading."""
THIS = RULER + "coord in a notebook"
"""Begins the cell that has this text; it is not a part of the script."""

CELLS: list[str] = []
"""The script's cells by their first lines, in its order. In a notebook, the end of this cell says which."""

# What a notebook's kernel sets for itself: pictures and colours for a browser.
_OF_THE_NOTEBOOK = ("MPLBACKEND", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "JPY_PARENT_PID")


def heading(cell: str) -> str | None:
    """The line by which a cell of the script is known; None for any other cell. (A stamp differs from push to push.)"""
    first = cell.partition("\n")[0]
    if first.startswith(STAMP):
        return STAMP
    return first if first.startswith(RULER) and first != THIS else None


def pieces(cells: Iterable[str]) -> dict[str, str]:
    """The script's cells by their headings; of a cell that is there twice (it was run again), the last."""
    found = {}
    for cell in cells:
        name = heading(cell)
        if name is not None:
            found[name] = cell
    return found


def joined(cells: Iterable[str]) -> str:
    """The script: its cells with an empty line between any two."""
    return "\n\n".join(cells) + "\n"


def run(**_: Any) -> None:
    """Takes the place of the bootstrap's `run`, which the script calls: runs the cells as they stand now.

    Raises RuntimeError if some of them have not run, or with the exit code if that isn't 0; what fails so fails the
    notebook.
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
        raise RuntimeError(f"coord: the script ended with exit code {code}; what it said stands above")


def follow(command: list[str]) -> int:
    """Runs a program to its end and shows what it says as it comes; its exit code, 128 + n where signal n ended it.

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
        process_group=0,  # an interrupt of the notebook's whole group would reach it twice
    ) as process:
        interrupts = []

        def interrupt(number: int, _: Any) -> None:
            interrupts.append(number)
            os.killpg(process.pid, number)

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            _show(process)
        finally:
            signal.signal(signal.SIGINT, before)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    code = process.returncode
    if interrupts and code in (-signal.SIGINT, 128 + signal.SIGINT):
        raise KeyboardInterrupt
    return code if code >= 0 else 128 - code


def _show(process: "subprocess.Popen[bytes]") -> None:
    """Writes both streams of a process to this one's until it ends."""
    with selectors.DefaultSelector() as selector:
        for pipe, out in ((process.stdout, sys.stdout), (process.stderr, sys.stderr)):
            assert pipe is not None
            # Pieces do not end where characters end.
            selector.register(
                pipe, selectors.EVENT_READ, (out, codecs.getincrementaldecoder("utf-8")(errors="replace"))
            )
        while selector.get_map():
            ended = process.poll() is not None
            ready = selector.select(0.2)
            if ended and not ready:
                return  # what keeps the pipes open is not the program any more
            for key, _ in ready:
                out, decoder = key.data
                chunk = os.read(key.fd, 1 << 16)
                out.write(decoder.decode(chunk, final=not chunk))
                out.flush()
                if not chunk:
                    selector.unregister(key.fileobj)
    process.wait()
