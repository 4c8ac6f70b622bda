"""A cache of decoded images on disk: one file each, named by a digest of the DICOM file that it was decoded from.

A later run on the same machine finds an image again wherever its source is mounted; a changed source file is another
image. Entries are written atomically, so a killed run leaves no damaged entry, and the next run continues where it
stopped. Each entry is checked against its own digest before it is used.

An entry is a header of 128 bytes (magic number, SHA-256 of the rest, the original height and width, the edge of the
stored square, the patient), followed by the pixels, row by row.
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

RECIPE = 3
"""Version of the decoding: increase it whenever the pixels change."""
HEAD = 128
DISK_RESERVE = 1 << 30
"""Bytes of the disk that the cache leaves free."""
_NAME = re.compile(r"[0-9a-f]{40}(\.px|\..+\.tmp)")
_MARK = b"coordpx1"
_DIGEST = slice(len(_MARK), len(_MARK) + 32)
_BODY = _DIGEST.stop
_FACTS = struct.Struct("<III16s")


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image."""

    pixels: npt.NDArray[np.uint8]
    """uint8 (size, size)."""
    shape: tuple[int, int]
    """(height, width) of the original image, in pixels."""
    patient: str
    """Up to 16 characters that identify the patient; empty = unknown."""


def default_folder() -> Path:
    """The folder of the user's cache in the system's folder for temporary files."""
    return Path(tempfile.gettempdir()) / f"coord-pictures-{os.getuid()}"


def picture_key(content: bytes, size: int) -> str:
    """The key of the image of `size` pixels that is decoded from the content of a DICOM file."""
    # Another version of the decoder may round differently, so the versions are part of the key.
    recipe = f"{RECIPE}/{pydicom.__version__}/{PIL.__version__}/{size}/"
    return hashlib.sha256(recipe.encode() + hashlib.sha256(content).digest()).hexdigest()[:40]


class PictureCache:
    """A cache in `folder` with at most `limit` bytes. Any number of threads and processes may use it.

    Raises PermissionError for a folder that another user can write to, who could have put any data into it.
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
        """Number of damaged entries that were removed."""

    def path(self, key: str) -> Path:
        """The path of an entry, which need not exist."""
        return self.folder / f"{key}.px"

    def make_space(self, keys: Iterable[str], size: int) -> frozenset[str]:
        """Make space for new entries of `size` pixels; returns all keys of this run that fit into limit and disk.

        Removes entries that this run does not use, the least recently used ones first. Earlier keys have precedence.
        """
        each, disk, present = HEAD + size**2, os.statvfs(self.folder), self._present()
        total = sum(number for _, _, number in present)
        space = min(self._limit, disk.f_bavail * disk.f_frsize + total - DISK_RESERVE)
        for key in keys:
            if key not in self._wanted and (len(self._wanted) + 1) * each <= space:
                self._wanted.add(key)
        mine = {self.path(key) for key in self._wanted}
        others = [entry for entry in present if entry[1] not in mine]
        excess = sum(number for _, _, number in others) + len(self._wanted) * each - space
        for _, path, number in sorted(others):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess -= number
        return frozenset(self._wanted)

    def load(self, key: str, size: int) -> DecodedImage | None:
        """A checked entry, which becomes the most recently used one; None if there is none. Removes a damaged entry."""
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
        # Another run may have removed it in the meantime: then it is decoded again when it is used.
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)
        return decoded

    def store(self, key: str, decoded: DecodedImage) -> None:
        """Add an entry. Raises OSError when the disk is full."""
        facts = _FACTS.pack(*decoded.shape, len(decoded.pixels), decoded.patient.encode())
        body = facts.ljust(HEAD - _BODY, b"\0") + decoded.pixels.tobytes()
        # Another run that needs space may have removed the temporary file before it is renamed. A power failure may
        # damage an entry, which its digest shows, so there is no need to wait for the disk.
        with contextlib.suppress(FileNotFoundError), replacing(self.path(key), is_shared=True) as file:
            file.write(_MARK + hashlib.sha256(body).digest() + body)

    def _present(self) -> list[tuple[float, Path, int]]:
        """Time of last use, path and size in bytes of every entry and of every temporary file of a killed run."""
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
    """The pixels (size, size) of a checked entry, memory-mapped. Raises FileNotFoundError.

    The array is writable; writing changes the memory of this process only, not the file.
    """
    # The same as np.memmap in a third of the time, which matters for every image of every epoch.
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # closed with the last array that uses it
    return np.frombuffer(content, np.uint8, size**2, HEAD).reshape(size, size)


def _parse(content: bytes, size: int) -> DecodedImage | None:
    """The image in the content of an entry; None when it is damaged."""
    if len(content) != HEAD + size**2 or not content.startswith(_MARK):
        return None
    if hashlib.sha256(memoryview(content)[_BODY:]).digest() != content[_DIGEST]:
        return None
    height, width, edge, patient = _FACTS.unpack_from(content, _BODY)
    pixels = np.frombuffer(content, np.uint8, offset=HEAD).reshape(size, size)
    return DecodedImage(pixels, (height, width), patient.rstrip(b"\0").decode()) if edge == size else None
