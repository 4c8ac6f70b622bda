"""Line ends as git has them: a kernel is the same from a checkout with CR LF (git on Windows) and from one with LF."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from coordinator.bundle.files import SourceFile
from coordinator.project import git


def as_committed(root: Path, top: Path, files: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
    """The files, in which CR LF is LF where git would commit it so; all others, and those of no repository, unchanged.

    `top` is the top of the work tree that `root` lies in.
    """
    found = [file.path for file in files if b"\r\n" in file.data]
    if not found or not (top / ".git").exists():
        return tuple(files)
    above = root.relative_to(top)
    converted = git.committed_with_lf(top, [(above / path).as_posix() for path in found])
    return tuple(
        dataclasses.replace(file, data=file.data.replace(b"\r\n", b"\n"))
        if (above / file.path).as_posix() in converted
        else file
        for file in files
    )
