"""Commands for the local Kaggle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.common import Group, command, this_project
from coordinator.cli.terminal import say
from coordinator.errors import UsageError

app = Group(help="The local Kaggle: serve it, add data to it.", no_args_is_help=True)


@app.command()
@command
def serve(
    port: Annotated[int, typer.Option("--port", help="Port on this machine.", min=0, max=65535)] = 7788,
    faults: Annotated[
        Path | None, typer.Option("--faults", help="JSON file: which requests fail, and how.", metavar="PLAN")
    ] = None,
    url_lifetime: Annotated[
        float, typer.Option("--url-lifetime", help="Seconds for which a file's signed address is valid.", min=0)
    ] = 900,
) -> None:
    """Answer other clients until Ctrl-C.

    The official kaggle command works with it, unmodified.
    """
    from coordinator.target import local

    local.serve(this_project(), port, faults=faults, url_lifetime=url_lifetime)


@app.command("add-dataset")
@command
def add_dataset(
    ref: Annotated[str, typer.Argument(help="owner/slug, as dataset_sources name it.")],
    directory: Annotated[Path, typer.Argument(help="The folder that holds it.")],
) -> None:
    """Add a folder to the local Kaggle, as a data set."""
    from coordinator.target import local

    local.add_dataset(this_project(), ref, directory)
    say(f"{ref} is {directory}")


@app.command("add-model")
@command
def add_model(
    ref: Annotated[str, typer.Argument(help="owner/model/framework/variation/version, as model_sources name it.")],
    directory: Annotated[Path, typer.Argument(help="The folder that holds it.")],
) -> None:
    """Add a folder to the local Kaggle, as a version of a model."""
    from coordinator.target import local

    local.add_model(this_project(), ref, directory)
    say(f"{ref} is {directory}")


@app.command("add-competition")
@command
def add_competition(
    slug: Annotated[str, typer.Argument(help="The slug, as competition_sources name it.")],
    directory: Annotated[Path, typer.Argument(help="The folder that holds its data.")],
    solution: Annotated[
        Path | None,
        typer.Option("--solution", help="CSV file with the true values: it then takes submissions.", metavar="FILE"),
    ] = None,
    public_share: Annotated[
        float | None,
        typer.Option("--public-share", help="Share of the public part, if there is no column Usage (0.3)."),
    ] = None,
    daily_limit: Annotated[int | None, typer.Option("--daily-limit", help="Submissions a day (5).")] = None,
    code_only: Annotated[
        bool, typer.Option("--code-only", help="It takes only kernels without the internet, and no files.")
    ] = False,
) -> None:
    """Add a folder to the local Kaggle, as a competition's data.

    With a solution it scores submissions.
    """
    from coordinator.target import local

    chosen = {"--public-share": public_share, "--daily-limit": daily_limit, "--code-only": code_only or None}
    if solution is None and (without := [option for option, value in chosen.items() if value is not None]):
        raise UsageError(f"{without[0]} is for a competition that scores", hint="Give its --solution, too.")
    project, scoring = this_project(), None
    if solution is not None:
        primary = project.settings.metrics.primary
        scoring = local.Scoring(
            solution,
            public_share=0.3 if public_share is None else public_share,
            daily_limit=5 if daily_limit is None else daily_limit,
            kernels_only=code_only,
            mode=project.settings.submission.mode or (primary.mode if primary else "max"),
        )
    local.add_competition(project, slug, directory, scoring)
    say(f"{slug} is {directory}" + (f", scored by {project.settings.scorer}" if scoring else ""))
