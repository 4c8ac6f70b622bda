"""Runs the commands of a page in order, and compares what they print with what the page shows.

A comment above a block tells what its commands do not: `<!-- before: NAME -->` calls a function that does what the text
says a reader has done, `<!-- stays: WHY -->` lets its command go on until the end of the page, and
`<!-- not run: WHY -->` leaves the block out.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests import forked
from tests.coordinator.command import COORD, DEADLINE
from tests.documented import plain
from tests.warm import COMMANDS, run_warm

_COMMENT = re.compile(r"\s*<!-- (before|stays|not run): (.+) -->")
_PASSING = re.compile(
    r" is (queued|running)$|^waiting for |^coord ui shows it|^\d+/\d+ files, |^\w+ is processing |^ *#?\d*%\|"
)
"""Lines that come or not, by how fast a session is, or that a page shows once."""
_HEX = re.compile(r"\b(?=[a-z]*\d)[0-9a-f]{10,}\b")
"""A digest, an id or a commit."""
_UNSTABLE = (
    (re.compile(r"#(?:[.:]#)+"), "#"),
    (re.compile(r"#[smhd]\b"), "#t"),  # an age or a time, in whatever unit
    (re.compile(r"[─━]+"), "─"),
    (re.compile(r"# seconds?( \(.*\))?"), "# seconds"),  # stages that took none are not named
    (re.compile(r"on \w+day # \w+ at"), "on a day at"),
    # kaggle uploads files in the order in which the file system lists them.
    (re.compile(r"(Starting upload for file|Upload successful:) [\w.]+"), r"\1 a file"),
)


@dataclass(frozen=True)
class Block:
    """Commands that stand together."""

    where: str
    """Page and line."""
    steps: tuple[tuple[str, tuple[str, ...]], ...]
    """Commands, and the lines that the page shows below each."""
    before: tuple[str, ...] = ()
    stays: bool = False
    """Its command is one that goes on."""
    not_run: str = ""


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page in which a line begins with `$`, in its order."""
    marks = dict[str, str]()
    inside: list[str] | None = None
    start, indent = 0, 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            if inside is None:
                inside, start, indent = [], number, len(line) - len(line.lstrip())
                continue
            if any(each.startswith("$ ") for each in inside):
                before = tuple(filter(None, marks.get("before", "").split(", ")))
                yield Block(
                    f"{page.name}:{start}", tuple(_steps(inside)), before, "stays" in marks, marks.get("not run", "")
                )
            inside, marks = None, {}
        elif inside is not None:
            inside.append(line[indent:])
        elif found := _COMMENT.fullmatch(line):
            marks[found[1]] = found[2]


def _steps(lines: list[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    starts = [at for at, line in enumerate(lines) if line.startswith("$ ")]
    for at, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        rest = lines[at:end]
        command = rest.pop(0).removeprefix("$ ")
        while command.endswith("\\"):
            command = command.removesuffix("\\") + rest.pop(0).strip()
        yield command, tuple(rest)


@dataclass
class Shell:
    """Where the commands of a page run: a folder, and an environment, which they change as in a shell."""

    folder: Path
    home: Path
    environment: dict[str, str] = field(default_factory=lambda: {**os.environ, "COLUMNS": "80", "BROWSER": "true"})
    started: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    """Commands that go on."""
    instead: dict[str, str] = field(default_factory=dict)
    """Text of a page -> what stands in its place in the commands: a port that is free here."""
    known: dict[str, str] = field(default_factory=dict)
    """What is printed here -> the words of a page for it."""

    def __call__(self, command: str) -> str:
        """Runs a command; what it prints, on both streams. AssertionError for an exit code other than 0."""
        code, printed = self.run(command)
        assert code == 0, f"exit code {code} of {command}\n{printed}"
        return printed

    def run(self, command: str) -> tuple[int, str]:
        """Runs a command; its exit code, and what it prints on both streams."""
        command = self.meant(command)
        words = shlex.split(command, comments=True)
        if words[0] == "cd":
            self.folder = (self.folder / words[1]).resolve()
            return 0, ""
        if words[0] == "export":
            self.environment.update(dict(each.split("=", 1) for each in words[1:]))
            return 0, ""
        is_coord = words[0] == "coord" and not {"|", "&&", "<", ">"} & {*words}
        done = self._coord(words[1:]) if is_coord else self._other(command)
        return done.returncode, done.stdout.replace("python -m coordinator", "coord")

    def start(self, command: str, lines: int) -> str:
        """Starts a `coord` command that goes on; the first lines that it prints. `started.close()` ends it."""
        process = forked.start(
            [*COORD, *shlex.split(self.meant(command))[1:]],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.callback(process.communicate)
        self.started.callback(process.send_signal, signal.SIGINT)
        assert process.stdout is not None
        return "".join(process.stdout.readline() for _ in range(lines))

    def meant(self, command: str) -> str:
        """The command of a page as it is run here."""
        for text, here in self.instead.items():
            command = command.replace(text, here)
        return command

    def _coord(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return run_warm("coordinator", *words, cwd=self.folder, env=self.environment, loaded=COMMANDS, is_merged=True)

    def _other(self, command: str) -> subprocess.CompletedProcess[str]:
        programs, descriptors = forked.programs_for_shells()
        path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), self.environment["PATH"]])
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env={**self.environment, "PATH": path},
            pass_fds=descriptors,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    def shown(self, printed: str) -> str:
        """What it printed, in the words of a page: a reader has the folder in `/home/ada`."""
        for here, text in (*self.known.items(), (str(self.home), "/home/ada")):
            printed = printed.replace(here, text)
        return printed

    def change(self, file: str, before: str, after: str) -> None:
        """Replaces a text that is in a file."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert before in text, f"{file} has no {before!r}"
        path.write_text(text.replace(before, after), encoding="utf-8")


@dataclass(frozen=True)
class Difference:
    """A command that did not print what its page shows."""

    block: Block
    command: str
    shown: tuple[str, ...]
    why: str
    printed: str

    def __str__(self) -> str:
        return f"{self.block.where}: {self.command}\n  {self.why}\n{self.printed}"


def run_page(
    page: Path, shell: Shell, before: Mapping[str, Callable[[Shell], object]], *, marked: str = ""
) -> list[Difference]:
    """Runs the blocks of a page that have no mark `not run`, or those whose mark begins with `marked`.

    A command may fail only where the page shows a failure.
    """
    differences = []
    for block in blocks(page):
        if bool(block.not_run) is not bool(marked) or not block.not_run.startswith(marked):
            continue
        for name in block.before:
            before[name](shell)
        for command, shown in block.steps:
            code, printed = (0, shell.start(command, len(shown))) if block.stays else shell.run(command)
            printed = shell.shown(printed)
            is_failure = any(line.startswith(("coord: ", "Error: ", "FAILS")) for line in shown)
            why = f"exit code {code}" if code and not is_failure else difference(shown, printed) if shown else ""
            if why:
                differences.append(Difference(block, command, shown, why, printed))
    return differences


def accept(page: Path, each: Difference) -> None:
    """Writes what was printed into the page, where that shows all of it."""
    if "..." in each.shown or each.why.startswith("exit code"):
        return
    lines = [line.rstrip() for line in each.printed.splitlines()]
    text = page.read_text(encoding="utf-8")
    old, new = ("\n".join([f"$ {each.command}", *some]) + "\n" for some in (each.shown, lines))
    if text.count(old) == 1:
        page.write_text(text.replace(old, new), encoding="utf-8")


def difference(shown: tuple[str, ...], printed: str) -> str:
    """What the page shows and was not printed there, or the other way round; empty if nothing.

    `...` stands for any lines, and at the end of a line for the rest of it. Of numbers only those with four decimals,
    which are metrics, are compared.
    """
    found = _lines(printed.splitlines())
    parts = [(is_gap, list(lines)) for is_gap, lines in itertools.groupby(_lines(shown), "...".__eq__)]
    at, may_skip = 0, False
    for number, (is_gap, part) in enumerate(parts, 1):
        if is_gap:
            may_skip = True
            continue
        end = len(found) - len(part)
        starts = [at] if not may_skip else [end] if number == len(parts) else range(at, end + 1)
        fitting = (n for n in starts if at <= n <= end and all(map(_is_shown, part, found[n:])))
        start = next(fitting, None)
        if start is None:
            pairs = itertools.zip_longest(part, found[max(starts[0], at) :], fillvalue="")
            wanted, came = next(((a, b) for a, b in pairs if not _is_shown(a, b)), ("", ""))
            return f"the page has: {wanted}\n  printed was: {came}"
        at, may_skip = start + len(part), False
    return "" if may_skip or at == len(found) else f"printed, and not in the page: {found[at]}"


def _is_shown(wanted: str, printed: str) -> bool:
    start = wanted.removesuffix("...").removesuffix("…").rstrip()
    return printed == wanted or (start != wanted and printed.startswith(start))


def _lines(lines: tuple[str, ...] | list[str]) -> list[str]:
    return [_stable(line) for line in lines if line.strip() and not _PASSING.search(line)]


def _stable(line: str) -> str:
    line = plain(_HEX.sub("#", line))
    for pattern, text in _UNSTABLE:
        line = pattern.sub(text, line)
    return line.strip()
