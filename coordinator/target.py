"""What a verb needs of a target: one small protocol, and the values that cross it.

Kaggle and the local stand-in fit it through one client; another place to run the same kernel file (a Ray or Slurm
cluster) would be another class with these methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from coordinator.metadata import KernelMetadata


class RunState(StrEnum):
    """Where a run stands. The first two are before there is a session."""

    PUSHING = "pushing"
    """The intent is recorded, the target's answer is not (yet) known."""
    REFUSED = "refused"
    """The target took no version."""
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        """A session is waiting or running, or may be."""
        return self in (RunState.PUSHING, RunState.QUEUED, RunState.RUNNING)


@dataclass(frozen=True)
class KernelRef:
    """One version of one kernel."""

    owner: str
    slug: str
    version: int

    def __str__(self) -> str:
        return f"{self.owner}/{self.slug} v{self.version}"

    @property
    def label(self) -> str:
        """The version as Kaggle's requests want it."""
        return f"v{self.version}"


@dataclass(frozen=True)
class Pushed:
    """The target's answer to a push."""

    ref: KernelRef
    url: str
    refused_sources: tuple[str, ...]
    """Attached sources that the target did not accept; the version runs without them."""


@dataclass(frozen=True)
class SessionState:
    state: RunState
    message: str = ""
    """Why it failed, where the target says so."""


@dataclass(frozen=True)
class LogRecord:
    """A piece of a session's output; pieces do not end where lines end."""

    stream: str
    """stdout or stderr"""
    time: float
    """Seconds since the session's start."""
    data: str


@dataclass(frozen=True)
class OutputFile:
    name: str
    """Relative path, as the target gives it."""
    url: str


class Target(Protocol):
    """A place where kernels run. Every method raises TargetError (or a leaf of it) when it gets no usable answer."""

    name: str
    owner: str

    def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
        """Stores a new version and starts its session. Never repeated by itself."""
        ...

    def source(self, owner: str, slug: str, version: int | None = None) -> tuple[int, str] | None:
        """(newest version, the text of `version` or of the newest), or None if there is no such kernel."""
        ...

    def url(self, owner: str, slug: str) -> str: ...

    def state(self, ref: KernelRef) -> SessionState: ...

    def log(self, ref: KernelRef) -> list[LogRecord]:
        """The log of a session that has ended."""
        ...

    def follow(self, ref: KernelRef, *, idle_seconds: float) -> Iterator[LogRecord]:
        """The live log from its start; ends with the session, or when nothing came for `idle_seconds`."""
        ...

    def outputs(self, ref: KernelRef) -> Iterator[OutputFile]: ...

    def download(self, file: OutputFile, destination: Path, progress: Callable[[int], None]) -> int:
        """Writes the file's bytes to `destination`, checks their number, and returns it."""
        ...

    def kernels(self) -> Iterator[str]:
        """The slugs of all kernels of the owner."""
        ...

    def close(self) -> None: ...
