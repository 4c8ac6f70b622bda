"""A bundle of any program: a script, a folder with a __main__.py, or a module. No project is needed."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.bundle.arguments import paths_named
from coordinator.bundle.bootstrap import STAMP
from coordinator.bundle.files import SourceFile, failures_told
from coordinator.bundle.imports import check_syntax, is_python_script, is_shebang_of_python
from coordinator.bundle.rooted import Program as Program, gathered
from coordinator.bundle.script import AUTOMATIC, Beside, Content, Form, Script, render_script
from coordinator.bundle.sizes import NAMED_MAX
from coordinator.bundle.sources import PLAIN, Collected, Selection
from coordinator.bundle.told import missing_files, missing_inputs
from coordinator.disk import hint as full_hint
from coordinator.errors import BundleError, NoProject, UsageError, did_you_mean
from coordinator.files import write_atomically
from coordinator.project import default_template

if TYPE_CHECKING:
    from coordinator.bundle.image import Image


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
    return Program(top, script.relative_to(top).as_posix(), is_script=True, has_named_root=root is not None)


def module_of(name: str, root: Path | None = None, path: Sequence[str] = ()) -> Program:
    """The program that `python -m NAME` runs in the folder `root` (default: the working directory).

    Its modules may lie in the folders `path` of the root, too.
    """
    top = _folder(root or Path())
    first = top.joinpath(*name.split("."))
    with failures_told(top):
        for folder in (top, *(top / each for each in path)):
            place = folder.joinpath(*name.split("."))
            if place.with_name(f"{place.name}.py").is_file() or (place / "__main__.py").is_file():
                return Program(top, name, is_script=False, path=tuple(path), has_named_root=root is not None)
        missing = f"{first.relative_to(top)}/__main__.py" if first.is_dir() else f"{first.relative_to(top)}.py"
        src = next((each for each in sorted(top.glob(f"*/{name.partition('.')[0]}")) if each.is_dir()), None)
        near = f"; {src.relative_to(top)}/ is there: --path {src.parent.name}" if src and src.parent.name else ""
        raise UsageError(f"there is no module {name} in {top}: {missing} is missing{near}")


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
    image = functools.cache(lambda: _image_for(program.root))
    explained: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if kaggle:
        from coordinator.bundle.syntax import newer_syntax_explained

        explained = newer_syntax_explained(image().python)
    with explained:
        program, found = gathered(program, replace(selection, output=older), image, say)
    if target and target in (program.root / file.path for file in found.files):
        raise BundleError(f"{selection.output} is part of the program", hint="Name another file with -o.")
    warnings, files = list(_warnings(program, found, selection.exclude, None if kaggle else image)), found.files
    if kaggle or vendor:
        from coordinator.bundle.fit import Packages, fit_to_image

        packages = Packages(vendor, are_installed=True)
        fitted = fit_to_image(found, packages, entry=program.entry, image=image() if kaggle else None)
        warnings += fitted.warnings
        files = fitted.files
    for warning in warnings:
        say(f"warning: {warning}")
    selection.count.advance(len(found.modules))
    content = Content(
        program.entry,
        files,
        arguments=program.arguments,
        path=program.path,
        in_checkout=program.in_checkout,
    )
    return render_script(default_template("kernel.py.j2"), content, form=form or AUTOMATIC, refuse=kaggle), files


def _warnings(
    program: Program, found: Collected, exclude: Sequence[str], image: Callable[[], Image] | None
) -> Iterator[str]:
    """What the program will lack where it runs. `image` is None for a kernel: what that lacks is told elsewhere."""
    root, entry = program.root, program.entry
    if image:
        for each in (each for name, each in found.elsewhere.items() if not image().has_module(name)):
            yield f"{each.where} imports {each.name}: {each.remedy(root)}"
    if program.in_checkout:
        yield from missing_files(found, entry, paths_named(program.arguments), exclude).warnings
    if not image:
        yield from missing_inputs(found, entry, None)
    start = next((file.data for file in found.files if file.path in _files_of(entry)), b"arg")
    # Reading the flags takes as long as all the rest: not for a program that takes no arguments.
    if b"arg" in start and any(b"add_argument" in file.data for file in found.files):
        from coordinator.project import Project, Settings, missing_options

        project = Project(root, Settings(entry=entry, path=program.path))
        for option in missing_options(project, entry, program.arguments):
            yield f"{entry} requires {option}: name it after -- (coord bundle ... -- {option} ...)"


def _files_of(entry: str) -> tuple[str, ...]:
    """The file of an entry: a script's path, or what a module may be."""
    module = entry.replace(".", "/")
    return entry, f"{module}.py", f"{module}/__main__.py"


def write(path: Path, text: str, beside: Beside | None = None) -> None:
    """Writes the bundle, and the folder with its sources beside it; see `write_atomically`. Raises BundleError."""
    try:
        if beside:
            folder = path.parent / beside.slug
            folder.mkdir(exist_ok=True)
            for name, data in beside.files.items():
                write_atomically(folder / name, data)
        write_atomically(path, text)
    except OSError as error:
        raise BundleError(f"{path} cannot be written: {error.strerror}", hint=full_hint(error, path)) from error


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
