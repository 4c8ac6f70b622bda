"""A target that nobody should ask anything: tests' own targets answer what they are about, and inherit the rest."""

from __future__ import annotations

from collections.abc import Iterator

from coordinator.kernel.metadata import KernelMetadata
from coordinator.project.settings import TargetName
from coordinator.target.competitions import Competitions
from coordinator.target.protocol import Download, KernelRef, LogRecord, OutputFile, Pushed, Quota, SessionState


class Unasked:
    """See `coordinator.target.Target`."""

    name: TargetName = "local"
    owner = "ada"

    @property
    def competitions(self) -> Competitions:
        raise AssertionError("nobody asked for it")

    def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
        raise AssertionError("nobody asked for it")

    def source(self, owner: str, slug: str, version: int | None = None) -> tuple[int, str] | None:
        raise AssertionError("nobody asked for it")

    def url(self, owner: str, slug: str) -> str:
        raise AssertionError("nobody asked for it")

    def state(self, ref: KernelRef) -> SessionState:
        raise AssertionError("nobody asked for it")

    def log(self, ref: KernelRef) -> list[LogRecord]:
        raise AssertionError("nobody asked for it")

    def follow(self, ref: KernelRef, *, idle_seconds: float) -> Iterator[LogRecord]:
        raise AssertionError("nobody asked for it")

    def outputs(self, ref: KernelRef) -> Iterator[OutputFile]:
        raise AssertionError("nobody asked for it")

    def open_output(self, file: OutputFile, *, offset: int = 0) -> Download:
        raise AssertionError("nobody asked for it")

    def cancel(self, ref: KernelRef) -> bool:
        raise AssertionError("nobody asked for it")

    def delete(self, owner: str, slug: str) -> None:
        raise AssertionError("nobody asked for it")

    def quota(self) -> Quota:
        raise AssertionError("nobody asked for it")

    def user(self) -> str | None:
        raise AssertionError("nobody asked for it")

    def has_source(self, kind: str, name: str) -> bool:
        raise AssertionError("nobody asked for it")

    def kernels(self) -> Iterator[str]:
        raise AssertionError("nobody asked for it")

    def close(self) -> None:
        """There is nothing to close."""
