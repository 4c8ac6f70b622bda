"""Runs the kernel of a submission again with the competition's hidden data, and has the file scored that it leaves.

    python -m runner_test.sessions.rerun supervise FOLDER LOCK    FOLDER: the submission's; LOCK: the held lock
    python -m runner_test.sessions.rerun run FOLDER               inside of bubblewrap: two sessions with one network

Kaggle's own sessions have limits on how many run at a time, and quotas; its reruns count towards neither. So do these:
but one at a time runs on this machine, and without isolation two gateways would find each other's servers.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from runner_test.errors import LocalKaggleError
from runner_test.sessions import isolation, log, shared
from runner_test.sessions.execute import Outcome, Stopped
from runner_test.sessions.gateway import Gateway, judged, run_both
from runner_test.sessions.log import Record
from runner_test.sessions.machine import Machine, SessionOptions
from runner_test.sessions.session import verdict
from runner_test.sessions.shared import Shared
from runner_test.state import (
    Entry,
    Failure,
    RerunEnd,
    RerunPaths,
    Result,
    Rules,
    Version,
    VersionPaths,
    competitions,
    files,
    locks,
    mount_path,
    read_version,
    reruns,
    sources,
    submissions,
    tree,
)

_FORMATS = ("submission.csv", "submission.parquet")  # what a gateway writes


@dataclass(frozen=True)
class Rerun:
    """One rerun."""

    submission: Path
    entry: Entry
    rules: Rules
    version: Version
    """The submitted version, with the time limit of the rerun."""
    has_own_network: bool = False
    """Whether this process has no network but a loopback, which only the sessions have with it."""

    @property
    def root(self) -> Path:
        """The store's root."""
        return self.submission.parents[1]

    @property
    def paths(self) -> RerunPaths:
        """The files of the rerun."""
        return reruns.rerun_paths(self.submission)

    @property
    def is_isolated(self) -> bool:
        """Whether its sessions have namespaces of their own."""
        return isolation.possible(self.version.settings)

    def perform(self) -> RerunEnd:
        """Run the kernel, with its gateway if the competition has one; how that ended."""
        begin = time.monotonic()
        working = (self.paths.gateway if self.rules.gateway else self.paths.kernel).working
        try:
            kernel, failure, detail = self._with_gateway() if self.rules.gateway else self._alone()
        except LocalKaggleError as error:
            return RerunEnd(Failure.KAGGLE, str(error), time.monotonic() - begin)
        names = (*_FORMATS, self.entry.file_name) if self.rules.gateway else (self.entry.file_name,)
        file = next((name for name in names if tree.file(working, name) is not None), None)
        if failure is None and file is None:
            failure = Failure.KAGGLE if self.rules.gateway else Failure.NO_FILE
            detail = f"There is no {' and no '.join(dict.fromkeys(names))}."
        code = None if kernel.stopped is Stopped.CANCELLED else kernel.exit_code  # its gateway's end is not its own
        return RerunEnd(failure, detail, time.monotonic() - begin, code, None if failure else file)

    def _alone(self) -> tuple[Outcome, Failure | None, str | None]:
        options = replace(self._options(Path(self.rules.hidden)), tells_missing=True)
        outcome = self._kernel(options, lambda: False)
        failure = _failure(outcome)
        return outcome, failure, verdict(outcome, self.version)[1] if failure else None

    def _with_gateway(self) -> tuple[Outcome, Failure | None, str | None]:
        paths = self.paths
        hidden = Path(self.rules.hidden).resolve()
        gateway = Gateway(Path(self.rules.gateway).resolve(), self.entry.competition, hidden, paths.hosts)
        gateway.name_hosts(with_server=True)
        paths.shared.mkdir(exist_ok=True)
        together = Shared(paths.hosts, paths.shared, writable=False)
        visible = sources.competition(self.root, self.entry.competition)
        options = replace(self._options(visible), shared=together)
        machine = gateway.machine(
            paths.gateway.session,
            replace(options, python=self.rules.python, shared=replace(together, writable=True)),
            is_isolated=self.is_isolated,
        )

        def ask(stop: Callable[[], bool]) -> tuple[Outcome, dict[str, Any]]:
            with _logging(paths.gateway) as on_records:
                if why := self._open_network():
                    on_records([Record("stderr", 0.0, f"note: {why}\n")])
                return gateway.run(machine, on_records=on_records, stop=lambda: stop() or self._is_gone())

        kernel, outcome, result = run_both(
            lambda stop: self._kernel(options, stop), ask, lambda: gateway.name_hosts(with_server=False)
        )
        alone = _failure(kernel)
        failure, why = judged(outcome, result, alone)
        if failure is not None and alone is not None:
            why = " ".join(filter(None, (verdict(kernel, self.version)[1], why)))
        return kernel, failure, why

    def _kernel(self, options: SessionOptions, stop: Callable[[], bool]) -> Outcome:
        paths = self.paths.kernel
        is_notebook = self.version.kernel_type == "notebook"
        machine = Machine(paths.session, options, is_isolated=self.is_isolated, is_notebook=is_notebook)
        paths.session.mkdir(exist_ok=True)
        with _logging(paths) as on_records:
            source = paths.source.read_bytes()
            return machine.run(source, on_records=on_records, stop=lambda: stop() or self._is_gone())

    def _options(self, data: Path | None) -> SessionOptions:
        """The kernel's options, with `data` in the place of the competition's data."""
        mounts = reruns.read_mounts(self.paths.kernel) or {}
        at = mount_path(self.version.settings.layout, "competitions", self.entry.competition)
        if at in mounts and data is not None:
            mounts[at] = data
        return SessionOptions(
            inputs=mounts,
            timeout=self.version.timeout,
            python=self.version.python,
            settings=self.version.settings,
            variables={"KAGGLE_IS_COMPETITION_RERUN": "1"},
            machine_shape=self.version.machine_shape,
            modules=sources.competition_mounts(self.version),
        )

    def _open_network(self) -> str | None:
        """Why the sessions of a rerun with a gateway have this machine's network, as a sentence, or None."""
        if not self.is_isolated:
            return (
                "without bubblewrap, the two sessions have this machine's network. Python's own functions are told "
                "where inference_server is; gRPC needs the line `127.0.0.1 inference_server` in /etc/hosts, and a "
                "gateway with paths below /kaggle finds nothing there."
            )
        return None if self.has_own_network else f"the two sessions have this machine's network: {shared.problem()}"

    def _is_gone(self) -> bool:
        return not self.submission.exists()


def _failure(outcome: Outcome) -> Failure | None:
    """How a kernel failed by itself, or None; one that was ended with its gateway did not."""
    if outcome.stopped is None:
        return Failure.EXCEPTION if outcome.exit_code else None
    return {Stopped.TIMEOUT: Failure.TIMEOUT, Stopped.LIMIT: Failure.COMPUTE}.get(outcome.stopped)


@contextmanager
def _logging(paths: VersionPaths) -> Iterator[Callable[[Sequence[Record]], None]]:
    """A function that appends records to the session's log, while the block runs."""
    paths.folder.mkdir(exist_ok=True)
    file = os.open(paths.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield lambda records: log.append(file, records)
    finally:
        os.close(file)


def _read(submission: Path) -> Rerun | None:
    """The rerun of the submission in that folder, or None if its competition is no longer one with hidden data."""
    root = submission.parents[1]
    entry = submissions.entry_in(submission)
    rules = competitions.rules_of_reruns(root, entry.competition) if entry else None
    if entry is None or rules is None or not rules.reruns:
        return None
    version = read_version(reruns.rerun_paths(submission).kernel)
    return Rerun(submission, entry, rules, replace(version, timeout=rules.time_limit or version.timeout))


def supervise(submission: Path, lock: int) -> None:
    """Run a submission's kernel again, and hand its file to a process that scores it, with the held lock.

    A failure becomes the submission's result.
    """
    paths = reruns.rerun_paths(submission)
    with locks.holding(submission.parents[1] / "slots" / "rerun.lock"):
        rerun = _read(submission)
        if rerun is None:
            end = RerunEnd(Failure.KAGGLE, "The competition no longer has hidden data.", 0.0)
        elif rerun.rules.gateway and rerun.is_isolated and shared.problem() is None:
            end = _inside(submission)
        else:
            end = rerun.perform()
    if not submission.exists():
        return
    reruns.write_end(paths, end)
    working = (paths.gateway if rerun and rerun.rules.gateway else paths.kernel).working
    file = tree.file(working, end.file) if end.file else None
    if rerun is None or end.failure is not None or file is None:
        result = submissions.failed(Failure(end.failure or Failure.KAGGLE), end.detail)
        files.write_json(submission / "result.json", asdict(result))
        return
    submissions.keep_file(submission, file)
    if not rerun.rules.scorer:
        files.write_json(submission / "result.json", asdict(Result("COMPLETE")))
        return
    submissions.start_scoring(submission, rerun.rules, lock)


def _inside(submission: Path) -> RerunEnd:
    """Perform the rerun in a process whose network is a loopback that only its sessions have."""
    paths = reruns.rerun_paths(submission)
    command = [sys.executable, "-m", "runner_test.sessions.rerun", "run", str(submission)]
    done = subprocess.run([*shared.without_network(), *command], stdin=subprocess.DEVNULL, check=False)
    end = reruns.read_end(paths)
    if end is None:
        why = f"The process that ran both sessions ended with exit code {done.returncode}"
        return RerunEnd(Failure.KAGGLE, f"{why}: see {submission / 'scoring.log'}", 0.0)
    return end


def main(arguments: list[str]) -> None:
    """`supervise FOLDER LOCK`, or `run FOLDER`."""
    submission = Path(arguments[1])
    if arguments[0] == "run":
        rerun = _read(submission)
        assert rerun is not None
        reruns.write_end(rerun.paths, replace(rerun, has_own_network=True).perform())
        return
    lock = int(arguments[2])
    os.set_inheritable(lock, False)  # else the kernel would keep the lock after the supervisor's end
    if os.fork():
        os._exit(0)
    supervise(submission, lock)


if __name__ == "__main__":
    main(sys.argv[1:])
