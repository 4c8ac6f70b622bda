"""Commands for many runs at once: sweeps over settings, seeds and folds."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, cast

import typer

from coordinator.cli.common import (
    INTERRUPTED,
    Group,
    Json,
    OptionalExp,
    TargetOption,
    command,
    open_ledger,
    this_project,
    warn_of_isolation,
    worst,
)
from coordinator.cli.terminal import answer, complain, say, show_text, transfers
from coordinator.errors import CoordError, UsageError
from coordinator.workspace import Workspace

if TYPE_CHECKING:
    from coordinator.ledger import Ledger, Sweep
    from coordinator.project import Project, TargetName
    from coordinator.sweeps import Plan
    from coordinator.target import AcceleratorQuota

app = Group(help="Run many experiments: a grid of settings, seeds, folds.")

Name = Annotated[str, typer.Argument(help="Name of the sweep.", metavar="NAME")]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="At the session limit, end with exit code 75 instead of waiting.")
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
    seeds: Annotated[int | None, typer.Option("--seeds", help="Each with this many seeds.", min=1)] = None,
    split_folds: Annotated[bool, typer.Option("--split-folds", help="One kernel a fold.")] = False,
    name: Annotated[str | None, typer.Option("--name", help="The sweep's name; else made of what varies.")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only show what would run, how long, and on what quota.")
    ] = False,
    target: TargetOption = None,
    no_wait: NoWait = False,
    force: Annotated[bool, typer.Option("--force", help="Run again what complete runs have done already.")] = False,
    as_json: Json = False,
) -> None:
    """Run every combination of settings, seeds and folds.

    Each is an experiment of its own, as base--lr0.001-step3-s0, and all are pushed, as sessions become free. The same
    command again goes on where it was.
    """
    from coordinator.cli.tables import sweeps as sweep_tables
    from coordinator.project import experiment_names, target_name
    from coordinator.sweeps import plan as verb

    if context.invoked_subcommand is not None:
        return
    project = this_project()
    if exp is None:
        raise UsageError("which experiment? name one with --exp", hint=f"Known: {', '.join(experiment_names(project))}")
    where = target_name(project, target)
    with open_ledger(project) as ledger:
        planned = verb.plan_sweep(
            Workspace(project, ledger), exp, grid, target=where, seeds=seeds, split=split_folds, name=name, force=force
        )
        if plan:
            quota = _quota(project, planned)
            data = {**planned.to_json(), "quota_total_seconds": quota.total if quota else None} if as_json else None
            answer(data, lambda: sweep_tables.plan(planned, quota))
            return
        begun = verb.begin(ledger, planned, is_named=name is not None, force=force)
        say(f"sweep {begun.name}: {len(begun.members)} experiments")
        _go_on(project, ledger, begun, wait=not no_wait, as_json=as_json)


@app.command()
@command
def resume(
    name: Name,
    retry: Annotated[bool, typer.Option("--retry", help="Push again what failed or was cancelled, too.")] = False,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Go on with a sweep that was interrupted."""
    from coordinator.ledger import find_sweep

    project = this_project()
    with open_ledger(project) as ledger:
        _go_on(project, ledger, find_sweep(ledger, name), wait=not no_wait, retry=retry, as_json=as_json)


@app.command()
@command
def status(
    name: Annotated[
        str | None, typer.Argument(help="Name of the sweep; all of them without.", metavar="[NAME]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how far a sweep is, and the time left."""
    from coordinator.cli.tables import sweeps as sweep_tables
    from coordinator.ledger import all_sweeps, find_sweep
    from coordinator.sweeps import progress as verb
    from coordinator.target import open_target

    project = this_project()
    with open_ledger(project) as ledger:
        if name is None:
            found = [verb.last_known(ledger, each) for each in all_sweeps(ledger)]
            keys = ("sweep", "base", "target", "created_at", "counts")
            rows = [{key: each.to_json()[key] for key in keys} for each in found]
            answer(rows if as_json else None, lambda: sweep_tables.sweeps(found))
            if not found and not as_json:
                say("no sweeps yet; make one: coord sweep --exp NAME --grid PATH=VALUE,VALUE")
            return
        chosen = find_sweep(ledger, name)
        trouble = None
        try:
            with open_target(project, cast("TargetName", chosen.target)) as opened:
                verb.brought_up_to_date(Workspace(project, ledger, opened), chosen)
        except CoordError as error:
            trouble = error  # what is known is shown all the same
        now = verb.standing(Workspace(project, ledger), chosen)
        answer(now.to_json() if as_json else None, lambda: sweep_tables.progress(now))
    if trouble is not None:
        raise trouble


@app.command()
@command
def merge(name: Name, as_json: Json = False) -> None:
    """Put split folds together, as if one kernel had run all.

    What is not here yet is fetched. Each merged run is one of version 0.
    """
    from coordinator.cli.tables import results as results_table
    from coordinator.ledger import MERGED, find_sweep
    from coordinator.runs import fetch as fetching
    from coordinator.sweeps import merge_folds as verb, progress as sweep_progress
    from coordinator.target import open_target

    project = this_project()
    merged = []
    with open_ledger(project) as ledger:
        chosen = find_sweep(ledger, name)
        groups = verb.groups(chosen)
        if not groups:
            raise UsageError(f"the sweep {name} was not split into folds", hint="coord sweep ... --split-folds")
        with open_target(project, cast("TargetName", chosen.target)) as opened:
            sweep_progress.brought_up_to_date(Workspace(project, ledger, opened), chosen)
            for whole in groups:
                runs = verb.fold_runs(ledger, chosen, whole)
                with transfers() as show:
                    for run in runs:
                        if not run.fetched_at and not verb.is_mergeable(project, run):
                            fetching.fetch_run(Workspace(project, ledger, opened), run, force=False, show=show)
                merged.append(verb.merge(Workspace(project, ledger, say=say), whole, runs))
    if as_json:
        answer([run.to_json() for run in merged])
        return
    for run in merged:
        answer(None, functools.partial(results_table.results, run.label, run.summary or {}))
        show_text(
            f"{run.label}: {run.message}, in {project.relative(project.results(run.experiment, run.target, MERGED))}/"
        )


def _go_on(
    project: Project, ledger: Ledger, sweep: Sweep, *, wait: bool, retry: bool = False, as_json: bool = False
) -> None:
    from coordinator.sweeps import push as sweep_push, standing
    from coordinator.target import open_target

    try:
        with open_target(project, cast("TargetName", sweep.target)) as opened:
            if sweep.target == "local":
                warn_of_isolation(project)
            refused = sweep_push.go_on(
                Workspace(project, ledger, opened, say=say),
                sweep,
                wait=wait,
                retry=retry,
                pushed=lambda run: say(f"pushed {run.label}") if as_json else show_text(f"{run.label}  {run.url}"),
            )
    except KeyboardInterrupt:
        say(f"interrupted: what was pushed goes on; the rest: coord sweep resume {sweep.name}")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        if as_json:
            answer(standing(Workspace(project, ledger), sweep).to_json())
    if refused:
        for error in refused:
            complain(error)
        raise typer.Exit(worst(refused))
    say(f"all of it is pushed: coord sweep status {sweep.name}")


def _quota(project: Project, planned: Plan) -> AcceleratorQuota | None:
    """What the target says; else, of GPUs, what a week is known to have."""
    from coordinator.kaggle_rules import GPU_HOURS
    from coordinator.target import AcceleratorQuota, open_target

    if planned.kind == "cpu":
        return None
    try:
        with open_target(project, cast("TargetName", planned.target)) as opened:
            found = [each for each in opened.quota().accelerators if each.kind == planned.kind]
    except CoordError as error:
        say(f"note: the quota is not known: {error.what}")
        found = []
    if found:
        return found[0]
    return AcceleratorQuota("gpu", 0.0, 0.0, GPU_HOURS * 3600) if planned.kind == "gpu" else None
