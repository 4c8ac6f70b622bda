"""A target that there is none of: every command with --target says so, before it does anything.

Seen: found by trying it on coord: `coord status -t locl` showed an empty table, with exit code 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
import typer
from click.testing import CliRunner

from coordinator.cli import app

MAIN = typer.main.get_command(app)


def _commands(group: click.Command, *names: str) -> Iterator[tuple[str, ...]]:
    for name, each in getattr(group, "commands", {}).items():
        if any("--target" in option.opts for option in each.params):
            yield (*names, name)
        yield from _commands(each, *names, name)


COMMANDS = list(_commands(MAIN))


def test_there_are_such_commands() -> None:
    """Those that only read the ledger, too."""
    assert {("status",), ("push",), ("scores",), ("ledger", "check"), ("report",)} <= set(COMMANDS)


@pytest.mark.parametrize("target", ["locl", "Local", "kagle", "", "moon"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_unknown_target_is_refused(command: tuple[str, ...], target: str) -> None:
    """With exit code 2, its name, the one that may be meant, and those that there are."""
    done = CliRunner().invoke(MAIN, [*command, "--target", target])
    assert done.exit_code == 2
    near = {"locl": "local", "Local": "local", "kagle": "kaggle"}.get(target)
    meant = f' (did you mean "{near}"?)' if near else ""
    assert f'there is no target "{target}"{meant} (targets are kaggle and local)' in done.output
