"""Commands that show experiments."""

from __future__ import annotations

import typer

from coordinator.cli.common import Exp, Json, Sets, command, this_project
from coordinator.cli.terminal import answer

app = typer.Typer()


@app.command()
@command
def experiments(as_json: Json = False) -> None:
    """List the experiments, with recorded values."""
    from coordinator.cli.tables import runs as tables
    from coordinator.project import experiment_names, resolve

    project = this_project()
    found = [resolve(project, name) for name in experiment_names(project)]
    answer([item.to_json() for item in found] if as_json else None, lambda: tables.experiments(found))


@app.command()
@command
def show(exp: Exp, sets: Sets = [], as_json: Json = False) -> None:  # noqa: B006  # typer copies it
    """Show an experiment's config, and what differs from its base."""
    from coordinator.cli.tables import runs as tables
    from coordinator.ledger import find_experiment

    found = find_experiment(this_project(), exp, sets)
    answer(found.to_json() if as_json else None, lambda: tables.experiment(found))
