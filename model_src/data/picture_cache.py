"""Decoded pictures on disk: one file each, named after the content of the DICOM file that it was decoded from.

So a picture is found again by any later run on the same machine, wherever its source lies then, and a source file that
changes is another picture. Entries appear complete or not at all, so a run that is killed leaves nothing to repair and
the next one goes on where it stopped. Each is checked against its own digest before it is used.

An entry is a head of 128 bytes (a mark, the digest of all that follows it, the original height and width, the edge of
the square that is kept, the patient) and then the pixels, row by row.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import re
import stat
import struct
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL
import pydicom

from ..files import replacing

RECIPE = 1
"""Version of the way from a DICOM file to the pixels that are kept: to be raised whenever it gives other pixels."""
HEAD = 128
DISK_RESERVE = 1 << 30
"""Bytes of the disk that are left to others."""
_NAME = re.compile(r"[0-9a-f]{40}(\.px|\..+\.tmp)")
_MARK = b"coordpx1"
_DIGEST = slice(len(_MARK), len(_MARK) + 32)
_BODY = _DIGEST.stop
_FACTS = struct.Struct("<III16s")


@dataclass(frozen=True)
class Decoded:
    """A picture as it is kept."""

    pixels: npt.NDArray[np.uint8]
    """(size, size)."""
    shape: tuple[int, int]
    """(height, width) before it was scaled, in pixels."""
    patient: str
    """Up to 16 characters that stand for the patient; empty = not known."""


def default_folder() -> Path:
    """Below the system's folder for temporary files, one for each user."""
    return Path(tempfile.gettempdir()) / f"coord-pictures-{os.getuid()}"


def picture_key(content: bytes, size: int) -> str:
    """The name of the picture of `size` pixels that is decoded from a DICOM file's content."""
    # Another decoder may round otherwise, so its version is part of the name.
    recipe = f"{RECIPE}/{pydicom.__version__}/{PIL.__version__}/{size}/"
    return hashlib.sha256(recipe.encode() + hashlib.sha256(content).digest()).hexdigest()[:40]


class PictureCache:
    """The kept pictures below `folder`, at most `limit` bytes of them. Any number of threads and processes may use it.

    Raises PermissionError for a folder that belongs to somebody else, who could have put anything into it.
    """

    def __init__(self, folder: Path, *, limit: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        owner = folder.stat()
        if owner.st_uid != os.getuid() or owner.st_mode & stat.S_IWOTH:
            raise PermissionError(f"{folder} can be written by others; name another folder as data.cache_dir")
        self.folder = folder
        self._limit = limit
        self._wanted: set[str] = set()
        self._lock = threading.Lock()
        self.refused = 0
        """Entries that were torn or changed, and removed."""

    def path(self, key: str) -> Path:
        """Where the entry is, or would be."""
        return self.folder / f"{key}.px"

    def make_room(self, keys: Iterable[str], size: int) -> frozenset[str]:
        """The run's keys so far that fit the limit and the disk, the first ones first; now there is room for them.

        Makes it by removing what this run hasn't asked for, the longest unused first.
        """
        each, disk, present = HEAD + size**2, os.statvfs(self.folder), self._present()
        total = sum(number for _, _, number in present)
        room = min(self._limit, disk.f_bavail * disk.f_frsize + total - DISK_RESERVE)
        for key in keys:
            if key not in self._wanted and (len(self._wanted) + 1) * each <= room:
                self._wanted.add(key)
        mine = {self.path(key) for key in self._wanted}
        others = [entry for entry in present if entry[1] not in mine]
        excess = sum(number for _, _, number in others) + len(self._wanted) * each - room
        for _, path, number in sorted(others):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess -= number
        return frozenset(self._wanted)

    def load(self, key: str, size: int) -> Decoded | None:
        """The entry, checked, and marked as just used; None when there is none. A bad one is removed and counted."""
        path = self.path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        decoded = _parse(content, size)
        if decoded is None:
            with self._lock:
                self.refused += 1
            path.unlink(missing_ok=True)
            return None
        # Another run may have removed it in this moment: then it is decoded again where it is used.
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)
        return decoded

    def store(self, key: str, decoded: Decoded) -> None:
        """Keep a picture; raises OSError when the disk is full."""
        facts = _FACTS.pack(*decoded.shape, len(decoded.pixels), decoded.patient.encode())
        body = facts.ljust(HEAD - _BODY, b"\0") + decoded.pixels.tobytes()
        # Another run that needs the room may have removed the unfinished file before it is renamed. An entry that a
        # power cut damages is found by its digest, so none has to wait for the disk.
        with contextlib.suppress(FileNotFoundError), replacing(self.path(key), is_shared=True) as file:
            file.write(_MARK + hashlib.sha256(body).digest() + body)

    def _present(self) -> list[tuple[float, Path, int]]:
        """Time of last use, path and bytes of every entry, and of what a killed run left unfinished; no other files."""
        present = []
        with os.scandir(self.folder) as files:
            for file in files:
                if not _NAME.fullmatch(file.name):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    status = file.stat()
                    present.append((status.st_mtime, Path(file.path), status.st_size))
        return present


def mapped(path: Path, size: int) -> npt.NDArray[np.uint8]:
    """The pixels (size, size) of an entry that has been checked, straight from the file. Raises FileNotFoundError.

    They may be written to: that changes a copy of this process, never the file.
    """
    # What np.memmap does, at a third of its price: that counts when it is done for every picture of every epoch.
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # closed with the last array that looks at it
    return np.frombuffer(content, np.uint8, size**2, HEAD).reshape(size, size)


def _parse(content: bytes, size: int) -> Decoded | None:
    """What `store` wrote; None when it isn't that."""
    if len(content) != HEAD + size**2 or not content.startswith(_MARK):
        return None
    if hashlib.sha256(memoryview(content)[_BODY:]).digest() != content[_DIGEST]:
        return None
    height, width, edge, patient = _FACTS.unpack_from(content, _BODY)
    pixels = np.frombuffer(content, np.uint8, offset=HEAD).reshape(size, size)
    return Decoded(pixels, (height, width), patient.rstrip(b"\0").decode()) if edge == size else None
