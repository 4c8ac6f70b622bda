"""The tree of all commands, and a line of it as the parser takes it."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Iterator

import click
from typer.main import get_command

from coordinator.cli import app


@functools.cache
def root() -> click.Group:
    found = get_command(app)
    assert isinstance(found, click.Group)
    return found


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command below the program, by its words: `sweep`, `sweep status`."""
    waiting: list[tuple[str, click.Command]] = list(root().commands.items())
    while waiting:
        name, command = waiting.pop(0)
        yield name, command
        if isinstance(command, click.Group):
            waiting += [(f"{name} {below}", each) for below, each in command.commands.items()]


def parsed(line: str) -> click.Context:
    """The context of the last command of a line that begins with `coord`. Raises click.UsageError."""
    words = shlex.split(line, comments=True)
    assert words.pop(0) == "coord", line
    context = root().make_context("coord", words)
    while isinstance(context.command, click.Group) and (rest := [*context._protected_args, *context.args]):
        name, command, rest = context.command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    return context
