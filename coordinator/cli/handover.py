"""The command that hands runs over to other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.common import Json, command, open_ledger, this_project
from coordinator.cli.terminal import answer, say, show_text
from coordinator.errors import UsageError

if TYPE_CHECKING:
    from coordinator.handover import Destination

app = typer.Typer()


@app.command()
@command
def export(
    mlflow: Annotated[
        str | None,
        typer.Option("--mlflow", help="MLflow: a server, or sqlite:///FILE.", metavar="URI"),
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", help="TensorBoard: event files below DIR.", metavar="DIR")
    ] = None,
    wandb_offline: Annotated[
        Path | None,
        typer.Option("--wandb-offline", help="Weights & Biases: offline runs for wandb sync.", metavar="DIR"),
    ] = None,
    exp: Annotated[
        list[str], typer.Option("--exp", "-e", help="Only runs of this experiment; repeatable.", metavar="NAME")
    ] = [],  # noqa: B006  # typer copies it
    under: Annotated[
        str | None,
        typer.Option(
            "--under",
            help="MLflow's experiment, Weights & Biases' project; else the folder's name.",
            metavar="NAME",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Hand finished runs over to MLflow, TensorBoard or W&B.

    Config, metrics by fold and epoch, small files and where they come from. A run that is there already is not made
    twice: what is missing of it is added.
    """
    from coordinator.files import held
    from coordinator.handover import ended, record_of

    project = this_project()
    if under is not None and not under.strip():
        raise UsageError("--under: the name is empty")
    if mlflow is not None and not mlflow.strip():
        raise UsageError("--mlflow: the address is empty")  # MLflow would take a default of its own
    with open_ledger(project) as ledger:
        runs, active = ended(ledger, exp)
    with held(project.export_lock, wait=True):  # two at once would both find that a run isn't there yet
        destinations = _destinations(mlflow, tensorboard, wandb_offline, under or project.root.name)
        done = []
        for run in runs:
            read = record_of(project, run)
            for warning in read.warnings:
                say(f"{run.label}: {warning}")
            for destination in destinations:
                taken = destination.take(read)
                done.append(
                    {"run": run.id, "label": run.label, "to": destination.name, "outcome": taken.outcome}
                    | {"place": taken.place}
                )
                if not as_json:
                    show_text(f"{taken.outcome:<10}{destination.name:<14}{run.label}")
    for run in active:
        say(f"{run.label} {run.state.phrase}: it can be exported when it has ended")
    if as_json:
        answer(done)
    elif not runs:
        say("no run has ended yet")


def _destinations(
    mlflow: str | None, tensorboard: Path | None, wandb_offline: Path | None, under: str
) -> list[Destination]:
    from coordinator.handover import MlflowStore, TensorboardFolder, WandbFolder

    found: list[Destination] = []
    if mlflow is not None:
        found.append(MlflowStore(mlflow, under))
    if tensorboard is not None:
        found.append(TensorboardFolder(tensorboard))
    if wandb_offline is not None:
        found.append(WandbFolder(wandb_offline, under))
    if not found:
        raise UsageError("where to? name at least one of --mlflow URI, --tensorboard DIR, --wandb-offline DIR")
    return found
