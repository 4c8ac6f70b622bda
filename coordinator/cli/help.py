"""The command that explains commands and topics."""

from __future__ import annotations

from typing import Annotated

import click
import typer

from coordinator.cli.commands import App
from coordinator.cli.common import Json, command
from coordinator.cli.manual import MANUAL, TITLES, TOPICS
from coordinator.cli.terminal import answer, show_text
from coordinator.errors import UsageError, did_you_mean

app = App()


@app.command("help")
@command
def help_(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(help="A command, or a topic.", metavar="[COMMAND|TOPIC]", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain a command or a topic.

    Of a command it prints what `coord COMMAND --help` prints. With --json, and without a name, it lists all commands
    with their stages and examples.
    """
    root = context.find_root()
    name = " ".join(words or ())
    if as_json:
        if name:
            raise UsageError("--json is for the list of all commands: leave out the name")
        answer({path: _facts(root, path) for path in MANUAL if _context(root, path.split()) is not None})
        return
    # A topic may have the name of a command: `coord help data` explains what data are, and names the command.
    found = _context(root, words or ())
    if name in TOPICS:
        from coordinator.cli.topics import text_of

        show_text(text_of(name))
        if found is not None:
            show_text(f"The command of this name: {root.command_path} {name} --help")
    elif found is not None:
        show_text(found.get_help())
    else:
        assert isinstance(root.command, click.Group)
        near = did_you_mean(name, [*TOPICS, *root.command.commands])
        raise UsageError(f'there is no command and no topic "{name}"{near}', hint=f"Topics: {', '.join(TOPICS)}.")


def _context(root: click.Context, words: list[str] | tuple[()]) -> click.Context | None:
    """The context of the command that these words name; None if there is none."""
    found = root
    for word in words:
        below = found.command.commands.get(word) if isinstance(found.command, click.Group) else None
        if below is None:
            return None
        found = click.Context(below, parent=found, info_name=word, help_option_names=root.help_option_names)
    return found


def _facts(root: click.Context, path: str) -> dict[str, object]:
    manual, found = MANUAL[path], _context(root, path.split())
    assert found is not None
    return {
        "about": found.command.get_short_help_str(1000),
        "stage": TITLES[manual.stage],
        "examples": list(manual.examples),
        "page": manual.page,
    }
