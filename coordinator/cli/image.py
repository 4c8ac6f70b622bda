"""Commands about the packages of the kernel's image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import (
    Json,
    OptionalExp,
    TargetOption,
    Version,
    command,
    find_run,
    this_project,
    workspace,
)
from coordinator.cli.naming import at_pages, target_names
from coordinator.cli.terminal import answer, say, show_text
from coordinator.disk import hint as full_hint
from coordinator.errors import ProjectError, UsageError, did_you_mean

app = App(help="The packages of the kernels' image: show, refresh.", no_args_is_help=True)


@app.command()
@command
def show(
    name: Annotated[str | None, typer.Argument(help="A package or a module.", metavar="[NAME]")] = None,
    as_json: Json = False,
) -> None:
    """Show when and how the table was made, or one package.

    Exit code 1 if the image does not have that one.
    """
    from coordinator.bundle import image_of, normalised
    from coordinator.project import plain

    project = this_project()
    image = image_of(project)
    if name is None:
        if as_json:
            answer(plain(image))
            return
        own = project.image_table.is_file()
        show_text(f"{image}: {len(image.packages)} packages")
        show_text(f"table   {project.relative(project.image_table) if own else 'the one that coord ships'}")
        show_text(f"source  {image.source}")
        return
    distribution = normalised(name) if normalised(name) in image.packages else image.distribution_of(name)
    if distribution not in image.packages and not image.has_module(name):
        near = did_you_mean(name, [*image.packages, *image.modules])
        raise ProjectError(f"{image} has no {name}{near}", hint="If the table is too old: coord image refresh LOG")
    if distribution is None or distribution not in image.packages:
        found: dict[str, Any] = {"module": name, "distribution": None}
        text = f"import {name}: {'the standard library' if name in image.standard_library else 'no distribution'}"
    else:
        version, modules = image.packages[distribution], image.modules_of(distribution)
        found = {"distribution": distribution, "version": version, "modules": modules}
        text = f"{distribution} {version or '(version not known)'}, import {', '.join(modules)}"
    if as_json:
        answer(found)
    else:
        show_text(text)


@app.command()
@command
def refresh(
    log: Annotated[
        str | None,
        typer.Argument(help="A kernel's log, or the output of pip list; or a fetched run.", metavar="[LOG|NAME]"),
    ] = None,
    run: OptionalExp = None,
    target: TargetOption = None,
    version: Version = None,
    python: Annotated[
        str | None,
        typer.Option("--python", help="The image's Python version, if the log does not have it.", metavar="3.N"),
    ] = None,
) -> None:
    """Make the project's own table from a log.

    Or from the log of a fetched run: NAME, NAME@v3. (A file of that name comes first.)
    """
    from coordinator.ledger import parse_run_name
    from coordinator.maintenance import log_of, refresh_image

    project = this_project()
    if log is not None and run is None and not Path(log).exists():
        (named,) = at_pages([log])
        if named != log or _is_name(Path(log)):
            log, run = None, named
    if (log is None) == (run is None):
        raise UsageError("which log? Name a file, or a fetched run")
    if log is not None:
        file = Path(log)
    elif run is not None:
        name = parse_run_name(run).with_options(target, version)
        with workspace() as here:
            file = log_of(project, find_run(here.ledger, name.experiment, name.target, name.version))
    image = refresh_image(project, file, python=python)
    say(f"{image}: {len(image.packages)} packages")
    show_text(project.relative(project.image_table))


def _is_name(word: Path) -> bool:
    """Whether it looks like the name of a run and not like a file: `base--lr0.1@v3`, `local/base`, but not `x.log`."""
    is_one = len(word.parts) == 1 or (len(word.parts) == 2 and word.parts[0] in target_names())
    return is_one and not word.suffix[1:].isalpha()


@app.command()
@command
def probe(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to this file.", metavar="FILE")
    ] = None,
) -> None:
    """Print a script that lists the packages of its kernel's image.

    `coord image refresh` reads the log of that kernel.
    """
    from coordinator.bundle import image_probe

    text = Path(image_probe.__file__).read_text(encoding="utf-8")
    if output is None:
        show_text(text.rstrip("\n"))
        return
    try:
        from coordinator.files import write_atomically

        write_atomically(output, text)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}", hint=full_hint(error, output)) from error
    show_text(str(output))
