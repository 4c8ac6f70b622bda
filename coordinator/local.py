"""The one place where coord reaches the local Kaggle: its server, started in this process, and its dry runs.

There is no daemon: all its state is on disk, and its sessions are processes of their own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from coordinator.errors import CoordError, DependencyError, TargetError, UsageError
from coordinator.project import Project
from coordinator.target import LogRecord

OWNER = "local"
"""The local Kaggle's user where the settings name no owner."""
PORT = 7788
"""Where `coord local serve` listens if it is not told."""
WEBSITE = f"http://127.0.0.1:{PORT}"
"""Begins a local run's URL: a command's own server ends with it, so pages are named as `serve` shows them."""


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"runner_test.{name}")
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"the local Kaggle is not installed ({error.name} is missing)", hint="Run: pip install 'coord[local]'"
        ) from error


@contextlib.contextmanager
def local_kaggle(project: Project) -> Iterator[str]:
    """The address of a local Kaggle that answers while the context is open; sessions go on afterwards."""
    with _explained(), _module("server").running_server(project.local_kaggle, settings=_settings(project)) as server:
        yield server.url


def serve(project: Project, port: int) -> None:
    """Answers on a port of this machine until Ctrl-C. Raises TargetError if the port is taken."""
    with _explained():
        _module("server").serve(project.local_kaggle, port, settings=_settings(project))


def add_dataset(project: Project, ref: str, directory: Path) -> None:
    """Makes a folder known as the data set owner/slug. Raises UsageError if there is no such folder."""
    _register(project, "add_dataset", ref, directory)


def add_competition(project: Project, slug: str, directory: Path) -> None:
    """Makes a folder known as a competition's data. Raises UsageError if there is no such folder."""
    _register(project, "add_competition", slug, directory)


def isolation_warning(project: Project) -> str | None:
    """What the user should know where this machine can't isolate sessions; said once in a project."""
    with _explained():
        warning: str | None = _module("isolation").first_warning(project.local_kaggle, _settings(project))
    return warning


def mount_path(project: Project, kind: str, source: str) -> str:
    """Where a source ("datasets", "competitions" or "notebooks") is mounted, below `input/`."""
    path: str = _module("layout").mount_path(project.settings.local.layout, kind, source)
    return path


def run_once(
    project: Project,
    script: Path,
    root: Path,
    *,
    inputs: Mapping[str, Path],
    overrides: str,
    internet: bool,
    on_record: Callable[[LogRecord], None],
) -> int:
    """Runs a kernel's script as a session, in the foreground; returns its exit code.

    `root` is made anew: what an earlier run left there goes. `internet` says whether an isolated session has a network.
    """

    def pass_on(record: Any) -> None:
        on_record(LogRecord(stream=record.stream_name, time=record.time, data=record.data))

    with _explained():
        if root.exists():
            _module("layout").remove_tree(root)
        code: int = _module("session").run_once(
            script,
            root,
            inputs=inputs,
            overrides=overrides,
            timeout=None,
            on_record=pass_on,
            settings=_settings(project),
            internet=internet,
        )
    return code


def _settings(project: Project) -> Any:
    return _module("settings").Settings(**dataclasses.asdict(project.settings.local))


def _register(project: Project, function: str, name: str, directory: Path) -> None:
    with _explained(UsageError):
        getattr(_module("store").Store(project.local_kaggle), function)(name, directory.resolve())


@contextlib.contextmanager
def _explained(kind: type[CoordError] = TargetError) -> Iterator[None]:
    """What the local Kaggle expects to go wrong, as an error of ours; its messages are ready to show."""
    expected: type[Exception] = _module("errors").LocalKaggleError
    try:
        yield
    except expected as error:
        raise kind(str(error)) from error
