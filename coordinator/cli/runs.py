"""Commands that push runs, follow them and bring them home."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coordinator.cli.common import (
    INTERRUPTED,
    Json,
    OptionalExp,
    Sets,
    TargetOption,
    Version,
    check_success,
    command,
    find_run,
    open_ledger,
    prepare,
    target_of,
    this_project,
)
from coordinator.cli.terminal import LogPrinter, answer, complain, new_console, say, show_text, transfers
from coordinator.errors import RunFailed, UsageError

if TYPE_CHECKING:
    from coordinator.ledger import Ledger, Run
    from coordinator.project import Project
    from coordinator.target import Target

app = typer.Typer()


@app.command()
@command
def push(
    exp: Annotated[
        list[str], typer.Option("--exp", "-e", help="Name of the experiment; repeatable.", metavar="NAME")
    ] = [],  # noqa: B006
    sets: Sets = [],  # noqa: B006  # typer copies it
    target: TargetOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run; fail if it fails.")] = False,
    wait_for_slot: Annotated[
        bool, typer.Option("--wait-for-slot", help="At the session limit, wait until a session has ended.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Push although a run of this experiment is active.")] = False,
    as_json: Json = False,
) -> None:
    """Build, push as a new version, print the URL."""
    from coordinator import push as verb
    from coordinator.experiment import experiment_names
    from coordinator.project import target_name
    from coordinator.targets import open_target

    project = this_project()
    if not exp:
        raise UsageError("which experiment? name one with --exp", hint=f"Known: {', '.join(experiment_names(project))}")
    builds = [prepare(project, name, sets) for name in exp]
    name = target_name(project, target)
    with open_ledger(project) as ledger, open_target(project, name) as opened:
        pushed = []
        for built in builds:
            run = verb.push(project, opened, ledger, built, force=force, wait_for_slot=wait_for_slot, say=say)
            if not as_json:
                show_text(run.url)
            say(f"pushed {run.label}")
            pushed.append(run)
        if wait:
            pushed = [_wait(project, opened, ledger, run) for run in pushed]
    if as_json:
        answer([run.to_json() for run in pushed])
    for run in pushed:
        if wait:
            check_success(run)


@app.command()
@command
def status(
    exp: OptionalExp = None,
    target: TargetOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it until every run has ended.")] = False,
    most: Annotated[int, typer.Option("--most", help="Show at most this many runs.", min=1)] = 20,
    as_json: Json = False,
) -> None:
    """Show where every run stands, newest first."""
    from coordinator import tables
    from coordinator.status import status as verb

    project = this_project()
    with open_ledger(project) as ledger:

        def look() -> Any:
            return verb(project, ledger, ledger.runs(experiment=exp, target=target)[:most])

        now = look()
        if watch and not as_json:
            from rich.live import Live

            with Live(tables.runs(now.runs), console=new_console(), auto_refresh=False, transient=True) as live:
                while any(run.state.is_active for run in now.runs) and not now.errors:
                    live.update(tables.runs(now.runs), refresh=True)
                    time.sleep(2.0)
                    now = look()
        if not now.runs and not as_json:
            say("no runs yet; push one: coord push --exp NAME")
        answer([run.to_json() for run in now.runs] if as_json else None, lambda: tables.runs(now.runs))
    for error in now.errors:
        complain(error)
    if now.errors:
        raise typer.Exit(max(error.exit_code for error in now.errors))


@app.command()
@command
def logs(
    exp: OptionalExp = None,
    target: TargetOption = None,
    version: Version = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Show the reported events as they stand in the log.")] = False,
    as_json: Json = False,
) -> None:
    """Print a run's log; --follow it live.

    With --follow it ends with the run: exit code 1 if that failed.
    """
    from coordinator.follow import follow as verb
    from coordinator.refresh import current_log
    from coordinator.tracebacks import Sources

    project = this_project()
    with open_ledger(project) as ledger:
        run = find_run(ledger, exp, target, version)
        with target_of(project, run) as opened:
            printer = LogPrinter(Sources(project.root, run.files), as_json=as_json, raw=raw)
            if not follow:
                for record in current_log(project, opened, ledger, run):
                    printer.record(record)
                printer.end()
                return
            for item in verb(project, opened, ledger, run):
                run = printer.item(item) or run
            printer.end()
    check_success(run, show_log=False)


@app.command("fetch-results")
@command
def fetch_results(
    exp: OptionalExp = None,
    all_runs: Annotated[bool, typer.Option("--all", help="Every run that has ended and is not here yet.")] = False,
    target: TargetOption = None,
    version: Version = None,
    force: Annotated[bool, typer.Option("--force", help="Transfer again what is here already.")] = False,
    as_json: Json = False,
) -> None:
    """Bring a run's log, metrics and files home.

    They go into results/; its cross-validation table is shown.
    """
    from coordinator import fetch as verb
    from coordinator import tables

    project = this_project()
    with open_ledger(project) as ledger:
        if all_runs:
            runs = [run for run in ledger.runs(experiment=exp, target=target) if run.version and not run.fetched_at]
        else:
            runs = [find_run(ledger, exp, target, version)]
        if not runs:
            say("nothing to fetch: every run that has ended is here")
        fetched, failed = [], []
        for run in runs:
            try:
                with target_of(project, run) as opened, transfers() as start:
                    fetched.append(verb.fetch(project, opened, ledger, run, force=force, start=start))
            except RunFailed as error:
                # One run that has not ended must not keep the others from coming in.
                if not all_runs:
                    raise
                failed.append(error)
    if as_json:
        answer(
            [{**item.run.to_json(), "directory": str(item.directory), "files": list(item.files)} for item in fetched]
        )
    for item in fetched:
        if not as_json:
            if item.run.summary is not None:
                answer(None, functools.partial(tables.results, item.run.label, item.run.summary))
            show_text(
                f"{item.run.label}: {item.run.state}, {len(item.files)} files in {project.relative(item.directory)}/"
            )
        for warning in item.warnings:
            say(f"warning: {warning}")
    for skipped in failed:
        say(skipped.what)


def _wait(project: Project, target: Target, ledger: Ledger, run: Run) -> Run:
    from coordinator.follow import follow
    from coordinator.tracebacks import Sources

    printer = LogPrinter(Sources(project.root, run.files), to_stderr=True)
    try:
        for item in follow(project, target, ledger, run):
            run = printer.item(item) or run
    except KeyboardInterrupt:
        say(f"stopped watching; {run.label} goes on: coord status")
        raise typer.Exit(INTERRUPTED) from None
    printer.end()
    return run
