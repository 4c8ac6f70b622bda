"""Commands that use a finished run: continue it, or promote it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.addresses import PushedRuns, with_addresses
from coordinator.cli.commands import App
from coordinator.cli.common import (
    Exp,
    Json,
    OptionalExp,
    Sets,
    TargetOption,
    Version,
    Wait,
    WaitForNeeds,
    WaitForSlot,
    check_success,
    command,
    find_run,
    workspace,
)
from coordinator.cli.runs import wait_for
from coordinator.cli.terminal import answer, say, show_text
from coordinator.errors import BundleError, UsageError

app = App()


@app.command("continue")
@command
def continue_(
    exp: Exp,
    sets: Sets = [],  # noqa: B006  # typer copies it
    version: Version = None,
    target: TargetOption = None,
    wait: Wait = False,
    wait_for_slot: WaitForSlot = False,
    wait_for_needs: WaitForNeeds = False,
    force: Annotated[
        bool, typer.Option("--force", help="Push although a run of this experiment is active: a second session.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Push a run that continues an earlier one's checkpoint.

    The config is the same, perhaps with more epochs; the model source decides what else may differ.
    """
    from coordinator.runs import continuation as verb

    with workspace() as here:
        earlier = find_run(here.ledger, exp, target, version)
        with here.open_target(earlier.target) as there:
            if version is None:
                earlier = verb.choose(there, earlier)
            run = verb.continue_run(
                there, earlier, sets, force=force, wait_for_slot=wait_for_slot, wait_for_needs=wait_for_needs
            )
            if not as_json:
                PushedRuns(here.project).show(run)
            say(f"pushed {run.label}")
            if wait:
                run = wait_for(there, run)
    if as_json:
        answer(with_addresses(here.project, [run.to_json()])[0])
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
    with workspace() as here:
        run = find_run(here.ledger, exp, target, version)
    check_success(run)
    files = verb.promote_run(here.project, run, output)
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
