"""Uploads: files that are announced, then sent, and then become submissions.

<root>/uploads/<token>/upload.json, content
"""

import json
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from runner_test.state import files
from runner_test.state.files import remove_tree


@dataclass(frozen=True)
class Upload:
    """An announced file."""

    token: str
    user: str
    competition: str
    file_name: str
    size: int  # bytes
    expires: float  # seconds since 1970


def start_upload(root: Path, user: str, competition: str, file_name: str, size: int, *, lifetime: float) -> Upload:
    """Announce a file of `size` bytes; its token, valid for `lifetime` seconds, permits to send it."""
    upload = Upload(secrets.token_hex(16), user, competition, file_name, size, time.time() + lifetime)
    folder = root / "uploads" / upload.token
    folder.mkdir(parents=True)
    files.write_json(folder / "upload.json", asdict(upload))
    return upload


def upload_of(root: Path, token: str) -> Upload | None:
    """The upload with that token, or None if there is none or it has expired."""
    if not token.isalnum():
        return None
    try:
        upload = Upload(**json.loads((root / "uploads" / token / "upload.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    return upload if time.time() < upload.expires else None


def end_upload(root: Path, token: str) -> None:
    """Remove an upload and its file."""
    remove_tree(root / "uploads" / token)


def upload_content(root: Path, token: str) -> Path:
    """The path of an upload's content, which exists once all of it has arrived."""
    return root / "uploads" / token / "content"
