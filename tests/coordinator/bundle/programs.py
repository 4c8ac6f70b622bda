"""Writes small projects and runs kernels as programs, in a session's layout."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.bundle.files import SourceFile
from coordinator.bundle.script import Content, Script, render_script
from coordinator.project.shipped import default_template

NONE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Ran:
    """What a kernel's process left behind."""

    code: int
    out: str
    err: str
    left: tuple[str, ...]
    """Names in the working directory."""
    temporary: tuple[str, ...]
    """Paths in the temporary directory."""


def run_kernel(text: str, directory: Path, *, variables: Mapping[str, str] = NONE) -> Ran:
    """Runs a kernel's text as `python3 script.py`, in a working directory and with a temporary directory of its own."""
    source, working = directory / "src", directory / "working"
    for folder in (source, working):
        folder.mkdir(parents=True)
    (source / "script.py").write_bytes(text.encode("utf-8"))
    # Not inside `directory`: a worker's socket may have a path of at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="k") as temporary:
        done = subprocess.run(
            [sys.executable, str(source / "script.py")],
            cwd=working,
            env={**os.environ, "TMPDIR": temporary, "COORD_KAGGLE_ROOT": str(directory), **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        left = tuple(sorted(path.name for path in working.iterdir()))
        return Ran(done.returncode, done.stdout, done.stderr, left, left_in(Path(temporary)))


def left_in(temporary: Path) -> tuple[str, ...]:
    """The paths of all that lies in a temporary directory."""
    return tuple(sorted(path.relative_to(temporary).as_posix() for path in temporary.rglob("*")))


def write_files(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Writes the files, with the folders they need, and returns `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return root


def script_of(
    files: Mapping[str, str | bytes], *, config: Mapping[str, Any] = NONE, about: str = "", entry: str = "pack.train"
) -> Script:
    """The kernel of a package `pack` that consists of the files."""
    sources = [
        SourceFile(path, data.encode("utf-8") if isinstance(data, str) else data) for path, data in files.items()
    ]
    return render_script(default_template("kernel.py.j2"), Content(entry, sources, config, "try", about))
