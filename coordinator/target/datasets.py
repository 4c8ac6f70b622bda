"""The part of a target that data sets need: their versions, uploads in pieces, and downloads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Protocol

from coordinator.target.download import Download


class DatasetState(StrEnum):
    """The state of a version of a data set. In the first two the target has none yet."""

    SENDING = "sending"
    """The intent is recorded, the target's answer is not (yet) known."""
    REFUSED = "refused"
    """The target did not accept it: there is no such version."""
    PROCESSING = "processing"
    """The target has its files, and does not give them to sessions yet."""
    READY = "ready"
    FAILED = "failed"
    """The target could not process its files."""

    @property
    def is_open(self) -> bool:
        """Its state may still change."""
        return self in (DatasetState.SENDING, DatasetState.PROCESSING)


@dataclass(frozen=True)
class Published:
    """A version of a data set, as the target lists it."""

    number: int
    notes: str


@dataclass(frozen=True)
class Dataset:
    """A data set, as the target describes it."""

    reference: str
    """owner/slug"""
    url: str
    newest: int
    """The number of its newest version, ready or not; 0 as long as there is none."""
    current: int
    """The number of the version that sessions get; 0 as long as there is none."""
    description: str
    versions: tuple[Published, ...]
    """Newest first; empty where the target does not tell them."""
    is_private: bool = True
    size: int = 0
    """Bytes."""


@dataclass(frozen=True)
class DatasetFile:
    """A file of a version of a data set."""

    name: str
    """Relative path, as the target gives it."""
    size: int


@dataclass(frozen=True)
class UploadPlace:
    """Where the target takes one file. Whoever knows the address can write there."""

    token: str
    """Names the file in `create` and `add_version`."""
    address: str


Tokens = Mapping[PurePosixPath, str]
"""Path in the data set -> token of the file that was uploaded for it."""


class Datasets(Protocol):
    """A target's data sets. Every method raises TargetError (or a leaf of it) when it gets no usable answer."""

    def dataset(self, reference: str) -> Dataset | None:
        """None if there is none of that name, or none that this user may see."""
        ...

    def state(self, reference: str) -> DatasetState:
        """PROCESSING, READY or FAILED: the state of its newest version."""
        ...

    def place(self, name: str, size: int, modified: float) -> UploadPlace:
        """A new place for a file of that many bytes, last changed at `modified` (seconds since 1970).

        Nothing is changed by one that is not used.
        """
        ...

    def received(self, place: UploadPlace, name: str, size: int) -> int:
        """How many bytes of the file the target has; `size` only if it has all. Raises Expired for an old place."""
        ...

    def send(self, place: UploadPlace, name: str, piece: bytes, extent: tuple[int, int]) -> int:
        """Sends the bytes from extent[0] on, of extent[1] bytes in all; returns how many the target has now.

        It is not repeated after a failure: `received` says where to go on.
        """
        ...

    def create(self, reference: str, title: str, description: str, tokens: Tokens) -> None:
        """Makes a private data set of these files. A lost answer is not retried here."""
        ...

    def add_version(self, reference: str, notes: str, tokens: Tokens) -> None:
        """Adds a version that has these files and no others; otherwise as `create`."""
        ...

    def files(self, reference: str, version: int) -> Iterator[DatasetFile]: ...

    def open_file(self, reference: str, version: int, name: str, *, offset: int = 0) -> Download:
        """Begins to read a file as `Target.open_output` does."""
        ...

    def mine(self) -> Iterator[Dataset]:
        """The user's own data sets, without their descriptions and versions."""
        ...
