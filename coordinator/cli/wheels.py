"""The command about packages that the kernels' image lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import Json, TargetOption, command, this_project, workspace
from coordinator.cli.progress import DISPLAY
from coordinator.cli.terminal import answer, say, show_text

if TYPE_CHECKING:
    from coordinator.ledger import DatasetVersion
    from coordinator.wheels import Lock, Prepared

app = App()


@app.command()
@command
def wheels(
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Resolve again, for the newest versions that fit.")
    ] = False,
    no_push: Annotated[bool, typer.Option("--no-push", help="Only resolve and download, here.")] = False,
    target: TargetOption = None,
    as_json: Json = False,
) -> None:
    """Download what the image lacks, as a private data set.

    pip resolves it: [tool.coord] requirements names the packages. Kernels install them without a network before they
    start.
    """
    from coordinator.wheels import prepare_wheels

    project = this_project()
    prepared = prepare_wheels(project, upgrade=upgrade, say=say, progress=DISPLAY)
    name = project.relative(project.wheels_lock)
    pushed = None if no_push or prepared.folder is None else _push(prepared, target)
    if as_json:
        answer({"lock": name, "new": prepared.is_new, **_facts(prepared.lock, pushed)})
        return
    for line in _lines(prepared.lock, name):
        show_text(line)
    if pushed is not None:
        show_text(f"{pushed.label}: {pushed.state}")


def _push(prepared: Prepared, target: str | None) -> DatasetVersion:
    from coordinator.datasets import push_folder

    assert prepared.folder is not None
    with workspace() as here, here.open_target(target) as there:
        reference = f"{there.target.owner}/{prepared.lock.slug}"
        return push_folder(there, prepared.folder, reference, message="Wheels for kernels.")


def _facts(lock: Lock, pushed: DatasetVersion | None) -> dict[str, Any]:
    from coordinator.project import plain

    values: dict[str, Any] = plain(lock)
    return {
        **values,
        "slug": lock.slug if lock.wheels else None,
        "dataset": None if pushed is None else {"reference": pushed.reference, "version": pushed.version},
    }


def _lines(lock: Lock, name: str) -> list[str]:
    if not lock.wheels:
        return [f"the image has all that is required, for Python {lock.python}: {name}"]
    widest = max(len(f"{wheel.name} {wheel.version}") for wheel in lock.wheels)
    lines = [f"{lock.shown}, for Python {lock.python}: {name}"]
    lines += [
        f"  {f'{wheel.name} {wheel.version}':{widest}}  {wheel.bytes:>13,} bytes  import {', '.join(wheel.modules)}"
        for wheel in lock.wheels
    ]
    kept = [
        f"{package} {version}" for package, version in lock.image.items() if version and not _replaced(lock, package)
    ]
    return [*lines, f"with the image's {', '.join(kept)}"] if kept else lines


def _replaced(lock: Lock, package: str) -> bool:
    return any(wheel.name == package for wheel in lock.wheels)
