"""Commands that lead from a finished run onward."""

from __future__ import annotations

from typing import Annotated

import typer

from coordinator.cli.common import (
    Exp,
    Json,
    Sets,
    TargetOption,
    Version,
    check_success,
    command,
    find_run,
    open_ledger,
    prepared,
    target_of,
    this_project,
    warn_of_isolation,
)
from coordinator.cli.runs import wait_for
from coordinator.cli.terminal import answer, say, show_text

app = typer.Typer()


@app.command("continue")
@command
def continue_(
    exp: Exp,
    sets: Sets = [],  # noqa: B006  # typer copies it
    version: Version = None,
    target: TargetOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run; fail if it fails.")] = False,
    wait_for_slot: Annotated[
        bool, typer.Option("--wait-for-slot", help="At the session limit, wait until a session has ended.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Push a run that goes on from an earlier one's checkpoint.

    It is the same config going on, perhaps with more epochs: what else may differ is for the model source to say.
    """
    from coordinator import continuation as verb
    from coordinator.push import push

    project = this_project()
    with open_ledger(project) as ledger:
        earlier = find_run(ledger, exp, target, version)
        with target_of(project, earlier) as opened:
            if version is None:
                earlier = verb.choose(project, opened, ledger, earlier, say)
            found = verb.continuation(project, opened, ledger, earlier, sets)
            built = prepared(project, found.experiment)
            changes = "".join(f", {change.path} {change.base} -> {change.value}" for change in found.changes)
            say(f"going on from {earlier.label}{changes}")
            if opened.name == "local":
                warn_of_isolation(project)
            run = push(
                project, opened, ledger, built, force=False, wait_for_slot=wait_for_slot, say=say, continues=earlier.id
            )
            if not as_json:
                show_text(run.url)
            say(f"pushed {run.label}")
            if wait:
                run = wait_for(project, opened, ledger, run)
    if as_json:
        answer(run.to_json())
    if wait:
        check_success(run)
