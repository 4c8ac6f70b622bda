"""Commands that push runs, follow them and end them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, cast

import typer

from coordinator.cli.common import (
    INTERRUPTED,
    Exp,
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
    warn_of_isolation,
    worst,
)
from coordinator.cli.terminal import LogPrinter, answer, ask, complain, new_console, say, show_text
from coordinator.errors import CoordError, NoSlot, RunFailed, UsageError
from coordinator.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from coordinator.ledger import Ledger, Run
    from coordinator.project import Project, TargetName
    from coordinator.runs import Deletion, OpenTargets, Status
    from coordinator.target import Target

app = typer.Typer()

_ERRORS_SHOWN = 3


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
    force: Annotated[
        bool, typer.Option("--force", help="Push although a run of this experiment is active, or has done the same.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Build, push as a new version, print the URL.

    Of several experiments, each is pushed that can be; at the session limit, the others are left for later (exit code
    75). What a complete run has done already is not run again: that run is shown.
    """
    from coordinator.project import experiment_names, target_name
    from coordinator.target import open_target

    project = this_project()
    if not exp:
        raise UsageError("which experiment? name one with --exp", hint=f"Known: {', '.join(experiment_names(project))}")
    names = list(dict.fromkeys(exp))
    where = target_name(project, target)
    pushed: list[Run] = []
    errors: list[CoordError] = []
    with open_ledger(project) as ledger, open_target(project, where) as opened:
        if where == "local":
            warn_of_isolation(project)
        for number, name in enumerate(names):
            try:
                run = _push(project, opened, ledger, name, sets, force=force, wait_for_slot=wait_for_slot)
            except CoordError as error:
                if len(names) == 1:
                    raise
                errors.append(error)
                complain(error)
                if isinstance(error, NoSlot):
                    if left := names[number + 1 :]:
                        say(f"left for later, too: {', '.join(left)}")
                    break
                continue
            if not as_json:
                show_text(run.url)
            pushed.append(run)
        if wait:
            pushed = [wait_for(project, opened, ledger, run) for run in pushed]
    if as_json:
        answer([run.to_json() for run in pushed])
    for run in pushed if wait else ():
        check_success(run)
    if errors:
        raise typer.Exit(worst(errors))


def _push(
    project: Project,
    target: Target,
    ledger: Ledger,
    name: str,
    sets: list[str],
    *,
    force: bool,
    wait_for_slot: bool,
) -> Run:
    """The run that was pushed, or the one that has done the same already."""
    from coordinator.kernel import work_to_do
    from coordinator.ledger import at_work, done_before
    from coordinator.runs import push as verb, refresh_run

    built = prepare(project, name, sets)
    work = work_to_do(built)
    going = None if force else at_work(ledger, work, target.name)
    if going is not None:
        going = refresh_run(Workspace(project, ledger, target), going, look_at_log=False)
        # A second session of the same kernel is another matter: the push refuses that.
        if going.state.is_active and going.experiment != name:
            say(f"{going.label} does the same and is {going.state}: not pushed again (--force repeats it)")
            return going
    done = None if force else done_before(ledger, work, target.name)
    if done is not None:
        say(f"{done.label} has done the same and is complete: not pushed again (--force repeats it)")
        return done
    run = verb.push_kernel(Workspace(project, ledger, target, say=say), built, force=force, wait_for_slot=wait_for_slot)
    say(f"pushed {run.label}")
    return run


@app.command()
@command
def status(
    exp: OptionalExp = None,
    target: TargetOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it until every run has ended.")] = False,
    most: Annotated[int, typer.Option("--most", help="Show at most this many runs.", min=1)] = 20,
    as_json: Json = False,
) -> None:
    """Show where every run stands, newest first.

    A run that goes on after its session should have ended is shown as stuck.
    """
    from coordinator.runs import current_status as verb, open_targets

    project = this_project()
    with open_ledger(project) as ledger, open_targets(project) as targets:

        def look() -> Status:
            return verb(targets, ledger, ledger.runs(experiment=exp, target=target)[:most])

        now = _watch(targets, look) if watch and not as_json else look()
        if not now.runs and not as_json:
            say("no runs yet; push one: coord push --exp NAME")
        answer(now.to_json() if as_json else None, lambda: _table(now))
    for error in now.errors[:_ERRORS_SHOWN]:
        complain(error)
    if len(now.errors) > _ERRORS_SHOWN:
        say(f"and {len(now.errors) - _ERRORS_SHOWN} more runs are shown as last known, too: --json says why")
    if now.errors:
        raise typer.Exit(max(error.exit_code for error in now.errors))


def _table(now: Status) -> RenderableType:
    from coordinator.cli.tables import (
        runs as tables,  # rich takes a third of the time of `coord status --json`, which does without
    )

    return tables.runs(now.runs, now.chains)


def _watch(targets: OpenTargets, look: Callable[[], Status]) -> Status:
    from rich.console import Group
    from rich.live import Live

    from coordinator.runs import watch

    with Live(console=new_console(), auto_refresh=False, transient=True) as live:
        for now in watch(targets, look):
            about = [error.what for error in now.errors[:_ERRORS_SHOWN]]
            live.update(Group(_table(now), *about), refresh=True)
    return now


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

    With --follow it ends with the run: exit code 1 if that failed. On a terminal the figures of the last epoch, and the
    lowest and highest of its fold, stand below.
    """
    from coordinator.results import Sources
    from coordinator.runs import current_log, follow_run as verb

    project = this_project()
    with open_ledger(project) as ledger:
        run = find_run(ledger, exp, target, version)
        with target_of(project, run) as opened:
            sources = Sources(project.root, run.files)
            if not follow:
                printer = LogPrinter(sources, as_json=as_json, raw=raw)
                for record in current_log(Workspace(project, ledger, opened), run):
                    printer.record(record)
                printer.end()
                return
            with LogPrinter(sources, as_json=as_json, raw=raw, label=run.label) as printer:
                for item in verb(Workspace(project, ledger, opened), run):
                    run = printer.item(item) or run
                printer.end()
    check_success(run, show_log=False)


@app.command()
@command
def cancel(
    exp: Exp,
    version: Version = None,
    target: TargetOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete the kernel without asking, if only that stops it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """End a run's session.

    Where the target cancels none (as Kaggle), it offers to delete the kernel.
    """
    from coordinator.runs import cancel as verb
    from coordinator.target import RunState, open_target

    def confirm(deletion: Deletion) -> bool:
        say(str(deletion))
        return verb.confirmed(deletion, yes=yes, ask=ask if sys.stdin.isatty() else None)

    project = this_project()
    with open_ledger(project) as ledger:
        name = verb.where(ledger, exp, target, version) or find_run(ledger, exp, target, version).target
        with open_target(project, cast("TargetName", name)) as opened:
            chosen = verb.choose(Workspace(project, ledger, opened), exp, version)
            run = verb.cancel_run(Workspace(project, ledger, opened), chosen, confirm=confirm)
    if as_json:
        answer(run.to_json())
    else:
        show_text(f"{run.label} is {run.state}" + (f": {run.message}" if run.message else ""))
    if run.state is not RunState.CANCELLED:
        raise RunFailed(f"{run.label} had ended before it could be cancelled")


def wait_for(project: Project, target: Target, ledger: Ledger, run: Run) -> Run:
    """The run once it has ended; its log is shown meanwhile."""
    from coordinator.results import Sources
    from coordinator.runs import follow_run

    try:
        with LogPrinter(Sources(project.root, run.files), to_stderr=True, label=run.label) as printer:
            for item in follow_run(Workspace(project, ledger, target), run):
                run = printer.item(item) or run
            printer.end()
    except KeyboardInterrupt:
        say(f"stopped watching; {run.label} goes on: coord status")
        raise typer.Exit(INTERRUPTED) from None
    return run
