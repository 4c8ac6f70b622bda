"""Command lines that coord prints are pasted into a shell: words with blanks and quotes in them stay one word.

Seen: found by trying it on coord (`coord init "My Game"` printed `coord -C My Game dry-run --exp base`).
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from coordinator.project.experiment import build_command
from coordinator.text import command_line
from tests.coordinator.command import Coord

WORDS = ["My Game", "it's", "a;b", "$HOME", "`x`", "a*b", "#x", "~", "<in>", "a&b", '"quoted"', "-dash", "ü"]


def _words(text: str) -> list[str]:
    """Those of the last command in the text, as a shell reads them."""
    return shlex.split(text[text.rindex("coord ") :])


@pytest.mark.parametrize("word", WORDS)
def test_what_is_printed_is_read_back(coord: Coord, tmp_path: Path, word: str) -> None:
    """Of `init`, of a hint about a run, of one about a kernel, and of the commands in a kernel's header."""
    folder = tmp_path / word
    made = coord.here("init", str(folder)).stdout.replace("\n", "")
    assert _words(made.partition("try it: ")[2])[:3] == ["coord", "-C", str(folder)]
    if not word.startswith("-") and " " not in word:  # two words are a run's label, as tables print it
        hint = coord.here("build", "--exp", word, str(tmp_path / f"{word}.py"), code=2).stderr.splitlines()[-1]
        assert _words(hint) == ["coord", "build", "--exp", word, "--check", str(tmp_path / f"{word}.py")]
        assert _words(coord.here("logs", "--exp", word, code=1).stderr) == ["coord", "push", "--exp", word]
    assert shlex.split(build_command("base", [f"name={word}"]))[-1] == f"name={word}"


def test_a_line_break_stays_in_the_line() -> None:
    """It is escaped as bash reads it."""
    assert command_line("coord", "a\nb's") == "coord $'a\\nb\\'s'"
