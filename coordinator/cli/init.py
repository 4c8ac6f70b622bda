"""The command that makes a project, of a template or of a repository that is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import Json, command
from coordinator.cli.terminal import answer, say, show_text
from coordinator.errors import CoordError, UsageError
from coordinator.text import command_line

if TYPE_CHECKING:
    from coordinator.project import Adoption

app = App()

_FIRST = {"minimal": "base", "mask-rcnn": "smoke"}
"""The experiment to try first, by template."""


@app.command()
@command
def init(
    directory: Annotated[
        Path | None, typer.Argument(help="A new or empty folder, or a repository that has a program.", metavar="DIR")
    ] = None,
    template: Annotated[
        Literal["minimal", "mask-rcnn"] | None,
        typer.Option("--template", help="A small model to put yours in place of (the default), or coord's own."),
    ] = None,
    program: Annotated[
        str | None, typer.Option("--from", help="The repository's program, such as train.py.", metavar="PROGRAM")
    ] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Your Kaggle user name.", metavar="NAME")] = None,
    competition: Annotated[
        str | None, typer.Option("--competition", help="The competition's slug.", metavar="SLUG")
    ] = None,
    nested: Annotated[
        bool, typer.Option("--nested", help="Make it although the folder lies in another project.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a new project, or one of a repository.

    A new one is small and works at once: `coord dry-run` passes in it. In a repository it finds the program, its
    options and its data, writes the settings for them, and changes no other file.
    """
    from coordinator.project import Wish, adopt, init_project, is_repository

    if directory is None:
        raise UsageError("which folder?", hint="coord init NAME makes a new one, coord init . a project of this one.")
    if program is not None and template is not None:
        raise UsageError("--from is for a repository that has a program, --template for a new project")
    if program is not None or (template is None and is_repository(directory)):
        adopted = adopt(directory, Wish(program, owner, competition, nested))
        _show(adopted, as_json=as_json)
        return
    template = template or "minimal"
    files = init_project(directory, template, owner=owner, competition=competition, is_nested=nested)
    if as_json:
        answer({"directory": str(directory), "template": template, "files": list(files)})
        return
    first = command_line("coord", "-C", str(directory), "dry-run", "--exp", _FIRST[template])
    show_text(f"{directory} is a project; try it: {first}")


def _show(adopted: Adoption, *, as_json: bool) -> None:
    """What was found, and how it builds."""
    place, exp = str(adopted.directory), adopted.experiment
    coord = "coord" if place == "." else command_line("coord", "-C", place)
    if not adopted.written:
        say(f"{place} is a project already: its pyproject.toml has [tool.coord]; nothing was changed")
    else:
        say("\n".join(["found", *(f"  {line}" for line in adopted.found)]))
        say("\n".join(["not known", *(f"  {line}" for line in adopted.unknown)]))
        say(f"wrote {', '.join(adopted.written)}")
    if adopted.to_fill:
        say(f"to fill in, required: {', '.join(adopted.to_fill)} in {adopted.written[0]}")
    elif adopted.written:
        try:
            _build(adopted)
        except CoordError:
            say(f"the settings are written, but it does not build yet; then: {coord} build --exp {exp}")
            raise
    if as_json:
        answer(
            {
                "directory": place,
                "files": list(adopted.written),
                "found": list(adopted.found),
                "unknown": list(adopted.unknown),
                "to_fill": list(adopted.to_fill),
            }
        )
        return
    show_text(f"{coord} dry-run --exp {exp}")
    show_text(f"{coord} push --exp {exp} --target local --wait")
    show_text(f"{coord} fetch-results --exp {exp} --target local")


def _build(adopted: Adoption) -> None:
    from coordinator.kernel import build_kernel
    from coordinator.project import find_project, resolve

    project = find_project(adopted.directory)
    built = build_kernel(project, resolve(project, adopted.experiment))
    for message in built.messages:
        say(message)
    size, count = built.manifest["bytes"], len(built.files)
    say(f"builds: {size:,} bytes, {count} files, in {project.relative(built.directory)}/; next:")
