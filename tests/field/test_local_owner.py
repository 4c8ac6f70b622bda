"""Any user of this machine can reach a local server: whoever has no token is answered nothing.

Seen: https://jupyter-server.readthedocs.io/en/latest/operators/security.html (why Jupyter's server has a token), and
found by trying it on coord: any key and any access token were accepted, and pages showed private sources to everybody.
"""

from __future__ import annotations

import base64
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from coordinator.project import Project, Settings
from coordinator.target import open_target
from runner_test.errors import MissingFolder
from runner_test.http import METHODS
from runner_test.server import running_server
from runner_test.store import Store
from tests.runner_test.local import Local

_JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """A server, for all tests of this module; nothing is saved."""
    store = Store(tmp_path_factory.mktemp("kaggle"))
    with running_server(store.root) as server:
        yield Local(server.url, store)


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


PATHS = [
    *(("POST", f"/api/v1/{name}") for name in METHODS if not METHODS[name].public),
    ("GET", "/api/v1/kernels/logs/stream/me/shared"),
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/code/me/shared"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("credentials", [None, "Basic me:key", "Bearer KGAT_any"])
def test_nothing_is_answered_without_the_token(local: Local, method: str, path: str, credentials: str | None) -> None:
    """401 for each method and each page; the browser is told to ask for it."""
    scheme, _, rest = (credentials or "").partition(" ")
    headers = _JSON | ({"Authorization": _basic(rest) if scheme == "Basic" else f"Bearer {rest}"} if rest else {})
    answer = requests.request(method, local.url + path, json={}, headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    "path",
    [
        "/files/me/shared/1/out.csv",
        "/data/siim/train.csv",
        "/submissions/1/a.csv",
        "/archives/kernels/me/shared/1/a.zip",
    ],
)
@pytest.mark.parametrize("query", ["", "?expires=99999999999&signature=", "?expires=99999999999&signature=00"])
def test_no_file_without_a_signed_address(local: Local, path: str, query: str) -> None:
    """A download's address is given to holders of the token only, and is worth nothing after a while."""
    assert requests.get(local.url + path + query, timeout=10).status_code == 403


@pytest.mark.parametrize(
    "given",
    ["Basic me:{}", "Basic anna:{}", "Bearer {}", "bearer  {} ", "basic me:{}"],
)
def test_the_token_is_a_key_and_an_access_token(local: Local, given: str) -> None:
    """As the key of any user, as in a browser, or alone, as the official client sends it."""
    scheme, _, rest = given.format(local.store.token()).partition(" ")
    value = _basic(rest).removeprefix("Basic ") if scheme.lower() == "basic" else rest
    headers = {"Authorization": f"{scheme} {value}"}
    assert requests.get(local.url, headers=headers, timeout=10).status_code == 200


@pytest.mark.parametrize("change", [str.upper, lambda t: t[:-1], lambda t: t + "0", lambda t: t + "ü", lambda t: ""])
def test_only_the_whole_token(local: Local, change: object) -> None:
    """What differs a little from it is refused like anything else."""
    assert callable(change)
    wrong = change(local.store.token())
    for value in (_basic(f"me:{wrong}"), _basic(f"me{wrong}"), _basic(f":{local.store.token()}")):
        assert requests.get(local.url, headers={"Authorization": value}, timeout=10).status_code == 401
    bearer = {"Authorization": f"Bearer {wrong}".encode()}
    assert requests.get(local.url, headers=bearer, timeout=10).status_code == 401


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_another_site_cannot_use_a_browser_that_knows_the_token(local: Local, kind: str | None) -> None:
    """A page of another site may send these types without asking first, and a browser would add the token."""
    headers = {"Content-Type": kind} if kind else {}
    url = f"{local.url}/api/v1/kernels.KernelsApiService/ListKernels"
    answer = requests.post(url, data=b"{}", headers=headers, auth=local.me, timeout=10)
    assert answer.status_code == 415


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o750, 0o701])
def test_others_cannot_read_the_token(tmp_path: Path, mode: int) -> None:
    """The folder is closed, also one that was made open before, and so is the file; each store has its own token."""
    (tmp_path / "kaggle").mkdir()
    (tmp_path / "kaggle").chmod(mode)
    store = Store(tmp_path / "kaggle")
    assert len(store.token()) == 64
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(store.token_file.stat().st_mode) == 0o600
    assert Store(tmp_path / "kaggle").token() == store.token()
    assert Store(tmp_path / "other").token() != store.token()


def test_a_folder_of_another_user() -> None:
    """Where the folder can't be closed, nothing is served from it. (Shown with the rights of another user.)"""
    if os.getuid() != 0:
        pytest.skip("only root can make a folder of another user")
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "kaggle").mkdir(mode=0o777)
        Path(directory).chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(MissingFolder, match="others can enter"):
                Store(Path(directory) / "kaggle")
        finally:
            os.seteuid(0)


def test_coord_finds_the_token_itself(tmp_path: Path) -> None:
    """A command's own server and its client share it, without a setting; it is in no representation."""
    project = Project(root=tmp_path, settings=Settings(owner="ada"))
    with open_target(project, "local") as target:
        assert target.quota() is not None
        token = (project.local_kaggle / "token").read_text()
        assert token not in repr(target)
