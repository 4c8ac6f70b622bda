"""Credentials that Kaggle's own command signs in with, and coord did not: every combination of files and variables.

Seen: what `kaggle config set` leaves (a kaggle.json without a key) beside the sign-in of `kaggle auth login`; found by
trying it on coord. The table is compared with the installed client's own code.
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest

from coordinator.errors import CredentialsError
from coordinator.target.credentials import find_credentials
from tests.coordinator.bundle.programs import write_files

KEY, OTHER, TOKEN = "k" * 32, "o" * 32, "t" * 32
SIGN_IN = json.dumps({"refresh_token": "r" * 32, "username": "grace"})
KEY_FILES = {
    "none": None,
    "pair": json.dumps({"username": "ada", "key": KEY}),
    "pair and more": json.dumps({"username": "ada", "key": KEY, "competition": "x", "proxy": "y"}),
    "competition": json.dumps({"competition": "x"}),
    "name": json.dumps({"username": "ada"}),
    "key": json.dumps({"key": KEY}),
    "empty object": "{}",
    "null": "null",
    "empty": "",
    "broken": '{"username": "ada",',
    "not text": b"\xff\xfe",
}
VARIABLES: dict[str, dict[str, str]] = {
    "none": {},
    "pair": {"KAGGLE_USERNAME": "eve", "KAGGLE_KEY": OTHER},
    "name": {"KAGGLE_USERNAME": "eve"},
    "key": {"KAGGLE_KEY": OTHER},
    "token": {"KAGGLE_API_TOKEN": TOKEN},
}
SIGN_INS = {"none": None, "signed in": SIGN_IN, "broken": "{", "empty": "{}"}


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class of Kaggle's client. Its module signs in when it is first imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAGGLE_USERNAME", "x")
        patch.setenv("KAGGLE_KEY", "y")
        from kaggle.api.kaggle_api_extended import KaggleApi  # type: ignore[import-untyped]
    return KaggleApi


def _theirs(api: Any, file: Path) -> tuple[str | None, ...] | None:
    """What Kaggle's client would use, by its own code, without asking Kaggle."""
    from kagglesdk.kaggle_creds import KaggleCredentials
    from kagglesdk.kaggle_env import get_access_token_from_env

    token, _ = get_access_token_from_env()
    if token:
        return None, None, str(token)
    client = api()
    client.config = str(file)
    client._load_config()
    if client._authenticate_with_legacy_apikey():
        return str(client.config_values["username"]), str(client.config_values["key"]), None
    signed_in = KaggleCredentials.load(client=None)
    return (signed_in.get_username(), None, None) if signed_in else None


def _ours() -> tuple[str | None, ...] | None:
    try:
        found = find_credentials()
    except CredentialsError:
        return None
    return found.username, found.key, found.token


@pytest.mark.parametrize("place", [".kaggle", "own", ".config/kaggle"])
def test_the_same_as_kaggles_own_client(theirs: Any, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """All combinations, in each folder that a key file may lie in."""
    home = Path.home()
    differ = []
    for kinds in itertools.product(KEY_FILES, VARIABLES, SIGN_INS):
        key_file, variables, sign_in = KEY_FILES[kinds[0]], VARIABLES[kinds[1]], SIGN_INS[kinds[2]]
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            if place == "own":
                patch.setenv("KAGGLE_CONFIG_DIR", str(home / place))
            files = {f"{place}/kaggle.json": key_file, ".kaggle/credentials.json": sign_in}
            for name in files:
                (home / name).unlink(missing_ok=True)
            write_files(home, {name: content for name, content in files.items() if content is not None})
            expected, found = _theirs(theirs, home / place / "kaggle.json"), _ours()
            if expected != found:
                differ.append((kinds, expected, found))
    assert differ == []


@pytest.mark.parametrize(
    ("variables", "content", "source"),
    [
        ({"KAGGLE_KEY": OTHER}, KEY_FILES["pair"], "KAGGLE_KEY and {file}"),
        ({"KAGGLE_USERNAME": "eve"}, KEY_FILES["key"], "KAGGLE_USERNAME and {file}"),
        ({}, KEY_FILES["pair and more"], "{file}"),
    ],
)
def test_the_source_names_both_halves(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], content: str, source: str
) -> None:
    """So that a message about them says where to look."""
    file = write_files(Path.home(), {".kaggle/kaggle.json": content}) / ".kaggle" / "kaggle.json"
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert find_credentials().source == source.format(file=file)


@pytest.mark.parametrize("kind", ["name", "key", "empty object", "null", "broken", "not text"])
def test_a_broken_key_file_is_still_told_where_it_is_all(kind: str) -> None:
    """Without anything else to sign in with, "none found" would send people looking elsewhere."""
    content = KEY_FILES[kind]
    assert content is not None
    write_files(Path.home(), {".kaggle/kaggle.json": content})
    with pytest.raises(CredentialsError, match=r"kaggle\.json is not"):
        find_credentials()
    assert os.environ.get("KAGGLE_KEY") is None


def test_a_key_file_with_other_settings_only_is_none() -> None:
    """What `kaggle config set` leaves says nothing about credentials."""
    write_files(Path.home(), {".kaggle/kaggle.json": '{"competition": "x"}'})
    with pytest.raises(CredentialsError, match="no Kaggle credentials found"):
        find_credentials()
