"""The command that writes a page about runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator import __version__
from coordinator.cli.common import Json, TargetOption, command, open_ledger, this_project
from coordinator.cli.terminal import answer, say, show_text
from coordinator.errors import ExperimentError, RunNotFound, UsageError, did_you_mean

if TYPE_CHECKING:
    from coordinator.ledger import Run

app = typer.Typer()


@app.command()
@command
def report(
    output: Annotated[Path, typer.Option("--output", "-o", help="The page's file.", metavar="FILE")] = Path(
        "report.html"
    ),
    exp: Annotated[
        list[str], typer.Option("--exp", "-e", help="Only this experiment; repeatable.", metavar="NAME")
    ] = [],  # noqa: B006  # typer copies it
    target: TargetOption = None,
    all_runs: Annotated[bool, typer.Option("--all", help="Every run, not only each experiment's newest.")] = False,
    pictures: Annotated[int, typer.Option("--pictures", min=0, help="Worst cases to show of one run.")] = 6,
    title: Annotated[str, typer.Option("--title", help="Heading of the page.")] = "Experiments",
    as_json: Json = False,
) -> None:
    """Write one HTML page about experiments and their runs.

    Leaderboard, curves, folds, errors, worst cases, configs, provenance. It needs no network.
    """
    from coordinator.chains import chains
    from coordinator.experiment import Recorded, experiment_names, resolve
    from coordinator.ledger import now
    from coordinator.report.material import Score, gather
    from coordinator.report.page import render
    from coordinator.submissions import submissions

    project = this_project()
    with open_ledger(project) as ledger:
        every = ledger.runs(target=target)
        scores: dict[str, Score] = {}
        for each in submissions(ledger):  # the newest first
            if each.public is not None:
                scores.setdefault(each.run_id, Score(each.public, each.private))
    runs = [run for run in every if not exp or run.experiment in exp]
    files = experiment_names(project)
    for name in exp:
        if name not in files and all(run.experiment != name for run in runs):
            raise RunNotFound(f'there is no experiment and no run "{name}"{did_you_mean(name, files)}')
    if not all_runs:
        newest: dict[tuple[str, str], Run] = {}
        for run in runs:
            # The newest with a result, else the newest.
            kept = newest.setdefault((run.experiment, run.target), run)
            if kept.summary is None and run.summary is not None:
                newest[run.experiment, run.target] = run
        runs = list(newest.values())
    recorded: dict[str, tuple[Recorded, ...]] = {}
    for name in files:
        if not exp or name in exp:
            try:
                recorded[name] = resolve(project, name).recorded
            except ExperimentError as error:
                say(f"warning: left out what {name} records: {error.what}")
    if not runs and not any(recorded.values()):
        raise RunNotFound("there are no runs to report", hint="Push one: coord push --exp NAME")
    items = gather(project, runs, scores, pictures=pictures, chains=chains(every))
    text = render(items, recorded, title=title, made_at=now(), version=__version__)
    new = output.with_name(f".{output.name}.new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(output)
    except OSError as error:
        raise UsageError(f"--output {output}: {error.strerror}") from error
    if as_json:
        answer({"file": str(output), "bytes": len(text.encode("utf-8")), "runs": [run.id for run in runs]})
    else:
        show_text(f"{output}: {len(runs)} run{'s' * (len(runs) != 1)}, {len(text.encode('utf-8')) / 1e6:.1f} MB")
