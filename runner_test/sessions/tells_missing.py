"""Writes a line into the log of a rerun for each file below `input/` that its programs open in vain.

Every interpreter of the session loads this file when it starts. So the host of a competition also learns of the files
that a program does without: it catches the error, and predicts something else than on the visible data.
"""

import os
import sys

_told: set[str] = set()


def _look(event: str, arguments: tuple[object, ...]) -> None:
    if event not in ("open", "os.listdir", "os.scandir"):
        return
    path = arguments[0]
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if isinstance(path, str) and "/input/" in path and path not in _told and not os.path.lexists(path):
        _told.add(path)
        os.write(2, f'The local Kaggle: "{path}" is opened, and is not there.\n'.encode(errors="replace"))


sys.addaudithook(_look)
