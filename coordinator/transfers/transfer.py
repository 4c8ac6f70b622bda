"""Brings one file home: goes on where a transfer broke off, checks its size, and renames it when it is whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from coordinator.clock import SYSTEM_CLOCK, Clock
from coordinator.errors import Expired, Later, NoAnswer, TargetError
from coordinator.results import Kept, Results, identity
from coordinator.target import Download, OutputFile
from coordinator.transfers.progress import Tally

_TRIES = 4  # in a row that bring nothing
_PAUSE = 0.5  # seconds, doubled for each such try
_READ = 1 << 20  # bytes of a part that are hashed at once

Listing = Callable[[], Mapping[PurePosixPath, OutputFile]]


class Open(Protocol):
    def __call__(self, file: OutputFile, *, offset: int = 0) -> Download:
        """Begins to read a file: see `Target.open_output`."""
        ...


class Stopped(Exception):
    """The fetch was given up elsewhere."""


class Addresses:
    """Where each file can be read. An address works for a while only: then all are asked for again, once."""

    def __init__(self, files: Mapping[PurePosixPath, OutputFile], listing: Listing) -> None:
        self._files = files
        self._listing = listing
        self._lock = threading.Lock()

    def of(self, path: PurePosixPath) -> OutputFile:
        return self._files[path]

    def renew(self, path: PurePosixPath, expired: OutputFile) -> None:
        """Raises TargetError if the file is no longer listed."""
        with self._lock:
            if self._files[path] == expired:  # else another thread has just done it
                self._files = {**self._files, **(listed := self._listing())}
                if path not in listed:
                    raise TargetError(f"{expired.name} is not there any more")


@dataclass(frozen=True)
class Transfer:
    """What the threads of one fetch share."""

    open: Open
    results: Results
    addresses: Addresses
    tally: Tally
    stop: threading.Event
    clock: Clock = SYSTEM_CLOCK
    most: int | None = None
    """Bytes of a file that are taken at most; None: any number."""
    at_once: int = 32
    """Files that are brought at the same time: most output is small files, whose time is the way there and back."""

    def bring(self, path: PurePosixPath) -> None:
        """Brings a file. Tries again as long as that brings something, and a few times where it does not.

        Raises TargetError or OSError; what has come is kept for a later try.
        """
        self.results.check_place(path)
        furthest, tries = self._position(path), 0
        while True:
            file = self.addresses.of(path)
            try:
                self._try(path, file)
                self.tally.done()
                return
            except (NoAnswer, Later, Expired) as error:
                position = self._position(path)
                tries = 0 if position > furthest else tries + 1
                furthest = max(furthest, position)
                if tries >= _TRIES:
                    raise
                if isinstance(error, Expired):
                    self.addresses.renew(path, file)
            if tries and not self.stop.is_set():
                self.clock.sleep(_PAUSE * 2 ** (tries - 1))

    def _position(self, path: PurePosixPath) -> int:
        part = self.results.part(path)
        return part[1] if part else 0

    def _try(self, path: PurePosixPath, file: OutputFile) -> None:
        with contextlib.ExitStack() as stack:
            download = self._opened(path, file)
            stack.callback(download.close)
            if download.start and not self._goes_on(path, download):  # it has changed since
                download.close()
                download = self.open(file)
                stack.callback(download.close)
            self._receive(path, file, download)

    def _opened(self, path: PurePosixPath, file: OutputFile) -> Download:
        part = self.results.part(path)
        # The last byte is asked for once more: a part that is whole would leave nothing to ask for.
        return self.open(file, offset=max(0, part[1] - 1) if part and part[0] else 0)

    def _goes_on(self, path: PurePosixPath, download: Download) -> bool:
        part = self.results.part(path)
        return part is not None and part[0] == _identity(download)

    def _receive(self, path: PurePosixPath, file: OutputFile, download: Download) -> None:
        if self.most is not None and download.size is not None and download.size > self.most:
            raise TargetError(f"{file.name} is said to be of {download.size:,} bytes, more than there can be")
        part = self.results.part_file(path, _identity(download))
        size = download.start
        self.tally.opened(path, size, download.size)
        with part.open("r+b" if download.start else "wb") as out:
            digest = _digest_of(part, download.start)
            out.seek(download.start)
            for chunk in download.chunks:
                if self.stop.is_set():
                    raise Stopped
                out.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                self.tally.came(path, len(chunk))
                if self.most is not None and size > self.most:
                    raise TargetError(f"{file.name} does not end: more came than there can be")
            out.truncate()
            out.flush()
            os.fsync(out.fileno())
        if download.size is not None and size != download.size:
            raise NoAnswer(f"downloading {file.name}: got {size:,} of {download.size:,} bytes")
        self.results.keep(path, part, Kept(size=size, sha256=digest.hexdigest()))


def _identity(download: Download) -> str:
    """Empty where it cannot be told whether the file has changed: such a transfer always starts at the beginning."""
    return identity(download.validator, download.size) if download.validator and download.size is not None else ""


def _digest_of(part: Path, size: int) -> hashlib._Hash:
    digest = hashlib.sha256()
    left = size
    if left:
        with part.open("rb") as file:
            while left and (chunk := file.read(min(_READ, left))):
                digest.update(chunk)
                left -= len(chunk)
    return digest
