"""Edits sources as a mistake would, one edit at a time, and runs the tests that should notice: `make mutants`.

The edits are in mutants.txt. Each is made in a copy of the working tree, whose modules are imported instead of those of
the checkout. First the tests run without any edit, because tests that fail anyway notice nothing.

    python -m tests.mutants [--jobs N] [WORD...]     only the lines that have all these words, in any case
"""

from __future__ import annotations

import argparse
import itertools
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.paths import ROOT

LIST = Path(__file__).with_suffix(".txt")
_EQUIVALENT = "equivalent: "
_TEST_SECONDS = 60
_PASSED, _FAILED = 0, 1  # pytest's exit codes; any other says that no test ran


class Outcome(StrEnum):
    """What the tests say of an edit."""

    NOTICED = "noticed"
    LIVES = "LIVES"
    SKIPPED = "skipped"
    """This machine lacks what the tests need."""
    WRONG = "ERROR"
    """The line no longer applies, or the tests could not be run."""
    EQUIVALENT = "equivalent"


@dataclass(frozen=True)
class Mutant:
    """A line of the list: an edit of one line of a file, and what notices it."""

    line: int
    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]
    """Files or node ids; empty for an edit that changes nothing that a test could see."""
    why_equivalent: str = ""

    def edited(self, source: str) -> str:
        """The file's text with the edit. Raises ValueError unless the old text is there exactly once."""
        if (times := source.count(self.old)) != 1:
            raise ValueError(f"line {self.line}, {self.name}: {self.path} has its old text {times} times, not once")
        return source.replace(self.old, self.new)


def mutants(text: str) -> list[Mutant]:
    """The mutants of a list. Raises ValueError for a line of another form."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("||")]
        if len(fields) != 5 or not all(fields[:3]) or not fields[4] or fields[2] == fields[3]:
            raise ValueError(f"line {number}: it has to be: name || file || old text || new text || tests")
        name, path, old, new, noticed_by = fields
        is_equivalent = noticed_by.startswith(_EQUIVALENT)
        tests = () if is_equivalent else tuple(noticed_by.split())
        why = noticed_by.removeprefix(_EQUIVALENT) if is_equivalent else ""
        found.append(Mutant(number, name, path, old, new, tests, why))
    return found


class Copy:
    """A copy of the working tree. Its tests, and the processes that they start, import its own modules."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )
        for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        # The tests put this folder into PYTHONPATH: it comes before the place where the checkout is installed.
        with (folder / "tests" / "guard" / "sitecustomize.py").open("a", encoding="utf-8") as guard:
            guard.write(f"\nimport sys\n\nsys.path.insert(0, {str(folder)!r})\n")

    def try_edit(self, mutant: Mutant, moment: float) -> tuple[Outcome, str]:
        """What its tests say of an edit, and the first test that noticed it, or why none did.

        `moment` is of this edit only: Python takes a compiled module for another edit's if size and time are equal.
        """
        file = self._folder / mutant.path
        try:
            file.write_text(mutant.edited((ROOT / mutant.path).read_text(encoding="utf-8")), encoding="utf-8")
            os.utime(file, (moment, moment))
            outcome, said = self.run(mutant.tests)
        except (ValueError, OSError) as error:
            return Outcome.WRONG, str(error)
        finally:
            if (ROOT / mutant.path).is_file():
                shutil.copy2(ROOT / mutant.path, file)
        return outcome, said or f"{mutant.path}: {mutant.old} -> {mutant.new}"

    def run(self, tests: Sequence[str]) -> tuple[Outcome, str]:
        """Whether one of the tests fails (the edit is noticed), and which one."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"--timeout={_TEST_SECONDS}"]
        done = subprocess.run(
            [*command, *dict.fromkeys(tests)], cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode == _FAILED:
            first = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
            return Outcome.NOTICED, first[1] if first else "the time of a test was over"
        if done.returncode != _PASSED:
            return Outcome.WRONG, f"no test ran:\n{said}"
        return (Outcome.LIVES, "") if re.search(r"\d passed", said) else (Outcome.SKIPPED, said.splitlines()[-1])


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if an edit was not noticed or a line is wrong, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="only the lines that have all these words")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many edits at a time")
    options = parser.parse_args(arguments)
    text = LIST.read_text(encoding="utf-8")
    lines = [line.lower() for line in text.splitlines()]
    chosen = [each for each in mutants(text) if all(word.lower() in lines[each.line - 1] for word in options.words)]
    if not chosen:
        parser.error(f"no line of {LIST.name} has these words")
    counts: Counter[Outcome] = Counter()
    with tempfile.TemporaryDirectory(prefix="coord-mutants-") as folder:
        for mutant, outcome, said in _tried(chosen, Path(folder), options.jobs):
            counts[outcome] += 1
            print(f"{outcome:10} {mutant.name}: {said}", flush=True)
    print(f"{len(chosen)} edits: " + ", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
    return int(bool(counts[Outcome.LIVES] or counts[Outcome.WRONG]))


def _tried(chosen: Sequence[Mutant], folder: Path, jobs: int) -> Iterator[tuple[Mutant, Outcome, str]]:
    """Each mutant with what its tests say of it, in the order of the list. Ends the program if they fail anyway."""
    copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
    for number in range(max(1, min(jobs, len(chosen)))):
        copies.put(Copy(folder / str(number)))
    first = copies.get()
    if tests := [test for mutant in chosen for test in mutant.tests]:
        print("first without an edit", flush=True)
        outcome, said = first.run(tests)
        if outcome in (Outcome.NOTICED, Outcome.WRONG):
            raise SystemExit(f"without any edit: {said}")
    copies.put(first)
    moments = itertools.count(time.time() - 1e9)

    def one(mutant: Mutant) -> tuple[Mutant, Outcome, str]:
        if mutant.why_equivalent:
            return mutant, Outcome.EQUIVALENT, mutant.why_equivalent
        copy = copies.get()
        try:
            return mutant, *copy.try_edit(mutant, next(moments))
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        yield from pool.map(one, chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
