"""Archives that arrive with a data set, which Kaggle unpacks: nothing in them is trusted.

A member's path must stay below the folder, and it must be a file or a folder, because a link could lead anywhere. The
bytes are counted as they are written: an archive may say what it likes of its size.
"""

import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from runner_test.errors import BadDataset
from runner_test.state.reference import file_name_problem

_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_CHUNK = 1 << 20
_DEPTH = 100  # folders in each other


@dataclass
class Room:
    """What may still be written."""

    size: float  # bytes
    files: float

    def take(self, *, size: int = 0, files: int = 0) -> None:
        """Use some of it. Raises BadDataset if that is more than is left."""
        self.size -= size
        self.files -= files
        if self.size < 0:
            raise BadDataset("the data set has more bytes than it may have")
        if self.files < 0:
            raise BadDataset("the data set has more files than it may have")


def folder_name(file_name: str) -> str | None:
    """The name of the folder that an archive is unpacked to, or None if the name is not an archive's."""
    lower = file_name.lower()
    for suffix in _SUFFIXES:
        if lower.endswith(suffix) and len(lower) > len(suffix):
            return file_name[: -len(suffix)]
    return None


def unpack(archive: Path, name: str, folder: Path, room: Room) -> bool:
    """Unpack the archive `name` below `folder`, which may exist. False if it is no archive, whatever its name says.

    Raises BadDataset if a member can't be taken, or there is no room.
    """
    try:
        # By the name first: what ends like a zip file may be a tar file whose last member is one.
        if name.lower().endswith(".zip") and zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                _write_all(_zip_members(packed, name), folder, name, room)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tape:
                _write_all(_tar_members(tape, name), folder, name, room)
        else:
            return False
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise BadDataset(f"{name} can't be unpacked: {error}") from error
    return True


@dataclass(frozen=True)
class _Member:
    """A file or folder in an archive. `content` is opened by whoever reads it; None for a folder."""

    path: str
    content: IO[bytes] | None


def _zip_members(packed: zipfile.ZipFile, name: str) -> Iterator[_Member]:
    for info in packed.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BadDataset(f"{name}: {info.filename!r} is a link or a device")
        yield _Member(info.filename, None if info.is_dir() else packed.open(info))


def _tar_members(tape: tarfile.TarFile, name: str) -> Iterator[_Member]:
    for info in tape:
        if not info.isreg() and not info.isdir():
            raise BadDataset(f"{name}: {info.name!r} is a link or a device")
        yield _Member(info.name, tape.extractfile(info) if info.isreg() else None)


def _write_all(members: Iterator[_Member], folder: Path, name: str, room: Room) -> None:
    for member in members:
        path = folder / _safe(member.path, name)
        try:
            (path if member.content is None else path.parent).mkdir(parents=True, exist_ok=True)
            if member.content is not None:
                with member.content as source, path.open("xb") as target:
                    room.take(files=1)
                    while chunk := source.read(_CHUNK):
                        room.take(size=len(chunk))
                        target.write(chunk)
        except FileExistsError as error:
            raise BadDataset(f"{name}: {member.path!r} is there twice") from error
        except OSError as error:
            raise BadDataset(f"{name}: {member.path!r} can't be written: {os.strerror(error.errno or 0)}") from error


def _safe(path: str, archive: str) -> PurePosixPath:
    """A member's path, if it stays in its folder. Raises BadDataset."""
    parts = PurePosixPath(path).parts
    if path.startswith("/") or len(parts) > _DEPTH or any(file_name_problem(part) for part in parts):
        raise BadDataset(f"{archive}: {path!r} is not a path that a data set can have")
    return PurePosixPath(*parts)
