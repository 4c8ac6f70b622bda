"""Commands that lead from a finished run onward."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.common import (
    Exp,
    Json,
    OptionalExp,
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
from coordinator.errors import BundleError, UsageError
from coordinator.workspace import Workspace

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
    force: Annotated[
        bool, typer.Option("--force", help="Although a run of this experiment is active: a second session.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Push a run that goes on from an earlier one's checkpoint.

    It is the same config going on, perhaps with more epochs: what else may differ is for the model source to say.
    """
    from coordinator.runs import continuation as verb, push_kernel

    project = this_project()
    with open_ledger(project) as ledger:
        earlier = find_run(ledger, exp, target, version)
        with target_of(project, earlier) as opened:
            if version is None:
                earlier = verb.choose(Workspace(project, ledger, opened, say=say), earlier)
            found = verb.continuation_of(Workspace(project, ledger, opened), earlier, sets)
            built = prepared(project, found.experiment)
            changes = "".join(f", {change.path} {change.base} -> {change.value}" for change in found.changes)
            say(f"going on from {earlier.label}{changes}")
            if opened.name == "local":
                warn_of_isolation(project)
            run = push_kernel(
                Workspace(project, ledger, opened, say=say),
                built,
                force=force,
                wait_for_slot=wait_for_slot,
                continues=earlier.id,
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


@app.command()
@command
def promote(
    exp: OptionalExp = None,
    version: Version = None,
    target: TargetOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The new folder; with --verify a file.", metavar="PATH")
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option("--verify", help="Compare such a folder with what was frozen.", metavar="DIR"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Freeze a fetched run into one folder.

    It has the kernel that ran, byte for byte, and does not depend on the working tree.
    """
    from coordinator.runs import promote as verb

    if verify is not None:
        if exp is not None:
            raise UsageError("--verify is about a folder: leave out --exp")
        _verify(verify, output, as_json=as_json)
        return
    if exp is None or output is None:
        raise UsageError("which run, and where to? coord promote --exp NAME -o DIR")
    project = this_project()
    with open_ledger(project) as ledger:
        run = find_run(ledger, exp, target, version)
    check_success(run)
    files = verb.promote_run(project, run, output)
    if as_json:
        answer({"run": run.id, "directory": str(output), "digest": run.digest, "files": list(files)})
    else:
        show_text(f"{run.label} is frozen in {output}: {len(files)} files, {run.digest}")


def _verify(directory: Path, output: Path | None, *, as_json: bool) -> None:
    from coordinator.runs import promote as verb

    found = verb.verify(directory)
    if as_json:
        answer({"same": not found.problems, "digest": found.digest, "problems": list(found.problems)})
    for problem in found.problems:
        say(problem)
    if found.problems:
        raise BundleError(f"{directory} is not as it was frozen")
    if output is not None:
        verb.write(output, found.kernel)
    if not as_json:
        show_text(f"{directory} has the same kernel, byte for byte: {found.digest}")
