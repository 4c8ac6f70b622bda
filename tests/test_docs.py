"""The documents agree with the code: every command is documented; documented commands, links and paths exist."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import click
import pytest
from typer.main import get_command

from coordinator.cli import app
from coordinator.cli.manual import MANUAL
from tests.documented import coord_commands
from tests.paths import ROOT
from tests.reference import commands

DOCUMENTS = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *ROOT.glob("docs/*.md")]
README = (ROOT / "README.md").read_text(encoding="utf-8")


TOP: click.Command = get_command(app)
COMMANDS = dict(commands())
PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*|\.\.\.")
"""What stands for a value in the text: `--version N`, `coord show ...`."""


def test_every_command_is_on_the_page_of_commands() -> None:
    """docs/commands.md has each command, and the README leads there."""
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        if name in MANUAL:
            assert f"### coord {name}\n" in page
    assert "(docs/commands.md)" in README


@pytest.fixture
def documented_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a project with the tables of targets that docs/clusters.md has."""
    page = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")
    (tables,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "train.py").touch()
    (tmp_path / "pyproject.toml").write_text(f'[tool.coord]\nentry = "train.py"\n\n{tables}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("documented_targets")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_documented_command_can_be_given(document: Path) -> None:
    """Each `coord ...` of a document is a command that takes these arguments and options, with values that it accepts.

    In the text, where arguments are left out, only the options are checked.
    """
    for place, words in coord_commands(document):
        try:
            _parse(words, is_whole=place.startswith("$"))
        except click.UsageError as error:
            raise AssertionError(f"{document.name}: {place}: {error.format_message()}") from None


def _parse(words: list[str], *, is_whole: bool) -> None:
    command = TOP
    while words and words[0] in ("-C", "--project", "-v"):
        words = words[2 if words[0] != "-v" else 1 :]
    name = ""
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command, name, words = command.commands[words[0]], f"{name} {words[0]}", words[1:]
    if isinstance(command, click.Group) and words and words[0].islower() and words[0][0] != "-" and not name:
        raise click.UsageError(f"there is no command coord {words[0]}")
    options = [each for each in command.params if isinstance(each, click.Option)]
    if any(PLACEHOLDER.search(word) for word in words) or not is_whole:
        known = {name for each in options for name in (*each.opts, *each.secondary_opts)} | {
            "--help",
            "-h",
            "--version",
        }
        for word in words[: words.index("--")] if "--" in words else words:
            option = word.partition("=")[0]
            if re.fullmatch(r"--[a-z-]+", option) and option not in known:
                raise click.UsageError(f"coord{name} has no option {option}")
        return
    with contextlib.suppress(click.exceptions.Exit):
        command.make_context(name, list(words))


def test_every_help_says_what_each_argument_and_option_is() -> None:
    """Each argument and option in the help of a command has a description."""
    for name, command in COMMANDS.items():
        for each in command.params:
            if not getattr(each, "hidden", False):
                assert (getattr(each, "help", None) or "").strip(), f"coord {name}: {each.name} is not explained"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(document: Path) -> None:
    """Relative links lead to files of the repository."""
    for link in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            assert (document.parent / link).is_file(), f"{document.name} links to {link}"


def test_the_example_experiment_is_the_real_one() -> None:
    """Each line of the YAML on the demo's page is in the experiment's file."""
    page = (ROOT / "docs" / "mask_rcnn.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    real = (ROOT / "experiments" / "lr001_step4.yaml").read_text(encoding="utf-8")
    for line in example.splitlines():
        assert line in real


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_of_modules_exist(document: Path) -> None:
    """A module that a document names by its path is there; CONTRIBUTING.md leaves `coordinator/` out."""
    text = document.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:coordinator|model_src|runner_test|tests|benchmarks)/[\w/]+\.\w+)`", text):
        assert (ROOT / path).is_file(), f"{document.name} names {path}"
    if document.name == "CONTRIBUTING.md":
        paths = re.findall(r"`([a-z]\w*/[\w/]+\.(?:py|json))`", text)
        assert len(paths) > 20
        for path in paths:
            assert (ROOT / path).is_file() or (ROOT / "coordinator" / path).is_file(), path


def test_the_picture_of_the_rooms_shows_each_room() -> None:
    """docs/rooms.svg has all packages of coordinator/, and `runner_test` and `model_src`."""
    shown = set(re.findall(r'class="name"[^>]*>([^<]+)<', (ROOT / "docs" / "rooms.svg").read_text(encoding="utf-8")))
    rooms = {folder.name for folder in (ROOT / "coordinator").iterdir() if (folder / "__init__.py").is_file()}
    assert rooms | {"runner_test", "model_src"} <= shown
