"""The command that brings results home."""

from __future__ import annotations

import functools
from typing import Annotated

import typer

from coordinator.cli.common import (
    INTERRUPTED,
    Json,
    OptionalExp,
    TargetOption,
    Version,
    command,
    find_run,
    open_ledger,
    target_of,
    this_project,
    worst,
)
from coordinator.cli.terminal import answer, complain, say, show_text, transfers
from coordinator.errors import CoordError, CredentialsError, Later, NoAccess, NotSent, RunFailed, UsageError
from coordinator.workspace import Workspace

app = typer.Typer()


@app.command("fetch-results")
@command
def fetch_results(
    exp: OptionalExp = None,
    all_runs: Annotated[bool, typer.Option("--all", help="Every run that has ended and is not here yet.")] = False,
    target: TargetOption = None,
    version: Version = None,
    only: Annotated[
        list[str], typer.Option("--only", help="Only files like this, e.g. '*.csv'; repeatable.", metavar="GLOB")
    ] = [],  # noqa: B006  # typer copies it
    skip: Annotated[
        list[str], typer.Option("--skip", help="No files like this, e.g. '*.pth'; repeatable.", metavar="GLOB")
    ] = [],  # noqa: B006
    force: Annotated[bool, typer.Option("--force", help="Transfer again what is here already.")] = False,
    as_json: Json = False,
) -> None:
    """Bring a run's log, metrics and files home.

    They go into results/; its cross-validation table is shown. What is here already is not transferred again, and what
    broke off goes on where it was. With the last fold of a sweep of split folds, these are merged.
    """
    from coordinator.cli.tables import results as results_table
    from coordinator.runs import fetch as verb
    from coordinator.sweeps import merge_fetched
    from coordinator.target import RunState

    if all_runs and version is not None:
        raise UsageError("--all or --version, not both")
    project = this_project()
    with open_ledger(project) as ledger:
        if all_runs:
            runs = [run for run in ledger.runs(experiment=exp, target=target) if run.version and not run.fetched_at]
        else:
            runs = [find_run(ledger, exp, target, version)]
        if not runs:
            say("nothing to fetch: every run that has ended is here")
        fetched, waiting, failed = [], list[RunFailed](), list[CoordError]()
        silent: dict[str, int] = {}  # target -> how many runs it was not asked for, because it answers nobody now
        for run in runs:
            if run.target in silent:
                silent[run.target] += 1
                continue
            try:
                with target_of(project, run) as opened, transfers() as show:
                    choice = verb.Choice(only=only, skip=skip)
                    fetched.append(
                        verb.fetch_run(Workspace(project, ledger, opened), run, force=force, show=show, choice=choice)
                    )
            except KeyboardInterrupt:
                say(f"interrupted: what came is kept; go on with: {verb.again(run)}")
                raise typer.Exit(INTERRUPTED) from None
            except CoordError as error:
                # One run that has not ended, or whose results can't be had, must not keep the others from coming in.
                if not all_runs:
                    raise
                if isinstance(error, RunFailed):
                    waiting.append(error)
                elif isinstance(error, NoAccess) and run.state is RunState.CANCELLED:
                    say(f"{run.label} was cancelled, and nothing is left of it on {run.target}")
                else:
                    failed.append(error)
                if isinstance(error, (CredentialsError, Later, NotSent)):
                    silent[run.target] = 0
        merged, unmerged = merge_fetched(Workspace(project, ledger, say=say), fetched)
        fetched += merged
    if as_json:
        answer(
            [
                {
                    **item.run.to_json(),
                    "directory": str(item.directory),
                    "files": list(item.files),
                    "transferred": item.size,
                    "left_out": item.left_out,
                }
                for item in fetched
            ]
        )
    for item in fetched:
        if not as_json:
            if item.run.summary is not None:
                answer(None, functools.partial(results_table.results, item.run.label, item.run.summary))
            left_out = f"; {item.left_out} left out" if item.left_out else ""
            where = project.relative(item.directory)
            show_text(f"{item.run.label}: {item.run.state}, {len(item.files)} files in {where}/{left_out}")
        for warning in item.warnings:
            say(f"warning: {warning}")
    for skipped in waiting:
        say(skipped.what)
    for each in failed:
        complain(each)
    for name, left in silent.items():
        if left:
            say(f"{left} more of {name} {'is' if left == 1 else 'are'} left for later: coord fetch-results --all")
    for reason, _ in unmerged:
        complain(reason)
    # What was left out on purpose may be what the merge lacks: that is no failure of a fetch.
    failed += [reason for reason, is_partial in unmerged if not is_partial]
    if failed:
        raise typer.Exit(worst(failed))
