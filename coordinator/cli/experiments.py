"""Commands that show experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import Exp, Json, Sets, command, this_project, worst
from coordinator.cli.terminal import answer, complain, say

if TYPE_CHECKING:
    from coordinator.ledger import Run
    from coordinator.project import Project

app = App()


@app.command()
@command
def experiments(as_json: Json = False) -> None:
    """List the experiments, with recorded values.

    One that has problems hides no other: its problems follow.
    """
    from coordinator.cli.tables import runs as tables
    from coordinator.project import experiment_names, not_read, resolve_all

    project = this_project()
    found = resolve_all(project, experiment_names(project))
    answer(found.to_json() if as_json else None, lambda: tables.experiments(found.experiments))
    for text in not_read(project):
        say(text)
    # Without a config module, all have the same problem.
    for error in {error.what: error for error in found.errors.values()}.values():
        complain(error)
    if found.errors:
        raise typer.Exit(worst(found.errors.values()))


@app.command()
@command
def show(exp: Exp, sets: Sets = [], as_json: Json = False) -> None:  # noqa: B006  # typer copies it
    """Show a config, and what differs from its base.

    Of one with needs, also which versions its newest run read. Warns of values that a dry run would refuse.
    """
    from coordinator.cli.tables import runs as tables
    from coordinator.ledger import find_experiment
    from coordinator.runs import override_problems

    project = this_project()
    found = find_experiment(project, exp, sets)
    read = _newest_run(project, exp) if found.needs else None
    newest = {"run": read.label, "reads": [each.to_json() for each in read.named_reads]} if read else None
    answer({**found.to_json(), "newest": newest} if as_json else None, lambda: tables.experiment(found, read))
    for problem in override_problems(project, found):
        say(f"warning: {project.relative(project.pyproject)}: {problem}, so coord dry-run would refuse it")


def _newest_run(project: Project, exp: str) -> Run | None:
    """The newest run that reads something; None without one, or without a ledger."""
    from coordinator.ledger import Ledger

    if not project.ledger.is_file():
        return None
    with Ledger(project.ledger) as ledger:
        return next((run for run in ledger.runs(experiment=exp) if run.reads), None)
