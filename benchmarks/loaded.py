"""Imports all modules that a `coord` command needs, for a process that forks commands."""

from __future__ import annotations

import functools
import importlib

import typer.main

from coordinator.cli import app

_LOADED = (
    *("project.experiment", "kernel.build", "kernel.work", "target.kaggle", "results.tracebacks", "ledger.sweeps"),
    *("ledger.work", "runs.fetch.fetch", "runs.follow", "runs.push", "runs.status"),
)

for _name in (*(f"coordinator.{module}" for module in _LOADED), "rich.progress"):
    importlib.import_module(_name)

# The tree of all commands. Each process would build it again, which is half of the time of a short command.
setattr(typer.main, "get_command", functools.cache(typer.main.get_command))  # noqa: B010
typer.main.get_command(app)
