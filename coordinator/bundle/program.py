"""A bundle of any program: a script, a folder with a __main__.py, or a module. No project is needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from coordinator.bundle.script import Form, Script, render
from coordinator.bundle.sources import SourceFile, collect
from coordinator.errors import BundleError, UsageError
from coordinator.templates import default_template


@dataclass(frozen=True)
class Program:
    """What is to be bundled."""

    root: Path
    """Where its modules lie; paths in the bundle are relative to it."""
    entry: str
    """A module's dotted name, or a script's path below the root."""


def script_at(path: Path, root: Path | None = None) -> Program:
    """The program that `python PATH` runs: a script, or a folder with a __main__.py.

    As in Python, its modules lie beside it, unless a folder above is named as the root: they are looked for in both.
    """
    script = path.absolute() / "__main__.py" if path.is_dir() else path.absolute()
    if not script.is_file():
        raise UsageError(f"there is no script {path}" + "/__main__.py" * path.is_dir())
    if script.suffix != ".py":
        raise UsageError(f"{path} is no Python source: its name does not end in .py")
    # Only the folder: the script itself may be a link to another folder of the tree.
    script = script.parent.resolve() / script.name
    top = _folder(root) if root else script.parent
    if not script.is_relative_to(top):
        raise UsageError(f"{path} does not lie below --root {root}")
    return Program(top, script.relative_to(top).as_posix())


def module_of(name: str, root: Path | None = None) -> Program:
    """The program that `python -m NAME` runs in the folder `root` (default: the working directory)."""
    return Program(_folder(root or Path()), name)


def bundle(
    program: Program,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    reached_only: bool = False,
    form: Form | None = None,
    output: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Script, tuple[SourceFile, ...]]:
    """The program as one script, and the files in it. `output`, where it will be written, is no part of it.

    Raises BundleError if a file that it needs is missing, ignored or refused.
    """
    files = collect(
        program.root,
        program.entry,
        include=include,
        exclude=exclude,
        reached_only=reached_only,
        output=output.parent.resolve() / output.name if output else None,
        say=say,
    )
    script = render(
        default_template("kernel.py.j2"),
        experiment="",
        about="",
        entry=program.entry,
        config=None,
        files=files,
        form=form,
        refuse=False,
    )
    return script, files


def write(path: Path, text: str) -> None:
    """Writes the file whole or not at all."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        new.write_bytes(text.encode("utf-8"))
        new.replace(path)
    except OSError as error:
        raise BundleError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        new.unlink(missing_ok=True)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise UsageError(f"--root {path}: there is no such folder")
    return path.resolve()
