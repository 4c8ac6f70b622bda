"""The command that makes a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from coordinator.cli.common import Json, command
from coordinator.cli.terminal import answer, show_text
from coordinator.text import command_line

app = typer.Typer()

_FIRST = {"minimal": "base", "mask-rcnn": "smoke"}
"""The experiment to try first, by template."""


@app.command()
@command
def init(
    directory: Annotated[Path, typer.Argument(help="A new or empty folder.", metavar="DIR")],
    template: Annotated[
        Literal["minimal", "mask-rcnn"],
        typer.Option("--template", help="A small model to put yours in place of, or coord's own."),
    ] = "minimal",
    owner: Annotated[str | None, typer.Option("--owner", help="Your Kaggle user name.", metavar="NAME")] = None,
    competition: Annotated[
        str | None, typer.Option("--competition", help="The competition's slug, for minimal.", metavar="SLUG")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a small, working project for any competition.

    `coord dry-run` passes in it at once.
    """
    from coordinator.project import init_project as verb

    files = verb(directory, template, owner=owner, competition=competition)
    if as_json:
        answer({"directory": str(directory), "template": template, "files": list(files)})
        return
    first = command_line("coord", "-C", str(directory), "dry-run", "--exp", _FIRST[template])
    show_text(f"{directory} is a project; try it: {first}")
