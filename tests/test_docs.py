"""The documents agree with the code: every command is documented; documented commands, links and paths exist."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

import pytest

from tests.coordinator.command import run_coord
from tests.paths import ROOT

DOCUMENTS = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *ROOT.glob("docs/*.md")]
GROUPS = ("data", "image", "ledger", "local", "sweep")
GROUP_AND_COMMAND = "sweep"
"""A group that can be used without a command after it, too."""
README = (ROOT / "README.md").read_text(encoding="utf-8")


@functools.cache
def _help(*command: str) -> str:
    done = run_coord(*command, "--help", cwd=ROOT, env=os.environ)
    return done.stdout if done.returncode == 0 else ""


def _commands() -> list[tuple[str, ...]]:
    def listed(text: str) -> list[str]:
        return re.findall(r"^  ([a-z][a-z-]+)  ", text.partition("Commands:")[2], flags=re.MULTILINE)

    top = [name for name in listed(_help()) if name not in GROUPS]
    return [
        *((name,) for name in (*top, GROUP_AND_COMMAND)),
        *((group, name) for group in GROUPS for name in listed(_help(group))),
    ]


def test_every_command_is_in_the_readme() -> None:
    """The table of commands has each command that `coord --help` lists."""
    commands = _commands()
    assert len(commands) == 46
    for command in commands:
        assert f"| `coord {' '.join(command)}" in README, f"coord {' '.join(command)} is not in README.md"


def test_every_documented_command_exists_with_its_options() -> None:
    """Each `coord ...` in the documents is a command, and the command has each of the options."""
    helps = {command: _help(*command) for command in _commands()}
    seen = 0
    for document in DOCUMENTS:
        for words in re.findall(
            r"(?:^|`|\$ )coord ([a-z][a-z-]*(?: [^`#\n|;&]*)?)", document.read_text(encoding="utf-8"), flags=re.M
        ):
            words = words.partition(" -- ")[0]  # what follows are the arguments of another program
            parts = words.split()
            is_alone = parts[0] == GROUP_AND_COMMAND and (*parts, "-")[1].startswith("-")
            command = tuple(parts[:2]) if parts[0] in GROUPS and not is_alone else (parts[0],)
            if command not in helps:
                raise AssertionError(f"{document.name}: there is no command coord {words}")
            seen += 1
            for option in re.findall(r"(?<!\S)--[a-z-]+", words):
                assert option in helps[command], f"{document.name}: coord {words}: no option {option}"
    assert seen >= 20


def test_every_help_says_what_each_argument_and_option_is() -> None:
    """Each argument and option in the help of a command has a description."""
    for command in _commands():
        names = re.findall(
            r"^  ((?:-\w, )?(?:--)?[\w.-]+(?: [A-Z/.=,]+)?)(.*)$", _help(*command).partition("\n\n")[2], re.M
        )
        listed = [(name, about) for name, about in names if name.startswith("-") or name.rstrip(".").isupper()]
        assert listed, f"coord {' '.join(command)}"
        for name, about in listed:
            assert about.strip() not in ("", "[required]"), f"coord {' '.join(command)}: {name} is not explained"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(document: Path) -> None:
    """Relative links lead to files of the repository."""
    for link in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            assert (document.parent / link).is_file(), f"{document.name} links to {link}"


def test_the_example_experiment_is_the_real_one() -> None:
    """Each line of the YAML in the README is in the experiment's file."""
    (example,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
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
