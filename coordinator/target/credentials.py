"""Kaggle credentials, found in the order in which Kaggle's own client looks for them.

The order is that of `KaggleApi.authenticate` in kaggle 2.2.4 and 2.2.5 (2026-11): with several credentials, both
commands use the same ones.
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import os
import shlex
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coordinator.errors import CredentialsError

_SESSION_TOKEN = ("KAGGLE_API_V1_TOKEN", "KAGGLE_API_V1_TOKEN_PATH")
"""Variables with the path of a session's token, which kagglesdk 0.1.37 and kagglehub read; 2026-11."""
_SECRET = 16  # characters: a shorter text is not hidden
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Credentials:
    """A token, or a user name and key. The secret never appears in a representation."""

    source: str
    """Where they were found, for messages."""
    username: str | None = None
    """New tokens carry no user name."""
    key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    oauth_file: Path | None = None
    """A browser sign-in (`kaggle auth login`), whose token is valid for about an hour and has to be requested."""

    def headers(self) -> dict[str, str]:
        """The headers of a request; empty without a token or a user name."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        return {"Authorization": f"Basic {self._pair()}"} if self.username else {}

    def hidden(self, text: str) -> str:
        """The text without the secret: an answer may repeat what was sent."""
        for secret in (self.token, self.key, self._pair() if self.key else None):
            # A short one is no real secret (Kaggle's have 32 characters), and ordinary words may contain it.
            text = text.replace(secret, "***") if secret and len(secret) >= _SECRET else text
        return text

    def _pair(self) -> str:
        return base64.b64encode(f"{self.username}:{self.key}".encode()).decode("ascii")


def find_credentials() -> Credentials:
    """The credentials to use. Raises CredentialsError, which says how to get some, if there are none."""
    broken: list[CredentialsError] = []
    for found in _candidates(broken):
        return found
    raise (
        broken[0]
        if broken
        else CredentialsError(
            "no Kaggle credentials found",
            hint="Make a token at https://www.kaggle.com/settings (API, Generate New Token) and either\n"
            "set KAGGLE_API_TOKEN, or save it as ~/.kaggle/access_token with chmod 600;\n"
            "to try coord without an account, use --target local.",
        )
    )


def _candidates(broken: list[CredentialsError]) -> Iterator[Credentials]:
    """What is found, in order; `broken` gets the files that were passed over, and perhaps should not have been."""
    if os.environ.get("KAGGLE_KERNEL_RUN_TYPE") and os.environ.get("KAGGLE_DATA_PROXY_URL"):
        # In a session on Kaggle; the file belongs to the session, so its mode is not the user's concern.
        for name in _SESSION_TOKEN:
            yield from _token_file(Path(os.environ.get(name, "")), is_ours=False)
    home = Path.home() / ".kaggle"
    token = os.environ.get("KAGGLE_API_TOKEN", "").strip()
    if token:
        file = Path(token)
        if len(token) < 256 and file.is_file():
            yield from _token_file(file)
        else:
            yield Credentials(source="KAGGLE_API_TOKEN", token=_sendable(token, "KAGGLE_API_TOKEN"))
    for name in ("access_token", "access_token.txt"):
        yield from _token_file(home / name)
    given = {name: os.environ.get(f"KAGGLE_{name.upper()}", "").strip() for name in ("username", "key")}
    if all(given.values()):
        source = "KAGGLE_USERNAME and KAGGLE_KEY"
        yield Credentials(source=source, username=given["username"], key=_sendable(given["key"], source))
    for file in _api_key_files():
        yield from _api_key_file(file, given, broken)
    yield from _oauth_file(home / "credentials.json")


def credential_files() -> list[Path]:
    """The existing files in which credentials are searched, used or not."""
    home = Path.home() / ".kaggle"
    token = os.environ.get("KAGGLE_API_TOKEN", "").strip()
    files = [
        *([Path(token)] if 0 < len(token) < 256 else []),
        *(home / name for name in ("access_token", "access_token.txt", "credentials.json")),
        *_api_key_files(),
    ]
    return [file for file in files if file.is_file()]


def _api_key_files() -> list[Path]:
    config = os.environ.get("KAGGLE_CONFIG_DIR")
    xdg = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kaggle"
    return [folder / "kaggle.json" for folder in ([Path(config)] if config else [Path.home() / ".kaggle", xdg])]


def _token_file(file: Path, *, is_ours: bool = True) -> Iterator[Credentials]:
    try:
        token = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{file} cannot be read: {error}") from error
    if token:
        if is_ours:
            _point_out(file)
        yield Credentials(source=str(file), token=_sendable(token, str(file)))


def _oauth_file(file: Path) -> Iterator[Credentials]:
    try:
        data = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, ValueError):
        return  # Kaggle's client skips a file that it cannot read, too
    if isinstance(data, dict) and data.get("refresh_token"):
        _point_out(file)
        yield Credentials(source=str(file), username=data.get("username") or None, oauth_file=file)


def _api_key_file(file: Path, given: Mapping[str, str], broken: list[CredentialsError]) -> Iterator[Credentials]:
    """The pair of a kaggle.json; each of the two that is `given` by a variable counts instead, as for Kaggle's client.

    A file without a pair may have other settings (`kaggle config set`): Kaggle's client looks elsewhere then.
    """
    if not file.is_file():
        return
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        has_pair = isinstance(data, dict) and bool({"username", "key"} & data.keys())
        if isinstance(data, dict) and data and not has_pair:
            return
        pair = {name: given[name] or data[name] for name in given}
        if not all(isinstance(value, str) and value for value in pair.values()):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = CredentialsError(
            f'{file} is not {{"username": ..., "key": ...}} ({type(error).__name__})',
            hint="Download it again at https://www.kaggle.com/settings.",
        )
        problem.__cause__ = error
        broken.append(problem)
        return
    _point_out(file)
    source = " and ".join([*(f"KAGGLE_{name.upper()}" for name, value in given.items() if value), str(file)])
    yield Credentials(source=source, username=pair["username"], key=_sendable(pair["key"].strip(), source))


def _sendable(secret: str, source: str) -> str:
    """The secret, if an HTTP header can carry it. Raises CredentialsError, whose text does not contain it."""
    if secret.isascii() and secret.isprintable() and " " not in secret:
        return secret
    raise CredentialsError(
        f"{source}: there is a space, a line break or a special character in it, which no token has",
        hint="Copy the token again, and nothing but the token.",
    )


@functools.cache
def _point_out(file: Path) -> None:
    """Warns, once in a process, that other users may read a file of secrets."""
    try:
        is_open = bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return
    if is_open:
        quoted = shlex.quote(str(file))
        _log.warning("warning: others on this machine can read %s; close it with: chmod 600 %s", file, quoted)
