"""Completion, asked of the shells themselves."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from coordinator.cli import shells
from coordinator.ledger.ledger import Ledger
from coordinator.ledger.sweeps import Member, Sweep, add
from coordinator.project import Project
from tests import forked
from tests.coordinator.command import COORD, DEADLINE, Coord
from tests.coordinator.sample_runs import COMPLETE
from tests.coordinator.terminals import opened
from tests.paths import ROOT

SHOWN = {
    "bash": "source <(coord completion show bash)",
    "zsh": "source <(coord completion show zsh)",
    "fish": "source (coord completion show fish | psub)",
}
NAMES = ["bash", "zsh", "fish"]
WRITTEN = {shell: f'source "$SCRIPTS/{shell}"' for shell in NAMES}
"""The same text without another process. What completes is then forked; it is a new process where `SHOWN` is read."""


@pytest.fixture
def there(tiny: Project, tmp_path: Path) -> dict[str, str]:
    """The environment of a user with `coord` on the path and runs and a sweep in the project's ledger."""
    with Ledger(tiny.ledger) as ledger:
        ledger.add(COMPLETE)
        ledger.add(dataclasses.replace(COMPLETE, id="r9", experiment="base--lr0.2", slug="tiny-lr", version=4))
        member = Member("base--lr0.2", "base", ("optim.lr=0.2",), "", "")
        add(ledger, Sweep("base--lr", "base", "local", False, COMPLETE.created_at, (member,)))
    programs, home = tmp_path / "bin", tmp_path / "home"
    for folder in (programs, home, tmp_path / "scripts"):
        folder.mkdir()
    for shell in NAMES:
        (tmp_path / "scripts" / shell).write_text(shells.script(shell))
    (programs / "coord").write_text(f'#!/bin/sh\nexec {COORD[0]} -m {COORD[2]} "$@"\n')
    (programs / "coord").chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
        "SCRIPTS": str(tmp_path / "scripts"),
        "HOME": str(home),
        "ZDOTDIR": str(home),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "TERM": "dumb",
        "PS1": "> ",
        # Or the first interactive fish of a home reads every manual page of this machine, for half a minute.
        "FISH_UNIT_TESTS_RUNNING": "1",
    }


def _skip_without(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: apt-get install -y {shell}")


def _ask(shell: str, line: str, cwd: Path, env: Mapping[str, str], source: Mapping[str, str] = WRITTEN) -> list[str]:
    """What the shell's own completion gives for the line: whole words."""
    _skip_without(shell)
    if source is WRITTEN:
        programs, descriptors = forked.programs_for_shells()
        env = {**env, "PATH": f"{programs}:{env['PATH']}"}
    else:
        descriptors = ()
    run = functools.partial(
        subprocess.run,
        cwd=cwd,
        env=dict(env),
        pass_fds=descriptors,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    if shell == "fish":
        command = ["fish", "--no-config", "-c", f"{source['fish']}; complete -C $argv[1]", line]
        out = run(command)
        assert not out.stderr, out.stderr
        return [each.partition("\t")[0] for each in out.stdout.splitlines()]
    if shell == "bash":  # as readline sets the variables, which splits words at = and @, too
        words = [part for word in line.split(" ") for part in (re.findall(r"[=@:]+|[^=@:]+", word) or [""])]
        ask = (
            f'{source["bash"]}; compopt() {{ :; }}; COMP_LINE=$1; COMP_POINT=${{#1}}; shift; COMP_WORDS=("$@"); '
            'COMP_CWORD=$(($#-1)); _coord_completion coord; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        command = ["bash", "--norc", "--noprofile", "-c", ask, "bash", line, *words]
        out = run(command)
        assert not out.stderr, out.stderr
        last = "" if words[-1] in ("=", "@", ":") else words[-1]
        before = line.rpartition(" ")[2].removesuffix(last)
        return [before + each for each in out.stdout.splitlines() if each]
    # zsh has no such question: its own function is called with what it would add to the line taken down.
    ask = (
        "compdef() { :; }; functions[compinit]=:; " + source["zsh"] + "; _describe() { "
        'local each; for each in "${(@P)4}"; do print -r -- "${each%%:*}"; done }; '
        '_path_files() { print -r -- "FILES" }; '
        'words=("${(@s. .)1}"); CURRENT=$#words; _coord_completion'
    )
    # _describe -V unsorted ARRAY: the array's name is the third argument.
    ask = ask.replace("${(@P)4}", "${(@P)3}")
    out = run(["zsh", "-f", "-c", ask, "zsh", line])
    assert not out.stderr, out.stderr
    return [each for each in out.stdout.splitlines() if each != "FILES"]


# What shells split or end differently: signs in words, nothing, several answers.
IN_EVERY_SHELL = [
    ("coord push base --set optim.l", ["optim.lr="]),
    ("coord push base --target ", ["kaggle", "local"]),
    ("coord logs base@l", ["base@local-v1"]),
    ("coord compare base base--lr0.2@", ["base--lr0.2@local-v4"]),
    ("coord help swe", ["sweep", "sweeps"]),
]
IN_ONE = [
    ("coord pus", ["push"]),
    ("coord push ba", ["base"]),
    ("coord push --exp cr", ["crash"]),
    ("coord sweep status ", ["base--lr"]),
    ("coord hide base@", ["base@local-v1"]),
    ("coord sweep base --grid optim.l", ["optim.lr="]),
    ("coord completion show f", ["fish"]),
    ("coord runs --state comp", ["complete"]),
]
LINES = [
    *((shell, *each) for each in IN_EVERY_SHELL for shell in NAMES),
    *((NAMES[number % len(NAMES)], *each) for number, each in enumerate(IN_ONE)),
]


@pytest.mark.parametrize(("shell", "line", "completions"), LINES)
def test_completions(shell: str, line: str, completions: list[str], tiny: Project, there: dict[str, str]) -> None:
    """Commands, experiments, runs, config paths, targets, sweeps, topics."""
    assert _ask(shell, line, tiny.root, there) == completions


@pytest.mark.parametrize("shell", NAMES)
def test_the_value_that_counts_now(shell: str, tiny: Project, there: dict[str, str]) -> None:
    """In a shell that has read what `coord completion show` prints."""
    (found,) = _ask(shell, "coord push base --set optim.lr=", tiny.root, there, SHOWN)
    assert re.fullmatch(r"optim\.lr=[0-9.e-]+", found)


@pytest.mark.parametrize("shell", NAMES)
@pytest.mark.parametrize("damage", ["no project", "broken settings", "broken experiment", "broken ledger"])
def test_errors_are_silent(shell: str, damage: str, tiny: Project, there: dict[str, str], tmp_path: Path) -> None:
    """Names are not completed; commands are, as ever; nothing is printed, and nothing is made."""
    cwd = tiny.root
    if damage == "no project":
        cwd = tmp_path / "elsewhere"
        cwd.mkdir()
    elif damage == "broken settings":
        (cwd / "pyproject.toml").write_text("[tool.coord\n")
    elif damage == "broken experiment":
        (cwd / "experiments" / "base.yaml").write_text("base: [\n")
    else:
        tiny.ledger.write_bytes(b"no database" * 100)
    settings = _ask(shell, "coord push base --set optim.l", cwd, there)
    assert settings == (["optim.lr="] if damage == "broken ledger" else [])
    assert _ask(shell, "coord pus", cwd, there) == ["push"]
    if damage == "no project":
        assert list(cwd.iterdir()) == []


@pytest.mark.parametrize("shell", NAMES)
def test_tab_in_a_terminal(shell: str, tiny: Project, there: dict[str, str]) -> None:
    """The key itself, on the shell's own line editor, in an installed shell; no space follows `optim.lr=`."""
    _skip_without(shell)
    install = subprocess.run(
        ["coord", "completion", "install", shell], env=there, cwd=tiny.root, capture_output=True, text=True, check=True
    )
    assert f"{shell}: installed" in install.stderr
    command = {"bash": ["bash", "--noprofile", "-i"], "zsh": ["zsh", "-i"], "fish": ["fish", "-i"]}[shell]
    with opened(command, tiny.root, there, columns=150) as terminal:
        for keys, shown in (
            ("echo rea''dy\n", r"ready\r?\n"),
            ("coord push cra\t", r"coord push crash "),
            ("--set optim.l\t", r"--set optim\.lr="),
            ("7 --tar\t", r"optim\.lr=7 --target "),
        ):
            terminal.type(keys)
            terminal.wait_for(functools.partial(re.search, shown), shown)


@pytest.mark.parametrize("shell", NAMES)
@pytest.mark.parametrize("before", [None, b"", b"export A=1\n", b"no newline at the end", b"\xff\xfe not UTF-8\r\n"])
def test_installing(shell: str, before: bytes | None, tmp_path: Path, coord: Coord) -> None:
    """It says which files it wrote; a second time nothing changes; what was there stays, byte for byte and its mode."""
    env = {"HOME": str(tmp_path), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "ZDOTDIR": "", "SHELL": f"/bin/{shell}"}
    start = {"bash": tmp_path / ".bashrc", "zsh": tmp_path / ".zshrc"}.get(shell)
    if start is not None and before is not None:
        start.write_bytes(before)
        start.chmod(0o600)
    first = coord("completion", "install", variables=env)
    files = [Path(line) for line in first.stdout.splitlines()]
    assert files[0].read_text() == shells.script(shell)
    assert files[1:] == ([] if start is None else [start])
    contents = {file: file.read_bytes() for file in files}
    if start is not None and before is not None:
        assert contents[start].startswith(before)
        assert start.stat().st_mode & 0o777 == 0o600
    again = coord("completion", "install", shell, variables=env)
    assert again.stdout == ""
    assert "installed already" in again.stderr
    assert {file: file.read_bytes() for file in files} == contents
    gone = coord("completion", "install", shell, "--uninstall", variables=env)
    assert [Path(line) for line in gone.stdout.splitlines()] == files
    assert not files[0].exists()
    if start is not None:
        left = start.read_bytes()
        assert left == (before or b"") or left == (before or b"") + b"\n"
    assert "nothing is installed" in coord("completion", "install", shell, "--uninstall", variables=env).stderr


def test_a_start_file_that_is_a_link_stays_one(tmp_path: Path, coord: Coord) -> None:
    """As those that live in a repository of dotfiles do; the block is put after what was added behind it, once."""
    real = tmp_path / "dotfiles" / "bashrc"
    real.parent.mkdir()
    real.write_text("alias l=ls\n")
    (tmp_path / ".bashrc").symlink_to(real)
    env = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "my data's")}
    coord("completion", "install", "bash", variables=env)
    assert (tmp_path / ".bashrc").is_symlink()
    real.write_text(real.read_text() + "alias m=more\n")
    coord("completion", "install", "bash", variables={**env, "XDG_DATA_HOME": str(tmp_path / "other")})
    text = real.read_text()
    assert text.startswith("alias l=ls\nalias m=more\n")
    assert text.count("coord completion >>>") == 1
    done = subprocess.run(["bash", "--norc", "-c", f". {real}; complete -p coord"], capture_output=True, text=True)
    assert "_coord_completion coord" in done.stdout, done.stderr


@pytest.mark.parametrize("shell", ["", "/bin/tcsh"])
def test_an_unknown_shell(shell: str, coord: Coord) -> None:
    done = coord("completion", "install", code=2, variables={"SHELL": shell})
    assert "which shell? " in done.stderr
    assert "coord completion install bash, zsh or fish" in done.stderr


def test_completion_loads_no_heavy_module(tiny: Project, there: dict[str, str]) -> None:
    """What Tab waits for: neither the client nor tables, numbers or templates."""
    heavy = ["rich", "requests", "kagglesdk", "jinja2", "numpy", "pandas", "starlette"]
    code = (
        "import sys; from coordinator.__main__ import main; main(); "
        f"print([each for each in {heavy} if each in sys.modules])"
    )
    line = {"_COORD_COMPLETE": "bash_complete", "COMP_WORDS": "coord logs b", "COMP_CWORD": "b"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tiny.root, env={**there, **line}, capture_output=True, text=True, check=True
    )
    *found, loaded = done.stdout.splitlines()
    assert found == [f"plain\t{each}" for each in ("base", "base--lr0.2", "base--lr0.2@local-v4", "base@local-v1")]
    assert loaded == "[]"
