"""The command that writes a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import Json, TargetOption, command, workspace
from coordinator.cli.terminal import answer, show_text

app = App()


@app.command()
@command
def report(
    output: Annotated[Path, typer.Option("--output", "-o", help="The page's file.", metavar="FILE")] = Path(
        "report.html"
    ),
    exp: Annotated[
        list[str],
        typer.Option("--exp", "-e", help="Only this experiment; * and ? are wildcards; repeatable.", metavar="NAME"),
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
    from coordinator.report import Contents, write_report

    contents = Contents(
        names=tuple(exp), target=target, every=all_runs, baseline=baseline, pictures=pictures, title=title
    )
    with workspace() as here:
        written = write_report(here, output, contents)
    if as_json:
        answer(written.to_json())
    else:
        runs, configs = len(written.runs), written.configs
        show_text(
            f"{output}: {runs} run{'s' * (runs != 1)} of {configs} config{'s' * (configs != 1)}, "
            f"{written.size / 1e6:.1f} MB"
        )
