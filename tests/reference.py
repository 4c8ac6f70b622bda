"""Writes the pages of docs/ that are made from the code: `python -m tests.reference`, or `make reference`.

tests/test_reference.py fails if a page is not what this module would write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from click import Command, Context, Group, Option
from typer.main import get_command

from coordinator.cli import app
from coordinator.cli.manual import MANUAL, STAGES, TITLES
from coordinator.environment import SIDES, VARIABLES
from coordinator.errors import EXIT_CODES
from coordinator.project.reference import Setting, setting_groups
from tests.paths import ROOT

DOCS = ROOT / "docs"
_MADE = "<!-- Made from the code by `make reference`: do not edit it here. -->"
_ABOUT_SETTINGS = """\
A project is a directory whose `pyproject.toml` has a table `[tool.coord]`, perhaps an empty one. These are all keys of
that table and of the tables below it. A name that is not here is an error with a suggestion. An example is what can be
written there: `key = example`. [Your own project](projects.md) shows the usual ones together, and tells what declares
the config.

Kaggle compares the names of users, competitions, data sets, kernels and models without case; so does coord."""
_ABOUT_COMMANDS = """\
By stage, and within a stage by use. `coord COMMAND --help` prints the same in the terminal. Every command that reads
has `--json`. Before the command, `-C DIR` works in another folder's project; `-v` shows each request to a target."""
_ABOUT_CODES = """\
Of several failures, a command ends with the code of one that is not "later", if there is one. The exit code of a
program that `coord bundle` made is the program's own."""


def pages() -> dict[Path, str]:
    """Path and text of each page."""
    made = {"settings.md": _settings(), "commands.md": _commands(), "reference.md": _codes_and_variables()}
    return {DOCS / name: "\n".join(lines).rstrip() + "\n" for name, lines in made.items()}


def commands(group: Group | None = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Command]]:
    """Each command with its words; a group, too, if it does something itself or is in the manual."""
    top = group or get_command(app)
    assert isinstance(top, Group)
    for name, command in top.commands.items():
        here = (*words, name)
        if not command.hidden:
            yield " ".join(here), command
            if isinstance(command, Group):
                yield from commands(command, here)


def _settings() -> Iterator[str]:
    yield from ("# Settings", "", _MADE, "")
    yield _ABOUT_SETTINGS
    for group in setting_groups():
        of = f", {group.kind}" if group.kind else ""
        yield from ("", f"## `[tool.coord{'.' * bool(group.name)}{group.name}]`{of}", "")
        if group.name:
            yield from (group.about, "")
        if group.name == "kernel":
            yield from ("An experiment's `kernel:` has the same keys, and differs from these.", "")
        yield "| key | type | default | example | what it says |"
        yield "|---|---|---|---|---|"
        yield from map(_setting, group.settings)


def _setting(setting: Setting) -> str:
    cells = (f"`{setting.name}`", setting.type, setting.default, setting.example)
    default, example = (f"`{each}`" if each else "" for each in cells[2:])
    return _row(cells[0], cells[1], default, example, setting.about)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _commands() -> Iterator[str]:
    known = dict(commands())
    yield from ("# Commands", "", _MADE, "")
    yield _ABOUT_COMMANDS
    for stage in STAGES:
        names = [name for name in MANUAL if name in known and MANUAL[name].stage == stage]
        yield from ("", f"## {TITLES[stage]}", "", "| command | what it does |", "|---|---|")
        for name in names:
            heading = f"coord {name}".replace(" ", "-")
            yield _row(f"[`coord {name}`](#{heading})", _first_sentence(known[name]))
        for name in names:
            yield from _command(name, known[name])


def _first_sentence(command: Command) -> str:
    return " ".join((command.help or "").partition("\n\n")[0].split())


def _command(name: str, command: Command) -> Iterator[str]:
    manual = MANUAL[name]
    yield from ("", f"### coord {name}", "")
    for paragraph in (command.help or "").split("\n\n"):
        yield from (" ".join(paragraph.split()), "")
    yield from ("```", *(f"$ {example}" for example in manual.examples), "```", "")
    rows = [_row(*each) for each in _parameters(command)]
    if rows:
        yield from ("| argument or option | what it says |", "|---|---|", *rows, "")
    page = manual.page.removeprefix("docs/")
    yield f"More: [{_title(page)}]({page})."


def _parameters(command: Command) -> Iterator[tuple[str, str]]:
    context = Context(command)
    for each in command.params:
        about = getattr(each, "help", None) or ""
        if isinstance(each, Option):
            if each.hidden:
                continue
            value = "" if each.is_flag else f" {each.make_metavar(context)}"
            yield ", ".join(f"`{option}{value}`" for option in (*each.opts, *each.secondary_opts)), about
        elif not getattr(each, "hidden", False):
            yield f"`{each.make_metavar(context)}`", about


def _title(page: str) -> str:
    """The heading of the page, in a link to it."""
    file = DOCS / page.partition("#")[0]
    return file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") if file.is_file() else page


def _codes_and_variables() -> Iterator[str]:
    yield from ("# Exit codes and environment variables", "", _MADE, "", "## Exit codes", "")
    yield from ("| code | when |", "|---|---|")
    yield from (_row(str(each.code), each.when) for each in EXIT_CODES)
    yield from ("", _ABOUT_CODES)
    for side, title in SIDES.items():
        yield from ("", f"## {title}", "", "| variable | what it says | example |", "|---|---|---|")
        for each in VARIABLES:
            if each.side == side:
                yield _row(f"`{each.name}`", each.about, f"`{each.example}`" if each.example else "")


def main() -> None:
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(os.path.relpath(path))


if __name__ == "__main__":
    main()
