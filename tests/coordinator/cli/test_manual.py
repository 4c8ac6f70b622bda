"""The manual of the commands, and `coord help`."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from coordinator.cli.manual import MANUAL, STAGES, TITLES, TOPICS
from coordinator.cli.topics import TOPICS as TEXTS, text_of
from coordinator.ledger.run_name import parse_run_name
from tests.coordinator.cli.tree import commands, parsed, root
from tests.coordinator.command import Coord
from tests.paths import ROOT

NAMES = {name for name, _ in commands()}
EXAMPLES = [(name, line) for name, manual in MANUAL.items() if name in NAMES for line in manual.examples]
TOPIC_LINES = [
    (topic, line.strip()) for topic in TOPICS for line in text_of(topic).splitlines() if line.startswith("  coord ")
]


def _help(*words: str) -> str:
    done = CliRunner().invoke(root(), words, prog_name="coord", env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    return done.output


def _check(line: str, command: str) -> None:
    """The line is one of that command, and names in it are names."""
    context = parsed(line)
    if context.invoked_subcommand is None:
        assert context.command_path.removeprefix("coord").strip() == command, line
    params = context.params
    names = params.get("exp") or ()
    for name in (*(params.get("words") or ())[:1], *([names] if isinstance(names, str) else names)):
        if command != "help":
            parse_run_name(name)


def test_every_command_has_an_entry() -> None:
    assert MANUAL.keys() == NAMES


@pytest.mark.parametrize(("name", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_examples_are_command_lines(name: str, line: str) -> None:
    """The parser takes each, as a line of its command (or, of a group, of one below it)."""
    context = parsed(line)
    found = context.command_path.removeprefix("coord").replace("[NAME]", "").split()
    assert found[: len(name.split())] == name.split()
    if len(found) == len(name.split()):
        _check(line, name)


def test_the_two_examples_of_a_command_differ() -> None:
    assert [name for name, manual in MANUAL.items() if len(set(manual.examples)) != 2] == []


@pytest.mark.parametrize(("topic", "line"), TOPIC_LINES, ids=[line for _, line in TOPIC_LINES])
def test_lines_of_topics_are_command_lines(topic: str, line: str) -> None:
    """Up to the text behind them, which stands behind two spaces or more."""
    assert parsed(re.split(r"\s{2,}", line)[0]).command is not root()


def test_every_topic_has_a_text_of_80_columns() -> None:
    assert sorted(TEXTS) == sorted(TOPICS)
    for topic in TOPICS:
        text = text_of(topic)
        assert text.count("\n") > 5
        assert max(map(len, text.splitlines())) <= 80, topic


def test_pages_exist() -> None:
    """Those of commands and of topics, with their headings."""
    for page in {*(MANUAL[name].page for name in NAMES), *(topic.page for topic in TEXTS.values())}:
        file, _, heading = page.partition("#")
        assert (ROOT / file).is_file(), page
        if heading:
            titles = re.findall(r"^#+ (.*)$", (ROOT / file).read_text(encoding="utf-8"), flags=re.M)
            anchors = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
            assert heading in anchors, page


def test_the_first_help_shows_the_commands_by_stage() -> None:
    """Each command of the first level once, under its stage, in the manual's order."""
    text = _help("--help")
    places = [text.index(f"\n{TITLES[stage]}:\n") for stage in STAGES]
    assert places == sorted(places)
    shown = re.findall(r"^  ([a-z][a-z-]+)  +[A-Z]", text, flags=re.M)
    first = [(name, manual.stage) for name, manual in MANUAL.items() if " " not in name and name in NAMES]
    assert shown == [name for stage in STAGES for name, its in first if its == stage]
    assert "..." not in "".join(line for line in text.splitlines() if not line.startswith("Usage"))
    assert all(topic in text for topic in TOPICS)


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_help_of_a_command_is_its_own_help(name: str) -> None:
    """With its examples and its page. (`coord help data` is the topic, and names the command.)"""
    own, explained = _help(*name.split(), "--help"), _help("help", *name.split())
    manual = MANUAL[name]
    for line in (*manual.examples, f"More: {manual.page}"):
        assert line in own
    if name in TOPICS:
        assert f"coord {name} --help" in explained
    else:
        assert explained == own


def test_help_without_a_name_and_of_an_unknown_one(coord: Coord) -> None:
    assert _help("help") == _help("--help")
    assert "topic: " not in _help("help", "sweeps")
    done = coord("help", "experimets", code=2)
    assert 'there is no command and no topic "experimets" (did you mean "experiments"?)' in done.stderr
    assert isinstance(root().commands["help"], click.Command)
