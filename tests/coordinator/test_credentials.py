"""Credentials, found in Kaggle's own order; the secret is shown nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coordinator.credentials import Credentials, find_credentials
from coordinator.errors import CredentialsError
from tests.coordinator.programs import write_files

SECRET = "not-to-be-seen"
API_KEY = json.dumps({"username": "ada", "key": SECRET})


@pytest.fixture
def home() -> Path:
    """The test's own home, which tests/conftest.py has made."""
    return Path.home()


def test_none_says_how_to_get_some(home: Path) -> None:
    """What to do, in three lines."""
    assert not (home / ".kaggle").exists()
    with pytest.raises(CredentialsError, match="no Kaggle credentials found") as caught:
        find_credentials()
    assert len(str(caught.value.hint).splitlines()) == 3


def test_the_order_is_kaggles(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With everything there, each source is found as soon as those before it are taken away."""
    file = write_files(tmp_path, {"token.txt": f"{SECRET}-file\n"}) / "token.txt"
    write_files(
        home,
        {
            ".kaggle/access_token": f" {SECRET}-1\n",
            ".kaggle/access_token.txt": f"{SECRET}-2",
            ".kaggle/credentials.json": json.dumps({"refresh_token": SECRET, "username": "grace"}),
            ".kaggle/kaggle.json": API_KEY,
            ".config/kaggle/kaggle.json": API_KEY.replace("ada", "xenia"),
        },
    )
    monkeypatch.setenv("KAGGLE_API_TOKEN", f" {SECRET}-0 ")
    monkeypatch.setenv("KAGGLE_USERNAME", "eve")
    monkeypatch.setenv("KAGGLE_KEY", SECRET)
    assert find_credentials() == Credentials(source="KAGGLE_API_TOKEN", token=f"{SECRET}-0")
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(file))
    assert find_credentials() == Credentials(source=str(file), token=f"{SECRET}-file")
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    for name, token in (("access_token", f"{SECRET}-1"), ("access_token.txt", f"{SECRET}-2")):
        assert find_credentials() == Credentials(source=str(home / ".kaggle" / name), token=token)
        (home / ".kaggle" / name).unlink()
    oauth = home / ".kaggle" / "credentials.json"
    assert find_credentials() == Credentials(source=str(oauth), username="grace", oauth_file=oauth)
    oauth.unlink()
    assert find_credentials() == Credentials("KAGGLE_USERNAME and KAGGLE_KEY", username="eve", key=SECRET)
    monkeypatch.delenv("KAGGLE_KEY")
    assert find_credentials() == Credentials(str(home / ".kaggle" / "kaggle.json"), username="ada", key=SECRET)
    (home / ".kaggle" / "kaggle.json").unlink()
    assert find_credentials().username == "xenia"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))
    with pytest.raises(CredentialsError):
        find_credentials()


def test_a_config_folder_of_ones_own_is_the_only_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KAGGLE_CONFIG_DIR replaces both folders in which kaggle.json is looked for."""
    write_files(home, {".kaggle/kaggle.json": API_KEY})
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    with pytest.raises(CredentialsError, match="no Kaggle credentials found"):
        find_credentials()
    write_files(tmp_path, {"kaggle.json": API_KEY.replace("ada", "own")})
    assert find_credentials().username == "own"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff",
        b'{"username": "ada"}',
        b'{"username": "", "key": ""}',
        b'{"username": null, "key": null}',
        b'{"username": "ada", "key": 5}',
        b'{"username": "ada", "kee": "' + SECRET.encode() + b'"}',
    ],
)
def test_a_malformed_key_file_is_told_without_its_content(home: Path, content: bytes) -> None:
    """The file that was to be used is broken: saying "none found" would send people looking elsewhere."""
    write_files(home, {".kaggle/kaggle.json": content})
    with pytest.raises(CredentialsError) as caught:
        find_credentials()
    assert caught.value.what.startswith(f'{home}/.kaggle/kaggle.json is not {{"username": ..., "key": ...}}')
    assert SECRET not in f"{caught.value!r} {caught.value.hint}"


def test_a_malformed_token_file(home: Path) -> None:
    """A token file that is not text is an error; an empty one is passed over, as is a broken browser sign-in."""
    write_files(home, {".kaggle/access_token": b"\xff\xfe"})
    with pytest.raises(CredentialsError, match="access_token cannot be read"):
        find_credentials()
    for broken in (b"{", b"[]", b"{}", b"\xff", b'{"refresh_token": ""}'):
        write_files(home, {".kaggle/access_token": b"\n", ".kaggle/credentials.json": broken})
        with pytest.raises(CredentialsError, match="no Kaggle credentials found"):
            find_credentials()


def test_a_name_without_a_key_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a pair in the environment, or an empty one, is passed over."""
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "")
    with pytest.raises(CredentialsError):
        find_credentials()


def test_secrets_are_not_shown() -> None:
    """Neither repr nor str nor an f-string of credentials holds the secret."""
    for found in (Credentials("here", username="ada", key=SECRET), Credentials("here", token=SECRET)):
        assert SECRET not in f"{found} {found!r} {[found]}"
        assert "here" in repr(found)
