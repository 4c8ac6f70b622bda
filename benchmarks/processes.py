"""A local Kaggle in a process of its own, a small project, and `coord` commands as processes that can be killed.

The commands are forked from this process, which has imported all that they need: a kill meets them at work and not at
their imports, and hundreds of them take a minute.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import coordinator.__main__
from coordinator.bundle.bootstrap import stamp_of
from coordinator.ledger import arrival
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.project import find_project
from coordinator.project.settings import TargetName
from runner_test.server import running_server
from runner_test.state import Reference, Version
from runner_test.store import Store

SAMPLE = Path(__file__).parent.parent / "tests" / "samples" / "tiny"
OWNER = "ada"  # the sample's
ARRIVAL_SECONDS = 8.0
"""Instead of a minute: this server is not far away, and what does not arrive is waited for."""


@dataclass(frozen=True)
class Ended:
    """A command that has ended by itself."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Place:
    """The project, and the local Kaggle that its runs go to."""

    root: Path
    store: Store

    def start(self, *arguments: str) -> int:
        """A `coord` command as a process; what it prints goes where `said` finds it. Returns its number."""
        return fork(lambda: self._coord(arguments))

    def run(self, *arguments: str) -> Ended:
        """A `coord` command to its end."""
        process = self.start(*arguments)
        return self.said(process, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))

    def said(self, process: int, code: int) -> Ended:
        """What a process said that has ended with that code."""
        out, err = (Path(f"{self._streams(process)}.{name}") for name in ("out", "err"))
        ended = Ended(code, *(file.read_text(encoding="utf-8") if file.exists() else "" for file in (out, err)))
        for file in (out, err):
            file.unlink(missing_ok=True)
        assert "Traceback" not in ended.err, ended.err
        return ended

    def runs(self, experiment: str | None = None) -> list[Run]:
        """What the ledger has, newest first."""
        with Ledger(find_project(self.root).ledger) as ledger:
            return ledger.runs(experiment=experiment)

    def versions(self, experiment: str) -> list[Version]:
        """What the local Kaggle has, oldest first; each is a session."""
        reference = Reference(OWNER, f"tiny-{experiment}")
        found = [self.store.version(reference, number) for number in self.store.numbers(reference)]
        return [version for version in found if version is not None]

    def pushed_by(self, version: Version) -> str | None:
        """The run that the version's source names."""
        return stamp_of(self.store.paths(version).source.read_text(encoding="utf-8")).get("run")

    def is_idle(self, experiment: str) -> bool:
        """Whether no session of it waits or runs."""
        return all(self.store.progress(version).state.final for version in self.versions(experiment))

    def _coord(self, arguments: tuple[str, ...]) -> None:
        for number, name in ((1, "out"), (2, "err")):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(f"{self._streams(os.getpid())}.{name}", flags, 0o600), number)
        os.chdir(self.root)
        sys.argv = ["coord", *arguments]
        coordinator.__main__.main()

    def _streams(self, process: int) -> Path:
        return self.root.parent / f"process-{process}"


def fork(work: Callable[[], object]) -> int:
    """Does the work in a new process; its number. The exit code is the work's own, 1 after an exception."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


@contextlib.contextmanager
def place(experiments: list[str], target: TargetName = "kaggle") -> Iterator[Place]:
    """A copy of the sample project with these experiments, and a local Kaggle. Nothing is left of them.

    With the target "kaggle" it answers in a process of its own, with "local" in that of each command.
    """
    importlib.import_module("benchmarks.loaded")
    arrival.ARRIVAL_SECONDS = ARRIVAL_SECONDS
    with tempfile.TemporaryDirectory(prefix="coord-processes-") as name:
        root = Path(name, "tiny")
        shutil.copytree(SAMPLE, root, ignore=shutil.ignore_patterns("__pycache__"))
        for experiment in experiments:
            (root / "experiments" / f"{experiment}.yaml").write_text("base: base\n", encoding="utf-8")
        kaggle = Path(name, "kaggle") if target == "kaggle" else find_project(root).local_kaggle
        with _served(kaggle) if target == "kaggle" else contextlib.nullcontext("") as url:
            os.environ.update(COORD_KAGGLE_ENDPOINT=url, COORD_TARGET=target, HOME=name)
            os.environ.update(KAGGLE_USERNAME=OWNER, KAGGLE_KEY="0123456789abcdef" * 2)
            store = Store(kaggle)
            try:
                yield Place(root, store)
            finally:
                for kernel in store.kernels():
                    store.delete(kernel.reference)


@contextlib.contextmanager
def _served(root: Path) -> Iterator[str]:
    ready, say = os.pipe()

    def serve() -> None:
        with running_server(root) as server:
            os.write(say, server.url.encode())
            while True:
                time.sleep(60)

    process = fork(serve)
    try:
        yield os.read(ready, 100).decode()
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(ready)
        os.close(say)
