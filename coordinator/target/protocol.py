"""What a verb needs of a target: one small protocol, and the values that its methods take and return.

Kaggle and the local stand-in implement it through one client; each kind of cluster is another class with these methods.
What only some targets can do is in `abilities`: a verb asks there first, and says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from coordinator.errors import CoordError
from coordinator.project import TargetName
from coordinator.target.abilities import Abilities
from coordinator.target.competitions import Competitions
from coordinator.target.datasets import Datasets
from coordinator.target.download import Download as Download
from coordinator.target.kernel_ref import KernelRef as KernelRef  # most methods are about one
from coordinator.target.run_state import RunState as RunState

if TYPE_CHECKING:  # it imports the template engine, which most commands do not need
    from coordinator.kernel import KernelMetadata


@dataclass(frozen=True)
class Pushed:
    """The target's answer to a push."""

    ref: KernelRef
    url: str
    refused_sources: tuple[str, ...]
    """Attached sources that the target did not accept; the version runs without them."""


@dataclass(frozen=True)
class Attempt:
    """One start of a run's program. Where a run starts again by itself, it has several; its log is one log."""

    number: int
    """From 1."""
    started: datetime
    """UTC."""
    ended: datetime | None = None
    """UTC; None while it runs, or if nothing tells."""
    host: str = ""
    """The machine that it ran on."""
    reason: str = ""
    """Why it ended before the program did: "time limit", "preempted", "node failed", "cancelled"; else empty."""


@dataclass(frozen=True)
class SessionState:
    state: RunState
    message: str = ""
    """Why it failed, if the target says so."""
    is_only_saved: bool = False
    """The target has the version, and no session for it: not yet, or because somebody saved it without running it."""
    attempts: tuple[Attempt, ...] = ()
    """Its starts, the first one first; empty where the target does not tell, as Kaggle, which starts a version once."""


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


@dataclass(frozen=True)
class AcceleratorQuota:
    """Hours of one kind of accelerator, in seconds."""

    kind: str
    """gpu or tpu"""
    used: float
    reserved: float
    """Reserved for sessions that are running, in addition to `used`."""
    total: float

    @property
    def left(self) -> float:
        return max(0.0, self.total - self.used - self.reserved)


@dataclass(frozen=True)
class Quota:
    """What may be used until `refreshes_at` (UTC)."""

    accelerators: tuple[AcceleratorQuota, ...]
    refreshes_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        refreshes_at = self.refreshes_at.isoformat(timespec="seconds") if self.refreshes_at else None
        kinds = {
            each.kind: {
                "used_seconds": each.used,
                "reserved_seconds": each.reserved,
                "left_seconds": each.left,
                "total_seconds": each.total,
            }
            for each in self.accelerators
        }
        return {**kinds, "refreshes_at": refreshes_at}


class Target(Protocol):
    """A place where kernels run. Every method raises TargetError (or a leaf of it) when it gets no usable answer."""

    name: TargetName
    owner: str

    @property
    def abilities(self) -> Abilities:
        """What this target can do."""
        ...

    @property
    def competitions(self) -> Competitions:
        """The competitions to which predictions can be submitted. Raises TargetError if this target has none."""
        ...

    @property
    def datasets(self) -> Datasets:
        """The data sets that can be made and read. Raises TargetError if this target has none."""
        ...

    def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
        """Stores a new version and starts its session. A lost answer is not retried here."""
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

    def open_output(self, file: OutputFile, *, offset: int = 0) -> Download:
        """Begins to read a file, from `offset` on if the target can. The chunks raise NoAnswer if they break off.

        Raises Expired if the file's address has expired. May be called from several threads.
        """
        ...

    def kernels(self) -> Iterator[str]:
        """The slugs of all kernels of the owner."""
        ...

    def close(self) -> None: ...

    def cancel(self, ref: KernelRef) -> bool:
        """Asks to end that version's session. Returns False, and does nothing, if this target cannot do that."""
        ...

    def delete(self, owner: str, slug: str) -> None:
        """Deletes the kernel with all its versions, which ends their sessions. A lost answer is not retried here."""
        ...

    def quota(self) -> Quota: ...

    def user(self) -> str | None:
        """The user of the credentials, if that can be known. Raises CredentialsError if they are not accepted."""
        ...

    def has_source(self, kind: str, name: str) -> bool:
        """Whether the source of that kind (dataset_sources, ...) exists and the user may read it."""
        ...


@dataclass(frozen=True)
class KernelPush:
    """One of the pushes of `push_many`: what `push` takes."""

    metadata: KernelMetadata
    source: str
    timeout_seconds: int | None = None


class AnswersMany(Protocol):
    """What a target has beside whose abilities say so."""

    def states(self, refs: Sequence[KernelRef]) -> Sequence[SessionState]:
        """The state of each, in their order, with one question. Raises NoAccess if one of them is gone."""
        ...


class PushesMany(Protocol):
    """What a target has beside, whose abilities have arrays."""

    def push_many(self, pushes: Sequence[KernelPush], *, at_once: int | None) -> Sequence[Pushed | CoordError]:
        """Pushes kernels in one request, of which `at_once` run at a time (None: as many as there is room for).

        Returns one answer for each, in their order: the version, or the error that a push alone would raise. The ledger
        has the intents of all before. Raises NoAnswer if it is not known of any of them whether it took effect.
        """
        ...
