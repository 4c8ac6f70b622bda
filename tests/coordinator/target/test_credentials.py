"""Credentials, found in Kaggle's own order; the secret is shown nowhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coordinator.errors import CoordError, CredentialsError, NoAnswer
from coordinator.target.credentials import Credentials, _point_out, find_credentials
from coordinator.target.kaggle import oauth_token
from tests.coordinator.bundle.programs import write_files
from tests.coordinator.scripted import Answer, ok, said, scripted

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
    assert find_credentials() == Credentials("KAGGLE_USERNAME and KAGGLE_KEY", username="eve", key=SECRET)
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.delenv("KAGGLE_USERNAME")
    assert find_credentials() == Credentials(str(home / ".kaggle" / "kaggle.json"), username="ada", key=SECRET)
    (home / ".kaggle" / "kaggle.json").unlink()
    assert find_credentials().username == "xenia"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))
    oauth = home / ".kaggle" / "credentials.json"
    assert find_credentials() == Credentials(source=str(oauth), username="grace", oauth_file=oauth)
    oauth.unlink()
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


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "caf\u00e9", '{\n "username": "ada"}', "nul\x00"])
def test_a_token_that_is_none_is_told_without_it(home: Path, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """It would not fit into a header, whose error would show it."""
    write_files(home, {".kaggle/access_token": f"{SECRET}{token}{SECRET}", ".kaggle/kaggle.json": API_KEY})
    with pytest.raises(CredentialsError, match="which no token has") as caught:
        find_credentials()
    assert SECRET not in f"{caught.value!r} {caught.value.hint}"
    if "\x00" not in token:  # an environment has none
        monkeypatch.setenv("KAGGLE_API_TOKEN", f"{SECRET}{token}{SECRET}")
        with pytest.raises(CredentialsError, match="KAGGLE_API_TOKEN: there is a space") as caught:
            find_credentials()
        assert SECRET not in f"{caught.value!r} {caught.value.hint}"


@pytest.mark.parametrize("name", ["KAGGLE_API_V1_TOKEN", "KAGGLE_API_V1_TOKEN_PATH"])
def test_a_session_on_kaggle_has_a_token_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As kagglesdk finds it there, before anything else."""
    file = write_files(tmp_path, {"session_token": SECRET}) / "session_token"
    monkeypatch.setenv("KAGGLE_API_TOKEN", "another")
    monkeypatch.setenv(name, str(file))
    assert find_credentials().token == "another"
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    monkeypatch.setenv("KAGGLE_DATA_PROXY_URL", "https://kaggle.example")
    assert find_credentials() == Credentials(source=str(file), token=SECRET)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("access_token", SECRET),
        ("credentials.json", json.dumps({"refresh_token": SECRET})),
        ("kaggle.json", API_KEY),
    ],
)
def test_a_file_that_others_can_read_is_pointed_out_once(
    home: Path, caplog: pytest.LogCaptureFixture, name: str, content: str
) -> None:
    """With the command that closes it; a closed one is not mentioned, nor is one that is not used."""
    file = write_files(home, {f".kaggle/{name}": content}) / ".kaggle" / name
    file.chmod(0o600)
    if name != "credentials.json":  # the last of all
        later = {".config/kaggle/kaggle.json": API_KEY, ".kaggle/credentials.json": "{}"}
        for each in later:
            (write_files(home, later) / each).chmod(0o644)
    find_credentials()
    assert caplog.messages == []
    for mode in (0o640, 0o604):
        file.chmod(mode)
        _point_out.cache_clear()
        caplog.clear()
        find_credentials()
        find_credentials()
        assert caplog.messages == [f"warning: others on this machine can read {file}; close it with: chmod 600 {file}"]


def sign_in(home: Path, **fields: object) -> Path:
    """A browser sign-in's file; the access token has expired where nothing else is said."""
    data = {"refresh_token": f"{SECRET}-refresh", "access_token": f"{SECRET}-old", "username": "grace", "scopes": ["a"]}
    file = home / ".kaggle" / "credentials.json"
    write_files(home, {".kaggle/credentials.json": json.dumps(data | fields)})
    file.chmod(0o600)
    return file


def test_a_browser_sign_in_is_renewed(home: Path) -> None:
    """With its refresh token and nothing else; what comes is kept for the next command, and for Kaggle's."""
    file = sign_in(home, access_token_expiration=datetime.now(UTC).isoformat())
    with scripted() as server:
        server.script["GenerateAccessToken"] = [ok(token="new", expiresIn=3600)]
        assert oauth_token(file, server.url) == "new"
        assert "Authorization" not in server.headers[0]
        kept = json.loads(file.read_text())
        assert (kept["refresh_token"], kept["access_token"], kept["scopes"]) == (f"{SECRET}-refresh", "new", ["a"])
        assert datetime.fromisoformat(kept["access_token_expiration"]) > datetime.now(UTC) + timedelta(minutes=50)
        assert file.stat().st_mode & 0o777 == 0o600
        assert oauth_token(file, server.url) == "new"
        assert server.seen == ["GenerateAccessToken"]


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (said(400, f"{SECRET}-refresh is over"), CredentialsError, "could not be renewed"),
        (said(401, f"{SECRET}-refresh is over"), CredentialsError, "could not be renewed"),
        (ok(token=""), CredentialsError, "could not be renewed"),
        (ok(token=["new"]), NoAnswer, "renewing the sign-in: kaggle's answer is not usable"),
        (said(418, f"{SECRET}-refresh is over"), CredentialsError, "could not be renewed"),
        (ok(code=501, message=f"{SECRET}-refresh"), CredentialsError, "could not be renewed"),
    ],
)
def test_a_sign_in_that_is_not_renewed(home: Path, answer: Answer, error: type[CoordError], message: str) -> None:
    """It says what to do, and shows nothing of it."""
    file = sign_in(home)
    with scripted() as server:
        server.script["GenerateAccessToken"] = [answer]
        with pytest.raises(error, match=message) as caught:
            oauth_token(file, server.url)
    assert SECRET not in f"{caught.value!r} {caught.value.hint}"


def test_only_secrets_are_hidden() -> None:
    """The local target's key is "local", which stands in names and sources, too: they are left as they are."""
    local = Credentials("the local target", username="ada", key="local")
    assert local.hidden("import locale  # local/tiny") == "import locale  # local/tiny"
    key = "0123456789abcdef" * 2
    assert Credentials("here", username="ada", key=key).hidden(f"a {key} b") == "a *** b"
    assert Credentials("here", token=key).hidden(f"a {key} b") == "a *** b"


def test_secrets_are_not_shown() -> None:
    """Neither repr nor str nor an f-string of credentials holds the secret."""
    for found in (Credentials("here", username="ada", key=SECRET), Credentials("here", token=SECRET)):
        assert SECRET not in f"{found} {found!r} {[found]}"
        assert "here" in repr(found)
