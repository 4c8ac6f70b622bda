"""A bundle of any program: a script, a folder with a __main__.py, or a module. No project is needed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.bundle.bootstrap import STAMP
from coordinator.bundle.files import SourceFile, failures_told
from coordinator.bundle.imports import check_syntax, is_python_script, is_shebang_of_python
from coordinator.bundle.script import Content, Form, Script, render_script
from coordinator.bundle.sizes import NAMED_MAX
from coordinator.bundle.sources import PLAIN, Selection, collect
from coordinator.errors import BundleError, NoProject, UsageError, did_you_mean
from coordinator.files import write_atomically
from coordinator.project import default_template

if TYPE_CHECKING:
    from coordinator.bundle.image import Image


@dataclass(frozen=True)
class Program:
    """What is to be bundled."""

    root: Path
    """Where its modules lie; paths in the bundle are relative to it."""
    entry: str
    """A module's dotted name, or a script's path below the root."""
    is_script: bool
    arguments: tuple[str, ...] = ()
    """What it is started with."""
    in_checkout: bool = True
    """Whether its files lie in the working directory while it runs; otherwise that holds the output only."""


def script_at(path: Path, root: Path | None = None) -> Program:
    """The program that `python PATH` runs: a script, or a folder with a __main__.py.

    As in Python, its modules lie beside it; if a folder above is named as the root, they are looked for in both.
    """
    with failures_told(Path()):
        script = path.absolute() / "__main__.py" if path.is_dir() else path.absolute()
        if not script.is_file():
            near = did_you_mean(path.name, [other.name for other in path.parent.glob("*.py")])
            raise UsageError(f"there is no script {path}" + ("/__main__.py" if path.is_dir() else near))
    if script.suffix != ".py":
        _check_is_python(script, path)
    # Only the folder: the script itself may be a link to another folder of the tree.
    script = script.parent.resolve() / script.name
    top = _folder(root) if root else script.parent
    if not script.is_relative_to(top):
        raise UsageError(f"{path} does not lie below --root {root}")
    return Program(top, script.relative_to(top).as_posix(), is_script=True)


def module_of(name: str, root: Path | None = None) -> Program:
    """The program that `python -m NAME` runs in the folder `root` (default: the working directory)."""
    top = _folder(root or Path())
    place = top.joinpath(*name.split("."))
    with failures_told(top):
        if place.is_dir() and not place.with_name(f"{place.name}.py").is_file():
            place /= "__main__"
        if not place.with_name(f"{place.name}.py").is_file():
            raise UsageError(f"there is no module {name} in {top}: {place.relative_to(top)}.py is missing")
    return Program(top, name, is_script=False)


def bundle(
    program: Program,
    selection: Selection = PLAIN,
    *,
    form: Form | None = None,
    vendor: Sequence[str] = (),
    kaggle: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Script, tuple[SourceFile, ...]]:
    """The program as one script, and the files in it. Its output, where it will be written, is no part of it.

    `vendor` names installed distributions that go in, too. With `kaggle` the script is for a kernel: syntax that is
    newer than its image's Python and a script above its limit are refused, and what the image lacks is reported (not
    refused: whether the kernel may install it is not known here). Raises BundleError for these, and if a file that the
    program needs is missing, ignored or refused, or is the `output`.
    """
    target = Path(os.path.realpath(selection.output)) if selection.output else None
    older = target if target and _is_bundle(target) else None
    image = None
    explained: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if kaggle:
        from coordinator.bundle.syntax import newer_syntax_explained

        image = _image_for(program.root)
        explained = newer_syntax_explained(image.python)
    with explained:
        files = collect(
            program.root, program.entry, replace(selection, output=older), is_script=program.is_script, say=say
        )
    if target and target in (program.root / file.path for file in files):
        raise BundleError(f"{selection.output} is part of the program", hint="Name another file with -o.")
    if kaggle or vendor:
        from coordinator.bundle.fit import Packages, fit_to_image

        fitted = fit_to_image(
            files, Packages(vendor, are_installed=True), root=program.root, entry=program.entry, image=image
        )
        for warning in fitted.warnings:
            say(f"warning: {warning}")
        files = fitted.files
    content = Content(program.entry, files, arguments=program.arguments, in_checkout=program.in_checkout)
    return render_script(default_template("kernel.py.j2"), content, form=form, refuse=kaggle), files


def write(path: Path, text: str) -> None:
    """Writes the bundle; see `write_atomically`. Raises BundleError."""
    try:
        write_atomically(path, text)
    except OSError as error:
        raise BundleError(f"{path} cannot be written: {error.strerror}") from error


def _check_is_python(script: Path, path: Path) -> None:
    """Raises UsageError or BundleError for a script without .py that is no Python: a shell's script, a text."""
    with failures_told(Path()):
        if is_python_script(script):
            return
        with script.open("rb") as file:
            data = file.read(NAMED_MAX)
    first = data.partition(b"\n")[0].decode(errors="replace")
    why = (
        "its name does not end in .py, and its first line names no Python"
        if script.suffix[1:].isalpha() and script.suffix != ".pyw"
        else ""
    )
    if first.startswith("#!") and not is_shebang_of_python(data):
        why = f"its first line is {first!a}"
    if why:
        raise UsageError(f"{path} is no Python source: {why}")
    check_syntax(data, str(path))


def _is_bundle(path: Path) -> bool:
    """Whether the file is a bundle that coord made earlier, which is no part of the program."""
    try:
        if not path.is_file():  # opening a pipe would wait for a writer
            return False
        with path.open("rb") as file:
            return file.read(len(STAMP)) == STAMP.encode()
    except OSError:
        return False


def _image_for(root: Path) -> Image:
    """The table of the project that the program lies in, or else the shipped one."""
    from coordinator.bundle.image import image_of, shipped_image
    from coordinator.project import find_project

    try:
        project = find_project(root)
    except NoProject:
        return shipped_image()
    return image_of(project)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise UsageError(f"--root {path}: there is no such folder")
    return path.resolve()
