"""The kinds of faults in this folder, as the table of docs/reliability.md: `python -m tests.field.kinds` prints it."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.paths import ROOT

FIELD = Path(__file__).parent


@functools.cache
def kinds() -> dict[str, tuple[str, str]]:
    """Module -> (what kind of fault, where it was seen), from its docstring."""
    found = {}
    for file in sorted(FIELD.glob("test_*.py")):
        if file.stem == "test_kinds":  # it holds this table, and no kind
            continue
        text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        seen = " ".join(text.partition("Seen:")[2].partition("\n\n")[0].split())
        found[file.stem] = (text.partition("\n")[0].rstrip("."), seen)
    return found


def cases() -> Counter[str]:
    """Module -> the number of its cases, as pytest collects them."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", str(FIELD)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return cases_of(Path(line.partition("::")[0]).stem for line in done.stdout.splitlines() if "::" in line)


def cases_of(modules: Iterable[str]) -> Counter[str]:
    """The same from the module of each case."""
    return Counter(module for module in modules if module in kinds())


def table(counted: Counter[str]) -> str:
    """A row for each kind, and their sum."""
    rows = [f"| {kind} | `{module}` | {counted[module]} | {seen} |" for module, (kind, seen) in kinds().items()]
    head = ["| kind of fault | test module | cases | seen |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, f"| **{len(rows)} kinds** | | **{sum(counted.values())}** | |"])


if __name__ == "__main__":
    print(table(cases()))
