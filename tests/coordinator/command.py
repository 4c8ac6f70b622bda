"""Runs `coord` as users do: as a process, in the folder of a project."""

from __future__ import annotations

import contextlib
import functools
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click import Command
from click.testing import CliRunner, Result

from coordinator.clock import Clock
from coordinator.target.kaggle import Kaggle
from runner_test.store import Store
from tests import forked
from tests.warm import COMMANDS, can_be_warm, run_warm

DEADLINE = 240.0
NONE: Mapping[str, str] = {}
COORD = [sys.executable, "-m", "coordinator"]


def run_coord(*arguments: str, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs `coord` to its end, in a process with loaded modules if possible: loading takes most of the time."""
    if can_be_warm(env):
        return run_warm("coordinator", *arguments, cwd=cwd, env=env, loaded=COMMANDS)
    return subprocess.run(
        [*COORD, *arguments], cwd=cwd, env=dict(env), capture_output=True, text=True, timeout=DEADLINE, check=False
    )


@dataclass(frozen=True)
class Coord:
    """`coord` in the folder `root`, with this environment."""

    root: Path
    environment: Mapping[str, str]

    def __call__(
        self, *arguments: str, code: int = 0, variables: Mapping[str, str] = NONE
    ) -> subprocess.CompletedProcess[str]:
        """Runs to the end; checks the exit code, and that no traceback of coord was printed."""
        done = run_coord(*arguments, cwd=self.root, env={**self.environment, **variables})
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "coordinator/cli/" not in done.stderr, done.stderr
        return done

    def here(self, *arguments: str, code: int = 0) -> Result:
        """Runs to the end in this process, which is faster: waits take no time, and tests can read the log records."""
        with contextlib.chdir(self.root), pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # from click, about typer
            command = _command()
            defaults = Kaggle.__init__.__kwdefaults__
            assert defaults
            assert "clock" in defaults
            patch.setitem(defaults, "clock", Clock(sleep=lambda seconds: None))
            done = CliRunner().invoke(command, arguments, prog_name="coord", env=dict(self.environment))
        assert done.exit_code == code, f"exit code {done.exit_code}\n{done.output}\n{done.exception!r}"
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json").stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a command in its own process group."""
        return forked.start(
            [*COORD, *arguments],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def states(self) -> list[str]:
        """The state of each run, newest first."""
        return [run["state"] for run in self.json("status")]

    def session_root(self, slug: str, version: int, owner: str = "ada") -> Path:
        """The folder that a session of the local Kaggle has instead of /kaggle."""
        return self.root / f".coord/local-kaggle/kernels/{owner}/{slug}/versions/{version}/kaggle"


@functools.cache
def _command() -> Command:
    """The tree of all commands: to build it takes longer than most commands."""
    from typer.main import get_command

    from coordinator.cli import app

    return get_command(app)


def until(condition: Callable[[], Any], what: str) -> Any:
    """Waits until the condition returns a true value, and returns it. Raises AssertionError after `DEADLINE`."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {DEADLINE:.0f} s")


def delete_kernels(local_kaggle: Path) -> None:
    """Deletes all kernels of a local Kaggle, which ends their sessions."""
    store = Store(local_kaggle)
    for kernel in store.kernels():
        store.delete(kernel.reference)
