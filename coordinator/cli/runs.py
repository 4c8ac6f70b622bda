"""Commands that push runs, follow them and end them."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.addresses import PushedRuns, with_addresses
from coordinator.cli.commands import App
from coordinator.cli.common import (
    Exp,
    Json,
    OptionalExp,
    Sets,
    TargetOption,
    Version,
    Wait,
    WaitForNeeds,
    WaitForSlot,
    all_names,
    check_success,
    command,
    find_run,
    workspace,
    worst,
)
from coordinator.cli.naming import which_experiment
from coordinator.cli.terminal import (
    LogPrinter,
    answer,
    ask,
    can_draw,
    complain,
    new_console,
    next_step,
    say,
    show_line,
    show_text,
)
from coordinator.errors import CoordError, CredentialsError, RunFailed, UsageError
from coordinator.text import in_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from coordinator.ledger import Run
    from coordinator.live_page import LivePage
    from coordinator.project import Project
    from coordinator.runs import Deletion, OpenTargets, Status, StatusLine, Step
    from coordinator.workspace import Workspace

app = App()

_ERRORS_SHOWN = 3


@app.command()
@command
def push(
    exp: Annotated[
        list[str], typer.Option("--exp", "-e", help="Name of the experiment; repeatable.", metavar="NAME")
    ] = [],  # noqa: B006
    sets: Sets = [],  # noqa: B006  # typer copies it
    target: TargetOption = None,
    wait: Wait = False,
    wait_for_slot: WaitForSlot = False,
    wait_for_needs: WaitForNeeds = False,
    force: Annotated[
        bool, typer.Option("--force", help="Push although a run of this experiment is active, or has done the same.")
    ] = False,
    with_needs: Annotated[
        bool, typer.Option("--with-needs", help="First push what it needs, unless that is done, and wait for it.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="With --with-needs: only show what would be pushed, and why.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Build, push as a new version, print the URL.

    Of several experiments, each that can be is pushed; at the session limit, the others are left for later (exit code
    75). Work that a complete run has done already is not run again: that run is shown.

    The same command with --with-needs goes on with a chain that was interrupted. --set and --force are for what is
    named, not for its needs.
    """
    from coordinator.runs import chain_of_needs, plan_chain, push_chain, push_several

    if not exp:
        raise which_experiment()
    if plan and not with_needs:
        raise UsageError("--plan is for an experiment and what it needs", hint="Add --with-needs.")
    names = list(dict.fromkeys(exp))
    pushed: list[Run] = []
    errors: list[CoordError] = []
    with workspace() as here, contextlib.ExitStack() as stack:
        there = _open(here, target, names[0], sets, stack)
        shown = PushedRuns(here.project)
        if plan:
            steps = plan_chain(there, chain_of_needs(there.project, names, sets, force=force))
            answer([step.to_json() for step in steps] if as_json else None, lambda: _chain_table(steps))
            return
        if with_needs:
            results = push_chain(there, names, sets, force=force, wait_for_slot=wait_for_slot)
        else:
            results = push_several(
                there, names, sets, force=force, wait_for_slot=wait_for_slot, wait_for_needs=wait_for_needs
            )
        for result in results:
            if result.run is not None:
                pushed.append(result.run)
                if not as_json:
                    shown.show(result.run)
            if result.error is not None:
                if len(names) == 1:
                    raise result.error
                errors.append(result.error)
                complain(result.error)
            if result.not_tried:
                say(f"left for later, too: {', '.join(result.not_tried)}")
        if wait:
            pushed = [wait_for(there, run) for run in pushed]
    if as_json:
        answer(with_addresses(there.project, [run.to_json() for run in pushed]))
    for run in pushed if wait else ():
        check_success(run)
    if errors:
        raise typer.Exit(worst(errors))
    if not as_json:
        next_step(*(("fetch-results", pushed[0].experiment) if wait and len(pushed) == 1 else ("status", "--watch")))


def _open(here: Workspace, target: str | None, exp: str, sets: list[str], stack: contextlib.ExitStack) -> Workspace:
    """Without credentials, what is wrong with the experiment is said first: for that, none are needed."""
    try:
        return stack.enter_context(here.open_target(target))
    except CredentialsError:
        from coordinator.ledger import find_experiment

        find_experiment(here.project, exp, sets)
        raise


def _chain_table(steps: Sequence[Step]) -> RenderableType:
    from coordinator.cli.tables import runs as tables

    return tables.chain(steps)


@app.command()
@command
def status(
    exp: OptionalExp = None,
    target: TargetOption = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep the table up to date until every run has ended.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", help="At most this many.", min=1)] = 20,
    hidden: Annotated[bool, typer.Option("--hidden", help="Show the runs that are hidden, too.")] = False,
    url: Annotated[bool, typer.Option("--url", help="Show the address of each run, too.")] = False,
    as_json: Json = False,
) -> None:
    """Show the state of every run, one line each, newest first.

    A sweep is one line; coord sweep status NAME opens it. A run that goes on after its session should have ended is
    shown as stuck. With --watch, the table is kept up to date on a terminal, with the course of each run's metric;
    elsewhere, and with --json, each run is a line at first, and again whenever something of it has changed. With a
    name, all lines are shown of why the newest run ended.
    """
    from coordinator.ledger import listing
    from coordinator.runs import StatusLine, current_status as verb, newest_entries, open_targets

    is_screen = watch and not as_json and can_draw()

    with workspace() as here, open_targets(here.project) as targets:

        def look() -> tuple[list[StatusLine], Status]:
            # Who watches waits for the end of all that goes on.
            if as_json or exp is not None or (watch and not is_screen):
                which = listing.selection(here.ledger, exp, target, hidden=hidden)
                runs = here.ledger.selected(which, most=limit)
                older = here.ledger.selected(replace(which, active=True)) if watch else []
                found = [StatusLine((run,)) for run in {run.id: run for run in (*runs, *older)}.values()]
            else:
                found = newest_entries(here.ledger, limit, target, hidden=hidden, active=watch)
            shown = found[:limit] + [entry for entry in found[limit:] if entry.is_active]
            asked = {run.id: run for entry in shown for run in entry.runs}.values()
            return shown, verb(targets, here.ledger, asked, has_courses=is_screen)

        if watch and not is_screen:
            now = _changes(targets, lambda: look()[1], as_json=as_json)
        else:
            shown, now = _watch(targets, look) if watch else look()
            if shown or as_json:
                items = with_addresses(here.project, now.to_json()) if as_json else None
                page = _page(here.project, now)
                drawn = partial(_board, has_urls=url, has_courses=watch, has_messages=exp is not None)
                answer(items, lambda: drawn(shown, now, page))
        if not now.runs:
            known = all_names(here.project) if exp is not None else ()
            reason = listing.why_none(here.ledger, listing.Filter(exp, hidden=hidden), known)
            if not as_json:
                say(reason)
    for error in now.errors[:_ERRORS_SHOWN]:
        complain(error)
    if len(now.errors) > _ERRORS_SHOWN:
        say(f"and {len(now.errors) - _ERRORS_SHOWN} more runs are shown as last known, too: --json says why")
    if now.errors:
        raise typer.Exit(max(error.exit_code for error in now.errors))


def _page(project: Project, now: Status) -> LivePage | None:
    """The live page, if it is open and shows a run that has no page elsewhere."""
    from coordinator.live_page import listening

    return listening(project) if any(not run.url for run in now.runs) else None


def _board(
    shown: Sequence[StatusLine],
    now: Status,
    page: LivePage | None,
    *,
    has_urls: bool = False,
    has_courses: bool = False,
    has_messages: bool = False,
) -> RenderableType:
    # Imported here: rich takes a third of the time of `coord status --json`, which does not need it.
    from coordinator.cli.tables import status as tables

    return tables.StatusTable(shown, now, page, has_urls=has_urls, has_courses=has_courses, has_messages=has_messages)


def _changes(targets: OpenTargets, look: Callable[[], Status], *, as_json: bool) -> Status:
    """Prints a line a run at first, then one whenever something of a run has changed."""
    from coordinator.cli.tables import status as tables
    from coordinator.runs import watch

    before: Status | None = None
    for now in watch(targets, look):
        for run, item in now.changes(before):
            if as_json:
                show_line(with_addresses(targets.project, [item])[0])
            else:
                show_text(tables.line(run, now))
        before = now
    return now


def _watch(
    targets: OpenTargets, look: Callable[[], tuple[list[StatusLine], Status]]
) -> tuple[list[StatusLine], Status]:
    """Keeps the table up to date on a screen of its own, so that it may change its size."""
    from rich.live import Live

    from coordinator.cli.tables import status as tables
    from coordinator.runs import watch

    shown: list[StatusLine] = []
    now: Status | None = None
    page: LivePage | None = None

    def draw() -> RenderableType:
        if now is None:
            return "asking ..."
        return tables.with_errors(
            _board(shown, now, page, has_courses=True), [error.what for error in now.errors[:_ERRORS_SHOWN]]
        )

    def again() -> Status:
        nonlocal shown
        shown, found = look()
        return found

    try:
        # Drawn each second: ages grow, and the window may have another size.
        with Live(get_renderable=draw, console=new_console(), refresh_per_second=1, screen=True) as live:
            for found in watch(targets, again):
                now, page = found, _page(targets.project, found)
                live.refresh()
    except KeyboardInterrupt:
        if now is not None:
            answer(None, lambda: _board(shown, now, page, has_courses=True))
        active = sum(run.state.is_active for run in now.runs) if now else 0
        told = "1 run goes on" if active == 1 else f"{active} runs go on"
        raise KeyboardInterrupt(f"stopped watching; {told}: coord status") from None
    assert now is not None  # `watch` looks at least once
    return shown, now


@app.command()
@command
def logs(
    exp: OptionalExp = None,
    target: TargetOption = None,
    version: Version = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow it until the run ends.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Show the reported events as they are in the log.")] = False,
    as_json: Json = False,
) -> None:
    """Print a run's log; --follow it live.

    With --follow it ends with the run: exit code 1 if that failed. On a terminal, the metrics of the last epoch are
    shown below the log, with the lowest and highest of its fold.
    """
    from coordinator.results import Sources
    from coordinator.runs import current_log, follow_run as verb

    with workspace() as here:
        run = find_run(here.ledger, exp, target, version)
        sources, metrics = Sources(here.project.root, run.files), here.project.settings.metrics
        with here.open_target(run.target) as there:
            if not follow:
                printer = LogPrinter(sources, metrics, as_json=as_json, raw=raw)
                for record in current_log(there, run):
                    printer.record(record)
                printer.end()
                return
            with LogPrinter(
                sources, here.project.settings.metrics, as_json=as_json, raw=raw, label=run.label
            ) as printer:
                for item in verb(there, run):
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

    If the target cannot cancel sessions (Kaggle cannot), it offers to delete the kernel.
    """
    from coordinator.runs import cancel as verb
    from coordinator.target import RunState

    def confirm(deletion: Deletion) -> bool:
        say(str(deletion))
        return verb.confirmed(deletion, yes=yes, ask=ask if sys.stdin.isatty() else None)

    with workspace() as here:
        run = verb.cancel_experiment(here, exp, target=target, version=version, confirm=confirm)
    if as_json:
        answer(run.to_json())
    else:
        show_text(f"{run.label} {run.state.phrase}" + (f": {in_one_line(run.message)}" if run.message else ""))
    if run.state is not RunState.CANCELLED:
        raise RunFailed(f"{run.label} had ended before it could be cancelled")


def wait_for(there: Workspace, run: Run) -> Run:
    """Shows the run's log until the run has ended, and returns it as it is then."""
    from coordinator.results import Sources
    from coordinator.runs import follow_run

    try:
        sources, metrics = Sources(there.project.root, run.files), there.project.settings.metrics
        with LogPrinter(sources, metrics, to_stderr=True, label=run.label) as printer:
            for item in follow_run(there, run):
                run = printer.item(item) or run
            printer.end()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped watching; {run.label} goes on: coord status") from None
    return run
