"""Asks the targets about the runs that go on, in a thread, and keeps what their logs say for the page."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coordinator.errors import CoordError
from coordinator.ledger import Ledger, Run
from coordinator.project import Project
from coordinator.results import Event, LineReader, log_lines
from coordinator.runs import Look, OpenTargets, current_status, open_targets, pause_between_looks
from coordinator.target import KAGGLE, LogRecord, Quota, current_quota

AT_MOST = 50
"""Runs that are asked about, as by `coord status`: the newest that go on."""
LINES = 400
"""Lines of a log that are shown: its last ones."""
_LOGS = 60  # runs whose log is kept
_QUOTA_SECONDS = 600.0
_TICK = 0.5  # seconds between two looks at what the page asks for
_RETRY = 20.0  # seconds before a target that failed is asked again
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunLog:
    """A run's log so far."""

    lines: tuple[tuple[int, str], ...]
    """The last ones, each with its number from 0."""
    events: tuple[Event, ...]
    """What it reported."""


def read_log(lines: Sequence[str], reader: LineReader) -> RunLog:
    """A line that reports something is shown in words, as `coord logs` does."""
    shown, events = [], []
    for line in lines:
        event = reader.event(line)
        if event is not None:
            events.append(event)
        shown.append(line if event is None else f"» {event}")
    return RunLog(tuple(enumerate(shown))[-LINES:], tuple(events))


class Watcher:
    """What is known beyond the ledger: live logs, errors of the targets, the quota. Its thread alone asks."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._logs: dict[str, RunLog] = {}
        self._records: dict[str, int] = {}
        self._wanted: list[str] = []
        self._errors: dict[str, CoordError] = {}
        self._quota: Quota | None = None
        self._version = 0
        self._thread = threading.Thread(target=self._run, name="coord-ui", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when it has closed the targets, or after some seconds: an answer may still be awaited."""
        self._end.set()
        self._thread.join(timeout=5)

    @property
    def version(self) -> int:
        """Another number whenever something has changed."""
        return self._version

    @property
    def errors(self) -> tuple[str, ...]:
        """Why the targets could not be asked, each reason once."""
        with self._lock:
            return tuple(dict.fromkeys(error.what for error in self._errors.values()))

    @property
    def quota(self) -> Quota | None:
        return self._quota

    def logs(self) -> Mapping[str, RunLog]:
        """By run id."""
        with self._lock:
            return dict(self._logs)

    def want(self, run: Run) -> None:
        """Asks for the log of a run that has ended, once; it comes with a later look at `logs`."""
        with self._lock:
            if run.id not in self._logs and run.id not in self._wanted and run.has_kernel:
                self._wanted.append(run.id)

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                with Ledger(self._project.ledger) as ledger, open_targets(self._project) as targets:
                    self._watch(ledger, targets)
            except CoordError as error:  # of the ledger: another process may hold it for long
                self._set_errors({"": error})
            except Exception as error:
                _LOGGER.exception("the states of runs are not followed for a while")
                self._set_errors({"": CoordError(f"the runs could not be asked about: {error!r}")})
            self._end.wait(_RETRY)

    def _watch(self, ledger: Ledger, targets: OpenTargets) -> None:
        next_look = next_quota = 0.0
        while not self._end.is_set():
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + self._look(ledger, targets)
            if time.monotonic() >= next_quota:
                next_quota = time.monotonic() + _QUOTA_SECONDS
                self._ask_quota(ledger)
            self._fetch_wanted(ledger, targets)
            self._end.wait(_TICK)

    def _look(self, ledger: Ledger, targets: OpenTargets) -> float:
        """Asks about the runs that go on; returns how many seconds to wait before the next time."""
        active = [run for run in ledger.runs() if run.state.is_active][:AT_MOST]
        found = current_status(targets, ledger, active, on_look=self._seen)
        self._set_errors(found.failures)
        if found.failures:
            targets.close()  # perhaps the connection is broken, or a sign-in has to be renewed
        return _RETRY if active and len(found.failures) == len(active) else pause_between_looks(self._project, active)

    def _seen(self, run: Run, look: Look) -> None:
        if look.records:
            self._keep(run, look.records)

    def _keep(self, run: Run, records: Sequence[LogRecord]) -> None:
        # A live log is replayed from its start: one that is shorter than before was not read to its end.
        if len(records) <= self._records.get(run.id, -1):
            return
        reader = LineReader(self._project.settings.metrics)
        found = read_log(list(log_lines(records)), reader)
        with self._lock:
            self._logs.pop(run.id, None)
            self._logs[run.id] = found
            while len(self._logs) > _LOGS:
                del self._logs[next(iter(self._logs))]
            self._records[run.id] = len(records)
            self._version += 1

    def _fetch_wanted(self, ledger: Ledger, targets: OpenTargets) -> None:
        while self._wanted and not self._end.is_set():
            with self._lock:
                run_id = self._wanted.pop()
            try:
                run = ledger.get(run_id)
                if not run.state.is_active:
                    self._keep(run, targets.get(run.target).log(run.ref))
            except CoordError as error:
                with self._lock:
                    self._logs[run_id] = RunLog(((0, f"(the log could not be read: {error.what})"),), ())
                    self._version += 1

    def _ask_quota(self, ledger: Ledger) -> None:
        """Kaggle's, if the project has to do with it. Without credentials no request is sent."""
        if self._project.settings.target != KAGGLE and not ledger.runs(target=KAGGLE):
            return
        try:
            self._quota = current_quota(self._project, KAGGLE)
        except CoordError:
            return  # it is one of the things that the page can do without
        self._version += 1

    def _set_errors(self, errors: Mapping[str, CoordError]) -> None:
        before = self.errors
        with self._lock:
            self._errors = dict(errors)
        self._version += self.errors != before
