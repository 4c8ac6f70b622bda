"""Answers to commands and options that coord does not have."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from coordinator.cli import near_misses
from tests.coordinator.cli.tree import commands, root

NAMES = {name for name, _ in commands()}


def _answer(line: str) -> str:
    done = CliRunner().invoke(root(), line.split(), prog_name="coord")
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("fetch base", "fetch-results"),
        ("ls", "runs"),
        ("list", "experiments"),
        ("delete base@v3", "hide"),
        ("open", "report"),
        ("watch", "status --watch"),
        ("run base", "push"),
        ("run base", "dry-run"),
        ("train", "push"),
        ("login", "doctor"),
        ("pull base", "fetch-results"),
        ("new mine", "init"),
        ("version", "--version"),
        ("kernels push -p build/base", "push"),
        ("kernels output ada/base", "fetch-results"),
        ("competitions submit titanic -f x.csv", "submit"),
        ("datasets version -p data", "data push"),
        ("tail -f", "logs --follow"),
        ("stop base", "cancel"),
        ("diff a b", "compare"),
        ("Fetch", "fetch-results"),
        ("pusj", "push"),
        ("experiment", "experiments"),
        ("merge x", "sweep merge"),
        ("serve", "local serve"),
        ("sweep staus", "sweep status"),
        ("data ls", "data list"),
    ],
)
def test_the_command_that_does_it(line: str, command: str) -> None:
    """Commands of other tools, misspelt ones, and those of a group without the group."""
    answer = _answer(line)
    assert "Did you mean:" in answer
    assert f"\n  coord {command}" in answer


def test_a_word_that_is_like_nothing() -> None:
    assert 'there is no command "qqqq". See: coord --help' in _answer("qqqq")


def test_every_answer_is_a_command() -> None:
    """No entry of the table is a command of coord itself, and each leads to one, with options that it has."""
    by_name = dict(commands())
    for said, lines in near_misses.OTHERS.items():
        assert said not in NAMES or said == "rm", said
        for line in lines:
            words = line.split()
            if words[0].startswith("-"):
                assert words == ["--version"]
                continue
            name = " ".join(word for word in words if not word.startswith("-"))
            options = {option for each in by_name[name].params for option in each.opts}
            assert options.issuperset(word for word in words if word.startswith("-")), line


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("status --most 3", "It is --limit."),
        ("status -n 3", "It is --limit."),
        ("best --top 3", "It is --limit."),
        ("runs --max 3", "It is --limit."),
        ("push --experiment base", "It is --exp."),
        ("push base --param lr=1", "It is --set."),
        ("runs --format json", "It is --json or --csv."),
        ("logs base --watch", "coord logs --follow."),
        ("push base --dry-run", "coord dry-run NAME runs it on this machine."),
        ("push base --gpu", "The accelerator is a setting"),
        ("submit base -f x.csv", "coord submit NAME --file FILE"),
        ("push -C there base", "It goes before the command: coord -C ... push"),
        ("push --project there base", "It goes before the command: coord --project ... push"),
        ("--target local push base", "It goes behind the command: coord push --target ..."),
        ("--json status", "It goes behind the command: coord status --json ..."),
        ("push base --wiat", "Did you mean --wait?"),
        ("push base --split-folds", "coord sweep has --split-folds."),
        ("sweep base --gird lr=1", "Did you mean --grid?"),
        ("sweep status --watch", "coord status has --watch."),
        ("best --zzz", "See: coord best --help"),
    ],
)
def test_the_option_that_is_meant(line: str, advice: str) -> None:
    """Other tools' options, those of other commands, misspelt ones, and those in the wrong place."""
    answer = _answer(line)
    assert "there is no option " in answer
    assert advice in answer
