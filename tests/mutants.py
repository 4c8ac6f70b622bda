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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.paths import ROOT

LIST = Path(__file__).with_suffix(".txt")
_EQUIVALENT = "equivalent: "
_TEST_SECONDS = 60
_PASSED, _FAILED = 0, 1  # pytest's exit codes; any other says that no test ran


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
        *edit, noticed_by = fields
        is_equivalent = noticed_by.startswith(_EQUIVALENT)
        tests = () if is_equivalent else tuple(noticed_by.split())
        found.append(Mutant(number, *edit, tests, noticed_by.removeprefix(_EQUIVALENT) if is_equivalent else ""))
    return found


class Copy:
    """A copy of the working tree. Its tests, and the processes that they start, import its own modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
        guard = folder / "tests" / "guard" / "sitecustomize.py"
        with guard.open("a", encoding="utf-8") as file:
            file.write(f"\nimport sys\n\nsys.path.insert(0, {str(folder)!r})\n")

    def fails(self, mutant: Mutant, moment: float) -> tuple[bool, str]:
        """Whether a test fails with the edit, and which one. Raises RuntimeError if they could not be run.

        `moment` is of this edit only: Python takes a compiled module for another edit's if size and time are equal.
        """
        file = self.folder / mutant.path
        try:
            file.write_text(mutant.edited((ROOT / mutant.path).read_text(encoding="utf-8")), encoding="utf-8")
            os.utime(file, (moment, moment))
            return self.run(mutant.tests)
        finally:
            shutil.copy2(ROOT / mutant.path, file)

    def run(self, tests: Sequence[str]) -> tuple[bool, str]:
        """Whether one of the tests fails, and which one. Raises RuntimeError if none could be run."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"--timeout={_TEST_SECONDS}"]
        done = subprocess.run(
            [*command, *dict.fromkeys(tests)], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said = done.stdout.decode("utf-8", "replace")
        if done.returncode == _FAILED:
            first = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
            return True, first[1] if first else "the time was over"
        if done.returncode != _PASSED or not re.search(r"\d passed", said):
            raise RuntimeError(f"no test ran:\n{said.strip()}")
        return False, ""


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if an edit was not noticed or a line is wrong, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="only the lines that have all these words")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    text = LIST.read_text(encoding="utf-8")
    lines = text.splitlines()
    chosen = [
        each for each in mutants(text) if all(word.lower() in lines[each.line - 1].lower() for word in options.words)
    ]
    alive = wrong = 0
    with tempfile.TemporaryDirectory(prefix="coord-mutants-") as folder:
        for mutant, problem, said in _noticed([each for each in chosen if each.tests], Path(folder), options.jobs):
            alive, wrong = alive + (problem == "LIVES"), wrong + (problem == "ERROR")
            print(f"{problem or 'noticed':8} {mutant.name}: {said}", flush=True)
    for mutant in chosen:
        if mutant.why_equivalent:
            print(f"{'same':8} {mutant.name}: {mutant.why_equivalent}")
    same = sum(bool(each.why_equivalent) for each in chosen)
    noticed = len(chosen) - same - alive - wrong
    print(f"{len(chosen)} edits: {noticed} noticed, {same} equivalent, {alive} alive, {wrong} with an error")
    return int(not chosen or bool(alive or wrong))


def _noticed(chosen: Sequence[Mutant], folder: Path, jobs: int) -> Iterator[tuple[Mutant, str, str]]:
    """(mutant, problem or "", the first test that failed or the reason) of each, in the order of the list."""
    if not chosen:
        return
    copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
    for number in range(max(1, min(jobs, len(chosen)))):
        copies.put(Copy(folder / str(number)))
    first = copies.get()
    fails, test = first.run([test for mutant in chosen for test in mutant.tests])
    if fails:
        raise SystemExit(f"{test} fails without any edit")
    copies.put(first)
    moments = itertools.count(time.time() - 1e9)

    def tried(mutant: Mutant) -> tuple[Mutant, str, str]:
        copy = copies.get()
        try:
            fails, test = copy.fails(mutant, next(moments))
        except (RuntimeError, ValueError) as error:
            return mutant, "ERROR", str(error)
        finally:
            copies.put(copy)
        return mutant, "" if fails else "LIVES", test or f"{mutant.path}: {mutant.old} -> {mutant.new}"

    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(tried, chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
