"""Files on their way in, which become submissions.

<root>/uploads/<token>/upload.json, content   announced, and then sent
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
    """A file that somebody has announced."""

    token: str
    user: str
    competition: str
    file_name: str
    size: int  # bytes
    expires: float  # seconds since 1970


def start_upload(root: Path, user: str, competition: str, file_name: str, size: int, *, lifetime: float) -> Upload:
    """Announce a file; its token is the leave to send it."""
    upload = Upload(secrets.token_hex(16), user, competition, file_name, size, time.time() + lifetime)
    folder = root / "uploads" / upload.token
    folder.mkdir(parents=True)
    files.write_json(folder / "upload.json", asdict(upload))
    return upload


def upload_of(root: Path, token: str) -> Upload | None:
    """The upload of a token, if it is not over."""
    if not token.isalnum():
        return None
    try:
        upload = Upload(**json.loads((root / "uploads" / token / "upload.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    return upload if time.time() < upload.expires else None


def end_upload(root: Path, token: str) -> None:
    """Forget an upload and its file."""
    remove_tree(root / "uploads" / token)


def upload_content(root: Path, token: str) -> Path:
    """Where the content of an upload lies once all of it has come."""
    return root / "uploads" / token / "content"
