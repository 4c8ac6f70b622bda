"""Files and links that are whole or absent, whoever is killed while they are written."""

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path


def _replacing(path: Path, make: Callable[[Path], None]) -> None:
    """Make a sibling of `path` with `make(sibling)` and move it over `path`; leave nothing behind on failure."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        make(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, newlines as they are."""
    _replacing(path, lambda temporary: _write(temporary, text))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: object) -> None:
    """Write `value` as JSON."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def replace_link(path: Path, target: Path) -> None:
    """Make `path` a symbolic link to `target`, replacing the link that was there."""
    _replacing(path, lambda temporary: temporary.symlink_to(target))


def remove_tree(path: Path, seconds: float = 2.0) -> None:
    """Remove a folder of sessions with its read-only parts; links are removed, never followed.

    Tries for `seconds`, because a process that has just been killed may add a last file.
    """
    give_up = time.monotonic() + seconds
    while True:
        try:
            _remove_tree(path)
            return
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def _remove_tree(path: Path) -> None:
    for folder, names, _ in os.walk(path):
        Path(folder).chmod(0o700)
        for name in names:
            child = Path(folder, name)
            if not child.is_symlink():
                child.chmod(0o700)
    shutil.rmtree(path)
