"""A target that holds the versions of one kernel as values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from coordinator.bundle.script import stamped
from coordinator.errors import NoAnswer
from coordinator.kernel.metadata import KernelMetadata
from coordinator.project.settings import TargetName
from coordinator.target.protocol import KernelRef, LogRecord, OutputFile, Pushed, RunState, SessionState
from tests.coordinator.targets import Unasked

RUNNING_SESSION = SessionState(RunState.RUNNING)


def records_of(*lines: str) -> list[LogRecord]:
    """One record a line, a second apart."""
    return [LogRecord("stdout", float(number), line + "\n") for number, line in enumerate(lines)]


EPOCHS = records_of(
    'COORD {"event": "epoch", "epoch": 1}',
    "hello",
    'COORD {"event": "epoch", "epoch": 2}',
    'COORD {"event": "message"}',
)


@dataclass
class Shelf(Unasked):
    """A target that holds one kernel's sources, its state and its log as values, and notes what it is asked."""

    sources: list[str] = field(default_factory=list)
    """Of version 1, 2, ..."""
    session: SessionState = RUNNING_SESSION
    records: list[LogRecord] = field(default_factory=list)
    reachable: bool = True
    name: TargetName = "local"
    owner: str = "ada"
    asked: list[str] = field(default_factory=list)

    def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
        raise AssertionError("a run is settled by asking, never by pushing again")

    def source(self, owner: str, slug: str, version: int | None = None) -> tuple[int, str] | None:
        if not self.reachable:
            raise NoAnswer("no connection")
        self.asked.append(f"v{version}" if version else "newest")
        assert (owner, slug) == ("ada", "smoke")
        return (len(self.sources), self.sources[(version or len(self.sources)) - 1]) if self.sources else None

    def url(self, owner: str, slug: str) -> str:
        return f"http://here/code/{owner}/{slug}"

    def state(self, ref: KernelRef) -> SessionState:
        self.asked.append(f"state {ref}")
        return self.session

    def log(self, ref: KernelRef) -> list[LogRecord]:
        self.asked.append(f"log {ref}")
        return self.records

    def follow(self, ref: KernelRef, *, idle_seconds: float) -> Iterator[LogRecord]:
        self.asked.append(f"follow {ref}")
        yield from self.records

    def outputs(self, ref: KernelRef) -> Iterator[OutputFile]:
        return iter(())


def source_of(run_id: str) -> str:
    return stamped("# coord: run=- digest=-\nprint()\n", run_id=run_id, git=None)
