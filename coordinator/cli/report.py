"""The command that writes a page about runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.common import Json, TargetOption, command, open_ledger, this_project
from coordinator.cli.terminal import answer, say, show_text
from coordinator.errors import UsageError
from coordinator.files import write_atomically
from coordinator.workspace import Workspace

app = typer.Typer()


@app.command()
@command
def report(
    output: Annotated[Path, typer.Option("--output", "-o", help="The page's file.", metavar="FILE")] = Path(
        "report.html"
    ),
    exp: Annotated[
        list[str], typer.Option("--exp", "-e", help="Only this experiment; * and ? match; repeatable.", metavar="NAME")
    ] = [],  # noqa: B006  # typer copies it
    target: TargetOption = None,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", help="Compare each config with this one, not with the best.", metavar="NAME"),
    ] = None,
    all_runs: Annotated[bool, typer.Option("--all", help="Every run, not only each experiment's newest.")] = False,
    pictures: Annotated[int, typer.Option("--pictures", min=0, help="Worst cases to show of one run.")] = 6,
    title: Annotated[str, typer.Option("--title", help="Heading of the page.")] = "Experiments",
    as_json: Json = False,
) -> None:
    """Write one HTML page about experiments and their runs.

    Leaderboard with verdicts, curves, folds, errors, worst cases, configs, provenance. It needs no network.
    """
    from coordinator.report import make_report

    project = this_project()
    with open_ledger(project) as ledger:
        made = make_report(
            Workspace(project, ledger),
            names=exp,
            target=target,
            every=all_runs,
            baseline=baseline,
            pictures=pictures,
            title=title,
        )
    for warning in made.warnings:
        say(f"warning: {warning}")
    try:
        write_atomically(output, made.text)
    except OSError as error:
        raise UsageError(f"--output {output}: {error.strerror}") from error
    size = len(made.text.encode("utf-8"))
    if as_json:
        answer({"file": str(output), "bytes": size, "configs": made.configs, "runs": list(made.runs)})
    else:
        runs, configs = len(made.runs), made.configs
        show_text(
            f"{output}: {runs} run{'s' * (runs != 1)} of {configs} config{'s' * (configs != 1)}, {size / 1e6:.1f} MB"
        )
