"""Uploads: files that are announced, then sent in one piece or several, and then become a submission or a data set.

    <root>/uploads/<token>/upload.json     what was announced
    <root>/uploads/<token>/partial, lock   what has arrived so far, and who is writing it
    <root>/uploads/<token>/content         the file, once all of it has arrived

The rules are those of Google's resumable uploads, where Kaggle's clients send their files: a request that breaks off
leaves what had arrived of it, in whole blocks; the client asks how much that is, and goes on from there.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Self

from runner_test.state import files, locks
from runner_test.state.files import remove_tree

BLOCK = 256 << 10  # bytes; what is kept of an incomplete upload is a whole number of these
DATASET, MODEL = "dataset", "model"
"""What an uploaded file is for; a submission's is the name of its competition (`of_competition`)."""


@dataclass(frozen=True)
class Upload:
    """An announced file."""

    token: str
    user: str
    purpose: str
    file_name: str
    size: int  # bytes
    expires: float  # seconds since 1970


def of_competition(slug: str) -> str:
    """The purpose of a file that is to be submitted to that competition."""
    return f"competition {slug}"


def start_upload(root: Path, user: str, purpose: str, file_name: str, size: int, *, lifetime: float) -> Upload:
    """Announce a file of `size` bytes; its token, valid for `lifetime` seconds, permits to send it.

    The oldest announcements are removed as far as they have expired.
    """
    _remove_expired(root)
    now = time.time()
    upload = Upload(f"{int(now):010x}{os.urandom(16).hex()}", user, purpose, file_name, size, now + lifetime)
    folder = root / "uploads" / upload.token
    folder.mkdir(parents=True)
    files.write_json(folder / "upload.json", asdict(upload))
    return upload


def upload_of(root: Path, token: str) -> Upload | None:
    """The upload with that token, or None if there is none or it has expired."""
    upload = _read(root, token) if token.isascii() and token.isalnum() else None
    return upload if upload is not None and time.time() < upload.expires else None


def end_upload(root: Path, token: str) -> None:
    """Remove an upload and its file."""
    remove_tree(root / "uploads" / token)


def upload_content(root: Path, token: str) -> Path:
    """The path of an upload's content, which exists once all of it has arrived."""
    return root / "uploads" / token / "content"


def received(root: Path, upload: Upload) -> int:
    """How many bytes of the file have arrived."""
    if upload_content(root, upload.token).exists():
        return upload.size
    try:
        return _partial(root, upload.token).stat().st_size
    except FileNotFoundError:
        return 0


@dataclass
class Receiver:
    """The end of an upload's file, to which a piece is added as it arrives."""

    file: BinaryIO
    upload: Upload
    position: int  # in the file, of the next byte that arrives
    end: int  # of the piece

    def add(self, data: bytes) -> bool:
        """Add what arrived; what was there already is not written again. False if it is more than was announced."""
        fresh = data[max(self.file.tell() - self.position, 0) :]
        self.position += len(data)
        if self.position > self.end:
            return False
        self.file.write(fresh)
        return True

    @classmethod
    @contextmanager
    def opened(cls, root: Path, upload: Upload, begin: int, end: int) -> Iterator[Self | None]:
        """Receive the bytes from `begin` up to `end`; None while another request writes the file.

        At the end the file is complete, or what is there of it is shortened to whole blocks: to what was there before,
        if more arrived than was announced.
        """
        path = _partial(root, upload.token)
        lock = locks.try_hold(path.with_name("lock"))
        if lock is None:
            yield None
            return
        try:
            with files.naming(path), path.open("ab") as file:
                before = file.seek(0, os.SEEK_END)
                receiver = cls(file, upload, begin, end)
                try:
                    yield receiver
                finally:
                    size = before if receiver.position > end else file.tell()
                    file.truncate(size if size == upload.size else size - size % BLOCK)
                    file.flush()
                    if size == upload.size:
                        path.rename(upload_content(root, upload.token))
        finally:
            os.close(lock)


def _partial(root: Path, token: str) -> Path:
    return root / "uploads" / token / "partial"


def _read(root: Path, token: str) -> Upload | None:
    try:
        return Upload(**json.loads((root / "uploads" / token / "upload.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, TypeError):  # TypeError: of an earlier version
        return None


def _remove_expired(root: Path) -> None:
    """Tokens sort by age, so one look is enough where nothing has expired: a data set may have thousands of files."""
    folder = root / "uploads"
    for token in sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []:
        upload = _read(root, token)
        if upload is None:  # another process is announcing it
            continue
        if upload.expires > time.time():
            return
        end_upload(root, token)
