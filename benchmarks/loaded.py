"""Loads all modules that a `coord` command needs, for a process that forks commands, and compiles its templates."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import shutil
import tempfile
from pathlib import Path

import click
import typer.main

import coordinator
from coordinator.cli import app
from coordinator.kernel.build import build_kernel
from coordinator.project.experiment import resolve
from coordinator.project.project import find_project

_SAMPLE = Path(__file__).parents[1] / "tests" / "samples" / "tiny"
_MODULES = [each.name for each in pkgutil.walk_packages(coordinator.__path__, "coordinator.")]
_LOADED_WHEN_USED = ("encodings.utf_8_sig", "filelock", "rich.progress", "stdlibs.py312")

for _name in (*(name for name in _MODULES if not name.endswith(".__main__")), *_LOADED_WHEN_USED):
    importlib.import_module(_name)


def _read_parameters(command: click.Command) -> None:
    """Of a command and those below it; they are kept."""
    _ = command.params
    for each in getattr(command, "commands", {}).values():
        _read_parameters(each)


# The tree of all commands, which each process would build again.
setattr(typer.main, "get_command", functools.cache(typer.main.get_command))  # noqa: B010
_read_parameters(typer.main.get_command(app))

with tempfile.TemporaryDirectory() as _folder:
    _project = find_project(Path(shutil.copytree(_SAMPLE, Path(_folder, "tiny"))))
    build_kernel(_project, resolve(_project, "base"))
