"""A local Kaggle in its own process, a small project, and `coord` commands as processes that can be killed.

The commands are forked from this process, which has imported all modules that they need. So a kill hits their work and
not their imports, and hundreds of them take only a minute.
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
from coordinator.project.target_settings import TargetName
from runner_test.server import running_server
from runner_test.state import Reference, Version
from runner_test.store import Store

SAMPLE = Path(__file__).parent.parent / "tests" / "samples" / "tiny"
OWNER = "ada"  # of the sample project
ARRIVAL_SECONDS = 8.0
"""Instead of a minute: this server is near, and the commands wait this long for a push that does not arrive."""


@dataclass(frozen=True)
class Ended:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Place:
    """The project, and the local Kaggle that its runs go to."""

    root: Path
    store: Store

    def start(self, *arguments: str) -> int:
        """Starts a `coord` command as a process and returns its id; `output` reads what it prints."""
        return fork(lambda: self._coord(arguments))

    def run(self, *arguments: str) -> Ended:
        """Runs a `coord` command to its end."""
        process = self.start(*arguments)
        return self.output(process, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))

    def output(self, process: int, code: int) -> Ended:
        """What a process printed that ended with this exit code. Raises AssertionError if there is a traceback."""
        out, err = (Path(f"{self._streams(process)}.{name}") for name in ("out", "err"))
        ended = Ended(code, *(file.read_text(encoding="utf-8") if file.exists() else "" for file in (out, err)))
        for file in (out, err):
            file.unlink(missing_ok=True)
        assert "Traceback" not in ended.err, ended.err
        return ended

    def runs(self, experiment: str | None = None) -> list[Run]:
        """The runs in the ledger, newest first."""
        with Ledger(find_project(self.root).ledger) as ledger:
            return ledger.runs(experiment=experiment)

    def versions(self, experiment: str) -> list[Version]:
        """The versions in the local Kaggle, oldest first; each has one session."""
        reference = Reference(OWNER, f"tiny-{experiment}")
        found = [self.store.version(reference, number) for number in self.store.numbers(reference)]
        return [version for version in found if version is not None]

    def pushed_by(self, version: Version) -> str | None:
        """The id of the run in the first line of the version's source."""
        return stamp_of(self.store.paths(version).source.read_text(encoding="utf-8")).get("run")

    def is_idle(self, experiment: str) -> bool:
        """Whether no session of the experiment waits or runs."""
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
    """Calls the function in a new process and returns the process id. An exception gives exit code 1."""
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
    """A copy of the sample project with these experiments, and a local Kaggle. Both are removed at the end.

    With the target "kaggle" the server has its own process; with "local" each command has its own server.
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
            store = Store(kaggle)
            os.environ.update(KAGGLE_USERNAME=OWNER, KAGGLE_KEY=store.token())
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
