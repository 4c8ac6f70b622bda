"""On Windows, tests of what Windows has not are skipped, with the reason: a plugin that conftest.py loads there.

That is a test module that can't be loaded because a library of POSIX is missing (the local Kaggle needs fcntl), and a
test whose failure is coord's own message that the local Kaggle is not for Windows. Every other failure stays one.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

LIBRARIES = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")
"""Modules of the standard library that Windows has not."""
REFUSAL = "runs on Linux and macOS, not on Windows"
"""What coord says there; see coordinator/target/local.py."""
_MISSING = re.compile(rf"No module named '({'|'.join(LIBRARIES)})'")


class _Module(pytest.Module):
    """A module of tests that is skipped if it can't be loaded for want of a library of POSIX."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        try:
            return super().collect()
        except self.CollectError as error:
            missing = _MISSING.search(str(error))
            if missing is None:
                raise
            pytest.skip(f"Windows has no {missing[1]}", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    module: pytest.Module = _Module.from_parent(parent, path=module_path)
    return module


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Also a fixture or a test that loads such a library, or starts the local Kaggle, only when it runs."""
    report = yield
    if report.failed and call.excinfo is not None:
        text = str(call.excinfo.value)
        missing = _MISSING.search(text)
        if missing is not None or REFUSAL in text:
            path, line, _ = item.location
            reason = f"Windows has no {missing[1]}" if missing else REFUSAL
            report.outcome, report.longrepr = "skipped", (path, (line or 0) + 1, reason)
    return report
