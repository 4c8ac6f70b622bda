"""The command that fetches results."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import (
    Json,
    Markdown,
    OptionalExp,
    TargetOption,
    Version,
    command,
    find_run,
    workspace,
    worst,
)
from coordinator.cli.terminal import answer, complain, next_step, say, show_markdown, show_text
from coordinator.errors import RunNotFound, UsageError

if TYPE_CHECKING:
    from coordinator.ledger import Run, RunSelection
    from coordinator.runs import Fetched
    from coordinator.workspace import Workspace

app = App()


@app.command("fetch-results")
@command
def fetch_results(
    exp: OptionalExp = None,
    all_runs: Annotated[
        bool, typer.Option("--all", help="Fetch every run that has ended and is not here, or not any more.")
    ] = False,
    target: TargetOption = None,
    version: Version = None,
    only: Annotated[
        list[str], typer.Option("--only", help="Fetch only files like this, e.g. '*.csv'; repeatable.", metavar="GLOB")
    ] = [],  # noqa: B006  # typer copies it
    skip: Annotated[
        list[str], typer.Option("--skip", help="Fetch no files like this, e.g. '*.pth'; repeatable.", metavar="GLOB")
    ] = [],  # noqa: B006
    force: Annotated[bool, typer.Option("--force", help="Transfer again what is here already.")] = False,
    reread: Annotated[
        bool, typer.Option("--reread", help="Read the metrics again from the results that are here.")
    ] = False,
    as_json: Json = False,
    as_markdown: Markdown = False,
) -> None:
    """Fetch a run's log, metrics and files.

    They go into results/, and the cross-validation table is shown. Files that are here are not transferred again, and
    an interrupted transfer is resumed. When the last fold of a split sweep is here, its folds are merged.
    """
    from coordinator.runs import fetch
    from coordinator.sweeps import fetch_and_merge

    if as_json and as_markdown:
        raise UsageError("--json or --markdown, not both")
    if all_runs and version is not None:
        raise UsageError("--all or --version, not both")
    with workspace() as here:
        if all_runs:
            every = here.ledger.short(_all_of(here, exp, target))
            runs = [here.ledger.get(run.id) for run in fetch.not_here(here.project, every)]
            _tell_what_was_deleted(here, [run for run in runs if run.fetched_at])
        else:
            runs = [find_run(here.ledger, exp, target, version)]
        if reread:
            which = _all_of(here, exp, target)
            if all_runs:
                runs = [run for run in here.ledger.selected(which) if run.fetched_at and run.has_kernel]
            _show(here, [fetch.reread(here, run) for run in runs], as_json=as_json, as_markdown=as_markdown)
            return
        if not runs:
            say("nothing to fetch: every run that has ended is here")
        done = fetch_and_merge(here, runs, force=force, choice=fetch.Choice(only=only, skip=skip))
    not_fetched = done.fetches.not_fetched
    if not all_runs and not_fetched:
        raise not_fetched[0].error
    _show(here, done.results, as_json=as_json, as_markdown=as_markdown)
    for each in not_fetched:
        if each.is_active:
            say(each.error.what)
    for each in not_fetched:
        if not (each.is_active or each.is_gone):
            complain(each.error)
    for name, left in done.fetches.not_tried.items():
        if left:
            say(f"{left} more of {name} {'is' if left == 1 else 'are'} left for later: coord fetch-results --all")
    for reason, _ in done.not_merged:
        complain(reason)
    if all_runs and any(item.run.reported.primary_value is not None for item in done.results) and not as_json:
        next_step("best")
    if done.failures:
        raise typer.Exit(worst(done.failures))


def _all_of(here: Workspace, exp: str | None, target: str | None) -> RunSelection:
    """All runs, or those of an experiment. Raises RunNotFound for a name without any."""
    from coordinator.ledger import listing

    found = listing.selection(here.ledger, exp, target)
    if exp is not None and not here.ledger.has(found):
        raise RunNotFound(listing.why_none(here.ledger, listing.Filter(exp)), hint="See: coord runs")
    return found


def _tell_what_was_deleted(here: Workspace, runs: Sequence[Run]) -> None:
    from coordinator.runs import fetch

    for run in runs:
        names = fetch.lacking(here.project, run)
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        say(f"{run.label} is fetched again, because this is not here any more: {', '.join(names[:3])}{more}")


def _show(here: Workspace, results: Sequence[Fetched], *, as_json: bool, as_markdown: bool) -> None:
    from coordinator.cli.tables import results as results_table

    if as_json:
        answer([item.to_json() for item in results])
    for item in results:
        if not as_json:
            if item.run.summary is not None:
                rows = here.project.settings.metrics.rows
                table = functools.partial(results_table.results, item.run.label, item.run.summary, rows)
                show_markdown(table) if as_markdown else answer(None, table)
            left_out = f"; {item.left_out} left out" if item.left_out else ""
            where = here.project.relative(item.directory)
            tell = say if as_markdown else show_text
            tell(f"{item.run.label}: {item.run.state}, {len(item.files)} files in {where}/{left_out}")
        for warning in item.warnings:
            say(f"warning: {warning}")
