"""The classes of the commands: what a start of `coord` reads of them."""

from __future__ import annotations

from typing import Any

import pytest
from typer.main import get_command, get_command_from_info

from coordinator.cli import app, commands
from tests.coordinator.cli import tree


def test_a_start_reads_the_parameters_of_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the command in the line, and once; to read those of all commands took a third of a short one's time."""
    read = list[str | None]()

    def recorded(info: Any, **settings: Any) -> Any:
        read.append(info.name)
        return get_command_from_info(info, **settings)

    monkeypatch.setattr(commands, "get_command_from_info", recorded)
    fresh = get_command(app)
    assert read == []
    monkeypatch.setattr(tree, "root", lambda: fresh)
    context = tree.parsed("coord sweep status tuned --json")
    assert context.params["name"] == "tuned"
    assert {each.name for each in context.command.params} <= context.params.keys()
    assert read == ["status"]
