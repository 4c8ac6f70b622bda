"""What a command imports: it takes most of the time of a short one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from coordinator.project import Project

_CLIENT = ("kagglesdk", "requests", "urllib3", "http.client", "ssl")
_NUMBERS = ("numpy", "pandas", "statistics", "random")
_PAGES = ("jinja2", "starlette", "uvicorn", "rich.markdown", "pygments")
_TABLES = ("rich",)
_LEDGER = ("sqlite3", "coordinator.ledger.ledger", "yaml", "tomllib")
_ASKING = (
    "concurrent.futures",
    "coordinator.target.protocol",
    "coordinator.target.open",
    "coordinator.results.readers",
)
_EVERY = (*_CLIENT, *_NUMBERS, *_PAGES, *_TABLES, *_LEDGER)
NOT_NEEDED = {
    "--help": _EVERY,
    "--version": _EVERY,
    "push --help": _EVERY,
    "compare --help": _EVERY,
    "sweep push --help": _EVERY,
    "status --json": (*_ASKING, *_CLIENT, *_PAGES, *_TABLES, "numpy", "pandas", "statistics", "yaml"),
    "runs --json": (*_CLIENT, *_PAGES, *_TABLES, "numpy", "pandas", "yaml"),
    "status": (*_ASKING, *_CLIENT, *_PAGES, "numpy", "pandas", "statistics", "yaml"),
    "runs": (*_CLIENT, *_PAGES, "numpy", "pandas", "yaml"),
}
"""Command -> what it does without: libraries, and modules of this program."""


@pytest.mark.parametrize("line", NOT_NEEDED)
def test_a_command_imports_what_it_needs(line: str, tiny: Project) -> None:
    code = (
        "import sys, atexit; atexit.register(lambda: print('loaded', *sys.modules, file=sys.stderr))\n"
        "from coordinator.__main__ import main; main()"
    )
    command = [sys.executable, "-c", code, *line.split()]
    done = subprocess.run(command, cwd=tiny.root, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.splitlines()[-1].split())
    assert {"loaded", "coordinator.__main__", "typer"} <= loaded
    assert loaded.isdisjoint(NOT_NEEDED[line]), sorted(loaded & set(NOT_NEEDED[line]))
