"""The small data of a dry run: made by the project's own command, and made again when that command has changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from coordinator.bundle import Selection, gather
from coordinator.errors import BundleError, ProjectError
from coordinator.files import held, write_atomically
from coordinator.project import Project
from coordinator.text import command_line


def ready_sample_data(project: Project, folder: Path, say: Callable[[str], None]) -> None:
    """Makes the folder with `[tool.coord.dry_run] prepare` if it is missing, and again if what made it has changed.

    What made it is the command with the project's own sources that it runs; `.coord/sample-data.json` remembers that. A
    folder that coord did not make, or in which something was changed since, is kept, and `say` is told that it is old.
    Raises ProjectError if it is missing and cannot be made.
    """
    command, shown = project.settings.dry_run.prepare, project.relative(folder)
    if not command:
        if not folder.is_dir():
            raise ProjectError(f"[tool.coord.dry_run] input: there is no folder {shown}")
        return
    with held(project.sample_data_lock, wait=True):
        sources = dict(_sources(project, command))
        maker = _Maker(hashlib.sha256(json.dumps([command, sources]).encode()).hexdigest(), command_line(*command))
        known = _known(project, shown)
        if not folder.is_dir():
            _make(project, folder, maker)
        elif known is None:
            if newer := _newer(project, sources, folder):
                say(f"warning: {shown} may be old: {newer} was changed after it. Delete it, and it is made again")
        elif known.get("maker") != maker.digest:
            if known.get("content") == _content(folder) and not folder.is_symlink():
                say(f"{shown} is made again: what makes it has changed ({maker.command})")
                _make(project, folder, maker)
            else:
                say(
                    f"warning: {shown} is old: what makes it has changed ({maker.command}). It is kept, because "
                    "its files were changed, too. Delete it, and it is made again"
                )


@dataclass(frozen=True)
class _Maker:
    digest: str
    command: str


def _sources(project: Project, command: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(path, SHA-256) of the project's files that the command runs, or names among its arguments."""
    root = project.root
    entry = command[1] if command[0] == "-m" and len(command) > 1 else command[0]
    try:
        found = gather(
            root, entry, Selection(path=project.settings.path, reached_only=True), is_script=command[0] != "-m"
        )
        yield from ((each.path, each.sha256) for each in found.files if each.is_python)
    except BundleError:  # it is no program of the project, or not one that could be bundled
        pass
    for word in command:
        file = root / word
        with contextlib.suppress(OSError, ValueError):
            if file.is_file():
                yield word, hashlib.sha256(file.read_bytes()).hexdigest()


def _newer(project: Project, sources: dict[str, str], folder: Path) -> str:
    """A source that was changed after everything in the folder; "" if there is none."""
    newest = max((_modified(each) for each in [folder, *folder.rglob("*")]), default=0.0)
    return next((name for name in sources if _modified(project.root / name) > newest), "")


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _content(folder: Path) -> str:
    """What the folder holds, told by names, sizes and times: to read all of it would take too long."""
    found = hashlib.sha256()
    for each in sorted(folder.rglob("*")):
        if each.is_file():
            facts = each.stat()
            found.update(f"{each.relative_to(folder).as_posix()}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return found.hexdigest()


def _known(project: Project, shown: str) -> dict[str, str] | None:
    try:
        found = json.loads(project.sample_data_record.read_text(encoding="utf-8")).get(shown)
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, dict) else None


def _make(project: Project, folder: Path, maker: _Maker) -> None:
    """Runs the command; a folder that is there comes back if it fails."""
    shown, old = project.relative(folder), folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.is_dir():
        folder.rename(old)
    try:
        _run(project, folder, shown)
    except BaseException:
        if old.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
    record = json.dumps({shown: {"maker": maker.digest, "content": _content(folder)}}, indent=2)
    write_atomically(project.sample_data_record, record + "\n")


def _run(project: Project, folder: Path, shown: str) -> None:
    command = project.settings.dry_run.prepare
    try:
        subprocess.run([sys.executable, *command], cwd=project.root, check=True, stdout=sys.stderr)
    except subprocess.CalledProcessError as error:
        made = command_line("python", *command)
        raise ProjectError(f"{shown} could not be made: {made} ended with {error.returncode}") from error
    if not folder.is_dir():
        raise ProjectError(f"[tool.coord.dry_run] prepare made no folder {shown}")
