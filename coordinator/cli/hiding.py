"""Commands that take runs out of best, compare and report."""

from __future__ import annotations

from typing import Annotated

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import Json, TargetOption, command, workspace
from coordinator.cli.naming import run_names
from coordinator.cli.terminal import answer, say, show_text

app = App()

Names = Annotated[list[str], typer.Argument(help="Runs: NAME@v3, or the newest of NAME.", metavar="RUN...")]
Undo = Annotated[bool, typer.Option("--undo", help="Let them count again; of NAME, the one that was hidden last.")]


@app.command()
@command
def hide(names: Names, undo: Undo = False, target: TargetOption = None, as_json: Json = False) -> None:
    """Take runs out of best, compare and report.

    The ledger, their results and their kernels stay, and --undo lets them count again. A session that is going on
    goes on. Work that only a hidden run has done is pushed again.
    """
    from coordinator.ledger import parse_run_name
    from coordinator.runs import hide as verb

    with workspace() as here:
        found = (verb.show_runs if undo else verb.hide_runs)(
            here, [parse_run_name(name).with_options(target) for name in run_names(names)]
        )
    if as_json:
        answer([each.run.to_json() for each in found])
    for each in found:
        if not as_json:
            show_text(verb.told(each))
        if about := verb.warning(each.run):
            say(about)


@app.command()
@command
def rm(names: Names, undo: Undo = False, target: TargetOption = None, as_json: Json = False) -> None:
    """Another name of hide: take runs out of best and compare.

    Nothing is deleted: the ledger, their results and their kernels stay, and --undo lets them count again.
    """
    hide(names, undo=undo, target=target, as_json=as_json)
