"""Commands for data sets of one's own: push, status, list, fetch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import Json, TargetOption, command, workspace
from coordinator.cli.terminal import answer, say, show_text
from coordinator.errors import TargetError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from coordinator.ledger import DatasetVersion

app = App(help="Private data sets: push a folder, fetch one.", no_args_is_help=True)

Reference = Annotated[str, typer.Argument(help="OWNER/SLUG, as dataset_sources name it.", metavar="OWNER/SLUG")]


@app.command()
@command
def push(
    directory: Annotated[Path, typer.Argument(help="The folder whose content is sent.", metavar="DIR")],
    reference: Reference,
    message: Annotated[str, typer.Option("--message", "-m", help="The version's notes.", metavar="TEXT")] = "",
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait until sessions get the new version.")] = False,
    target: TargetOption = None,
    as_json: Json = False,
) -> None:
    """Make a folder the newest version of a private data set.

    The data set is created if there is none. The same content is not sent again, and an interrupted upload is resumed.
    """
    from coordinator.datasets import check_folder, push_folder

    check_folder(directory)  # before anything that needs an account
    with workspace() as here, here.open_target(target) as there:
        try:
            found = push_folder(there, directory, reference, message=message, wait=not no_wait)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("interrupted; what was sent is kept, and the same command goes on") from None
    if as_json:
        answer(found.to_json())
    else:
        show_text(_line(found))


def _line(each: DatasetVersion) -> str:
    return f"{each.label}: {each.state}, {each.digest[:19]}"


@app.command()
@command
def status(reference: Reference, target: TargetOption = None, as_json: Json = False) -> None:
    """Show a data set's newest version, and whether sessions get it yet."""
    from coordinator.datasets import dataset_status
    from coordinator.target import DatasetState

    with workspace() as here, here.open_target(target) as there:
        found = dataset_status(there, reference)
        name = there.target.name
    if as_json:
        answer(found.to_json())
    else:
        from coordinator.cli.tables import data as tables

        answer(None, lambda: tables.status(found, name))
    if found.there is None:
        raise TargetError(f"{name} does not have {found.reference}", hint="Was it deleted? Push it again.")
    if found.state is DatasetState.FAILED:
        raise TargetError(
            f"{found.reference} v{found.there.newest} could not be processed",
            hint=f"See {found.there.url}" if found.there.url else None,
        )


@app.command("list")
@command
def list_all(target: TargetOption = None, as_json: Json = False) -> None:
    """Show your data sets, and which versions were pushed from here."""
    from coordinator.datasets import all_datasets

    with workspace() as here, here.open_target(target) as there:
        found = all_datasets(there)

    def table() -> RenderableType:
        from coordinator.cli.tables import data as tables

        return tables.datasets(found)

    if not found and not as_json:
        say("there are no data sets of yours: coord data push DIR OWNER/SLUG")
        return
    answer([each.to_json() for each in found] if as_json else None, table)


@app.command()
@command
def fetch(
    reference: Annotated[
        str, typer.Argument(help="OWNER/SLUG, or OWNER/SLUG/VERSION.", metavar="OWNER/SLUG[/VERSION]")
    ],
    directory: Annotated[Path, typer.Argument(help="A new folder, or one that an earlier fetch began.", metavar="DIR")],
    target: TargetOption = None,
    as_json: Json = False,
) -> None:
    """Fetch a data set into a folder.

    An interrupted transfer is resumed. Only a new folder is written, or one that holds a part of the same version.
    """
    from coordinator.datasets import fetch_dataset

    with workspace() as here, here.open_target(target) as there:
        found = fetch_dataset(there, reference, directory)
    if as_json:
        answer(found.to_json())
    else:
        show_text(f"{found.reference} v{found.version}: {len(found.files)} files in {directory}/")
    for warning in found.warnings:
        say(f"warning: {warning}")
