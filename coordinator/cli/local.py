"""Commands for the local Kaggle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import command, this_project
from coordinator.cli.terminal import LogPrinter, say
from coordinator.errors import UsageError

app = App(help="The local Kaggle: serve it, add data to it.", no_args_is_help=True)


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
    hidden: Annotated[
        Path | None,
        typer.Option("--hidden", help="A submission runs its kernel again with this folder.", metavar="DIR"),
    ] = None,
    gateway: Annotated[
        Path | None,
        typer.Option("--gateway", help="The program that then asks the kernel's inference server.", metavar="FILE"),
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option("--time-limit", help="Hours that such a rerun may take.", metavar="HOURS")
    ] = None,
) -> None:
    """Add a folder to the local Kaggle, as a competition's data.

    With a solution it scores submissions. What was added with that slug before is replaced.
    """
    from coordinator.target import local

    reruns = {"--gateway": gateway, "--time-limit": time_limit}
    code = {"--hidden": hidden, **reruns}
    scores = {"--public-share": public_share, "--daily-limit": daily_limit}
    needing = scores if hidden is not None else {**scores, "--code-only": code_only or None, **reruns}
    if solution is None and (without := _given(needing)):
        raise UsageError(f"{without} is for a competition that scores", hint="Give its --solution, too.")
    if hidden is None and (without := _given(reruns)):
        raise UsageError(f"{without} is for reruns with hidden data", hint="Give their folder, too: --hidden DIR.")
    if not code_only and (without := _given(code)):
        raise UsageError(f"{without} is for a code competition", hint="Add --code-only.")
    if time_limit is not None and not 0 < time_limit < math.inf:
        raise UsageError(f"--time-limit must be more than 0 hours, is {time_limit:g}")
    project, scoring = this_project(), None
    if solution is not None or hidden is not None:
        primary = project.settings.metrics.primary
        scoring = local.Scoring(
            solution,
            public_share=0.3 if public_share is None else public_share,
            daily_limit=5 if daily_limit is None else daily_limit,
            kernels_only=code_only,
            mode=project.settings.submission.mode or (primary.mode if primary else "max"),
            hidden=hidden,
            gateway=gateway,
            time_limit=(time_limit or 0) * 3600,
        )
    local.add_competition(project, slug, directory, scoring)
    say(f"{slug} is {directory}" + (f", scored by {project.settings.scorer}" if solution else ""))
    if hidden is not None and solution is None:
        say(f"coord rehearse runs a kernel again with {hidden}; without --solution it takes no submissions")
    elif hidden is not None:
        say(f"a submission runs its kernel again with {hidden}" + (f", asked by {gateway}" if gateway else ""))


def _given(options: Mapping[str, object]) -> str | None:
    """The first of the options that has a value, or None."""
    return next((option for option, value in options.items() if value is not None), None)


@app.command("rerun-log")
@command
def rerun_log(
    which: Annotated[
        str,
        typer.Argument(
            help="A competition, for its newest rerun; a submission's number; or a rehearsed kernel.",
            metavar="SLUG|REF|OWNER/SLUG",
        ),
    ],
    of_gateway: Annotated[bool, typer.Option("--gateway", help="The gateway's log instead of the kernel's.")] = False,
) -> None:
    """Print the log of a rerun with hidden data.

    On Kaggle only the competition's host sees it, and why the submission failed: the participant gets no more than the
    error that `coord scores` shows.
    """
    from coordinator.results import Sources
    from coordinator.target import local

    project = this_project()
    found = local.rerun(project, which)
    took = "" if found.seconds is None else f" after {found.seconds:.1f} s"
    what = f"submission {found.ref} to" if found.ref else "rehearsal in"
    say(f"{what} {found.competition}, {found.kernel}: {found.state}{took}")
    for each in (found.error, found.detail):
        if each:
            say(each)
    for name in found.only_visible:
        say(f"{name} is in the visible data, and not in the hidden ones")
    printer = LogPrinter(Sources(project.root, {}), project.settings.metrics)
    for record in found.gateway_log if of_gateway else found.log:
        printer.record(record)
    printer.end()
