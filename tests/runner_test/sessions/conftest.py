"""Sessions in the foreground, and a server whose sessions are isolated."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner_test.server import running_server
from runner_test.sessions import Record, SessionOptions, run_once
from runner_test.settings import Settings
from runner_test.store import Store
from tests.runner_test.local import PLAIN, Local, Run


@pytest.fixture
def isolated(tmp_path: Path) -> Iterator[Local]:
    """A running local Kaggle whose sessions are isolated."""
    store = Store(tmp_path / "isolated")
    with running_server(store.root) as server:
        yield Local(server.url, store)
    for kernel in store.kernels():
        store.delete(kernel.reference)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a script's text once in the root `tmp_path / "root"`; the exit code and all output."""

    def once(text: str, **options: Any) -> tuple[int, str]:
        script = tmp_path / "kernel.py"
        script.write_text(text)
        records: list[Record] = []
        chosen: dict[str, Any] = {"timeout": 60.0, "settings": PLAIN} | options
        code = run_once(script, tmp_path / "root", records.append, SessionOptions(**chosen))
        return code, "".join(record.data for record in records)

    return once


@pytest.fixture
def run_isolated(run: Run) -> Run:
    """The same, isolated."""
    return lambda text, **options: run(text, settings=Settings(), **options)
