"""The table of exit codes against the classes of errors and the commands."""

from __future__ import annotations

import ast
import re
import signal
from collections.abc import Iterator

from coordinator import errors
from coordinator.errors import EXIT_CODES, CoordError
from tests.paths import ROOT

CODES = {each.code for each in EXIT_CODES}


def _classes(of: type[CoordError] = CoordError) -> Iterator[type[CoordError]]:
    yield of
    for each in of.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from _classes(each)


def test_every_error_ends_with_a_code_of_the_table() -> None:
    assert {each.exit_code for each in _classes()} <= CODES
    assert {128 + signal.SIGINT, 128 + signal.SIGPIPE} <= CODES
    assert len(CODES) == len(EXIT_CODES)


def test_the_tree_in_the_docstring_has_every_class() -> None:
    """With its code, where that is not its base's."""
    tree = errors.__doc__ or ""
    for each in _classes():
        (line,) = (line for line in tree.splitlines() if re.match(rf"[ │├└─]*{each.__name__}\b", line))
        if "exit_code" in vars(each):
            assert f"exit code {each.exit_code}" in line, line


def test_the_commands_end_with_codes_of_the_table() -> None:
    """Every number that a command gives to `typer.Exit` or SystemExit; the others are those of errors."""
    numbers = set()
    for file in [*(ROOT / "coordinator" / "cli").rglob("*.py"), ROOT / "coordinator" / "__main__.py"]:
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("typer.Exit", "SystemExit", "sys.exit"):
                numbers |= {each.value for each in node.args if isinstance(each, ast.Constant)}
    assert numbers
    assert numbers <= CODES
