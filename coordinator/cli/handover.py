"""The command that exports runs to other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import Json, command, workspace
from coordinator.cli.terminal import answer, say, show_text

app = App()


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
    """Export finished runs to MLflow, TensorBoard or W&B.

    Config, metrics by fold and epoch, small files, provenance. A run that is there already is not added a second time:
    only what it lacks is added.
    """
    from coordinator.handover import Stores, hand_over

    done = []
    with workspace() as here:
        for handed in hand_over(here, Stores(mlflow, tensorboard, wandb_offline, under), exp):
            done.append(handed.to_json())
            if not as_json:
                show_text(f"{handed.taken.outcome:<10}{handed.store:<14}{handed.run.label}")
    if as_json:
        answer(done)
    elif not done:
        say("no run has ended yet")
