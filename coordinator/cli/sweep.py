"""Commands for many runs at once: sweeps over settings, seeds and folds."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.addresses import PushedRuns
from coordinator.cli.commands import App, NamedGroup
from coordinator.cli.common import (
    Json,
    OptionalExp,
    TargetOption,
    WaitForNeeds,
    command,
    workspace,
    worst,
)
from coordinator.cli.naming import which_experiment
from coordinator.cli.terminal import answer, complain, say, show_text

if TYPE_CHECKING:
    from coordinator.ledger import Sweep
    from coordinator.project import TargetName
    from coordinator.sweeps import SweepOptions
    from coordinator.workspace import Workspace

app = App(cls=NamedGroup, help="Run many experiments: a grid of settings, seeds, folds.")

Name = Annotated[str, typer.Argument(help="Name of the sweep.", metavar="NAME")]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="At the session limit, end with exit code 75 instead of waiting.")
]


AtOnce = Annotated[
    int | None,
    typer.Option("--at-once", help="On a cluster with arrays: how many run at a time.", metavar="N", min=1),
]


@app.callback(invoke_without_command=True)
@command
def sweep(
    context: typer.Context,
    exp: OptionalExp = None,
    grid: Annotated[
        list[str],
        typer.Option(
            "--grid", help="A setting and its values, e.g. optim.lr=0.1,0.01; repeatable.", metavar="PATH=V,V"
        ),
    ] = [],  # noqa: B006  # typer copies it
    seeds: Annotated[int | None, typer.Option("--seeds", help="Run each with this many seeds.", min=1)] = None,
    split_folds: Annotated[bool, typer.Option("--split-folds", help="One kernel a fold.")] = False,
    name: Annotated[
        str | None, typer.Option("--name", help="The sweep's name; by default made of what varies.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only show what would run, how long, and on what quota.")
    ] = False,
    target: TargetOption = None,
    no_wait: NoWait = False,
    at_once: AtOnce = None,
    wait_for_needs: WaitForNeeds = False,
    force: Annotated[bool, typer.Option("--force", help="Run again what complete runs have done already.")] = False,
    as_json: Json = False,
) -> None:
    """Run every combination of settings, seeds and folds.

    Each is an experiment of its own, such as base--lr0.001-step3-s0, and all are pushed as sessions become free. The
    same command again continues the sweep.
    """
    from coordinator.cli.tables import sweeps as sweep_tables
    from coordinator.project import target_name
    from coordinator.sweeps import SweepOptions, check_at_once, plan as verb, quota_for
    from coordinator.target import abilities_of

    if context.invoked_subcommand is not None:
        return
    if exp is None:
        raise which_experiment()
    with workspace() as here:
        where = target_name(here.project, target)
        check_at_once(where, abilities_of(here.project, where), at_once)  # before the sweep is recorded
        if not plan:
            _check_needs(here, exp, where, wait=wait_for_needs)
        planned = verb.plan_sweep(
            here, exp, verb.Variation(grid, seeds, split_folds), target=where, name=name, force=force
        )
        if plan:
            quota = quota_for(here, planned)
            data = {**planned.to_json(), "quota_total_seconds": quota.total if quota else None} if as_json else None
            answer(data, lambda: sweep_tables.plan(planned, quota))
            return
        with here.open_target(where) as there:  # before the sweep is recorded: without credentials there is none
            begun = verb.begin(here.ledger, planned, is_named=name is not None, force=force)
            say(f"sweep {begun.name}: {len(begun.members)} experiments")
            _go_on(there, begun, SweepOptions(wait=not no_wait, at_once=at_once), as_json=as_json)


@app.command()
@command
def resume(
    name: Name,
    retry: Annotated[bool, typer.Option("--retry", help="Push again what failed or was cancelled, too.")] = False,
    no_wait: NoWait = False,
    at_once: AtOnce = None,
    as_json: Json = False,
) -> None:
    """Continue a sweep that was interrupted."""
    from coordinator.ledger import find_sweep
    from coordinator.sweeps import SweepOptions

    with workspace() as here:
        found = find_sweep(here.ledger, name)
        with here.open_target(found.target) as there:
            _go_on(there, found, SweepOptions(not no_wait, retry, at_once), as_json=as_json)


@app.command()
@command
def status(
    name: Annotated[
        str | None, typer.Argument(help="Name of the sweep; all of them without.", metavar="[NAME]")
    ] = None,
    url: Annotated[bool, typer.Option("--url", help="Show the address of each run of the sweep, too.")] = False,
    as_json: Json = False,
) -> None:
    """Show the progress of a sweep, and the time left."""
    from coordinator.cli.tables import sweeps as sweep_tables
    from coordinator.ledger import all_sweeps, find_sweep
    from coordinator.live_page import listening
    from coordinator.sweeps import progress as verb

    with workspace() as here:
        if name is None:
            found = [verb.last_known(here.ledger, each) for each in all_sweeps(here.ledger)]
            keys = ("sweep", "base", "target", "created_at", "counts")
            rows = [{key: each.to_json()[key] for key in keys} for each in found]
            if found or as_json:
                answer(rows if as_json else None, lambda: sweep_tables.sweeps(found))
            else:
                say("no sweeps yet; make one: coord sweep NAME --grid PATH=VALUE,VALUE")
            return
        now, error = verb.current_progress(here, find_sweep(here.ledger, name))
        page = listening(here.project) if url else None
        answer(now.to_json() if as_json else None, lambda: sweep_tables.progress(now, page, has_urls=url))
    if error is not None:
        raise error


@app.command()
@command
def merge(name: Name, as_json: Json = False) -> None:
    """Merge split folds, as if one kernel had run them all.

    Results that are not here yet are fetched. A merged run has version 0.
    """
    from coordinator.cli.tables import results as results_table
    from coordinator.ledger import find_sweep
    from coordinator.sweeps import merge_sweep

    with workspace() as here:
        merged = merge_sweep(here, find_sweep(here.ledger, name))
    if as_json:
        answer([run.to_json() for run in merged])
        return
    for run in merged:
        rows = here.project.settings.metrics.rows
        answer(None, functools.partial(results_table.results, run.label, run.reported, rows))
        results = here.project.results(run.experiment, run.target, run.results_version)
        show_text(f"{run.label}: {run.message}, in {here.project.relative(results)}/")


def _check_needs(here: Workspace, exp: str, target: TargetName, *, wait: bool) -> None:
    """Before the plan: what the experiments do depends on which versions they would read."""
    from coordinator.ledger import find_experiment
    from coordinator.runs import ready_needs

    experiment = find_experiment(here.project, exp)
    if experiment.needs:
        with here.open_target(target) as there:
            ready_needs(there, experiment, wait=wait)


def _go_on(there: Workspace, sweep: Sweep, options: SweepOptions, *, as_json: bool = False) -> None:
    from coordinator.runs import warn_if_here
    from coordinator.sweeps import push as sweep_push, sweep_progress

    shown = PushedRuns(there.project)
    try:
        warn_if_here(there)
        refused = sweep_push.resume(
            there,
            sweep,
            options=options,
            pushed=lambda run: say(f"pushed {run.label}") if as_json else shown.show(run, named=True),
        )
    except KeyboardInterrupt:
        resume = f"coord sweep resume {sweep.name}"
        raise KeyboardInterrupt(f"interrupted: what was pushed goes on; the rest: {resume}") from None
    finally:
        if as_json:
            answer(sweep_progress(there, sweep).to_json())
    if refused:
        for error in refused:
            complain(error)
        raise typer.Exit(worst(refused))
    say(f"all of it is pushed: coord sweep status {sweep.name}")
